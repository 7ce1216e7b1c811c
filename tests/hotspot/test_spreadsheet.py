"""Rows of CSV that no spreadsheet calculates with."""

import csv
import io

import pytest

from hotspot.spreadsheet import csv_row


@pytest.mark.parametrize("cell", ["=1+1", "+1+1", "@SUM(A1)", "-1+1", "-", "-.", "\t=1", "\r=1", "-1.2.3"])
def test_a_formula_is_a_text(cell: str) -> None:
    ((read,),) = csv.reader(io.StringIO(csv_row([cell]), newline=""))
    assert read == f"'{cell}"


@pytest.mark.parametrize("cell", ["-4.90", "-12", "4.90", "Day pass", "a=b", 'say "no", twice\nor so', ""])
def test_anything_else_stays_as_it_is(cell: str) -> None:
    ((read, *_more),) = csv.reader(io.StringIO(csv_row([cell, "end"]), newline=""))
    assert read == cell


def test_numbers_and_nothing_are_cells_too() -> None:
    assert csv_row([3, None, -2]) == "3,,-2\r\n"
