"""One tap, one voucher; the buttons; batches that grow, are cancelled, and are switched on and off."""

import re
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import pytest
from flask import Flask
from sqlalchemy import func, select
from werkzeug.test import TestResponse

from hotspot.audit import AuditEntry
from hotspot.database import Database
from hotspot.keys import Keyring
from hotspot.people import Role
from sessions.admit import admit
from tests.factories import Place, a_login, a_pass, a_place, a_user, directory
from tests.portal.conftest import MovableClock
from tests.portal.desk import Staff, form_of, signed_in, words_of
from vouchers.admission import Reason, Refused
from vouchers.issuing import CHUNK
from vouchers.passes import Clock
from vouchers.presets import Preset
from vouchers.voucher import Batch, Voucher

EMAIL = "owner@example.org"
CODE = re.compile(r"\b[0-9A-Z]{4}-[0-9A-Z]{4}-[0-9A-Z]{3}\b")


@dataclass(frozen=True)
class Venue:
    """A place with its owner, signed in."""

    place: Place
    staff: Staff
    database: Database

    @property
    def page(self) -> str:
        """The path of the site's page."""
        return f"/desk/sites/{self.place.site.public_id}"

    def tap(self, page: TestResponse | None = None, **filled: str) -> TestResponse:
        """Press the first button of a page; what it answers."""
        return self.staff.submit(page or self.staff.get(self.page), f"{self.page}/one", **filled)

    def vouchers(self) -> list[Voucher]:
        """All vouchers there are."""
        with self.database.read() as session:
            return list(session.scalars(select(Voucher).order_by(Voucher.id)))

    def count(self) -> int:
        """How many there are."""
        with self.database.read() as session:
            return session.scalar(select(func.count(Voucher.id))) or 0

    def looks(self) -> list[tuple[str, str]]:
        """What the audit record has of looks at unused codes: at which batch, and at how many."""
        with self.database.read() as session:
            query = select(AuditEntry.subject, AuditEntry.detail).where(AuditEntry.action == "codes shown")
            return [(subject, detail) for subject, detail in session.execute(query)]

    def button(self, **filled: str) -> None:
        """Add a button of the venue's own."""
        path = f"{self.page}/presets"
        told = {"name": "Mine", "article": self.place.article.public_id} | filled
        assert self.staff.submit(self.staff.get(path), path, **told).status_code == 303


@pytest.fixture
def venue(app: Flask, database: Database, keyring: Keyring) -> Venue:
    with database.write() as session:
        hour = a_pass(session, minutes=60, price_cents=190)
        place = a_place(session, keyring, article=hour)
        a_user(session, customer=place.customer, email=EMAIL)
        a_user(session, Role.FRONT_DESK, customer=place.customer, email="desk@example.org")
    return Venue(place, signed_in(app, EMAIL), database)


def test_one_tap_issues_a_voucher_shows_it_and_is_ready_for_the_next(venue: Venue) -> None:
    answer = venue.tap()
    assert answer.status_code == 303
    slip = venue.staff.get(answer.location)
    (code,) = set(CODE.findall(words_of(slip)))
    (voucher,) = venue.vouchers()

    assert voucher.serial
    assert voucher.serial in words_of(slip)
    assert '<svg class="qr"' in slip.text
    assert re.search(r"/desk/vouchers/[a-z2-7]{16}/slip", slip.text)
    assert code not in answer.location
    following = venue.staff.get(venue.tap(slip).location)
    assert set(CODE.findall(words_of(following))) != {code}
    assert venue.count() == 2


def test_the_front_desk_taps_too(venue: Venue, app: Flask) -> None:
    desk = signed_in(app, "desk@example.org")
    answer = desk.submit(desk.get(venue.page), f"{venue.page}/one")
    assert CODE.findall(desk.get(answer.location).text)
    assert desk.get(f"{venue.page}/presets").status_code == 404


def test_a_tap_that_is_sent_twice_shows_the_voucher_of_the_first(venue: Venue) -> None:
    page = venue.staff.get(venue.page)
    first, second = venue.tap(page), venue.tap(page)

    assert first.location == second.location
    assert "no second one was issued" in words_of(venue.staff.get(second.location))
    assert venue.count() == 1


def test_a_form_that_is_sent_twice_issues_its_batch_once(venue: Venue) -> None:
    page = venue.staff.get(venue.page)
    answers = [venue.staff.submit(page, venue.page, count="3") for _ in range(2)]

    assert answers[0].location == answers[1].location
    assert venue.count() == 3
    other = venue.staff.submit(page, venue.page, count="4")
    assert other.status_code == 400
    assert "sent before with other values" in words_of(other)


@pytest.mark.parametrize("broken", [{"once": ""}, {"once": "x" * 300}])
def test_a_tap_without_a_proper_key_issues_nothing(venue: Venue, broken: dict[str, str]) -> None:
    answer = venue.tap(None, **broken)
    assert "load the page anew" in words_of(venue.staff.get(answer.location))
    assert venue.count() == 0


def test_a_button_that_is_not_there_issues_nothing(venue: Venue) -> None:
    assert venue.tap(choice="a" * 16).status_code == 404
    assert venue.count() == 0


def test_a_slip_shows_no_code_once_it_is_used(venue: Venue, keyring: Keyring, now: datetime) -> None:
    where = venue.tap().location
    (code,) = set(CODE.findall(venue.staff.get(where).text))
    with venue.database.write() as session:
        admit(session, keyring, [a_login(directory(session, keyring), venue.place, code)], 300, now)
    slip = venue.staff.get(where)
    assert not CODE.findall(slip.text)
    assert "in use already" in words_of(slip)


def test_a_look_at_a_slip_is_recorded_but_for_the_one_after_the_tap(
    venue: Venue, app: Flask, keyring: Keyring, clock: MovableClock
) -> None:
    slip = venue.tap().location
    recorded = (f"batch {slip.split('/')[-2]}", "1 x")
    (code,) = set(CODE.findall(venue.staff.get(slip).text))
    assert venue.looks() == []
    signed_in(app, "desk@example.org").get(slip)
    assert venue.looks() == [recorded]
    clock.pass_by(seconds=61)
    assert CODE.findall(venue.staff.get(slip).text)
    assert venue.looks() == [recorded, recorded]
    with venue.database.write() as session:
        admit(session, keyring, [a_login(directory(session, keyring), venue.place, code)], 300, clock.now)
    assert not CODE.findall(venue.staff.get(slip).text)
    assert venue.looks() == [recorded, recorded], "there was none to see"


def test_own_buttons_take_the_place_of_the_passes(venue: Venue) -> None:
    venue.button(name="Breakfast", note="breakfast guests")
    page = venue.staff.get(venue.page)
    assert "Breakfast" in words_of(page)
    assert page.text.count('class="tap"') == 1
    venue.tap(page)
    with venue.database.read() as session:
        assert session.scalars(select(Batch.note)).one() == "breakfast guests"


def test_buttons_are_changed_ordered_and_removed(venue: Venue) -> None:
    for name in ("A", "B", "C"):
        venue.button(name=name)

    def names() -> list[str]:
        return re.findall(r'<section class="card" aria-label="(\w)"', venue.staff.get(f"{venue.page}/presets").text)

    def do(which: str, **filled: str) -> TestResponse:
        with venue.database.read() as session:
            preset = session.scalars(select(Preset).where(Preset.name == which)).one().public_id
        page = venue.staff.get(f"{venue.page}/presets")
        return venue.staff.submit(page, f"/desk/presets/{preset}", **filled)

    do("C", step="up")
    assert names() == ["A", "C", "B"]
    do("A", step="down")
    assert names() == ["C", "A", "B"]
    do("C", step="up")
    assert names() == ["C", "A", "B"]
    do("A", step="save", name="Z")
    do("B", step="remove")
    assert names() == ["C", "Z"]
    do("C", step="save", name=" ")
    assert names() == ["C", "Z"]
    assert do("C", step="save", article="nothing").status_code == 404


def test_there_are_at_most_twenty_four_buttons(venue: Venue) -> None:
    for number in range(25):
        venue.button(name=f"Button {number}")
    page = venue.staff.get(f"{venue.page}/presets")
    assert "24 buttons already" in words_of(page)
    assert page.text.count("Button ") // 2 == 24


@pytest.mark.parametrize(
    ("typed", "ends"),
    [
        ("2026-06-18T11:00", datetime(2026, 6, 18, 9, tzinfo=UTC)),
        ("2026-12-18T11:00", datetime(2026, 12, 18, 10, tzinfo=UTC)),
        # Clocks go back at 3:00 on 25 October, and forward at 2:00 on 28 March.
        ("2026-10-25T02:30", datetime(2026, 10, 25, 0, 30, tzinfo=UTC)),
        ("2027-03-28T02:30", datetime(2027, 3, 28, 1, 30, tzinfo=UTC)),
    ],
)
def test_until_departure_is_meant_by_the_clock_on_the_wall(venue: Venue, typed: str, ends: datetime) -> None:
    venue.button(asks_until="1")
    assert venue.tap(until=typed).status_code == 303
    (voucher,) = venue.vouchers()
    assert (voucher.clock, voucher.until, voucher.good_until) == (Clock.UNTIL, ends, ends)


@pytest.mark.parametrize("typed", ["2026-06-15T13:59", "", "tomorrow", "9999-12-31T23:59", "2026-06-18T11:00" * 100])
def test_a_departure_that_cannot_be_is_refused_in_words(venue: Venue, typed: str) -> None:
    venue.button(asks_until="1")
    page = venue.staff.get(venue.tap(until=typed).location)
    assert re.search("until when the guest stays|lie in the future", words_of(page))
    assert venue.count() == 0


def test_a_large_batch_grows_by_steps_and_can_be_gone_on_with(venue: Venue) -> None:
    count = 5 * CHUNK + 1
    answer = venue.staff.submit(venue.staff.get(venue.page), venue.page, count=str(count))
    page = venue.staff.get(answer.location)
    assert f"{4 * CHUNK} of {count} issued" in words_of(page)
    assert "go-on.js" in page.text
    assert "script-src 'self'" in page.headers["Content-Security-Policy"]
    for _ in range(2):
        venue.staff.submit(page, f"{answer.location}/more")
    page = venue.staff.get(answer.location)
    assert venue.count() == count
    assert "go-on.js" not in page.text
    assert "script-src" not in page.headers["Content-Security-Policy"]


def test_a_large_batch_can_be_cancelled_and_what_was_issued_is_revoked(venue: Venue) -> None:
    answer = venue.staff.submit(venue.staff.get(venue.page), venue.page, count=str(5 * CHUNK))
    page = venue.staff.get(answer.location)
    venue.staff.submit(page, f"{answer.location}/cancel")
    venue.staff.submit(page, f"{answer.location}/more")

    assert "cancelled after 2000 of 2500" in words_of(venue.staff.get(answer.location))
    assert {one.revoked_at is None for one in venue.vouchers()} == {False}
    assert venue.count() == 4 * CHUNK


def test_stock_is_printed_switched_on_later_and_off_when_it_is_lost(
    venue: Venue, keyring: Keyring, clock: MovableClock
) -> None:
    batch = venue.staff.submit(venue.staff.get(venue.page), venue.page, count="2", inactive="y").location
    page = venue.staff.get(batch)
    code = CODE.findall(page.text)[0]
    assert "Not switched on" in words_of(page)
    assert "good for 365 days from when you switch them on" in words_of(page)
    assert CODE.findall(venue.staff.get(f"{batch}/print").text)

    def refused() -> object:
        with venue.database.write() as session:
            login = a_login(directory(session, keyring), venue.place, code)
            return admit(session, keyring, [login], 300, clock())[0]

    assert refused() == Refused(Reason.INACTIVE)
    clock.pass_by(hours=1)
    venue.staff.submit(page, f"{batch}/switch", to="on")
    assert {one.good_until for one in venue.vouchers()} == {clock() + timedelta(days=365)}
    off = venue.staff.submit(venue.staff.get(batch), f"{batch}/switch", to="off")
    assert refused() == Refused(Reason.INACTIVE)

    page = venue.staff.get(off.location)
    assert "for 60 seconds more" in words_of(page)
    undo = re.search(r'action="(/desk/deeds/[^"]+)"', page.text)
    assert undo
    venue.staff.submit(page, undo[1])
    assert not isinstance(refused(), Refused)
    assert venue.staff.submit(venue.staff.get(batch), f"{batch}/switch", to="nowhere").status_code == 404


def test_dates_of_a_batch_are_the_sites(venue: Venue) -> None:
    page = venue.staff.get(venue.page)
    venue.staff.submit(page, venue.page, count="1", good_from="2026-07-01T08:00", good_until="2026-07-31T22:00")
    (voucher,) = venue.vouchers()
    assert (voucher.good_from, voucher.good_until) == (
        datetime(2026, 7, 1, 6, tzinfo=UTC), datetime(2026, 7, 31, 20, tzinfo=UTC)
    )  # fmt: skip
    fresh = venue.staff.get(venue.page)
    answer = venue.staff.submit(
        fresh, venue.page, count="1", good_from="2026-07-31T22:00", good_until="2026-07-01T08:00"
    )
    assert answer.status_code == 400
    assert form_of(answer, venue.page)["good_from"] == "2026-07-31T22:00"
