"""Statements that go to PostgreSQL together: what is asked is answered, in order, and a failure leaves nothing behind."""

from typing import Any, cast

import pytest
from sqlalchemy import Table, func, select, text
from sqlalchemy.exc import DBAPIError, IntegrityError
from sqlalchemy.orm import Session

from hotspot import bulk
from hotspot.database import Database
from hotspot.limits import LimitCounter
from hotspot.pipeline import Pipeline
from hotspot.questions import Query, Rows
from tests.conftest import NOON
from tests.round_trips import counted_trips

TABLE = cast(Table, LimitCounter.__table__)
COLUMNS = ("subject", "hits", "expires_at")
HITS = Query(lambda is_in: select(LimitCounter.hits).where(is_in(LimitCounter.subject, "subjects")))
ON_POSTGRESQL = pytest.mark.parametrize("database_url", ["postgresql"], indirect=True)


def subject(number: int) -> bytes:
    return number.to_bytes(20)


def store(session: Session, *numbers: int) -> None:
    bulk.insert(session, TABLE, COLUMNS, [(subject(number), number, NOON) for number in numbers])


def stored(database: Database) -> int:
    with database.read() as session:
        return session.scalar(select(func.count()).select_from(LimitCounter)) or 0


def driver(session: Session) -> Any:
    return session.connection().connection.driver_connection


def test_questions_see_what_was_written_before_them_and_not_what_comes_after(database: Database) -> None:
    with database.write() as session:
        store(session, 1)
        first = HITS.ask(session, subjects=[subject(1), subject(2)])
        store(session, 2)
        second = HITS.ask(session, subjects=[subject(1), subject(2)])
        assert sorted(second.rows()) == [(1,), (2,)]
        assert first.rows() == [(1,)]


def test_other_statements_of_the_session_see_what_was_written_before_them(database: Database) -> None:
    with database.write() as session:
        store(session, 1, 2)
        assert session.scalar(select(func.count()).select_from(LimitCounter)) == 2
        bulk.update(session, TABLE, ("subject", "hits"), [(subject(1), 10), (subject(2), 20)])
        assert session.scalar(select(func.sum(LimitCounter.hits))) == 30


def test_what_is_written_last_is_committed(database: Database) -> None:
    with database.write() as session:
        store(session, 1)
    assert stored(database) == 1


def test_a_row_that_cannot_be_is_an_integrity_error_and_nothing_is_committed(database: Database) -> None:
    with pytest.raises(IntegrityError):
        write(database, 1, 2, 2, 3)
    assert stored(database) == 0
    write(database, 1)  # the connection is as good as before
    assert stored(database) == 1


def test_nothing_of_a_transaction_that_raises_is_sent(database: Database) -> None:
    def write_and_raise() -> None:
        with database.write() as session:
            store(session, 1)
            raise LookupError

    with pytest.raises(LookupError):
        write_and_raise()
    with database.write() as session:
        store(session, 2)
    assert stored(database) == 1


@ON_POSTGRESQL
def test_a_transaction_of_questions_and_rows_takes_two_round_trips(database: Database) -> None:
    with counted_trips() as trips, database.write() as session:
        asked = [HITS.ask(session, subjects=[subject(number)]) for number in range(3)]
        assert [one.rows() for one in asked] == [[], [], []]
        store(session, 1)
        store(session, 2)
    assert trips == [4, 3]  # with BEGIN and COMMIT


@ON_POSTGRESQL
def test_the_first_statement_that_fails_is_the_one_that_is_told(database: Database) -> None:
    with database.write() as session:
        pipeline = driver(session).statements
        for sql in (b"SELECT 1", b"SELECT 1 / 0", b"SELECT nonsense"):
            pipeline.ask(sql, ())
        with pytest.raises(DBAPIError) as error:
            session.execute(select(LimitCounter))
        session.rollback()
    assert getattr(error.value.orig, "sqlstate", None) == "22012"


@ON_POSTGRESQL
def test_statements_stay_prepared_whatever_was_rolled_back(database: Database) -> None:
    for _ in range(8):
        with database.read() as session:  # ends with a rollback
            session.execute(select(LimitCounter)).all()
            assert HITS.rows(session, subjects=[subject(1)]) == []
            prepared = session.scalar(text("SELECT count(*) FROM pg_prepared_statements"))
        assert prepared == 1


@ON_POSTGRESQL
def test_a_statement_that_could_not_be_prepared_is_prepared_the_next_time(database: Database) -> None:
    with database.write() as session:
        store(session, 1, 1)
        with pytest.raises(IntegrityError):
            HITS.rows(session, subjects=[subject(1)])
        session.rollback()
    with database.read() as session:
        assert HITS.rows(session, subjects=[subject(1)]) == []


@ON_POSTGRESQL
def test_much_goes_both_ways_at_once(database: Database) -> None:
    many = range(60_000)
    with database.write() as session:
        store(session, *many)
        subjects = [subject(number) for number in many]
        asked = [HITS.ask(session, subjects=subjects) for _ in range(20)]
        assert [len(one.rows()) for one in asked] == [len(many)] * 20


@ON_POSTGRESQL
def test_a_connection_that_is_lost_meanwhile_is_an_error_and_replaced(database: Database) -> None:
    with pytest.raises(DBAPIError) as error:
        write(database, 1, then_end=True)
    assert error.value.connection_invalidated
    with database.write() as session:
        store(session, 2)
    assert stored(database) == 1


@ON_POSTGRESQL
@pytest.mark.parametrize("step", ["_send", "_flush", "_wait", "_receive"])
def test_who_is_interrupted_amid_the_answers_leaves_nobody_half_a_conversation(
    database: Database, monkeypatch: pytest.MonkeyPatch, step: str
) -> None:
    def interrupt(*_arguments: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(Pipeline, step, interrupt)
        with pytest.raises(KeyboardInterrupt):
            write_and_ask(database, 1)
    assert [write_and_ask(database, number) for number in (2, 3)] == [[(2,)], [(3,)]]
    assert stored(database) == 2


@ON_POSTGRESQL
def test_a_connection_that_was_lost_in_the_pool_is_replaced_unseen(database: Database) -> None:
    with database.read() as one, database.read() as other:
        pids = [driver(session).info.backend_pid for session in (one, other)]
    with database.read() as session:
        for pid in set(pids) - {driver(session).info.backend_pid}:
            session.execute(text("SELECT pg_terminate_backend(:pid, 5000)"), {"pid": pid})
        with database.write() as writing:
            store(writing, 1)
    assert stored(database) == 1


def end(database: Database, session: Session) -> None:
    """End a session's connection, from the server's side."""
    with database.read() as another:
        pid = driver(session).info.backend_pid
        another.execute(text("SELECT pg_terminate_backend(:pid, 5000)"), {"pid": pid})


def write_and_ask(database: Database, number: int) -> Rows:
    """Store a row, and ask for it before the commit."""
    with database.write() as session:
        store(session, number)
        return HITS.rows(session, subjects=[subject(number)])


def write(database: Database, *numbers: int, then_end: bool = False) -> None:
    """Store one row after the other; the connection may be lost before the commit."""
    with database.write() as session:
        for number in numbers:
            store(session, number)
        if then_end:
            end(database, session)
