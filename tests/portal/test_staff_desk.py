"""The overview."""

import re
from datetime import datetime

import pytest
from flask import Flask
from sqlalchemy import select

from hotspot.database import Database
from hotspot.keys import Keyring
from hotspot.limits import Limit
from hotspot.people import Role
from hotspot.place import Grain, SiteKind
from sessions.admit import Admitted, admit
from sessions.doubles import DoubleSighting
from sessions.guessing import a_try, count
from sessions.visit import Visit, VisitState
from tests.factories import (
    Place,
    a_login,
    a_pass,
    a_place,
    a_site,
    a_user,
    directory,
    located,
    revoke,
    some_vouchers,
)
from tests.portal.desk import counting_queries, signed_in, words_of
from vouchers.codes import Code

EMAIL = "owner@example.org"


def guests_come(
    database: Database, keyring: Keyring, place: Place, count: int, now: datetime, *, at_site: bool = False
) -> None:
    """Let devices in at the place's first access point, each on a voucher of its own."""
    with database.write() as session:
        snapshot = directory(session, keyring)
        codes = [one.code.value for one in some_vouchers(session, keyring, place.site, place.article, count, now=now)]
        outcomes = admit(session, keyring, [a_login(snapshot, place, c, at_site=at_site) for c in codes], 300, now)
        assert all(isinstance(one, Admitted) for one in outcomes)


def test_an_owner_sees_guests_of_places_on_each_access_point_and_the_stock(
    app: Flask, database: Database, keyring: Keyring, now: datetime
) -> None:
    with database.write() as session:
        place = a_place(session, keyring, SiteKind.MULTI, access_points=2, capacity=100)
        a_user(session, customer=place.customer, email=EMAIL)
        stock = some_vouchers(session, keyring, place.site, place.article, 5, now=now)
        revoke(session, stock[0].voucher, now)
    guests_come(database, keyring, place, 12, now)

    page = words_of(signed_in(app, EMAIL).get("/desk"))

    assert place.site.name in page
    assert "Surf Pass" in page
    assert f"{place.access_points[0].name} 12 of 100" in page
    assert f"{place.access_points[1].name} 0 of 100" in page
    assert "12 guests online at 14:00" in page
    assert "12 of 200 places" in page
    assert "4 unused vouchers" in page


def test_guests_whose_access_point_nobody_knows_are_counted_at_their_site(
    app: Flask, database: Database, keyring: Keyring, now: datetime
) -> None:
    with database.write() as session:
        place = a_place(session, keyring, grain=Grain.SITE, nas_site=True)
        a_user(session, customer=place.customer, email=EMAIL)
    guests_come(database, keyring, place, 3, now, at_site=True)

    page = words_of(signed_in(app, EMAIL).get("/desk"))

    assert "3 guests online" in page
    assert "0 of 100" in page
    assert "3 more" in page


def test_guests_who_have_gone_or_have_only_asked_are_not_counted(
    app: Flask, database: Database, keyring: Keyring, now: datetime
) -> None:
    with database.write() as session:
        place = a_place(session, keyring)
        a_user(session, customer=place.customer, email=EMAIL)
    guests_come(database, keyring, place, 3, now)
    with database.write() as session:
        gone, asking, _here = session.scalars(select(Visit))
        gone.state, asking.state = VisitState.CLOSED, VisitState.ASKED

    assert "1 of 100" in words_of(signed_in(app, EMAIL).get("/desk"))


def test_an_owner_sees_the_own_customers_sites_and_an_operator_all(
    app: Flask, database: Database, keyring: Keyring
) -> None:
    with database.write() as session:
        mine, other = a_site(session), a_site(session)
        other_customer = other.customer.name
        a_user(session, customer=mine.customer, email=EMAIL)
        a_user(session, customer=mine.customer, email="colleague@example.org")
        a_user(session, Role.OPERATOR, email="operator@example.org")

    for email in (EMAIL, "colleague@example.org"):
        page = words_of(signed_in(app, email).get("/desk"))
        assert mine.name in page
        assert other.name not in page
    page = words_of(signed_in(app, "operator@example.org").get("/desk"))
    assert mine.name in page
    assert other.name in page
    assert other_customer in page


def test_the_operator_is_told_where_somebody_guesses_and_owners_are_not(
    app: Flask, database: Database, keyring: Keyring, now: datetime
) -> None:
    with database.write() as session:
        place = a_place(session, keyring)
        a_user(session, customer=place.customer, email=EMAIL)
        a_user(session, Role.OPERATOR, email="operator@example.org")
        here = located(directory(session, keyring), place.access_point)
        for device in ("02-00-00-00-00-01", "02-00-00-00-00-02"):
            guesses = [a_try(here, device, Code.new())] * Limit.GUESSES_BY_DEVICE.allowed
            count(session, keyring, guesses, now)
    page = words_of(signed_in(app, "operator@example.org").get("/desk"))
    assert "Somebody is trying out voucher codes" in page
    assert f"{place.site.name} : last seen today, 14:00. 2 devices have been made to wait." in page
    assert "send a code twice" not in page
    assert "Somebody is trying out" not in words_of(signed_in(app, EMAIL).get("/desk"))


def test_the_overview_takes_as_many_queries_for_many_sites_as_for_one(
    app: Flask, database: Database, keyring: Keyring, now: datetime
) -> None:
    with database.write() as session:
        place = a_place(session, keyring)
        a_user(session, customer=place.customer, email=EMAIL)
    guests_come(database, keyring, place, 1, now)
    staff = signed_in(app, EMAIL)
    staff.get("/desk")
    with counting_queries(database) as few:
        staff.get("/desk")
    with database.write() as session:
        for _ in range(5):
            site = a_site(session, SiteKind.MULTI, customer=place.customer)
            some_vouchers(session, keyring, site, a_pass(session), 3)
    # The place has changed, and is read anew once.
    staff.get("/desk")
    with counting_queries(database) as many:
        assert staff.get("/desk").text.count("unused voucher") == 6

    assert len(many) == len(few) <= 10


@pytest.mark.parametrize("path", ["/login", "/desk"])
def test_staff_pages_hold_no_script_or_style_inline_and_no_foreign_script(
    app: Flask, database: Database, path: str
) -> None:
    with database.write() as session:
        a_user(session, customer=a_site(session).customer, email=EMAIL)
    page = signed_in(app, EMAIL).get(path) if path == "/desk" else app.test_client().get(path)

    text = re.sub(r'<script src="/static/[a-z_]+\.js\?v=\w{8}" defer></script>', "", page.text)
    assert not re.search(r"<script|<style|\sstyle=|\son[a-z]+=", text)
    assert "default-src 'none'" in page.headers["Content-Security-Policy"]
    assert "unsafe" not in page.headers["Content-Security-Policy"]
    assert page.headers["Cache-Control"] == "no-store"


def test_the_operator_sees_where_a_device_is_at_two_places_at_once_and_an_owner_does_not(
    app: Flask, database: Database, keyring: Keyring, now: datetime
) -> None:
    with database.write() as session:
        place = a_place(session, keyring)
        a_user(session, customer=place.customer, email=EMAIL)
        a_user(session, Role.OPERATOR, email="operator@example.org")
    guests_come(database, keyring, place, 1, now)
    with database.write() as session:
        visit_id = session.scalars(select(Visit.id)).one()
        session.add(DoubleSighting(visit_id=visit_id, other_visit_id=visit_id, first_seen_at=now, last_seen_at=now))
    words = f"At two access points of {place.site.name}"
    assert words in words_of(signed_in(app, "operator@example.org").get("/desk"))
    assert words not in words_of(signed_in(app, EMAIL).get("/desk"))
