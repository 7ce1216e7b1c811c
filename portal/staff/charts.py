"""Bar charts as SVG, and what they say as a table for those who do not see them."""

from collections.abc import Sequence
from dataclasses import dataclass

from flask_babel import gettext as _

from portal.formats import number

WIDTH, HEIGHT = 320, 96
# What is too little to be told has a bar all the same, and all of them the same.
_STUB = 2.0
_GAP = 0.25


@dataclass(frozen=True)
class Bar:
    """A bar in the units of the chart; `value` is what it says in words."""

    x: float
    y: float
    width: float
    height: float
    few: bool
    name: str
    value: str


@dataclass(frozen=True)
class Tick:
    """A name under the chart."""

    x: float
    name: str


@dataclass(frozen=True)
class Chart:
    """A chart with its heading; `most` is the value of a bar as high as the chart."""

    id: str
    title: str
    column: str
    bars: tuple[Bar, ...]
    ticks: tuple[Tick, ...]
    most: str


def guests_in_words(count: int | None) -> str:
    """A number of guests, or that there were too few to tell."""
    return _("fewer than 5") if count is None else number(count)


def bar_chart(
    id: str, title: str, column: str, bars: Sequence[tuple[str, int | None]], ticks: Sequence[tuple[int, str]]
) -> Chart:
    """A chart of named numbers, of which None are too small to be told; `ticks` name some bars, by their index."""
    most = max((value or 0 for _name, value in bars), default=0)
    step = WIDTH / max(1, len(bars))
    return Chart(
        id=id,
        title=title,
        column=column,
        bars=tuple(_bar(index * step, step, most, name, value) for index, (name, value) in enumerate(bars)),
        ticks=tuple(Tick(round((index + 0.5) * step, 1), name) for index, name in ticks),
        most=number(most) if most else "",
    )


def _bar(x: float, step: float, most: int, name: str, value: int | None) -> Bar:
    height = round(max(_STUB, HEIGHT * value / most), 1) if value else _STUB
    return Bar(
        x=round(x + step * _GAP / 2, 1),
        y=round(HEIGHT - height, 1),
        width=round(step * (1 - _GAP), 1),
        height=height,
        few=value is None,
        name=name,
        value=guests_in_words(value),
    )
