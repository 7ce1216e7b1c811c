"""The database is away: accounting is spooled and answered, authentication stays silent, and nothing waits."""

import errno
import os
import signal
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import create_engine, select
from sqlalchemy.orm import Session

import sessions.accounting
from hotspot.database import Database
from hotspot.directory import Directory
from hotspot.keys import Keyring, load_keyring, read_master_key
from hotspot.place import Nas
from hotspot.settings import Settings
from radius.lane import AWAY_AFTER_SECONDS
from radius.server import SPOOL_FOLDER
from radius.spool import Spool, Spooled
from sessions.records import Record
from sessions.visit import Leg
from tests.conftest import SECRET_KEY, prepare
from tests.postgres import PostgresServer, children_of
from tests.radius import wire
from tests.radius.pop import SECRET, Clockwork, Pop, lay_out, record_attributes, serving

KEY = SECRET.encode()
INTERIM = 3
ANSWERED_WITHIN = AWAY_AFTER_SECONDS + 1.5


@pytest.fixture(scope="module")
def server() -> Iterator[PostgresServer]:
    """A server of these tests' own, to be frozen and killed."""
    with PostgresServer() as server:
        yield server


@pytest.fixture
def pop(server: PostgresServer, tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[Pop]:
    """A PoP on that server."""
    name = f"away_{abs(hash(request.node.name))}"
    with a_pop(server.create_database(name), tmp_path) as pop:
        yield pop
    server.drop_database(name)


@contextmanager
def a_pop(url: str, folder: Path) -> Iterator[Pop]:
    prepare(url)
    settings = Settings(data_dir=folder / "data", database_url=url, secret_key=SECRET_KEY)
    database = Database(url)
    with database.read() as session:
        keyring = load_keyring(session, read_master_key(settings))
    lay_out(database, keyring, Clockwork()())
    yield Pop(database, keyring, settings, Clockwork())
    database.dispose()


@contextmanager
def frozen(server: PostgresServer) -> Iterator[None]:
    """No process of the server does anything: connections stay, and nobody answers."""
    assert server._process is not None
    postmaster = server._process.pid
    pids = [postmaster, *children_of(postmaster)]
    for pid in pids:
        os.kill(pid, signal.SIGSTOP)
    try:
        yield
    finally:
        for pid in pids:
            os.kill(pid, signal.SIGCONT)


def account(pop: Pop, code: str, octets: int, timeout: float = 2.0) -> bool:
    """Report a counter, once; whether that was acknowledged."""
    return wire.ask(pop.acct_port, wire.accounting_request(counter(code, octets), KEY), timeout=timeout) is not None


def counter(code: str, octets: int) -> wire.Attributes:
    more = [(wire.USER_NAME, code.encode()), (wire.ACCT_INPUT_OCTETS, wire.integer(octets))]
    return [*record_attributes(INTERIM, f"s-{code}", device_of(code)), *more]


def logs_in(pop: Pop, code: str, timeout: float = 2.0) -> bool:
    """Ask for access, once; whether that was answered by an Access-Accept."""
    attributes = [(wire.USER_NAME, code.encode()), *record_attributes(INTERIM, "", device_of(code))[2:]]
    request = wire.access_request(attributes, KEY, password=code.encode())
    answer = wire.ask(pop.auth_port, request, timeout=timeout)
    return answer is not None and answer.code == wire.ACCESS_ACCEPT


def device_of(code: str) -> str:
    digits = f"{sum(code.encode()) * 7919:010X}"[-10:]
    return "02-" + "-".join(digits[i : i + 2] for i in range(0, 10, 2))


def octets_of(pop: Pop) -> list[int]:
    with pop.database.read() as session:
        return list(session.scalars(select(Leg.octets_from_guest).order_by(Leg.octets_from_guest)))


def eventually(look: Callable[[], bool], seconds: float = 15.0) -> None:
    deadline = time.monotonic() + seconds
    while not look():
        assert time.monotonic() < deadline, "it did not come about"
        time.sleep(0.1)


def spooled(pop: Pop) -> list[Path]:
    return list((pop.settings.data_dir / SPOOL_FOLDER).glob("*"))


def test_a_frozen_database_holds_up_no_accounting_and_afterwards_all_of_it_is_there(
    pop: Pop, server: PostgresServer
) -> None:
    codes = pop.codes(3)
    with serving(pop):
        assert all(logs_in(pop, code) for code in codes)
        assert account(pop, codes[0], 100)
        with frozen(server):
            assert account(pop, codes[0], 200, timeout=ANSWERED_WITHIN)
            begun = time.monotonic()
            assert all(account(pop, code, 300) for code in codes)
            assert time.monotonic() - begun < 1.5, "once the outage is known nobody waits for it"
            assert not logs_in(pop, codes[1], timeout=AWAY_AFTER_SECONDS + 1)
            assert not logs_in(pop, codes[1], timeout=0.3)
        eventually(lambda: octets_of(pop) == [300, 300, 300])
        eventually(lambda: logs_in(pop, codes[1], timeout=0.5))
        assert account(pop, codes[2], 400)
        eventually(lambda: octets_of(pop) == [300, 300, 400])
        eventually(lambda: not spooled(pop))


def test_a_killed_database_is_noticed_at_once_and_what_was_spooled_is_committed_when_it_is_back(
    pop: Pop, server: PostgresServer
) -> None:
    codes = pop.codes(2)
    with serving(pop):
        assert all(logs_in(pop, code) for code in codes)
        server.kill()
        try:
            for octets in range(1, 51):
                assert account(pop, codes[octets % 2], octets)
            assert spooled(pop)
            assert not logs_in(pop, codes[0], timeout=0.5)
        finally:
            server.start()
        eventually(lambda: octets_of(pop) == [49, 50])
        eventually(lambda: logs_in(pop, codes[0], timeout=0.5))
        eventually(lambda: not spooled(pop))


def test_what_a_process_has_spooled_is_committed_by_the_next_one(pop: Pop, server: PostgresServer) -> None:
    [code] = pop.codes(1)
    with serving(pop):
        assert logs_in(pop, code)
        server.kill()
        try:
            assert account(pop, code, 77)
        except BaseException:
            server.start()
            raise
    assert spooled(pop)
    server.start()
    with serving(pop):
        eventually(lambda: octets_of(pop) == [77])
    assert not spooled(pop)


def test_what_cannot_be_spooled_is_not_acknowledged(pop: Pop, server: PostgresServer) -> None:
    [code] = pop.codes(1)
    with serving(pop):
        assert logs_in(pop, code)
        folder = pop.settings.data_dir / SPOOL_FOLDER
        folder.parent.mkdir(parents=True, exist_ok=True)
        folder.write_text("no folder")
        server.kill()
        try:
            assert not account(pop, code, 5, timeout=1.0)
            folder.unlink()
            assert account(pop, code, 6)
        finally:
            server.start()
        eventually(lambda: octets_of(pop) == [6])


def test_on_sqlite_another_writer_that_does_not_end_holds_up_no_accounting(tmp_path: Path) -> None:
    with a_pop(f"sqlite:///{tmp_path / 'locked.db'}", tmp_path) as pop, serving(pop):
        [code] = pop.codes(1)
        assert logs_in(pop, code)
        other = create_engine(pop.settings.database)
        with other.connect() as connection:
            connection.exec_driver_sql("BEGIN IMMEDIATE")
            assert account(pop, code, 1, timeout=ANSWERED_WITHIN)
            assert account(pop, code, 2)
        other.dispose()
        eventually(lambda: octets_of(pop) == [2], seconds=25)
        eventually(lambda: logs_in(pop, code, timeout=0.5))


def left_by_a_worker_that_is_gone(pop: Pop, codes: Sequence[str], octets: int) -> None:
    """An orphan spool with a counter for each code, and one of a NAS that does not exist."""
    with pop.database.read() as session:
        nas = session.scalars(select(Nas.id)).one()
    spool = Spool(pop.settings.data_dir / SPOOL_FOLDER, "gone", pop.keyring)
    requests = [(nas, code) for code in codes] + [(nas + 1, codes[0])]
    spool.append(
        Spooled(pop.clock(), nas, "127.0.0.1", wire.accounting_request(counter(code, octets), KEY).octets)
        for nas, code in requests
    )
    spool.close()


def test_a_record_that_cannot_be_committed_is_kept_for_the_operator_and_costs_no_other(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    with a_pop(f"sqlite:///{tmp_path / 'poisoned.db'}", tmp_path) as pop, serving(pop):
        codes = pop.codes(3)
        assert all(logs_in(pop, code) and account(pop, code, 1) for code in codes)
        states: list[tuple[bool, bool]] = []

        assert pop.server
        lane = pop.server._lanes[1]

        def account_all(
            session: Session, keyring: Keyring, place: Directory, records: list[Record], *more: Any
        ) -> None:
            states.append((lane.sheltered, lane.away))
            if any(record.user_name == codes[1] for record in records):
                raise ValueError("poison")
            sessions.accounting.account(session, keyring, place, records, *more)

        with monkeypatch.context() as patch:
            patch.setattr("radius.shelter.account", account_all)
            left_by_a_worker_that_is_gone(pop, codes, 5)
            eventually(lambda: octets_of(pop) == [1, 5, 5])
            eventually(lambda: [path.name for path in spooled(pop)] == ["radius.rejected"])
            assert set(states) == {(True, False)}, "the database is not away"
        [line] = [line for line in capsys.readouterr().out.splitlines() if "spooled records rejected" in line]
        assert "2" in line
        [rejected] = spooled(pop)
        rejected.rename(rejected.with_suffix(".spool"))
        eventually(lambda: octets_of(pop) == [5, 5, 5])
        eventually(lambda: [path.name for path in spooled(pop)] == ["radius.rejected"])
        assert account(pop, codes[0], 6)
        eventually(lambda: octets_of(pop) == [5, 5, 6])


def test_what_cannot_even_be_rejected_stays_in_the_spool(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_arguments: object) -> None:
        raise OSError(errno.ENOSPC, "full")

    with a_pop(f"sqlite:///{tmp_path / 'full.db'}", tmp_path) as pop, serving(pop):
        [code] = pop.codes(1)
        assert logs_in(pop, code)
        with monkeypatch.context() as patch:
            patch.setattr("radius.spool.keep_apart", full)
            left_by_a_worker_that_is_gone(pop, [code], 5)
            eventually(lambda: octets_of(pop) == [5])
            time.sleep(0.7)
            assert [path.suffix for path in spooled(pop)] == [".spool"]
            assert logs_in(pop, code)
        eventually(lambda: [path.name for path in spooled(pop)] == ["radius.rejected"])
