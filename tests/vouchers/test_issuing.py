"""Vouchers: issuing, finding, revoking."""

import re
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from threading import Barrier
from typing import Any

import pytest
from sqlalchemy import select

from hotspot.audit import COMMAND_LINE, AuditEntry
from hotspot.database import Database
from hotspot.errors import NotFound, Refusal
from hotspot.keys import Keyring
from tests import factories
from tests.conftest import NOON
from tests.round_trips import sent_statements
from vouchers.codes import Code
from vouchers.finding import Filter, count_vouchers, find_by_code, find_voucher, list_vouchers
from vouchers.issuing import CHUNK, Order, issue, issue_more, open_batch
from vouchers.once import Once, forget_requests, once
from vouchers.passes import Clock, Pass
from vouchers.stock import latest_batches
from vouchers.voucher import Batch, Voucher, VoucherState, clear_code


def test_every_issued_voucher_has_a_code_and_a_serial_of_its_own(database: Database, keyring: Keyring) -> None:
    with database.write() as session:
        place = factories.a_place(session, keyring)
        issued = issue(session, COMMAND_LINE, keyring, place.site, Order(place.article, 500, " Sommer "), NOON)
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
            issue(session, COMMAND_LINE, keyring, site, Order(article, count), NOON)
        assert session.scalars(select(Voucher)).all() == []
    assert caught.value.code == code


def test_a_voucher_for_later_is_good_for_its_pass_s_days_from_then_on(database: Database, keyring: Keyring) -> None:
    start = NOON + timedelta(days=3)
    with database.write() as session:
        place = factories.a_place(session, keyring)
        order = Order(place.article, good_from=start)
        (one,) = issue(session, COMMAND_LINE, keyring, place.site, order, NOON)
        assert (one.voucher.good_from, one.voucher.good_until) == (start, start + timedelta(days=365))
        festival = factories.a_pass(session, Clock.UNTIL, minutes=None, until=start)
        with pytest.raises(Refusal, match="gives nothing any more"):
            issue(session, COMMAND_LINE, keyring, place.site, Order(festival, good_from=start), NOON)


def test_a_revoked_voucher_keeps_its_moment_and_loses_its_code(database: Database, keyring: Keyring) -> None:
    with database.write() as session:
        place = factories.a_place(session, keyring)
        (one,) = factories.some_vouchers(session, keyring, place.site, place.article)
    for minutes in (0, 1):
        with database.write() as session:
            voucher = find_voucher(session, keyring, one.serial)
            factories.revoke(session, voucher, NOON + timedelta(minutes=minutes))
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
        first = list_vouchers(session, [place.site.id], NOON, limit=3)
        rest = list_vouchers(session, [place.site.id], NOON, before=first[-1].id, limit=3)
        ids = [voucher.id for voucher in first + rest]
        assert ids == sorted(ids, reverse=True)
        assert len(ids) == 5
        assert list_vouchers(session, [], NOON) == []


def test_only_vouchers_that_are_unused_and_still_good_are_counted(database: Database, keyring: Keyring) -> None:
    with database.write() as session:
        place = factories.a_place(session, keyring)
        article = factories.a_pass(session, good_days=10)
        used, revoked, _fresh = factories.some_vouchers(session, keyring, place.site, article, 3, now=NOON)
        used.voucher.first_used_at = revoked.voucher.revoked_at = NOON
        session.flush()
        assert count_vouchers(session, [place.site.id], NOON) == {place.site.id: 1}
        assert count_vouchers(session, [place.site.id], NOON + timedelta(days=11)) == {}


def test_a_large_batch_is_issued_in_chunks_with_the_terms_it_began_with(database: Database, keyring: Keyring) -> None:
    with database.write() as session:
        place = factories.a_place(session, keyring)
        terms = place.article.terms
        batch = open_batch(session, COMMAND_LINE, keyring, place.site, Order(place.article, 2 * CHUNK + 1), NOON)
        assert (batch.issued, batch.is_unfinished) == (CHUNK, True)
    done = []
    for _ in range(3):
        with database.write() as session:
            session.scalars(select(Pass)).one().minutes = 1
            done.append(issue_more(session, keyring, session.get_one(Batch, batch.id)))
    with database.read() as session:
        vouchers = session.scalars(select(Voucher)).all()
        assert done == [CHUNK, 1, 0]
        assert session.get_one(Batch, batch.id).issued == len(vouchers) == 2 * CHUNK + 1
        assert {(one.terms, one.good_until) for one in vouchers} == {(terms, NOON + timedelta(days=365))}
        assert len({one.code_hash for one in vouchers} | {one.serial for one in vouchers}) == 2 * len(vouchers)


def test_until_departure_is_the_vouchers_own_end(database: Database, keyring: Keyring) -> None:
    departure = NOON + timedelta(days=3)
    with database.write() as session:
        place = factories.a_place(session, keyring)
        online = factories.a_pass(session, Clock.ONLINE, minutes=90)
        festival = factories.a_pass(session, Clock.UNTIL, minutes=None, until=NOON + timedelta(days=2))
        order = Order(place.article, until=departure)
        (one,) = issue(session, COMMAND_LINE, keyring, place.site, order, NOON)
        assert (one.voucher.clock, one.voucher.minutes, one.voucher.until) == (Clock.UNTIL, None, departure)
        assert one.voucher.good_until == departure
        (one,) = issue(session, COMMAND_LINE, keyring, place.site, replace(order, article=online), NOON)
        assert (one.voucher.clock, one.voucher.minutes, one.voucher.until) == (Clock.ONLINE, 90, departure)
        (one,) = issue(session, COMMAND_LINE, keyring, place.site, replace(order, article=festival), NOON)
        assert one.voucher.until == festival.until


@pytest.mark.parametrize(
    ("told", "code"),
    [
        ({"until": NOON}, "bad-until"),
        ({"until": NOON + timedelta(days=1), "good_from": NOON + timedelta(days=1)}, "bad-until"),
        ({"until": NOON + timedelta(days=4000)}, "bad-until"),
        ({"good_until": NOON}, "bad-dates"),
        ({"good_until": NOON + timedelta(days=8000)}, "bad-dates"),
        ({"good_from": NOON + timedelta(days=2), "good_until": NOON + timedelta(days=1)}, "bad-dates"),
        ({"good_from": NOON + timedelta(days=8000)}, "bad-dates"),
        ({"good_from": datetime(9999, 12, 31, tzinfo=UTC)}, "bad-dates"),
        ({"good_until": datetime(1, 1, 1, tzinfo=UTC)}, "bad-dates"),
        ({"until": datetime(9999, 12, 31, tzinfo=UTC)}, "bad-until"),
    ],
)
def test_dates_that_make_no_sense_are_refused(
    database: Database, keyring: Keyring, told: dict[str, Any], code: str
) -> None:
    with database.write() as session:
        place = factories.a_place(session, keyring)
        with pytest.raises(Refusal) as caught:
            issue(session, COMMAND_LINE, keyring, place.site, Order(place.article, **told), NOON)
        assert session.scalars(select(Voucher)).all() == []
    assert caught.value.code == code


def test_printed_stock_is_issued_inactive(database: Database, keyring: Keyring) -> None:
    with database.write() as session:
        place = factories.a_place(session, keyring)
        dated = Order(place.article, 2, good_until=NOON + timedelta(days=9), inactive=True)
        for order, good_days in ((replace(dated, good_until=None), 365), (dated, None)):
            (one, _other) = issue(session, COMMAND_LINE, keyring, place.site, order, NOON)
            batch = session.get_one(Batch, one.voucher.batch_id)
            assert (batch.inactive, batch.good_days, one.voucher.inactive) == (True, good_days, True)


def test_a_request_that_is_repeated_gets_the_batch_of_the_first(database: Database, keyring: Keyring) -> None:
    with database.write() as session:
        place, other = factories.a_place(session, keyring), factories.a_place(session, keyring)

    def ask(place: factories.Place, key: str = "k", asked: object = 1) -> Once:
        with database.write() as session:

            def make() -> Batch:
                return open_batch(session, COMMAND_LINE, keyring, place.site, Order(place.article), NOON)

            return once(session, place.site, key, asked, make, NOON)

    first = ask(place)
    again = ask(place)
    assert (first.again, again.again, first.batch.id) == (False, True, again.batch.id)
    assert ask(place, "another key").batch.id != first.batch.id
    assert ask(other).batch.id != first.batch.id
    for key, asked, code in (("k", 2, "key-used"), ("", 1, "bad-key"), ("k" * 256, 1, "bad-key")):
        with pytest.raises(Refusal) as caught:
            ask(place, key, asked)
        assert caught.value.code == code
    with database.write() as session:
        assert len(session.scalars(select(Batch)).all()) == 3
        forget_requests(session, NOON + timedelta(seconds=1))
    assert ask(place).again is False


def test_a_request_that_failed_may_be_repeated(database: Database, keyring: Keyring) -> None:
    with database.write() as session:
        place = factories.a_place(session, keyring)

    def ask(count: int) -> Once:
        with database.write() as session:

            def make() -> Batch:
                return open_batch(session, COMMAND_LINE, keyring, place.site, Order(place.article, count), NOON)

            return once(session, place.site, "k", 1, make, NOON)

    with pytest.raises(Refusal):
        ask(0)
    assert ask(1).again is False


def test_two_requests_with_one_key_at_once_make_one_batch(database: Database, keyring: Keyring) -> None:
    with database.write() as session:
        place = factories.a_place(session, keyring)
    both = Barrier(2)

    def ask() -> Once:
        both.wait()
        with database.write() as session:

            def make() -> Batch:
                return open_batch(session, COMMAND_LINE, keyring, place.site, Order(place.article), NOON)

            return once(session, place.site, "k", 1, make, NOON)

    with ThreadPoolExecutor(2) as threads:
        answers = [future.result() for future in [threads.submit(ask), threads.submit(ask)]]
    assert {one.again for one in answers} == {False, True}
    assert len({one.batch.id for one in answers}) == 1
    with database.read() as session:
        assert len(session.scalars(select(Voucher)).all()) == 1


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
def test_counts_of_stock_and_what_is_not_valid_yet_go_by_their_indexes(database: Database) -> None:
    with sent_statements(database) as sent, database.read() as session:
        latest_batches(session, 1, NOON)
        count_vouchers(session, [1], NOON)
        list_vouchers(session, [1], NOON, wanted=Filter(VoucherState.NOT_YET_VALID))
    with database.read() as session:
        explain = session.connection().exec_driver_sql
        asked = [one for one in sent if "voucher" in one]
        rows = [explain(f"EXPLAIN QUERY PLAN {one}", (None,) * one.count("?")) for one in asked]
        plans = [" ".join(line[3] for line in lines) for lines in rows]
    assert [re.findall(r"voucher USING.*? (ix_\w+)", plan) for plan in plans] == [
        ["ix_voucher_stock"], ["ix_voucher_stock"], ["ix_voucher_later"],
    ]  # fmt: skip
