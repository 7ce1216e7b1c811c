"""A batch as CSV."""

import csv
import io
from datetime import datetime

import pytest
from flask import Flask
from sqlalchemy import select

from hotspot.audit import AuditEntry
from hotspot.database import Database
from hotspot.keys import Keyring
from hotspot.people import Role
from portal.staff.csv_out import harmless
from tests.factories import a_place, a_user, some_vouchers
from tests.portal.desk import signed_in
from vouchers.issuing import Issued
from vouchers.voucher import Batch, Voucher


@pytest.fixture
def issued(database: Database, keyring: Keyring, now: datetime) -> list[Issued]:
    """Three vouchers, of which the first is used and the second has a note that is a formula."""
    with database.write() as session:
        place = a_place(session, keyring)
        for role in (Role.OWNER, Role.READ_ONLY):
            a_user(session, role, customer=place.customer, email=f"{role.value}@example.org")
        issued = some_vouchers(session, keyring, place.site, place.article, 3, now=now)
        rows = [session.get_one(Voucher, one.voucher.id) for one in issued]
        rows[0].first_used_at, rows[0].code_ciphertext = now, None
        rows[1].note = "=HYPERLINK(1)"
        return issued


def lines_of(app: Flask, database: Database, issued: list[Issued], email: str, language: str = "en") -> list[list[str]]:
    with database.read() as session:
        batch = session.get_one(Batch, issued[0].voucher.batch_id).public_id
    answer = signed_in(app, email, language).get(f"/desk/batches/{batch}/vouchers.csv")
    assert (answer.status_code, answer.mimetype) == (200, "text/csv")
    assert answer.data.startswith("\ufeff".encode())
    return list(csv.reader(io.StringIO(answer.data.decode("utf-8-sig")), delimiter=";"))


def printed(database: Database) -> list[str]:
    with database.read() as session:
        return list(session.scalars(select(AuditEntry.detail).where(AuditEntry.action == "vouchers printed")))


def test_unused_codes_are_in_it_for_who_may_print_and_that_is_recorded(
    app: Flask, database: Database, issued: list[Issued]
) -> None:
    head, *lines = lines_of(app, database, issued, "owner@example.org")
    assert head == ["Serial number", "State", "Note", "Good until", "Code"]
    assert [line[0] for line in lines] == [one.serial for one in issued]
    assert [line[4] for line in lines] == ["", issued[1].code.printed, issued[2].code.printed]
    assert [line[1] for line in lines] == ["in use", "unused", "unused"]
    assert lines[0][3] == "2027-06-15 14:00"
    assert printed(database) == ["2 x"]


def test_whoever_looks_at_codes_is_in_the_record(app: Flask, database: Database, issued: list[Issued]) -> None:
    with database.read() as session:
        batch = session.get_one(Batch, issued[0].voucher.batch_id).public_id
    for email in ("owner@example.org", "read-only@example.org"):
        signed_in(app, email).get(f"/desk/batches/{batch}")
    with database.read() as session:
        lines = session.execute(
            select(AuditEntry.subject, AuditEntry.detail).where(AuditEntry.action == "codes shown")
        ).all()
    assert lines == [(f"batch {batch}", "2 x")]


def test_who_may_not_print_gets_no_code(app: Flask, database: Database, issued: list[Issued]) -> None:
    _head, *lines = lines_of(app, database, issued, "read-only@example.org")
    assert [line[4] for line in lines] == ["", "", ""]
    assert printed(database) == []


def test_a_formula_is_only_text(app: Flask, database: Database, issued: list[Issued]) -> None:
    assert lines_of(app, database, issued, "owner@example.org", "de")[2][2] == "'=HYPERLINK(1)"


@pytest.mark.parametrize(
    ("cell", "written"),
    [("=1", "'=1"), ("+1", "'+1"), ("-1", "'-1"), ("@a", "'@a"), ("\t=1", "'\t=1"), ("a=1", "a=1"), ("", "")],
)
def test_what_begins_like_a_formula_gets_a_quote(cell: str, written: str) -> None:
    assert harmless(cell) == written
