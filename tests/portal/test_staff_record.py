"""The audit record: append-only, read by owners for their own customer, and by the operator."""

import csv
import io
from datetime import timedelta

import pytest
from flask import Flask
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError

from hotspot.audit import Actor, record
from hotspot.database import Database
from hotspot.people import Role, User
from hotspot.place import Customer
from tests.conftest import NOON
from tests.factories import a_site, a_user
from tests.portal.desk import Staff, counting_queries, signed_in, words_of

OWNER = "owner@example.org"


@pytest.fixture
def owner(database: Database) -> User:
    """The owner of a customer; other@ owns another one, operator@ is the operator."""
    with database.write() as session:
        owner = a_user(session, customer=a_site(session).customer, email=OWNER)
        owner.name = "Anna Wirt"
        a_user(session, customer=a_site(session).customer, email="other@example.org")
        a_user(session, Role.OPERATOR, email="operator@example.org")
    return owner


def note(database: Database, owner: User, action: str, subject: str, detail: str = "", count: int = 1) -> None:
    """Entries as the parts of the program make them."""
    with database.write() as session:
        for number in range(count):
            moment = NOON + timedelta(seconds=number)
            record(session, Actor(owner.id), action, subject, moment, customer_id=owner.customer_id, detail=detail)


@pytest.mark.parametrize(
    "statement",
    ["UPDATE audit_entry SET detail = 'nothing'", "DELETE FROM audit_entry", "TRUNCATE audit_entry"],
)
def test_the_database_itself_lets_nobody_change_the_record(database: Database, owner: User, statement: str) -> None:
    note(database, owner, "voucher revoked", "voucher abc")
    with pytest.raises(DBAPIError), database.write() as session:
        session.execute(text(statement))


def test_an_owner_reads_who_did_what_and_nothing_of_others_or_of_gateways(
    app: Flask, database: Database, owner: User
) -> None:
    note(database, owner, "voucher revoked", "voucher abc", "A-17")
    note(database, owner, "NAS secret replaced", "nas abc", "gateway")
    words = words_of(signed_in(app, OWNER).get("/desk/record"))

    assert "Voucher revoked A-17 Anna Wirt 15 Jun 2026, 14:00" in words
    assert "NAS" not in words
    assert "A-17" not in words_of(signed_in(app, "other@example.org").get("/desk/record"))
    assert "A-17" not in signed_in(app, "other@example.org").get("/desk/record.csv").text
    everything = words_of(signed_in(app, "operator@example.org").get("/desk/record"))
    assert "A-17" in everything
    assert "NAS secret replaced" in everything


def test_the_record_is_narrowed_by_person_and_kind(app: Flask, database: Database, owner: User) -> None:
    with database.write() as session:
        kim = a_user(session, Role.FRONT_DESK, customer=session.get_one(Customer, owner.customer_id), email="kim@x.org")
    note(database, owner, "voucher revoked", "voucher abc", "by Anna")
    note(database, kim, "vouchers issued", "batch abc", "by Kim")
    note(database, owner, "pass changed", "pass abc", "the price")
    staff = signed_in(app, OWNER)

    def shown(query: str) -> list[bool]:
        words = words_of(staff.get(f"/desk/record?{query}"))
        return [mark in words for mark in ("by Anna", "by Kim", "the price")]

    assert shown("") == [True, True, True]
    assert shown(f"person={kim.public_id}") == [False, True, False]
    assert shown("kind=vouchers") == [True, True, False]
    assert shown("kind=place") == [False, False, True]
    assert shown(f"person={owner.public_id}&kind=vouchers") == [True, False, False]
    for hostile in ("kind=x", "person=abcdefghijklmnop", "before=1", "before=zz", f"before={'00' * 40}"):
        assert staff.get(f"/desk/record?{hostile}").status_code == 404, hostile


def test_the_record_goes_page_by_page_without_leaving_anything_out(app: Flask, database: Database, owner: User) -> None:
    with database.write() as session:
        for number in range(120):
            actor, detail = Actor(owner.id), f"note {number}."
            record(session, actor, "voucher noted", "voucher abc", NOON, customer_id=owner.customer_id, detail=detail)
    staff, path, seen = signed_in(app, OWNER), "/desk/record?kind=vouchers", []
    while path:
        page = staff.get(path)
        seen += [number for number in range(120) if f"note {number}." in page.text]
        older = page.text.partition(">Older</a>")
        path = older[0].rpartition('href="')[2].rstrip('">').replace("&amp;", "&") if older[1] else ""
    assert sorted(seen) == list(range(120))


def test_a_page_takes_as_many_queries_for_many_entries_as_for_one(app: Flask, database: Database, owner: User) -> None:
    staff = signed_in(app, OWNER)
    counts = []
    for _ in range(2):
        note(database, owner, "voucher noted", "voucher abc", count=40)
        with counting_queries(database) as queries:
            staff.get("/desk/record")
        counts.append(len(queries))
    assert counts[0] == counts[1] <= 6


def test_the_csv_has_every_entry_and_no_formula(app: Flask, database: Database, owner: User) -> None:
    note(database, owner, "voucher noted", "voucher abc", '=HYPERLINK("http://evil.example")')
    note(database, owner, "voucher noted", "voucher abc", "many", count=1500)
    answer = signed_in(app, OWNER).get("/desk/record.csv?kind=vouchers")
    rows = list(csv.DictReader(io.StringIO(answer.text)))

    assert len(rows) == 1501
    assert rows[-1]["detail"].startswith("'=")
    assert rows[-1]["person"] == "Anna Wirt"
    assert rows[-1]["at"] == "2026-06-15T12:00:00+00:00"
    assert "attachment" in answer.headers["Content-Disposition"]


def test_front_desk_and_readers_do_not_find_the_record(app: Flask, database: Database, owner: User) -> None:
    with database.write() as session:
        customer = session.get_one(Customer, owner.customer_id)
        a_user(session, Role.FRONT_DESK, customer=customer, email="desk@example.org")
        a_user(session, Role.READ_ONLY, customer=customer, email="reader@example.org")
    for email in ("desk@example.org", "reader@example.org"):
        staff: Staff = signed_in(app, email)
        assert staff.get("/desk/record").status_code == staff.get("/desk/record.csv").status_code == 404
        assert "/desk/record" not in staff.get("/desk").text
