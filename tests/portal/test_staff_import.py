"""Issuing by a CSV file: nothing is taken until it is confirmed, and each bad line is named."""

import io
from dataclasses import dataclass
from datetime import datetime
from zoneinfo import ZoneInfo

import pytest
from flask import Flask
from sqlalchemy import select
from werkzeug.test import TestResponse

from hotspot.database import Database
from hotspot.keys import Keyring
from tests.factories import a_pass, a_place, a_user
from tests.portal.desk import Staff, form_of, signed_in, words_of
from vouchers.csv_in import Trouble, Unreadable, read_orders
from vouchers.voucher import Batch, Voucher

HEAD = "pass;count;note;good_from;good_until\n"


@dataclass(frozen=True)
class Desk:
    """A site with a pass `day`, and its owner."""

    staff: Staff
    path: str

    def send(self, text: str | bytes) -> TestResponse:
        """Choose a file."""
        octets = text.encode() if isinstance(text, str) else text
        token = form_of(self.staff.get(self.path), self.path)["csrf_token"]
        data = {"csrf_token": token, "file": (io.BytesIO(octets), "orders.csv")}
        return self.staff.client.post(self.path, data=data, headers={"Accept-Language": "en"})


@pytest.fixture
def desk(app: Flask, database: Database, keyring: Keyring) -> Desk:
    with database.write() as session:
        place = a_place(session, keyring, article=a_pass(session, slug="day"))
        a_user(session, customer=place.customer, email="owner@example.org")
    return Desk(signed_in(app, "owner@example.org"), f"/desk/sites/{place.site.public_id}/import")


def issued(database: Database) -> list[tuple[int, str]]:
    with database.read() as session:
        batches = session.scalars(select(Batch).order_by(Batch.id)).all()
        assert len(session.scalars(select(Voucher.id)).all()) == sum(one.issued for one in batches)
        return [(one.issued, one.note) for one in batches]


def test_a_file_is_shown_first_and_issued_once_it_is_confirmed(desk: Desk, database: Database) -> None:
    preview = desk.send(
        f"{HEAD}day;3;Hall A;2026-07-01;2026-08-01 18:00\n\nDAY;;=1;;\nPass day;2;;;\n".replace("DAY", "day")
    )
    assert preview.status_code == 200
    assert "Line 2: 3 × Pass day Hall A" in words_of(preview)
    assert issued(database) == []

    assert desk.staff.submit(preview, desk.path).status_code == 303
    assert issued(database) == [(3, "Hall A"), (1, "=1"), (2, "")]
    assert desk.staff.submit(preview, desk.path).status_code == 303
    assert len(issued(database)) == 3


def test_every_bad_line_is_named_and_nothing_is_issued(desk: Desk, database: Database) -> None:
    lines = ["day;2;good;;", "week;1;;;", "day;501;;;", "day;-1;;;", f"day;1;{'x' * 201};;", "day;1;;tomorrow;",
             "day;1;;2026-07-02;2026-07-01", "day;1;;;2026-01-01", "day;1;;;;more",
             "day;1;;0001-01-01;", "day;1;;;9999-12-31"]  # fmt: skip
    preview = desk.send(HEAD + "\n".join(lines))
    assert preview.status_code == 400
    words = words_of(preview)
    assert "10 lines cannot be issued, so nothing is." in words
    assert preview.text.count("under error") == 10
    for fault in ("There is no such pass here.", "The number has to be 1 to 500.", "A date is written"):
        assert fault in words
    assert 'name="key"' not in preview.text
    assert issued(database) == []


def test_a_bad_file_that_says_it_is_confirmed_is_not_issued(desk: Desk, database: Database) -> None:
    good = desk.send(f"{HEAD}day;1;;;\n")
    answer = desk.staff.submit(good, desk.path, text=f"{HEAD}day;1;;;\nweek;1;;;\n")
    assert answer.status_code == 400
    assert issued(database) == []


def test_a_preview_that_was_confirmed_with_other_lines_is_refused(desk: Desk, database: Database) -> None:
    preview = desk.send(f"{HEAD}day;1;;;\n")
    desk.staff.submit(preview, desk.path)
    answer = desk.staff.submit(preview, desk.path, text=f"{HEAD}day;2;;;\nday;3;;;\n")
    assert answer.status_code == 400
    assert "This form was sent before with other values." in words_of(answer)
    assert issued(database) == [(1, "")]


@pytest.mark.parametrize(
    "file",
    [b"", b"\xff\xfe\x00", b"name;count\nday;1\n", b"pass;pass\nday;day\n", HEAD.encode(), b"\x00" * 100, b'"' * 999],
)
def test_a_file_that_makes_no_sense_is_refused_as_a_whole(desk: Desk, database: Database, file: bytes) -> None:
    assert desk.send(file).status_code == 400
    assert issued(database) == []


def test_a_file_that_is_too_long_is_refused(desk: Desk, database: Database) -> None:
    for file in (HEAD + "day;1;;;\n" * 101, HEAD + "day;500;;;\n" * 5):
        answer = desk.send(file)
        assert answer.status_code == 400
        assert "A file may" in words_of(answer)
    assert desk.send(HEAD + "x" * 70_000).status_code == 413
    assert issued(database) == []


def test_dates_alone_are_whole_days_of_the_site(database: Database) -> None:
    with database.write() as session:
        article = a_pass(session, slug="day")
    zone = ZoneInfo("Europe/Berlin")
    (line,) = read_orders("\ufeffgood_until,good_from,pass\n2027-06-16,2027-06-15,day\n", [article], zone)
    assert line.order is not None
    assert line.order.good_from == datetime(2027, 6, 15, 0, 0, tzinfo=zone)
    assert line.order.good_until == datetime(2027, 6, 16, 23, 59, tzinfo=zone)
    with pytest.raises(Unreadable) as refused:
        read_orders("count\n1\n", [article], zone)
    assert refused.value.trouble is Trouble.NO_HEADER
