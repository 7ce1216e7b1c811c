"""Limits on how often something may happen, counted in the database."""

import threading
from datetime import timedelta

import pytest
from sqlalchemy import func, select

from hotspot import limits
from hotspot.database import Database
from hotspot.keys import Keyring
from hotspot.limits import Counted, Limit, LimitCounter
from tests.conftest import NOON

PHONE = Counted(Limit.GUESSES_BY_DEVICE, "02-00-00-00-00-01")
LAPTOP = Counted(Limit.GUESSES_BY_DEVICE, "02-00-00-00-00-02")
SITE = Counted(Limit.GUESSES_AT_SITE, "1")
ALLOWED = Limit.GUESSES_BY_DEVICE.allowed


def hit(database: Database, keyring: Keyring, counted: list[Counted], after: timedelta = timedelta(0)) -> None:
    with database.write() as session:
        limits.hit(session, keyring, counted, NOON + after)


def reached(database: Database, keyring: Keyring, after: timedelta = timedelta(0)) -> set[Counted]:
    with database.read() as session:
        return set(limits.reached(session, keyring, [PHONE, LAPTOP, SITE], NOON + after))


def test_a_limit_is_reached_by_its_last_hit_and_not_before(database: Database, keyring: Keyring) -> None:
    hit(database, keyring, [PHONE, SITE] * (ALLOWED - 1))
    assert reached(database, keyring) == set()
    hit(database, keyring, [PHONE, SITE])
    assert reached(database, keyring) == {PHONE}


def test_a_window_runs_from_the_first_hit(database: Database, keyring: Keyring) -> None:
    window = Limit.GUESSES_BY_DEVICE.window
    hit(database, keyring, [PHONE])
    hit(database, keyring, [PHONE] * (ALLOWED - 1), after=window - timedelta(seconds=1))
    assert reached(database, keyring, after=window - timedelta(seconds=1)) == {PHONE}


def test_hits_are_forgotten_when_the_window_is_over(database: Database, keyring: Keyring) -> None:
    window = Limit.GUESSES_BY_DEVICE.window
    hit(database, keyring, [PHONE] * (ALLOWED - 1))
    hit(database, keyring, [PHONE], after=window)
    assert reached(database, keyring, after=window) == set()


def test_each_further_time_that_a_limit_is_used_up_costs_a_longer_wait(database: Database, keyring: Keyring) -> None:
    second, window = timedelta(seconds=1), Limit.GUESSES_BY_DEVICE.window
    at = timedelta(0)
    for times in (1, 2, 4, 8, 16, 16):
        hit(database, keyring, [PHONE] * (ALLOWED - 1), after=at)
        assert reached(database, keyring, after=at) == set()
        hit(database, keyring, [PHONE] * 3, after=at)
        hit(database, keyring, [PHONE], after=at)
        at += times * window
        assert reached(database, keyring, after=at - second) == {PHONE}
        assert reached(database, keyring, after=at) == set()
    at += limits.STEPS_LIVE
    hit(database, keyring, [PHONE] * ALLOWED, after=at)
    assert reached(database, keyring, after=at + window) == set()


def test_whoever_uses_a_limit_up_is_told_once(database: Database, keyring: Keyring) -> None:
    with database.write() as session:
        assert limits.hit(session, keyring, [PHONE] * (ALLOWED - 1) + [LAPTOP], NOON) == []
        assert limits.hit(session, keyring, [PHONE, LAPTOP], NOON) == [PHONE]
        assert limits.hit(session, keyring, [PHONE, LAPTOP], NOON) == []


def test_a_hit_after_the_window_begins_a_new_one(database: Database, keyring: Keyring) -> None:
    window = Limit.GUESSES_BY_DEVICE.window
    hit(database, keyring, [PHONE] * ALLOWED)
    hit(database, keyring, [PHONE] * (ALLOWED - 1), after=window)
    assert reached(database, keyring, after=window) == set()
    hit(database, keyring, [PHONE], after=2 * window - timedelta(seconds=1))
    assert reached(database, keyring, after=2 * window - timedelta(seconds=1)) == {PHONE}


def test_the_same_subject_is_counted_apart_for_every_limit(database: Database, keyring: Keyring) -> None:
    same = Counted(Limit.SIGN_INS_BY_ADDRESS, PHONE.subject)
    hit(database, keyring, [same] * ALLOWED)
    with database.read() as session:
        assert limits.reached(session, keyring, [same, PHONE], NOON) == {}


def test_counters_hold_no_clear_subject(database: Database, keyring: Keyring) -> None:
    hit(database, keyring, [PHONE])
    with database.read() as session:
        assert PHONE.subject.encode() not in session.scalars(select(LimitCounter.subject)).one()


def test_many_tries_at_once_are_no_more_than_one_after_the_other(
    database: Database, keyring: Keyring, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(limits, "reached", lambda *_: {})  # as each of those who come at once sees it
    with database.write() as session:
        tries = [limits.take_try(session, keyring, [PHONE, SITE], NOON) for _ in range(ALLOWED + 2)]
    assert tries == [True] * ALLOWED + [False] * 2


def test_a_try_that_was_right_gives_back_itself_and_nothing_else(database: Database, keyring: Keyring) -> None:
    second, window = timedelta(seconds=1), Limit.GUESSES_BY_DEVICE.window
    hit(database, keyring, [PHONE] * ALLOWED)
    with database.write() as session:
        assert not limits.take_try(session, keyring, [PHONE], NOON + window - second)
    hit(database, keyring, [PHONE] * (ALLOWED - 1), after=window)
    for _ in range(3):
        with database.write() as session:
            assert limits.take_try(session, keyring, [PHONE], NOON + window)
            limits.give_back(session, keyring, [PHONE], NOON + window)
    hit(database, keyring, [PHONE], after=window)
    assert reached(database, keyring, after=3 * window - second) == {PHONE}  # twice as long as the first time
    assert reached(database, keyring, after=3 * window) == set()


def test_a_last_try_that_was_right_begins_no_wait(database: Database, keyring: Keyring) -> None:
    window = Limit.GUESSES_BY_DEVICE.window
    hit(database, keyring, [PHONE] * ALLOWED)
    hit(database, keyring, [PHONE] * (ALLOWED - 1), after=window)
    with database.write() as session:
        assert limits.take_try(session, keyring, [PHONE], NOON + window)
        limits.give_back(session, keyring, [PHONE], NOON + window)
    # The wrong ones before it are remembered for as long as any, and not for the second wait.
    with database.write() as session:
        assert limits.standing(session, keyring, PHONE, NOON + window) == (ALLOWED - 1, NOON + 2 * window)


def test_expired_counters_are_forgotten(database: Database, keyring: Keyring) -> None:
    hit(database, keyring, [PHONE])
    hit(database, keyring, [LAPTOP], after=timedelta(minutes=5))
    with database.write() as session:
        limits.forget_expired(session, NOON + Limit.GUESSES_BY_DEVICE.window)
        assert session.scalar(select(func.count()).select_from(LimitCounter)) == 1


def test_nothing_counted_asks_nothing(database: Database, keyring: Keyring) -> None:
    with database.read() as session:
        assert limits.reached(session, keyring, [], NOON) == {}


def test_no_hit_is_lost_when_many_count_at_once(database: Database, keyring: Keyring) -> None:
    threads = [
        threading.Thread(target=hit, args=(database, keyring, order))
        for order in ([PHONE, LAPTOP, SITE], [SITE, LAPTOP, PHONE]) * 10
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    with database.read() as session:
        assert session.scalars(select(LimitCounter.hits)).all() == [20, 20, 20]
