"""Issuing vouchers and printing them."""

import re
from dataclasses import dataclass
from datetime import datetime, timedelta

import pytest
from flask import Flask
from qrcode import QRCode
from qrcode.constants import ERROR_CORRECT_M
from sqlalchemy import func, select

from hotspot.audit import AuditEntry
from hotspot.database import Database
from hotspot.keys import Keyring
from hotspot.people import User
from hotspot.place import SiteKind
from portal import qr
from sessions.admit import Admitted, admit
from tests.factories import Place, a_login, a_pass, a_place, a_site, a_user, directory, some_vouchers
from tests.portal.conftest import MovableClock
from tests.portal.desk import Staff, counting_queries, form_of, signed_in, words_of
from tests.portal.guest import PORTAL_URL
from vouchers.issuing import Issued
from vouchers.passes import Clock
from vouchers.voucher import Batch, Voucher

EMAIL = "owner@example.org"
CODE = re.compile(r"\b[0-9A-Z]{4}-[0-9A-Z]{4}-[0-9A-Z]{3}\b")


@dataclass(frozen=True)
class Venue:
    """A place with an owner, who has signed in."""

    place: Place
    owner: User
    staff: Staff

    @property
    def page(self) -> str:
        """The path of the site's page."""
        return f"/desk/sites/{self.place.site.public_id}"

    def issue(self, count: int = 3, **filled: str) -> str:
        """Issue vouchers by the form; the path of the batch."""
        answer = self.staff.submit(self.staff.get(self.page), self.page, count=str(count), **filled)
        assert answer.status_code == 303, answer.text
        return answer.location


@pytest.fixture
def venue(app: Flask, database: Database, keyring: Keyring) -> Venue:
    with database.write() as session:
        hour = a_pass(session, minutes=60, price_cents=190)
        place = a_place(session, keyring, SiteKind.SINGLE, article=hour)
        owner = a_user(session, customer=place.customer, email=EMAIL)
    return Venue(place, owner, signed_in(app, EMAIL))


def count_of(database: Database) -> int:
    """How many vouchers there are."""
    with database.read() as session:
        return session.scalar(select(func.count(Voucher.id))) or 0


def first_use(database: Database, keyring: Keyring, place: Place, code: str, now: datetime) -> None:
    """Let a device in with a voucher."""
    with database.write() as session:
        login = a_login(directory(session, keyring), place, code)
        assert isinstance(admit(session, keyring, [login], 300, now)[0], Admitted)


def test_an_owner_issues_vouchers_and_comes_to_their_list(venue: Venue, database: Database) -> None:
    batch = venue.issue(3, note="wedding")
    page = venue.staff.get(batch)

    assert "3 vouchers issued" in words_of(page)
    assert "wedding" in words_of(page)
    assert "1 hour from first use" in words_of(page)
    with database.read() as session:
        vouchers = session.scalars(select(Voucher)).all()
        entry = session.scalars(select(AuditEntry).where(AuditEntry.action == "vouchers issued")).one()
    assert sorted(voucher.serial or "" for voucher in vouchers) == sorted(re.findall(r"\b\d{9}\b", words_of(page)))
    assert len(set(CODE.findall(page.text))) == 3
    assert (entry.user_id, entry.customer_id) == (venue.owner.id, venue.place.customer.id)


def test_reading_the_list_again_issues_nothing(venue: Venue, database: Database) -> None:
    batch = venue.issue(2)
    for _ in range(2):
        venue.staff.get(batch)

    assert count_of(database) == 2


def test_a_form_of_a_colleague_is_another_form(app: Flask, venue: Venue, database: Database) -> None:
    with database.write() as session:
        a_user(session, customer=session.merge(venue.place.customer), email="colleague@example.org")
    venue.issue(3, once="a key that both have")
    there = Venue(venue.place, venue.owner, signed_in(app, "colleague@example.org"))
    there.issue(2, once="a key that both have")
    assert count_of(database) == 5


@pytest.mark.parametrize("count", ["0", "10001", "-1", "", "many", "1.5"])
def test_one_to_ten_thousand_are_issued_at_a_time(venue: Venue, database: Database, count: str) -> None:
    answer = venue.staff.submit(venue.staff.get(venue.page), venue.page, count=count, note="kept")

    assert answer.status_code == 400
    assert "1 to 10,000" in words_of(answer)
    assert form_of(answer, venue.page)["note"] == "kept"
    assert count_of(database) == 0


def test_five_hundred_fit_on_one_page(venue: Venue) -> None:
    assert len(set(CODE.findall(venue.staff.get(venue.issue(500)).text))) == 500


def test_only_passes_that_a_voucher_can_give_are_offered(venue: Venue, database: Database) -> None:
    with database.write() as session:
        free = a_pass(session, minutes=30, free=True)
        elsewhere = a_pass(session, site=a_site(session))
        retired = a_pass(session)
        retired.retired_at = retired.created_at
    page = venue.staff.get(venue.page)
    offered = re.findall(r'<option[^>]* value="([a-z2-7]{16})">([^<]+)', page.text)

    assert offered == [(venue.place.article.public_id, f"{venue.place.article.name}, €1.90")]
    for article in (free, elsewhere, retired):
        answer = venue.staff.submit(page, venue.page, article=article.public_id, count="1")
        assert answer.status_code == 400
    assert count_of(database) == 0


def test_a_pass_that_has_ended_is_refused_in_words(
    venue: Venue, database: Database, now: datetime, clock: MovableClock
) -> None:
    with database.write() as session:
        fair = a_pass(session, Clock.UNTIL, minutes=None, until=now + timedelta(hours=1))
    clock.pass_by(hours=2)
    answer = venue.staff.submit(venue.staff.get(venue.page), venue.page, article=fair.public_id, count="1")

    assert answer.status_code == 400
    assert "has ended" in words_of(answer)


@pytest.mark.parametrize("good_from", ["0001-01-01T00:00", "9999-12-30T00:00"])
def test_a_day_before_all_days_is_refused_in_words(venue: Venue, good_from: str) -> None:
    answer = venue.staff.submit(venue.staff.get(venue.page), venue.page, good_from=good_from)

    assert answer.status_code == 400
    assert "These dates do not fit" in words_of(answer)


def test_nothing_is_issued_without_the_token_of_the_form(venue: Venue, database: Database) -> None:
    answer = venue.staff.post(venue.page, article=venue.place.article.public_id, count="1")

    assert answer.status_code == 400
    assert count_of(database) == 0


def test_a_note_is_text_and_never_markup(venue: Venue) -> None:
    page = venue.staff.get(venue.issue(1, note="<b>bold</b>"))

    assert "&lt;b&gt;bold" in page.text
    assert "<b>bold" not in page.text


def test_a_card_says_in_two_languages_what_it_gives_and_how(venue: Venue, database: Database) -> None:
    page = venue.staff.get(venue.issue(1) + "/print")
    with database.read() as session:
        serial = session.scalars(select(Voucher)).one().serial or "none"

    for words in (
        "Stadtnetz GmbH", "Stadtnetz Hotspot", venue.place.site.name, "Surf Pass", serial,
        "1 hour from first use", "1 Stunde", "15 Jun 2027, 14:00", "15.06.2027, 14:00", "Scan", "scannen",
    ):  # fmt: skip
        assert words.lower() in words_of(page).lower()


def test_a_card_names_its_pass_and_what_it_costs(venue: Venue, database: Database) -> None:
    page = venue.staff.get(venue.issue(1) + "/print")
    name = venue.place.article.name
    assert f'<p class="pass">{name}</p>' in page.text
    assert '<p class="price">1,90\u00a0€ / €1.90</p>' in page.text
    with database.write() as session:
        session.scalars(select(Voucher)).one().price_cents = 0
        batch = session.scalars(select(Batch)).one().public_id
    assert 'class="price"' not in venue.staff.get(f"/desk/batches/{batch}/print").text


def test_the_qr_code_of_a_card_holds_the_address_with_its_code(venue: Venue, app: Flask) -> None:
    page = venue.staff.get(venue.issue(2) + "/print")
    codes = CODE.findall(words_of(page))
    pictures = re.findall(r'<svg class="qr" viewBox="0 0 (\d+) \1"[^>]*><path d="([^"]+)"', page.text)

    assert len(codes) == len(pictures) == 2
    for code, (side, path) in zip(codes, pictures, strict=True):
        address = f"{PORTAL_URL}/v/{code.replace('-', '')}"
        assert dark_modules(int(side), path) == expected_modules(address)
        assert app.url_map.bind("portal.example").test(f"/v/{code.replace('-', '')}")


def dark_modules(side: int, path: str) -> list[list[bool]]:
    """What a path paints, module by module."""
    painted = [[False] * side for _ in range(side)]
    for x, y, width, back in re.findall(r"M(\d+) (\d+)h(\d+)v1H(\d+)z", path):
        assert x == back
        for step in range(int(width)):
            painted[int(y)][int(x) + step] = True
    return painted


def expected_modules(text: str) -> list[list[bool]]:
    """The modules as qrcode sets them."""
    code = QRCode(error_correction=ERROR_CORRECT_M, border=4, mask_pattern=2)
    code.add_data(text)
    code.make()
    return [[bool(module) for module in row] for row in code.get_matrix()]


def test_a_qr_code_has_a_quiet_zone() -> None:
    painted = dark_modules(qr.draw("x").side, qr.draw("x").path)

    assert not any(any(row) for row in (*painted[:4], *painted[-4:]))
    assert any(painted[4])


def test_a_code_is_shown_and_printed_only_until_its_first_use(
    venue: Venue, database: Database, keyring: Keyring, now: datetime
) -> None:
    batch = venue.issue(2)
    used, unused = CODE.findall(venue.staff.get(batch).text)
    first_use(database, keyring, venue.place, used, now)

    for path in (batch, f"{batch}/print"):
        page = venue.staff.get(path)
        assert used not in page.text
        assert unused in page.text
    assert "in use" in words_of(venue.staff.get(batch))


def test_a_code_that_is_out_of_date_is_not_printed(venue: Venue, clock: MovableClock) -> None:
    batch = venue.issue(1)
    clock.pass_by(days=366)
    venue.staff.client.delete_cookie("surfpass_session")
    venue.staff.sign_in(EMAIL)

    assert not CODE.findall(venue.staff.get(batch).text)
    assert "can be printed any more" in words_of(venue.staff.get(f"{batch}/print"))


def test_a_large_batch_comes_in_parts(venue: Venue, database: Database, keyring: Keyring, now: datetime) -> None:
    with database.write() as session:
        issued: list[Issued] = some_vouchers(session, keyring, venue.place.site, venue.place.article, 501, now=now)
        batch = session.get_one(Batch, issued[0].voucher.batch_id)
    path = f"/desk/batches/{batch.public_id}"

    assert "501–501" in words_of(venue.staff.get(path))
    assert CODE.findall(venue.staff.get(f"{path}?part=2").text) == [issued[500].code.printed]
    assert CODE.findall(venue.staff.get(f"{path}/print?part=2").text) == [issued[500].code.printed]
    for part in ("3", "0", "-1", "99999999999"):
        assert venue.staff.get(f"{path}?part={part}").status_code == 404


def test_a_batch_takes_as_many_queries_for_many_vouchers_as_for_one(venue: Venue, database: Database) -> None:
    one, many = venue.issue(1), venue.issue(100)
    venue.staff.get(one)
    for end in ("", "/print"):
        with counting_queries(database) as few:
            venue.staff.get(one + end)
        with counting_queries(database) as more:
            venue.staff.get(many + end)
        assert len(more) == len(few) <= 9


def test_the_page_of_a_site_takes_as_many_queries_for_many_batches_as_for_one(venue: Venue, database: Database) -> None:
    venue.issue(1)
    venue.staff.get(venue.page)
    with counting_queries(database) as few:
        venue.staff.get(venue.page)
    for _ in range(5):
        venue.issue(2)
    venue.staff.get(venue.page)
    with counting_queries(database) as many:
        assert words_of(venue.staff.get(venue.page)).count("2 unused") == 5

    assert len(many) == len(few) <= 11
