"""Rows of CSV (RFC 4180) that spreadsheets open and never calculate with."""

import csv
import io
from collections.abc import Sequence

# A cell that begins so is a formula to a spreadsheet (OWASP: CSV injection).
_FORMULAS = ("=", "+", "-", "@", "\t", "\r")


def csv_row(cells: Sequence[str | int | None]) -> str:
    """A row with its line end. What would be a formula gets an apostrophe before it; numbers given as int stay numbers."""
    out = io.StringIO()
    csv.writer(out).writerow([_plain(cell) for cell in cells])
    return out.getvalue()


def _plain(cell: str | int | None) -> str | int:
    if isinstance(cell, str) and cell.startswith(_FORMULAS) and not _is_number(cell):
        return f"'{cell}"
    return "" if cell is None else cell


def _is_number(cell: str) -> bool:
    return cell[:1] == "-" and cell[1:].replace(".", "", 1).isdecimal()
