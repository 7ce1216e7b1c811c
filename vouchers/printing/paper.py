"""Sheets of cards: stock by name, own measures, and where each card lies. All lengths in millimetres."""

import math
from collections.abc import Iterator
from dataclasses import dataclass, fields

from hotspot.errors import WrongUse

A4 = (210.0, 297.0)
A5 = (148.0, 210.0)
# Below this there is no room for a code that people can type and one that phones can scan.
SMALLEST_CARD = (60.0, 34.0)
MOST_SHIFT = 10.0
# Rounded measures of a maker may add up to a little more than the page.
_SLACK = 0.5


@dataclass(frozen=True)
class Stock:
    """A sheet of cards on A4: columns and rows, a card's size, the first card's corner, and the step to the next one.

    `cut`: a plain sheet, which gets lines to cut along.
    """

    columns: int
    rows: int
    width: float
    height: float
    left: float
    top: float
    step_x: float
    step_y: float
    cut: bool = False

    @property
    def cards(self) -> int:
        """How many cards are on a sheet."""
        return self.columns * self.rows

    def corner(self, place: int) -> tuple[float, float]:
        """The top left corner of the card at a place, from 0, row by row."""
        row, column = divmod(place, self.columns)
        return self.left + column * self.step_x, self.top + row * self.step_y


# Measures as https://github.com/jimevins/glabels-qt, templates/avery-iso-templates.xml and zweckform-iso-templates.xml have
# them, there in points for some. Of C32011, and C32010 which is the same, as in the table of European business cards of a
# published greeting card program (PaperTemplates.cpp): 2 x 5 cards of 85 x 54 mm, the first at 15 and 13.5 mm, the next 95 mm to
# the right and 54 mm down. glabels has 32010 alone, rounded to whole points, and within 1.5 mm of that.
STOCKS = {
    "plain-85x55": Stock(2, 5, 85.0, 55.0, 20.0, 11.0, 85.0, 55.0, cut=True),
    "avery-c32011": Stock(2, 5, 85.0, 54.0, 15.0, 13.5, 95.0, 54.0),
    "avery-32015": Stock(2, 4, 85.0, 54.0, 17.0, 31.5, 91.0, 60.0),
    "avery-l4785": Stock(2, 5, 80.0, 50.0, 18.0, 13.0, 95.0, 55.0),
    "avery-l7414": Stock(2, 5, 90.0, 52.0, 15.0, 18.5, 90.0, 52.0),
    "avery-l7163": Stock(2, 7, 99.1, 38.1, 3.4, 15.2, 103.0, 38.1),
    "avery-3474": Stock(3, 8, 70.0, 37.0, 0.0, 0.0, 70.0, 37.0),
}
DEFAULT_STOCK = "plain-85x55"


@dataclass(frozen=True)
class Measures:
    """A person's own sheet: columns and rows, a card's size, the margins left and top, and the gaps between cards."""

    columns: int
    rows: int
    width: float
    height: float
    left: float
    top: float
    gap_x: float
    gap_y: float


def own_stock(own: Measures) -> Stock:
    """The sheet with these measures; WrongUse, which names what is wrong, if that does not fit on A4."""
    for one in fields(own):
        value = getattr(own, one.name)
        if not math.isfinite(value) or value < 0:
            raise WrongUse("bad-measure", f"The measure {one.name} is not a length.")
    if not (1 <= own.columns <= 5 and 1 <= own.rows <= 20):
        raise WrongUse("bad-grid", "A sheet has 1 to 5 columns and 1 to 20 rows.")
    if own.width < SMALLEST_CARD[0] or own.height < SMALLEST_CARD[1]:
        raise WrongUse("card-too-small", f"A card needs {SMALLEST_CARD[0]:g} x {SMALLEST_CARD[1]:g} mm at least.")
    if own.left + own.columns * own.width + (own.columns - 1) * own.gap_x > A4[0] + _SLACK:
        raise WrongUse("too-wide", f"Margin, columns and gaps are wider than the page: {A4[0]:g} mm.")
    if own.top + own.rows * own.height + (own.rows - 1) * own.gap_y > A4[1] + _SLACK:
        raise WrongUse("too-high", f"Margin, rows and gaps are higher than the page: {A4[1]:g} mm.")
    step_x, step_y = own.width + own.gap_x, own.height + own.gap_y
    return Stock(own.columns, own.rows, own.width, own.height, own.left, own.top, step_x, step_y)


@dataclass(frozen=True)
class Sheet:
    """How to print on a stock: from which place of the first sheet, from 1, and how far a printer is off."""

    stock: Stock
    start: int = 1
    shift_x: float = 0.0
    shift_y: float = 0.0

    def __post_init__(self) -> None:
        if not 1 <= self.start <= self.stock.cards:
            raise WrongUse("bad-start", f"A sheet of this stock has the places 1 to {self.stock.cards}.")
        if not (abs(self.shift_x) <= MOST_SHIFT and abs(self.shift_y) <= MOST_SHIFT):
            raise WrongUse("bad-shift", f"A printer may be off by {MOST_SHIFT:g} mm at most.")

    def places(self, count: int) -> Iterator[tuple[int, float, float]]:
        """For each of so many cards: the page from 0, and its corner."""
        for number in range(self.start - 1, self.start - 1 + count):
            page, place = divmod(number, self.stock.cards)
            x, y = self.stock.corner(place)
            yield page, x + self.shift_x, y + self.shift_y

    def pages(self, count: int) -> int:
        """How many sheets so many cards take."""
        return -(-(self.start - 1 + count) // self.stock.cards)
