"""Many values in one statement: as many as there are, whatever a database takes at once."""

import sqlite3
from typing import Any

import pytest
from sqlalchemy import event, func, select

from hotspot import bulk
from hotspot.database import Database
from hotspot.limits import LimitCounter
from hotspot.questions import Query
from hotspot.traffic import Arrival, StrangerTraffic, record
from tests.conftest import NOON

SOME = Query(
    lambda is_in: (
        select(LimitCounter.subject, LimitCounter.hits)
        .where(is_in(LimitCounter.subject, "subjects"), is_in(LimitCounter.hits, "hits"))
        .order_by(LimitCounter.subject)
    )
)
SOURCES = Query(lambda is_in: select(StrangerTraffic.source).where(is_in(StrangerTraffic.source, "sources")))


def subject(number: int) -> bytes:
    return number.to_bytes(20)


def store(database: Database, count: int) -> None:
    rows = [(subject(number), number % 10, NOON) for number in range(count)]
    with database.write() as session:
        bulk.insert(session, LimitCounter.__table__, ("subject", "hits", "expires_at"), rows)  # type: ignore[arg-type]


@pytest.mark.parametrize("asked", [0, 1, 1025, 30_000, 40_000, 70_000])
def test_any_number_of_values_is_asked_for(database: Database, asked: int) -> None:
    store(database, 70_000)
    subjects = [subject(number) for number in range(asked)] * 2
    with database.read() as session:
        driver: Any = session.connection().connection.driver_connection
        if isinstance(driver, sqlite3.Connection):
            driver.setlimit(sqlite3.SQLITE_LIMIT_VARIABLE_NUMBER, 32_766)  # what SQLite has unless built otherwise
        found = SOME.rows(session, subjects=subjects, hits=range(5))
    assert sorted(found) == [(subject(number), number % 10) for number in range(asked) if number % 10 < 5]


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
@pytest.mark.parametrize(("asked", "marks"), [(3, 4 + 1), (1000, 1024 + 1), (1024, 1024 + 1), (1025, 1025 + 1)])
def test_only_short_lists_are_filled_up(database: Database, asked: int, marks: int) -> None:
    counts: list[int] = []
    event.listen(database.engine, "before_cursor_execute", lambda *arguments: counts.append(len(arguments[3])))
    with database.read() as session:
        SOME.rows(session, subjects=[subject(number) for number in range(asked)], hits=[1])
    assert counts[-1] == marks


def test_an_insert_that_meets_a_row_changes_it(database: Database) -> None:
    for hits in (1, 2):
        with database.write() as session:
            fresh = bulk.upsert(session, LimitCounter).values(subject=subject(1), hits=hits, expires_at=NOON)
            changed = {"hits": LimitCounter.hits + fresh.excluded.hits}
            session.execute(fresh.on_conflict_do_update(index_elements=[LimitCounter.subject], set_=changed))
    with database.read() as session:
        assert session.execute(select(func.count(), func.sum(LimitCounter.hits))).one() == (1, 3)


def test_only_the_rows_that_are_named_are_deleted(database: Database) -> None:
    store(database, 5)
    with database.write() as session:
        bulk.delete(session, LimitCounter.__table__, "subject", {subject(1), subject(3), subject(7)})  # type: ignore[arg-type]
        bulk.delete(session, LimitCounter.__table__, "subject", ())  # type: ignore[arg-type]
    with database.read() as session:
        left = session.scalars(select(LimitCounter.subject).order_by(LimitCounter.subject))
        assert list(left) == [subject(0), subject(2), subject(4)]


@pytest.mark.parametrize("text", ["", "null", "{", '"', "\\", ' a, "b" \\{} ', "ä€😀", "NULL", "'; --"])
def test_a_text_is_asked_for_as_it_is(database: Database, text: str) -> None:
    with database.write() as session:
        record(session, [Arrival(text, "authentication", "accepted", 1, NOON, NOON)])
        assert SOURCES.rows(session, sources=[text, "another"]) == [(text,)]
        assert SOURCES.rows(session, sources=[text]) == [(text,)]


@pytest.mark.parametrize("database_url", ["postgresql"], indirect=True)
def test_a_text_that_cannot_be_stored_is_not_cut_short(database: Database) -> None:
    with database.read() as session, pytest.raises(ValueError, match="NUL"):
        SOURCES.rows(session, sources=["a\0b"])


def test_a_row_that_is_put_is_new_or_changes_the_one_that_stands(database: Database) -> None:
    store(database, 2)
    rows = [(subject(1), 7, NOON), (subject(2), 8, NOON)]
    with database.write() as session:
        bulk.put(session, LimitCounter.__table__, ("subject", "hits", "expires_at"), rows)  # type: ignore[arg-type]
        found = SOME.rows(session, subjects=[subject(0), subject(1), subject(2)], hits=[0, 7, 8])
    assert found == [(subject(0), 0), (subject(1), 7), (subject(2), 8)]
