"""Vouchers: issuing, finding, revoking."""

from datetime import timedelta

import pytest
from sqlalchemy import select

from hotspot.audit import COMMAND_LINE, AuditEntry
from hotspot.database import Database
from hotspot.errors import NotFound, Refusal
from hotspot.keys import Keyring
from tests import factories
from tests.conftest import NOON
from vouchers.changing import revoke
from vouchers.codes import Code
from vouchers.finding import count_vouchers, find_by_code, find_voucher, list_vouchers
from vouchers.issuing import issue
from vouchers.passes import Clock
from vouchers.voucher import Batch, Voucher, clear_code


def test_every_issued_voucher_has_a_code_and_a_serial_of_its_own(database: Database, keyring: Keyring) -> None:
    with database.write() as session:
        place = factories.a_place(session, keyring)
        issued = issue(session, COMMAND_LINE, keyring, place.site, place.article, 500, NOON, note=" Sommer ")
        assert len({one.code for one in issued}) == len({one.serial for one in issued}) == 500
    with database.read() as session:
        batch = session.scalars(select(Batch)).one()
        assert (batch.count, batch.note) == (500, "Sommer")
        assert len(session.scalars(select(Voucher)).all()) == 500


def test_a_voucher_is_found_by_code_and_by_serial(database: Database, keyring: Keyring) -> None:
    with database.write() as session:
        place = factories.a_place(session, keyring)
        one, _other = factories.some_vouchers(session, keyring, place.site, place.article, 2)
    with database.read() as session:
        for spelling in (one.serial, f" {one.serial} ", one.code.value, one.code.printed.lower()):
            assert find_voucher(session, keyring, spelling).id == one.voucher.id
        found = find_by_code(session, keyring, one.code)
        assert found is not None
        assert found.id == one.voucher.id


def test_a_mistyped_code_is_told_apart_from_an_unknown_one(database: Database, keyring: Keyring) -> None:
    with database.read() as session:
        for text, code in (("ABCD", "mistyped"), (Code.new().value, "no-voucher"), ("123456789", "no-voucher")):
            with pytest.raises(NotFound) as caught:
                find_voucher(session, keyring, text)
            assert caught.value.code == code
            assert text not in caught.value.sentence


def test_a_code_is_stored_hashed_and_encrypted_only(database: Database, keyring: Keyring) -> None:
    with database.write() as session:
        place = factories.a_place(session, keyring)
        (one,) = factories.some_vouchers(session, keyring, place.site, place.article)
    with database.read() as session:
        row = session.execute(select(Voucher.__table__)).one()
        assert not any(one.code.value in str(value) for value in row)
        assert not any(one.code.value.encode() in value for value in row if isinstance(value, bytes))
        assert clear_code(keyring, session.scalars(select(Voucher)).one()) == one.code


def test_issuing_copies_the_terms_of_the_pass(database: Database, keyring: Keyring) -> None:
    with database.write() as session:
        place = factories.a_place(session, keyring)
        article = factories.a_pass(session, Clock.ONLINE, minutes=90, megabytes=100, devices=3, price_cents=490)
        (one,) = factories.some_vouchers(session, keyring, place.site, article, now=NOON)
        terms = article.terms
        article.minutes, article.megabytes, article.devices, article.price_cents = 1, 1, 1, 1
    with database.read() as session:
        voucher = find_voucher(session, keyring, one.serial)
        assert (voucher.terms, voucher.price_cents) == (terms, 490)
        assert voucher.good_until == NOON + timedelta(days=365)


@pytest.mark.parametrize(
    ("count", "free", "over", "code"),
    [(0, False, False, "bad-count"), (10_001, False, False, "bad-count"), (1, True, False, "pass-is-free"),
     (1, False, True, "pass-is-over")],
)  # fmt: skip
def test_what_cannot_be_issued_is_refused(
    database: Database, keyring: Keyring, count: int, free: bool, over: bool, code: str
) -> None:
    with database.write() as session:
        site = factories.a_site(session)
        article = factories.a_pass(session, Clock.UNTIL, until=NOON) if over else factories.a_pass(session, free=free)
        with pytest.raises(Refusal) as caught:
            issue(session, COMMAND_LINE, keyring, site, article, count, NOON)
        assert session.scalars(select(Voucher)).all() == []
    assert caught.value.code == code


def test_a_voucher_for_later_is_good_for_its_pass_s_days_from_then_on(database: Database, keyring: Keyring) -> None:
    start = NOON + timedelta(days=3)
    with database.write() as session:
        place = factories.a_place(session, keyring)
        (one,) = issue(session, COMMAND_LINE, keyring, place.site, place.article, 1, NOON, good_from=start)
        assert (one.voucher.good_from, one.voucher.good_until) == (start, start + timedelta(days=365))
        festival = factories.a_pass(session, Clock.UNTIL, minutes=None, until=start)
        with pytest.raises(Refusal, match="gives nothing any more"):
            issue(session, COMMAND_LINE, keyring, place.site, festival, 1, NOON, good_from=start)


def test_a_revoked_voucher_keeps_its_moment_and_loses_its_code(database: Database, keyring: Keyring) -> None:
    with database.write() as session:
        place = factories.a_place(session, keyring)
        (one,) = factories.some_vouchers(session, keyring, place.site, place.article)
    for minutes in (0, 1):
        with database.write() as session:
            voucher = find_voucher(session, keyring, one.serial)
            revoke(session, COMMAND_LINE, voucher, place.customer.id, NOON + timedelta(minutes=minutes))
    with database.read() as session:
        voucher = find_voucher(session, keyring, one.code.value)
        assert voucher.revoked_at == NOON
        assert clear_code(keyring, voucher) is None
        entries = session.scalars(select(AuditEntry.action).where(AuditEntry.action == "voucher revoked"))
        assert len(entries.all()) == 1


def test_vouchers_are_listed_newest_first_a_page_at_a_time(database: Database, keyring: Keyring) -> None:
    with database.write() as session:
        place, other = factories.a_place(session, keyring), factories.a_place(session, keyring)
        factories.some_vouchers(session, keyring, other.site, other.article, 3)
        factories.some_vouchers(session, keyring, place.site, place.article, 5)
        first = list_vouchers(session, [place.site.id], limit=3)
        rest = list_vouchers(session, [place.site.id], before=first[-1].id, limit=3)
        ids = [voucher.id for voucher in first + rest]
        assert ids == sorted(ids, reverse=True)
        assert len(ids) == 5
        assert list_vouchers(session, []) == []


def test_only_vouchers_that_are_unused_and_still_good_are_counted(database: Database, keyring: Keyring) -> None:
    with database.write() as session:
        place = factories.a_place(session, keyring)
        article = factories.a_pass(session, good_days=10)
        used, revoked, _fresh = factories.some_vouchers(session, keyring, place.site, article, 3, now=NOON)
        used.voucher.first_used_at = revoked.voucher.revoked_at = NOON
        session.flush()
        assert count_vouchers(session, [place.site.id], NOON) == {place.site.id: 1}
        assert count_vouchers(session, [place.site.id], NOON + timedelta(days=11)) == {}
