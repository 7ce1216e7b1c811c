"""Orders from a CSV file: read as a whole, each line by itself, with what is wrong with it."""

import csv
import enum
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, time
from zoneinfo import ZoneInfo

from hotspot.clock import at_wall_clock
from hotspot.errors import WrongUse
from vouchers.issuing import CHUNK, Order
from vouchers.passes import Pass

COLUMNS = ("pass", "count", "note", "good_from", "good_until")
MOST_LINES = 100
MOST_VOUCHERS = 2_000
_LONGEST_NOTE = 200


class Trouble(enum.StrEnum):
    """What is wrong with a line, or with the whole file."""

    NO_HEADER = "no-header"
    TOO_MANY_LINES = "too-many-lines"
    TOO_MANY_VOUCHERS = "too-many-vouchers"
    NO_LINES = "no-lines"
    NO_PASS = "no-pass"
    BAD_COUNT = "bad-count"
    LONG_NOTE = "long-note"
    BAD_DATE = "bad-date"
    BAD_LINE = "bad-line"


class Unreadable(ValueError):
    """The file as a whole makes no sense."""

    def __init__(self, trouble: Trouble) -> None:
        super().__init__(trouble.value)
        self.trouble = trouble


@dataclass(frozen=True)
class ReadLine:
    """A line, by its number in the file: what it orders, or what is wrong with it."""

    number: int
    order: Order | None = None
    trouble: Trouble | None = None


class _Wrong(Exception):
    def __init__(self, trouble: Trouble) -> None:
        self.trouble = trouble


def read_orders(text: str, passes: Sequence[Pass], zone: ZoneInfo) -> list[ReadLine]:
    """The lines of a file whose first one names its columns, COLUMNS in any order, of which only `pass` has to be there.

    A pass is named by its slug or its name; dates are 2027-06-15 or 2027-06-15 14:00 in the site's `zone`, and a date
    alone is its first moment as `good_from` and its last as `good_until`. Unreadable for a file that makes no sense.
    """
    lines = text.lstrip("\ufeff").splitlines()
    head = lines[0] if lines else ""
    reader = csv.reader(lines, delimiter=";" if ";" in head else ",")
    names = [name.strip().lower() for name in next(_rows(reader), [])]
    if "pass" not in names or not set(names) <= set(COLUMNS) or len(set(names)) < len(names):
        raise Unreadable(Trouble.NO_HEADER)
    by_name = {one.name.casefold(): one for one in passes} | {one.slug: one for one in passes}
    found = [
        _read(number, dict(zip(names, cells, strict=False)), len(cells) > len(names), by_name, zone)
        for number, cells in enumerate(_rows(reader), 2)
        if any(cell.strip() for cell in cells)
    ]
    _check(found)
    return found


def _rows(reader: Iterator[list[str]]) -> Iterator[list[str]]:
    """A line that csv cannot read is one without any cell that is known."""
    while True:
        try:
            yield next(reader)
        except StopIteration:
            return
        except csv.Error:
            yield ["\0"] * (len(COLUMNS) + 1)


def _check(found: Sequence[ReadLine]) -> None:
    if not found:
        raise Unreadable(Trouble.NO_LINES)
    if len(found) > MOST_LINES:
        raise Unreadable(Trouble.TOO_MANY_LINES)
    if sum(one.order.count for one in found if one.order) > MOST_VOUCHERS:
        raise Unreadable(Trouble.TOO_MANY_VOUCHERS)


def _read(number: int, cells: dict[str, str], overlong: bool, passes: dict[str, Pass], zone: ZoneInfo) -> ReadLine:
    try:
        if overlong:
            raise _Wrong(Trouble.BAD_LINE)
        return ReadLine(number, order=_order({name: cell.strip() for name, cell in cells.items()}, passes, zone))
    except _Wrong as wrong:
        return ReadLine(number, trouble=wrong.trouble)


def _order(cells: dict[str, str], passes: dict[str, Pass], zone: ZoneInfo) -> Order:
    name, note = cells["pass"], cells.get("note", "")
    article = passes.get(name) or passes.get(name.casefold())
    if article is None:
        raise _Wrong(Trouble.NO_PASS)
    if len(note) > _LONGEST_NOTE:
        raise _Wrong(Trouble.LONG_NOTE)
    return Order(
        article,
        count=_count(cells.get("count", "")),
        note=note,
        good_from=_moment(cells.get("good_from", ""), time(0), zone),
        good_until=_moment(cells.get("good_until", ""), time(23, 59), zone),
    )


def _count(cell: str) -> int:
    if not cell:
        return 1
    if not (cell.isascii() and cell.isdecimal() and len(cell) <= 4 and 1 <= int(cell) <= CHUNK):
        raise _Wrong(Trouble.BAD_COUNT)
    return int(cell)


def _moment(cell: str, usual: time, zone: ZoneInfo) -> datetime | None:
    if not cell:
        return None
    try:
        if len(cell) == len("2027-06-15"):
            return at_wall_clock(datetime.combine(datetime.strptime(cell, "%Y-%m-%d").date(), usual), zone)  # noqa: DTZ007
        return at_wall_clock(datetime.strptime(cell, "%Y-%m-%d %H:%M"), zone)  # noqa: DTZ007
    except (ValueError, WrongUse) as error:
        raise _Wrong(Trouble.BAD_DATE) from error
