"""Listing, finding and revoking vouchers."""

import re
from dataclasses import dataclass
from datetime import datetime

import pytest
from flask import Flask
from sqlalchemy import select

from hotspot.audit import AuditEntry
from hotspot.database import Database
from hotspot.keys import Keyring
from hotspot.people import Role, User
from sessions.admit import Admitted, admit
from sessions.visit import CloseCause, Disconnect, Visit
from tests.factories import Place, a_login, a_mac, a_place, a_user, directory, some_vouchers
from tests.portal.conftest import MovableClock
from tests.portal.desk import Staff, counting_queries, signed_in, words_of
from vouchers.issuing import Issued
from vouchers.voucher import Voucher

EMAIL = "owner@example.org"


@dataclass(frozen=True)
class Venue:
    """A place with three vouchers, its owner, and somebody else's voucher."""

    place: Place
    vouchers: list[Issued]
    owner: User
    foreign: Issued
    staff: Staff

    @property
    def list(self) -> str:
        """The path of the list."""
        return f"/desk/sites/{self.place.site.public_id}/vouchers"


@pytest.fixture
def venue(app: Flask, database: Database, keyring: Keyring, now: datetime) -> Venue:
    with database.write() as session:
        place, other = a_place(session, keyring), a_place(session, keyring)
        owner = a_user(session, customer=place.customer, email=EMAIL)
        a_user(session, customer=place.customer, email="colleague@example.org")
        a_user(session, Role.OPERATOR, email="operator@example.org")
        vouchers = some_vouchers(session, keyring, place.site, place.article, 3, now=now)
        foreign = some_vouchers(session, keyring, other.site, other.article, 1, now=now)[0]
    return Venue(place, vouchers, owner, foreign, signed_in(app, EMAIL))


def go_online(database: Database, keyring: Keyring, place: Place, code: str, now: datetime) -> int:
    """Let a device in with a voucher; the id of its visit."""
    with database.write() as session:
        login = a_login(directory(session, keyring), place, code, device=a_mac(7))
        outcome = admit(session, keyring, [login], 300, now)[0]
        assert isinstance(outcome, Admitted)
        return session.scalars(select(Visit.id).where(Visit.handle == outcome.handle)).one()


def look_up(staff: Staff, page: str, wanted: str) -> str:
    """Search by the form of `page`; where it leads, or the words it answers with."""
    answer = staff.submit(staff.get(page), "/desk/vouchers", wanted=wanted)
    assert answer.status_code in (303, 404)
    return answer.location if answer.status_code == 303 else words_of(answer)


def revoke(staff: Staff, voucher: Voucher) -> str:
    """Revoke by the page that asks first; the words of the page after it."""
    path = f"/desk/vouchers/{voucher.public_id}/revoke"
    answer = staff.submit(staff.get(path), path)
    assert answer.status_code == 303
    return words_of(staff.get(answer.location))


def test_the_list_says_of_each_voucher_how_it_stands_and_nothing_of_its_guest(
    venue: Venue, database: Database, keyring: Keyring, now: datetime, clock: MovableClock
) -> None:
    used, revoked, unused = venue.vouchers
    go_online(database, keyring, venue.place, used.code.value, now)
    revoke(venue.staff, revoked.voucher)
    page = venue.staff.get(venue.list)
    rows = re.findall(r"<tr>.*?</tr>", page.text, re.DOTALL)[1:]
    state_of = {serial: row for row in rows for serial in re.findall(r"\b\d{9}\b", row)}

    assert ">in use<" in state_of[used.serial]
    assert ">revoked<" in state_of[revoked.serial]
    assert ">unused<" in state_of[unused.serial]
    for secret in (a_mac(7).value, used.code.printed, unused.code.printed, venue.place.access_point.name, "14:00"):
        assert secret not in page.text
        assert secret not in words_of(venue.staff.get(f"/desk/vouchers/{used.voucher.public_id}")) or secret == "14:00"

    clock.pass_by(days=2)
    venue.staff.client.delete_cookie("surfpass_session")
    venue.staff.sign_in(EMAIL)
    assert ">over<" in venue.staff.get(venue.list).text


def test_the_list_comes_fifty_at_a_time_the_newest_first(
    venue: Venue, database: Database, keyring: Keyring, now: datetime
) -> None:
    with database.write() as session:
        newer = some_vouchers(session, keyring, venue.place.site, venue.place.article, 49, now=now)
    first = venue.staff.get(venue.list)
    older = re.search(r'href="([^"]+\?before=[^"]+)"', first.text)
    assert older
    second = venue.staff.get(older[1])

    shown = [re.findall(r"\b\d{9}\b", words_of(page).partition("Revoke")[2]) for page in (first, second)]
    everything = [one.serial for one in (*venue.vouchers, *newer)]
    assert [len(page) for page in shown] == [50, 2]
    assert shown[0] + shown[1] == everything[::-1]
    assert "before=" not in second.text
    assert venue.foreign.serial not in first.text + second.text


def test_a_page_of_the_list_takes_as_many_queries_for_fifty_vouchers_as_for_three(
    venue: Venue, database: Database, keyring: Keyring, now: datetime
) -> None:
    venue.staff.get(venue.list)
    with counting_queries(database) as few:
        venue.staff.get(venue.list)
    with database.write() as session:
        for _ in range(5):
            some_vouchers(session, keyring, venue.place.site, venue.place.article, 10, now=now)
    with counting_queries(database) as many:
        venue.staff.get(venue.list)

    assert len(many) == len(few) <= 7


def test_a_voucher_is_found_by_its_serial_number_and_by_its_code_however_typed(venue: Venue) -> None:
    voucher = venue.vouchers[1]
    page = f"/desk/vouchers/{voucher.voucher.public_id}"

    for wanted in (voucher.serial, f" {voucher.serial} "):
        assert look_up(venue.staff, venue.list, wanted) == page
    assert look_up(venue.staff, "/desk", voucher.serial) == page
    scanned = f"https://portal.example/v/{voucher.code.value}"
    for wanted in (voucher.code.printed, voucher.code.value.lower(), scanned):
        answer = venue.staff.submit(venue.staff.get(venue.list), "/desk/vouchers", wanted=wanted)
        assert answer.status_code == 200, "what is left stands at no address"
        assert voucher.serial in words_of(answer)
    assert voucher.serial in words_of(venue.staff.get(page))


def test_somebody_elses_voucher_reads_like_one_that_does_not_exist(venue: Venue, app: Flask) -> None:
    serial = "000000000" if venue.foreign.serial != "000000000" else "000000001"
    unknown = look_up(venue.staff, venue.list, serial)

    assert "There is no voucher" in unknown
    assert look_up(venue.staff, venue.list, venue.foreign.serial) == unknown
    assert look_up(venue.staff, venue.list, venue.foreign.code.printed) == unknown
    assert look_up(signed_in(app, "colleague@example.org"), "/desk", venue.foreign.serial) == unknown
    operator = signed_in(app, "operator@example.org")
    assert look_up(operator, "/desk", venue.foreign.serial) == f"/desk/vouchers/{venue.foreign.voucher.public_id}"


@pytest.mark.parametrize("wanted", ["", "12345", "AAAA-BBBB-CCC", "<script>", "x" * 5000])
def test_what_is_neither_code_nor_serial_number_is_told_so_and_can_be_corrected(venue: Venue, wanted: str) -> None:
    answer = venue.staff.submit(venue.staff.get(venue.list), "/desk/vouchers", wanted=wanted)

    assert answer.status_code == 404
    assert "neither a code nor a serial number" in words_of(answer)
    assert "<script" not in answer.text


def test_a_code_that_is_looked_up_stands_in_no_address(venue: Venue) -> None:
    answer = venue.staff.submit(venue.staff.get("/desk"), "/desk/vouchers", wanted=venue.vouchers[0].code.printed)

    assert answer.status_code == 200
    assert venue.vouchers[0].code.value not in answer.text.replace("-", "")
    assert venue.staff.get("/desk/vouchers").status_code == 405


def test_revoking_ends_the_voucher_and_asks_for_its_guests_to_be_disconnected(
    venue: Venue, database: Database, keyring: Keyring, now: datetime
) -> None:
    voucher = venue.vouchers[0]
    visit_id = go_online(database, keyring, venue.place, voucher.code.value, now)
    words = revoke(venue.staff, voucher.voucher)

    assert f"Voucher {voucher.serial} is revoked: new sign-ins with it have stopped" in words
    assert "is disconnected within seconds where the gateway allows it" in words
    with database.read() as session:
        assert session.get_one(Voucher, voucher.voucher.id).revoked_at == now
        waiting = session.scalars(select(Disconnect)).one()
        entry = session.scalars(select(AuditEntry).where(AuditEntry.action == "voucher revoked")).one()
    assert (waiting.visit_id, waiting.cause, waiting.done_at) == (visit_id, CloseCause.REVOKED, None)
    assert (entry.user_id, entry.customer_id) == (venue.owner.id, venue.place.customer.id)


def test_a_colleague_and_the_operator_may_revoke_too(venue: Venue, app: Flask) -> None:
    for email, voucher in zip(("colleague@example.org", "operator@example.org"), venue.vouchers, strict=False):
        assert "is revoked" in revoke(signed_in(app, email), voucher.voucher)


def test_revoking_twice_changes_nothing_and_is_not_offered(
    venue: Venue, database: Database, clock: MovableClock, now: datetime
) -> None:
    voucher = venue.vouchers[0].voucher
    revoke(venue.staff, voucher)
    clock.pass_by(minutes=5)
    revoke(venue.staff, voucher)

    with database.read() as session:
        assert session.get_one(Voucher, voucher.id).revoked_at == now
    assert "/revoke" not in venue.staff.get(f"/desk/vouchers/{voucher.public_id}").text


def test_looking_at_the_question_revokes_nothing_and_neither_does_a_form_without_its_token(
    venue: Venue, database: Database
) -> None:
    voucher = venue.vouchers[0].voucher
    path = f"/desk/vouchers/{voucher.public_id}/revoke"

    question = words_of(venue.staff.get(path))
    assert "Revoke this voucher?" in question
    assert "New sign-ins with it stop at once. Whoever is online with it now is disconnected" in question
    assert venue.staff.post(path).status_code == 400
    with database.read() as session:
        assert session.get_one(Voucher, voucher.id).revoked_at is None
