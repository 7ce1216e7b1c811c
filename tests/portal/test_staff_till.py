"""The till: selling printed vouchers, closing shifts, and the ledger for bookkeeping."""

import csv
import io
from datetime import timedelta

import pytest
from flask import Flask
from sqlalchemy import select

from hotspot.database import Database
from hotspot.keys import Keyring
from hotspot.people import Role
from tests.factories import Place, a_pass, a_place, a_user, some_vouchers
from tests.portal.conftest import MovableClock
from tests.portal.desk import Staff, signed_in, words_of
from vouchers.issuing import Issued
from vouchers.shifts import ShiftClosing

EMAIL = "desk@example.org"


@pytest.fixture
def place(database: Database, keyring: Keyring) -> Place:
    with database.write() as session:
        place = a_place(session, keyring)
        a_user(session, Role.FRONT_DESK, customer=place.customer, email=EMAIL)
        a_user(session, customer=place.customer, email="owner@example.org")
    return place


@pytest.fixture
def printed(database: Database, keyring: Keyring, place: Place, clock: MovableClock) -> list[Issued]:
    """Three printed vouchers of 4.90."""
    with database.write() as session:
        return some_vouchers(session, keyring, place.site, a_pass(session, price_cents=490), 3, now=clock())


@pytest.fixture
def desk(app: Flask, place: Place) -> Staff:
    return signed_in(app, EMAIL)


def till_of(place: Place) -> str:
    return f"/desk/sites/{place.site.public_id}/till"


def sell(desk: Staff, place: Place, wanted: str) -> str:
    page = desk.submit(desk.get(till_of(place)), f"{till_of(place)}/sold", wanted=wanted)
    return words_of(desk.get(till_of(place))) if page.status_code == 303 else words_of(page)


def close(desk: Staff, place: Place, **typed: str) -> tuple[int, str]:
    page = desk.submit(desk.get(till_of(place)), f"{till_of(place)}/closed", **typed)
    return page.status_code, words_of(desk.get(till_of(place)) if page.status_code == 303 else page)


def rows(staff: Staff, place: Place, **asked: str) -> list[dict[str, str]]:
    query = "&".join(f"{name}={value}" for name, value in asked.items())
    answer = staff.get(f"/desk/sites/{place.site.public_id}/sales.csv?{query}")
    assert answer.mimetype == "text/csv"
    return list(csv.DictReader(io.StringIO(answer.text)))


def test_a_printed_voucher_is_sold_by_its_serial_number_or_code(
    desk: Staff, place: Place, printed: list[Issued]
) -> None:
    assert "€4.90" in sell(desk, place, printed[0].serial)
    words = sell(desk, place, printed[1].code.printed)
    assert f"Sold: {printed[1].voucher.name}, €4.90." in words
    assert "Should be in the till €9.80" in words


@pytest.mark.parametrize(
    ("wanted", "told"),
    [("000000000", "There is no voucher"), ("nonsense", "neither a code nor a serial number"), ("", "neither a code")],
)
def test_a_voucher_that_is_not_there_is_not_sold(desk: Staff, place: Place, wanted: str, told: str) -> None:
    assert told in sell(desk, place, wanted)


def test_a_voucher_is_sold_once(desk: Staff, place: Place, printed: list[Issued]) -> None:
    sell(desk, place, printed[0].serial)
    assert "sold already" in sell(desk, place, printed[0].serial)


def test_a_voucher_of_another_venue_is_not_there(
    desk: Staff, place: Place, database: Database, keyring: Keyring
) -> None:
    with database.write() as session:
        other = a_place(session, keyring)
        (theirs,) = some_vouchers(session, keyring, other.site, a_pass(session, price_cents=490))
    assert "There is no voucher" in sell(desk, place, theirs.serial)


@pytest.mark.parametrize(
    ("counted", "words"), [("4.90", "The till is right."), ("5", "€0.10 too much."), ("4,00", "€0.90 missing.")]
)
def test_closing_a_shift_says_whether_the_till_is_right(
    desk: Staff, place: Place, printed: list[Issued], database: Database, counted: str, words: str
) -> None:
    sell(desk, place, printed[0].serial)
    status, told = close(desk, place, counted=counted, kept="2.00", note="Coins")
    assert (status, f"The shift is closed. {words}" in told) == (303, True)
    assert "Shift 2" in told
    assert "In the till before €2.00" in told
    with database.read() as session:
        (closing,) = session.scalars(select(ShiftClosing))
        assert (closing.kept_cents, closing.note) == (200, "Coins")


@pytest.mark.parametrize("counted", ["many", "-1", "1.005", "1e99", "NaN", "Infinity", "9" * 5000])
def test_what_is_no_amount_is_said_and_nothing_is_closed(
    desk: Staff, place: Place, database: Database, counted: str
) -> None:
    status, told = close(desk, place, counted=counted)
    assert (status, "Please type an amount such as 12.50." in told) == (400, True)
    with database.read() as session:
        assert session.scalars(select(ShiftClosing)).all() == []


def test_more_cannot_stay_than_was_counted(desk: Staff, place: Place) -> None:
    assert close(desk, place, counted="1", kept="2")[0] == 409


def test_a_sale_between_counting_and_closing_is_shown_first(desk: Staff, place: Place, printed: list[Issued]) -> None:
    page = desk.get(till_of(place))
    sell(desk, place, printed[0].serial)
    late = desk.submit(page, f"{till_of(place)}/closed", counted="0", note="Typed before")
    assert late.status_code == 409
    words = words_of(late)
    assert "Something was sold or closed meanwhile." in words
    assert "Should be in the till €4.90" in words
    assert "Typed before" in late.text
    assert desk.submit(late, f"{till_of(place)}/closed", counted="4.90").status_code == 303


def test_the_ledger_goes_to_bookkeeping_line_by_line_and_added_up(
    app: Flask, desk: Staff, place: Place, printed: list[Issued], clock: MovableClock
) -> None:
    for one in printed[:2]:
        sell(desk, place, one.serial)
    # 03:00 in Berlin: still that day.
    clock.now += timedelta(hours=13)
    sell(signed_in(app, EMAIL), place, printed[2].serial)
    owner = signed_in(app, "owner@example.org")
    lines = rows(owner, place, period="2026-06-15", totals="0")
    assert [(line["kind"], line["count"], line["amount"], line["day"]) for line in lines] == [
        ("issued", "3", "0.00", "2026-06-15"),
        *[("sold", "1", "4.90", "2026-06-15")] * 3,
    ]
    assert (lines[1]["tax_percent"], lines[1]["tax"], lines[1]["net"]) == ("19", "0.78", "4.12")
    assert lines[3]["time"] == "2026-06-16T03:00:00+02:00"
    (sold,) = [row for row in rows(owner, place, period="2026-06", totals="1") if row["kind"] == "sold"]
    assert (sold["day"], sold["count"], sold["amount"], sold["tax"]) == ("2026-06-15", "3", "14.70", "2.34")
    assert rows(owner, place, period="2026-07", totals="0") == []


def test_a_name_that_is_a_formula_stays_a_name(
    app: Flask, place: Place, database: Database, keyring: Keyring, clock: MovableClock
) -> None:
    with database.write() as session:
        article = a_pass(session, price_cents=100)
        article.name = "=1+1"
        some_vouchers(session, keyring, place.site, article, now=clock())
    (line,) = rows(signed_in(app, "owner@example.org"), place, period="2026-06", totals="0")
    assert line["pass"] == "'=1+1"


@pytest.mark.parametrize(
    "period", ["", "2026", "2026-13", "2026-02-30", "9999-12", "9999-12-30", "0001-01-01", "x" * 5000, "%00"]
)
def test_a_period_that_cannot_be_is_a_bad_request(app: Flask, desk: Staff, place: Place, period: str) -> None:
    owner = signed_in(app, "owner@example.org")
    assert owner.get(f"/desk/sites/{place.site.public_id}/sales.csv?period={period}").status_code == 400


def test_the_front_desk_closes_and_does_not_see_the_past(app: Flask, desk: Staff, place: Place) -> None:
    close(desk, place, counted="0")
    sales = f"/desk/sites/{place.site.public_id}/sales"
    assert desk.get(sales).status_code == 404
    assert "Sales" not in words_of(desk.get(till_of(place)))
    assert "Shift 1: €0.00 right" in words_of(signed_in(app, "owner@example.org").get(sales)).replace(" :", ":")


def test_one_tap_sells(desk: Staff, place: Place, database: Database) -> None:
    with database.write() as session:
        article = a_pass(session, price_cents=300, site=place.site)
        name, choice = article.name, article.public_id
    site = f"/desk/sites/{place.site.public_id}"
    desk.submit(desk.get(site), f"{site}/one", choice=choice)
    assert f"Sold: {name}, €3.00 1 €3.00" in words_of(desk.get(till_of(place)))


@pytest.mark.parametrize(("money_back", "expected"), [("1", "€0.00"), ("", "€4.90")])
def test_revoking_what_was_sold_asks_for_the_money(
    app: Flask, desk: Staff, place: Place, printed: list[Issued], money_back: str, expected: str
) -> None:
    sell(desk, place, printed[0].serial)
    owner = signed_in(app, "owner@example.org")
    page = f"/desk/vouchers/{printed[0].voucher.public_id}/revoke"
    owner.submit(owner.get(page), page, money_back=money_back)
    assert f"Should be in the till {expected}" in words_of(desk.get(till_of(place)))
