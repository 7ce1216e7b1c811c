"""A batch is one transaction, and a thread that is stuck in one is replaced without an effect of what it does later."""

import threading
import time
from collections.abc import Sequence

import pytest
from sqlalchemy import text
from sqlalchemy.exc import IntegrityError, OperationalError
from sqlalchemy.orm import Session

from hotspot.database import Database
from radius.failures import is_away
from radius.transactions import MOST_TRIES, Transactions
from radius.turn import Dismissed, Turn


@pytest.fixture
def numbers(database: Database) -> Database:
    """A database with a table to write into."""
    with database.write() as session:
        session.execute(text("CREATE TABLE number (number INTEGER PRIMARY KEY)"))
    return database


def written(database: Database) -> list[int]:
    with database.read() as session:
        return list(session.scalars(text("SELECT number FROM number ORDER BY number")))


def write_all(session: Session, numbers: Sequence[int]) -> list[int]:
    for number in numbers:
        session.execute(text("INSERT INTO number VALUES (:number)"), {"number": number})
        if number == 7:
            raise ValueError("poison")
    return list(numbers)


def test_what_cannot_be_digested_costs_nobody_else(numbers: Database) -> None:
    results = Transactions(numbers).commit_each(Turn(), range(20), write_all)
    assert results == [None if number == 7 else number for number in range(20)]
    assert written(numbers) == [number for number in range(20) if number != 7]


def test_a_batch_without_poison_is_one_transaction(numbers: Database) -> None:
    batches: list[int] = []

    def work(session: Session, some: Sequence[int]) -> list[int]:
        batches.append(len(some))
        return write_all(session, some)

    Transactions(numbers).commit_each(Turn(), [1, 2, 3], work)
    assert batches == [3]


def test_whoever_was_too_slow_is_decided_anew(numbers: Database) -> None:
    tries: list[int] = []

    def work(session: Session) -> str:
        tries.append(1)
        if len(tries) < MOST_TRIES:
            raise IntegrityError("INSERT", {}, Exception("another was faster"))
        session.execute(text("INSERT INTO number VALUES (1)"))
        return "done"

    assert Transactions(numbers).commit(Turn(), work) == "done"
    assert written(numbers) == [1]


def test_a_database_that_is_away_is_told_from_poison(numbers: Database) -> None:
    def work(session: Session, some: Sequence[int]) -> list[int]:
        raise OperationalError("SELECT", {}, Exception("gone"))

    with pytest.raises(OperationalError) as caught:
        Transactions(numbers).commit_each(Turn(), [1, 2], work)
    assert is_away(caught.value)
    assert not is_away(ValueError())


def test_what_a_dismissed_thread_brings_about_is_nothing(numbers: Database) -> None:
    turn = Turn()
    turn.begin([])
    assert turn.dismiss_if_stuck(60) is None
    time.sleep(0.01)
    assert turn.dismiss_if_stuck(0.001) == []
    with pytest.raises(Dismissed):
        turn.finish()
    with pytest.raises(Dismissed):
        turn.begin([])
    with pytest.raises(Dismissed):
        Transactions(numbers).commit_each(turn, [1], write_all)
    assert written(numbers) == []


def test_who_has_finished_in_time_cannot_be_dismissed() -> None:
    turn = Turn()
    turn.begin([])
    turn.finish()
    assert turn.dismiss_if_stuck(0) is None


def test_a_thread_stuck_in_the_database_is_woken_up_when_it_is_dismissed(numbers: Database) -> None:
    if numbers.engine.dialect.name == "sqlite":
        pytest.skip("SQLite is not at the other end of a connection")
    turn, failures = Turn(), []

    def be_stuck() -> None:
        try:
            turn.begin([])
            Transactions(numbers).commit(turn, lambda session: session.execute(text("SELECT pg_sleep(30)")))
        except Exception as error:
            failures.append(error)

    thread = threading.Thread(target=be_stuck)
    thread.start()
    time.sleep(0.5)
    begun = time.monotonic()
    assert turn.dismiss_if_stuck(0.1) == []
    thread.join(5)
    assert time.monotonic() - begun < 2
    assert len(failures) == 1
