"""PostgreSQL: several hosts, limits, and commits that are durable on two machines or fail."""

import os
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import Any

import psycopg
import pytest
from sqlalchemy import text
from sqlalchemy.exc import OperationalError

from hotspot.database import Database
from hotspot.errors import SetupError
from tests.postgres import PostgresServer, free_port, wait_until
from tests.standby import StandbyServer, require_standbys, two_hosts

WAITS_FOR_STANDBY = "SELECT pid FROM pg_stat_activity WHERE wait_event = 'SyncRep'"


@pytest.fixture(scope="module")
def pair() -> Iterator[tuple[PostgresServer, StandbyServer]]:
    with PostgresServer() as primary:
        primary.create_database("pair")
        with StandbyServer(primary, "a") as standby:
            require_standbys(primary, "ANY 1 (a)")
            yield primary, standby


@contextmanager
def opened(url: str, statement_timeout: float | None = None) -> Iterator[Database]:
    database = Database(url, lock_timeout=0.2, statement_timeout=statement_timeout)
    try:
        yield database
    finally:
        database.dispose()


def rows(server: PostgresServer) -> int:
    with psycopg.connect(server.url("pair").replace("+psycopg", "")) as connection:
        found = connection.execute("SELECT count(*) FROM kept").fetchone()
        assert found
        return int(found[0])


@pytest.fixture
def kept(pair: tuple[PostgresServer, StandbyServer]) -> str:
    """The URL of a database with an empty table."""
    url = pair[0].url("pair")
    with opened(url) as database, database.write() as session:
        session.execute(text("DROP TABLE IF EXISTS kept"))
        session.execute(text("CREATE TABLE kept (id int)"))
    return url


def insert(database: Database) -> None:
    with database.write() as session:
        session.execute(text("INSERT INTO kept VALUES (1)"))


def insert_with_the_commit(database: Database) -> None:
    """In one round trip, as the hot paths do."""
    with database.write() as session:
        driver: Any = session.connection().connection.driver_connection
        driver.statements.ask(b"INSERT INTO kept VALUES (1)", ())


WAYS_TO_INSERT = pytest.mark.parametrize("insert", [insert, insert_with_the_commit])


def test_of_several_hosts_the_one_that_takes_writes_is_found(
    pair: tuple[PostgresServer, StandbyServer], kept: str
) -> None:
    primary, standby = pair
    for first, second in ((primary, standby), (standby, primary)):
        with opened(two_hosts(first, second, "pair")) as database:
            insert(database)
    assert rows(primary) == 2


def test_a_host_that_is_not_there_costs_no_more_than_moments(
    pair: tuple[PostgresServer, StandbyServer], kept: str
) -> None:
    begun = time.monotonic()
    url = two_hosts(pair[0], pair[0], "pair").replace(
        f"host=127.0.0.1:{pair[0].port}", f"host=127.0.0.1:{free_port()}", 1
    )
    with opened(url) as database:
        insert(database)
    assert time.monotonic() - begun < 2


def test_what_the_url_says_wins_over_what_we_take_for_good(kept: str) -> None:
    url = f"{kept}?application_name=mine&connect_timeout=7&options=-c%20work_mem%3D1MB"
    with opened(url) as database, database.read() as session:
        pairs = [session.scalar(text(f"SHOW {name}")) for name in ("application_name", "work_mem", "lock_timeout")]
        driver = session.connection().connection.driver_connection
        assert driver is not None
        parameters = driver.info.get_parameters()
    assert pairs == ["mine", "1MB", "200ms"]
    assert (parameters["connect_timeout"], parameters["tcp_user_timeout"]) == ("7", "5000")


def test_it_says_who_is_connected(kept: str) -> None:
    with opened(kept) as database, database.read() as session:
        assert session.scalar(text("SHOW application_name")) == "surfpass"


def test_another_database_than_these_two_is_refused() -> None:
    with pytest.raises(SetupError, match="SURFPASS_DATABASE_URL"):
        Database("mysql://user@host/name")


def test_a_lock_is_waited_for_only_as_long_as_was_said(kept: str) -> None:
    with opened(kept) as database, database.write() as session:
        session.execute(text("LOCK TABLE kept"))
        begun = time.monotonic()
        with pytest.raises(OperationalError, match="lock timeout"):
            insert(database)
        assert time.monotonic() - begun < 2


def test_who_closes_a_connection_that_waits_leaves_nobody_waiting_on_the_server(kept: str) -> None:
    def waiting() -> int:
        with database.read() as session:
            query = "SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock'"
            return int(session.scalars(text(query)).one())

    def wait_in_vain() -> None:
        with suppress(OperationalError), impatient.write() as session:
            driver = session.connection().connection.driver_connection
            assert driver is not None
            files.append(os.dup(driver.fileno()))
            session.execute(text("SELECT * FROM kept"))

    files: list[int] = []
    with opened(kept) as database, database.write() as session:
        impatient = Database(kept)
        session.execute(text("LOCK TABLE kept"))
        thread = threading.Thread(target=wait_in_vain)
        thread.start()
        wait_until(lambda: waiting() == 1, "nobody waits")
        with socket.socket(fileno=files[0]) as connection:
            connection.shutdown(socket.SHUT_RDWR)
        wait_until(lambda: waiting() == 0, "the server goes on waiting")
        thread.join(10)
        impatient.dispose()


def test_a_statement_that_takes_too_long_fails(kept: str) -> None:
    with opened(kept, statement_timeout=0.2) as database, database.write() as session:
        with pytest.raises(OperationalError, match="statement timeout"):
            session.execute(text("SELECT pg_sleep(5)"))
        session.rollback()


@WAYS_TO_INSERT
def test_a_commit_waits_for_the_standby_however_short_the_limit_on_statements(
    pair: tuple[PostgresServer, StandbyServer], kept: str, insert: Callable[[Database], None]
) -> None:
    primary, standby = pair
    done = threading.Event()

    def commit() -> None:
        insert(database)
        done.set()

    with opened(kept, statement_timeout=0.2) as database:
        standby.stop()
        try:
            thread = threading.Thread(target=commit)
            thread.start()
            assert not done.wait(1)
        finally:
            standby.start()
        thread.join(20)
    assert done.is_set()
    assert rows(primary) == 1


@WAYS_TO_INSERT
def test_a_commit_whose_wait_is_cancelled_is_an_error(
    pair: tuple[PostgresServer, StandbyServer], kept: str, insert: Callable[[Database], None]
) -> None:
    primary, standby = pair
    outcome: list[Exception | None] = []

    def commit() -> None:
        try:
            insert(database)
            outcome.append(None)
        except OperationalError as error:
            outcome.append(error)

    with opened(kept) as database:
        standby.stop()
        try:
            thread = threading.Thread(target=commit)
            thread.start()
            cancel_commits(primary)
            thread.join(10)
        finally:
            standby.start()
        assert len(outcome) == 1
        assert "not confirmed" in str(outcome[0])
        insert(database)
    assert rows(primary) == 2, "the cancelled commit is on the primary all the same: its outcome was open"


def cancel_commits(primary: PostgresServer) -> None:
    with psycopg.connect(primary.socket_conninfo(), autocommit=True) as connection:
        deadline = time.monotonic() + 5
        while not (waiting := connection.execute(WAITS_FOR_STANDBY).fetchall()):
            assert time.monotonic() < deadline
            time.sleep(0.01)
        for (pid,) in waiting:
            connection.execute("SELECT pg_cancel_backend(%s)", (pid,))


def test_after_the_primary_has_died_the_same_database_object_writes_to_the_promoted_standby() -> None:
    with PostgresServer() as primary:
        primary.create_database("pair")
        with StandbyServer(primary, "a") as standby:
            require_standbys(primary, "ANY 1 (a)")
            with opened(two_hosts(primary, standby, "pair")) as database:
                with database.write() as session:
                    session.execute(text("CREATE TABLE kept (id int)"))
                insert(database)
                primary.kill()
                with pytest.raises(OperationalError):
                    insert(database)
                standby.promote()
                begun = time.monotonic()
                insert(database)
                assert time.monotonic() - begun < 3
            assert rows(standby) == 2
