"""RADIUS workers as real processes: what comes in is answered, whatever happens to a single one of them."""

import contextlib
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

from hotspot.clock import utc_now
from hotspot.database import Database
from hotspot.keys import Keyring
from tests.deploy.processes import ROOT, Ports, eventually, inherited_environment, is_alive
from tests.postgres import children_of
from tests.radius import wire
from tests.radius.flood import Flood, record
from tests.radius.pop import SECRET, lay_out, login_attributes

KEY = SECRET.encode()
ABOUT = login_attributes("", "0A-00-00-00-00-01")[1:]


@dataclass
class Workers:
    """A `surfpass radius` of several workers."""

    process: subprocess.Popen[bytes]
    ports: Ports
    log: Path

    @property
    def pids(self) -> set[int]:
        """The workers that are there now."""
        return {pid for pid in children_of(self.process.pid) if is_alive(pid)}

    def flood(self, rate: float) -> Flood:
        """Accounting at this rate."""
        return Flood(self.ports.acct, lambda n, identifier: record(n, identifier, ABOUT, KEY), rate)

    def answers(self, identifier: int) -> bool:
        """Whether the worker of this Identifier answers."""
        status = wire.access_request([], KEY, code=wire.STATUS_SERVER, identifier=identifier)
        return wire.ask(self.ports.auth, status, timeout=0.3) is not None


@contextmanager
def workers_of(environment: dict[str, str], folder: Path, count: int) -> Iterator[Workers]:
    ports, log = Ports.free(), folder / "log"
    with log.open("w") as out:
        process = subprocess.Popen(
            [sys.executable, "-P", "-m", "deploy", "radius", "--workers", str(count)],
            env=inherited_environment() | environment | ports.environment,
            cwd=ROOT,
            stderr=out,
        )
    workers = Workers(process, ports, log)
    known: set[int] = set()
    try:
        eventually(lambda: all(workers.answers(identifier) for identifier in range(count)), "they do not start")
        known = workers.pids
        yield workers
        process.send_signal(signal.SIGTERM)
        assert process.wait(20) == 0
        assert not any(map(is_alive, known))
    finally:
        for pid in {process.pid, *known, *workers.pids}:
            if is_alive(pid):
                with contextlib.suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)
        process.wait()
        assert "Traceback" not in log.read_text()


@pytest.fixture
def workers(
    surfpass_environment: dict[str, str], database: Database, keyring: Keyring, tmp_path: Path
) -> Iterator[Workers]:
    """Two workers on either database."""
    lay_out(database, keyring, utc_now())
    with workers_of(surfpass_environment, tmp_path, 2) as workers:
        yield workers


def test_a_rolling_restart_under_load_loses_no_request_and_needs_no_retransmit(workers: Workers) -> None:
    flood, before = workers.flood(rate=200), workers.pids
    assert len(before) == 2
    thread = threading.Thread(target=flood.run, args=(14, 5))
    thread.start()
    time.sleep(1)
    workers.process.send_signal(signal.SIGUSR1)
    eventually(lambda: "rolling restart done" in workers.log.read_text(), "it does not restart")
    restarted_under_load = thread.is_alive()
    thread.join(30)
    assert restarted_under_load
    assert len(workers.pids) == 2
    assert not workers.pids & before
    assert (flood.sent, flood.lost) == (2800, 0)
    assert sum(latency < 2.0 for latency in flood.latencies) > 0.95 * flood.sent, (
        "nobody waits for a new process to begin"
    )


def test_a_worker_that_is_killed_keeps_nobody_waiting_but_its_own_and_answers_those_when_it_is_back(
    workers: Workers,
) -> None:
    victim = min(workers.pids)
    flood = workers.flood(rate=50)
    thread = threading.Thread(target=flood.run, args=(2, 15))
    os.kill(victim, signal.SIGKILL)
    thread.start()
    thread.join(30)
    # What the killed one had taken from its socket is lost; nothing had been sent by then.
    assert (flood.sent, flood.lost) == (100, 0)
    assert sum(latency < 2.0 for latency in flood.latencies) >= 40, "the other worker goes on"
    assert victim not in workers.pids


def test_a_new_worker_that_cannot_start_leaves_the_old_one_in_place(workers: Workers, database: Database) -> None:
    before = workers.pids
    with database.write() as session:
        session.connection().exec_driver_sql("UPDATE alembic_version SET version_num = 'unknown'")
    workers.process.send_signal(signal.SIGUSR1)
    eventually(lambda: "rolling restart given up" in workers.log.read_text(), "it does not give up")
    assert workers.pids == before
    assert all(workers.answers(identifier) for identifier in range(2))
