"""What staff do to vouchers on the pages: changing, undoing, replacing, crediting, finding, and the record of it."""

import re
from dataclasses import dataclass
from datetime import datetime, timedelta

import pytest
from flask import Flask
from werkzeug.test import TestResponse

from hotspot import audit
from hotspot.audit import COMMAND_LINE
from hotspot.database import Database
from hotspot.keys import Keyring
from hotspot.people import Role
from sessions.admit import admit
from tests.factories import Place, a_login, a_place, a_user, directory, some_vouchers
from tests.portal.conftest import MovableClock
from tests.portal.desk import Staff, signed_in, words_of
from vouchers.changing import forget_deeds
from vouchers.issuing import Issued
from vouchers.printing.files import SHOWN
from vouchers.voucher import Batch, Voucher

EMAIL = "owner@example.org"
CODE = re.compile(r"\b[0-9A-Z]{4}-[0-9A-Z]{4}-[0-9A-Z]{3}\b")


@dataclass(frozen=True)
class Venue:
    """A place with three vouchers, of which the first is in use, its owner, and somebody else's voucher."""

    place: Place
    used: Issued
    unused: Issued
    other: Issued
    foreign: Issued
    staff: Staff
    database: Database

    @property
    def list(self) -> str:
        """The path of the list."""
        return f"/desk/sites/{self.place.site.public_id}/vouchers"

    @property
    def change(self) -> str:
        """Where changes are sent."""
        return f"/desk/sites/{self.place.site.public_id}/change"

    def page_of(self, issued: Issued) -> str:
        """The path of a voucher's page."""
        return f"/desk/vouchers/{issued.voucher.public_id}"

    def do(self, act: str, *issued: Issued, **filled: str) -> TestResponse:
        """Tick vouchers in the list and press a button."""
        page = self.staff.get(self.list)
        hidden = dict(re.findall(r'name="(csrf_token|once)" value="([^"]+)"', page.text))
        data = {**hidden, "act": act, "voucher": [one.voucher.public_id for one in issued], **filled}
        return self.staff.client.post(self.change, data=data, headers={"Accept-Language": "en"})

    def undo(self, answer: TestResponse) -> str:
        """Press the button that undoes; the words of the page after it."""
        page = self.staff.get(answer.location)
        (path,) = set(re.findall(r'action="(/desk/deeds/[^"]+)"', page.text))
        return words_of(self.staff.get(self.staff.submit(page, path).location))

    def voucher(self, issued: Issued) -> Voucher:
        """A voucher as it stands."""
        with self.database.read() as session:
            return session.get_one(Voucher, issued.voucher.id)


@pytest.fixture
def venue(app: Flask, database: Database, keyring: Keyring, now: datetime) -> Venue:
    with database.write() as session:
        place, elsewhere = a_place(session, keyring), a_place(session, keyring)
        a_user(session, customer=place.customer, email=EMAIL).name = "Ada Wirt"
        a_user(session, Role.FRONT_DESK, customer=place.customer, email="desk@example.org")
        used, unused, other = some_vouchers(session, keyring, place.site, place.article, 3, now=now)
        (foreign,) = some_vouchers(session, keyring, elsewhere.site, elsewhere.article, now=now)
    with database.write() as session:
        admit(session, keyring, [a_login(directory(session, keyring), place, used.code.value)], 300, now)
    return Venue(place, used, unused, other, foreign, signed_in(app, EMAIL), database)


def test_the_ticked_vouchers_get_more_time_and_lose_it_again_when_it_is_undone(venue: Venue, now: datetime) -> None:
    answer = venue.do("extend", venue.used, venue.unused, amount="2", unit="hours")
    assert "Done for 2 vouchers" in words_of(venue.staff.get(answer.location))
    assert venue.voucher(venue.used).ends_at == now + timedelta(hours=26)
    assert venue.voucher(venue.unused).minutes == 1560
    assert venue.voucher(venue.other).minutes == 1440

    assert "Undone for 2 vouchers" in venue.undo(answer)
    assert venue.voucher(venue.used).ends_at == now + timedelta(hours=24)
    less = venue.do("extend", venue.unused, amount="1", unit="days", less="1")
    assert venue.voucher(venue.unused).minutes == 1
    assert venue.staff.get(less.location).text.count("/desk/deeds/") == 1


def test_a_form_that_is_sent_twice_counts_once(venue: Venue, now: datetime) -> None:
    for _time in range(2):
        answer = venue.do("extend", venue.used, amount="2", unit="hours", once="k")
    assert "sent twice; it was done once. Done for 1 voucher." in words_of(venue.staff.get(answer.location))
    assert venue.voucher(venue.used).ends_at == now + timedelta(hours=26)
    assert "Undone for 1 voucher" in venue.undo(answer)
    venue.do("extend", venue.used, amount="1", unit="hours", once="k")
    assert venue.voucher(venue.used).ends_at == now + timedelta(hours=25), "gone back to and filled in anew"
    site = f"/desk/sites/{venue.place.site.public_id}"
    for _time in range(2):
        venue.staff.submit(venue.staff.get(site), f"{site}/credit", hours="3", once="c")
    assert venue.voucher(venue.used).ends_at == now + timedelta(hours=28)
    venue.do("extend", venue.used, amount="1", unit="hours", once="")
    assert venue.voucher(venue.used).changes == 4


def test_a_form_that_is_gone_back_to_after_undoing_does_it_again(venue: Venue, clock: MovableClock) -> None:
    venue.undo(venue.do("revoke", venue.unused, once="k"))
    with venue.database.write() as session:
        forget_deeds(session, clock() + timedelta(minutes=2))
    answer = venue.do("revoke", venue.unused, once="k")
    page = words_of(venue.staff.get(answer.location))
    assert "Done for 1 voucher" in page
    assert "sent twice" not in page
    assert venue.voucher(venue.unused).revoked_at is not None
    again = venue.do("revoke", venue.unused, once="k")
    assert again.location == answer.location
    assert "sent twice; it was done once. Done for 1 voucher." in words_of(venue.staff.get(again.location))
    assert "Undone for 1 voucher" in venue.undo(again)


def test_after_a_minute_nothing_is_offered_to_be_undone(venue: Venue, clock: MovableClock) -> None:
    answer = venue.do("revoke", venue.unused)
    page = venue.staff.get(answer.location)
    (path,) = re.findall(r'action="(/desk/deeds/[^"]+)"', page.text)
    clock.pass_by(seconds=61)
    assert "/desk/deeds/" not in venue.staff.get(answer.location).text
    late = venue.staff.submit(page, path)
    assert "undone for a minute" in words_of(venue.staff.get(late.location))
    assert venue.voucher(venue.unused).revoked_at is not None


@pytest.mark.parametrize(
    ("act", "filled", "status", "words"),
    [
        ("extend", {"amount": "0", "unit": "hours"}, 303, "one minute to a year"),
        ("extend", {"amount": "367", "unit": "days"}, 303, "one minute to a year"),
        ("extend", {"amount": "many", "unit": "days"}, 303, "one minute to a year"),
        ("extend", {"amount": "1", "unit": "years"}, 404, ""),
        ("good-until", {"good_until": "2020-01-01T00:00"}, 303, "These dates do not fit"),
        ("good-until", {"good_until": "soon"}, 303, "These dates do not fit"),
        ("good-until", {"good_until": "0001-01-01T00:00"}, 303, "These dates do not fit"),
        ("unheard-of", {}, 404, ""),
    ],
)
def test_what_makes_no_sense_changes_nothing(
    venue: Venue, act: str, filled: dict[str, str], status: int, words: str
) -> None:
    answer = venue.do(act, venue.unused, **filled)
    assert answer.status_code == status
    if words:
        assert words in words_of(venue.staff.get(answer.location))
    assert venue.voucher(venue.unused).changes == 0


def test_nobody_changes_what_is_not_theirs_or_beyond_their_right(venue: Venue, app: Flask) -> None:
    assert venue.do("revoke", venue.unused, venue.foreign).status_code == 404
    assert venue.voucher(venue.unused).revoked_at is None
    assert "tick the vouchers" in words_of(venue.staff.get(venue.do("revoke").location))
    desk = signed_in(app, "desk@example.org")
    assert "checkbox" not in desk.get(venue.list).text
    token = re.search(r'name="csrf_token" value="([^"]+)"', desk.get(venue.list).text)
    assert token
    sent = desk.post(venue.change, csrf_token=token[1], act="revoke", voucher=venue.unused.voucher.public_id)
    assert sent.status_code == 404


def test_a_whole_batch_is_changed_at_once(venue: Venue, database: Database) -> None:
    page = venue.staff.get(venue.page_of(venue.unused))
    (batch,) = set(re.findall(r"/desk/batches/([a-z2-7]{16})", page.text))
    answer = venue.do("note", batch=batch, back_to_batch=batch, note="table 4")
    assert answer.location.startswith(f"/desk/batches/{batch}")
    assert {venue.voucher(one).note for one in (venue.used, venue.unused, venue.other)} == {"table 4"}
    assert "Undone for 3 vouchers" in venue.undo(answer)


def test_a_device_is_freed_by_a_button(venue: Venue) -> None:
    def by_code() -> str:
        found = venue.staff.submit(venue.staff.get("/desk"), "/desk/vouchers", wanted=venue.used.code.printed)
        return words_of(found)

    assert "1 device is online with it" in by_code()
    assert "online with it" not in words_of(venue.staff.get(venue.page_of(venue.used))), "its guest has not shown it"
    answer = venue.do("free", venue.used, back_to_voucher=venue.used.voucher.public_id)
    page = words_of(venue.staff.get(answer.location))
    assert "Done for 1 voucher" in page
    assert "online with it" not in by_code()
    assert "device freed" in page


def test_a_lost_slip_is_replaced_once_by_a_new_one(venue: Venue) -> None:
    path = f"{venue.page_of(venue.used)}/replace"
    page = venue.staff.get(venue.page_of(venue.used))
    answer, again = venue.staff.submit(page, path), venue.staff.submit(page, path)
    slip = venue.staff.get(answer.location)

    assert answer.location == again.location, "the button was pressed twice"
    assert len(set(CODE.findall(words_of(slip)))) == 1
    assert "takes the place of the lost one" in words_of(slip)
    old = words_of(venue.staff.get(venue.page_of(venue.used)))
    assert "slip replaced · replaced by" in old
    assert "revoked" in old


def test_what_is_over_is_not_replaced(venue: Venue, clock: MovableClock) -> None:
    page = venue.staff.get(venue.page_of(venue.used))
    clock.pass_by(hours=25)
    venue.staff.client.delete_cookie("surfpass_session")
    venue.staff.sign_in(EMAIL)
    page = venue.staff.get(venue.list)
    token = re.search(r'name="csrf_token" value="([^"]+)"', page.text)
    assert token
    answer = venue.staff.post(f"{venue.page_of(venue.used)}/replace", csrf_token=token[1])
    assert "nothing left" in words_of(venue.staff.get(answer.location))


def test_an_outage_is_credited_to_what_runs(venue: Venue, now: datetime) -> None:
    site = f"/desk/sites/{venue.place.site.public_id}"
    answer = venue.staff.submit(venue.staff.get(site), f"{site}/credit", hours="3")
    assert "Done for 1 voucher" in words_of(venue.staff.get(answer.location))
    assert venue.voucher(venue.used).ends_at == now + timedelta(hours=27)
    for hours in ("0", "-1", "721", "", "many"):
        venue.staff.submit(venue.staff.get(site), f"{site}/credit", hours=hours)
    assert venue.voucher(venue.used).ends_at == now + timedelta(hours=27)


def test_what_is_left_is_shown_to_whoever_has_the_code_and_at_no_address(venue: Venue) -> None:
    by_serial = venue.staff.get(venue.page_of(venue.used))
    assert "Left:" not in words_of(by_serial)
    answer = venue.staff.submit(venue.staff.get(venue.list), "/desk/vouchers", wanted=venue.used.code.printed)
    assert (answer.status_code, "Left: 1 day" in words_of(answer).replace("\u00a0", " ")) == (200, True)
    assert venue.used.code.value not in answer.text
    assert venue.used.code.printed not in answer.text


def test_the_history_names_who_did_what_and_no_guest(venue: Venue) -> None:
    venue.do("extend", venue.used, amount="30", unit="minutes")
    page = words_of(venue.staff.get(venue.page_of(venue.used)))
    assert "time changed · +30 minutes" in page.replace("\u00a0", " ")
    assert "Ada Wirt" in page
    assert "issued" in page
    assert "the operator" in page, "who issued it by the command line"


def test_looks_at_codes_do_not_push_the_history_off_the_page_and_prints_are_told_in_german(
    venue: Venue, database: Database, now: datetime
) -> None:
    venue.do("note", venue.unused, note="room 7")
    with database.write() as session:
        batch = session.get_one(Batch, venue.unused.voucher.batch_id)
        audit.record_many(session, COMMAND_LINE, SHOWN, [f"batch {batch.public_id}"] * 101, now, customer_id=None)
        named = f"voucher {venue.unused.voucher.public_id}"
        audit.record(session, COMMAND_LINE, "voucher printed", named, now, customer_id=None, detail="again")
        cancelled = f"batch {batch.public_id}"
        audit.record(session, COMMAND_LINE, "batch cancelled", cancelled, now, customer_id=None, detail="2 of 3")
    page = words_of(venue.staff.get(venue.page_of(venue.unused)))
    assert "note changed" in page
    assert "codes shown" not in page
    assert "printed · again" in page
    venue.staff.language = "de"
    german = words_of(venue.staff.get(venue.page_of(venue.unused)))
    assert "gedruckt · noch einmal" in german
    assert "Serie abgebrochen · 2 von 3" in german


def test_the_list_is_sifted_by_state_and_note(venue: Venue) -> None:
    venue.do("note", venue.other, note="room 7")
    venue.do("revoke", venue.unused)

    def shown(query: str) -> set[str]:
        return set(re.findall(r'class="serial" href="[^"]+">(\d{9})<', venue.staff.get(f"{venue.list}?{query}").text))

    assert shown("state=in-use") == {venue.used.serial}
    assert shown("state=revoked") == {venue.unused.serial}
    assert shown("state=unused") == {venue.other.serial}
    assert shown("note=ROOM") == {venue.other.serial}
    assert shown("note=room&state=revoked") == set()
    assert shown("note=%25") == set()
    assert shown("state=nonsense") == {venue.used.serial, venue.unused.serial, venue.other.serial}
    for state in ("over", "inactive", "not-yet-valid"):
        assert shown(f"state={state}") == set()
    assert "none like that" in words_of(venue.staff.get(f"{venue.list}?state=over"))
