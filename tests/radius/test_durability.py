"""No reply leaves before what it promises is durable: processes are killed, and nothing acknowledged is lost."""

import random
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from sqlalchemy import select

from hotspot.database import Database
from hotspot.keys import load_keyring, read_master_key
from hotspot.settings import Settings
from radius.sockets import bind
from sessions.visit import Leg, Visit
from tests.conftest import SECRET_KEY, prepare
from tests.postgres import PostgresServer
from tests.radius import wire
from tests.radius.pop import SECRET, Clockwork, Pop, lay_out, record_attributes
from vouchers.batches import Voucher, code_hashes
from vouchers.codes import Code

GUESTS = 20
KEY = SECRET.encode()
ROOT = Path(__file__).parents[2]


class Load(threading.Thread):
    """Guests who log in and then report growing counters as fast as they are answered; remembers what was acknowledged."""

    def __init__(self, auth_port: int, acct_port: int, codes: list[str]) -> None:
        super().__init__()
        self.auth_port, self.acct_port, self.codes = auth_port, acct_port, codes
        self.accepted: set[str] = set()
        self.octets: dict[str, int] = {}
        self.halt = threading.Event()

    def run(self) -> None:
        rounds = 0
        while not self.halt.is_set():
            rounds += 1
            for number, code in enumerate(self.codes):
                device = f"0A-00-00-00-00-{number:02X}"
                if code not in self.accepted:
                    self._login(code, device)
                else:
                    self._account(code, device, rounds * 1000 + number)
                if self.halt.is_set():
                    return

    def _login(self, code: str, device: str) -> None:
        attributes = [(wire.USER_NAME, code.encode()), *record_attributes(1, "", device)[2:]]
        answer = wire.ask(self.auth_port, wire.access_request(attributes, KEY, password=code.encode()), timeout=0.3)
        if answer is not None:
            assert answer.code == wire.ACCESS_ACCEPT
            self.accepted.add(code)

    def _account(self, code: str, device: str, octets: int) -> None:
        attributes = [
            *record_attributes(3, f"s-{code}", device),
            (wire.USER_NAME, code.encode()),
            (wire.ACCT_INPUT_OCTETS, wire.integer(octets)),
        ]
        if wire.ask(self.acct_port, wire.accounting_request(attributes, KEY), timeout=0.3) is not None:
            self.octets[code] = octets


@contextmanager
def server_process(settings: Settings, sockets: list[socket.socket]) -> Iterator[subprocess.Popen[bytes]]:
    """The server on sockets that outlive it, as the supervisor holds them; killed at the end without warning."""
    fds = [bound.fileno() for bound in sockets]
    command = [sys.executable, "-m", "tests.radius.serve", str(settings.data_dir), settings.database, *map(str, fds)]
    process = subprocess.Popen(command, pass_fds=fds, cwd=ROOT, stdout=subprocess.DEVNULL)
    try:
        yield process
    finally:
        process.kill()
        process.wait(10)


@pytest.fixture(params=["sqlite", "postgresql"])
def durable(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[tuple[Settings, PostgresServer | None]]:
    """A database that keeps its word when it is killed, unlike the fast one of the other tests."""
    if request.param == "sqlite":
        yield _prepared(f"sqlite:///{tmp_path / 'durable.db'}", tmp_path), None
        return
    with PostgresServer() as server:
        yield _prepared(server.create_database("durable"), tmp_path), server


def _prepared(url: str, data_dir: Path) -> Settings:
    prepare(url)
    return Settings(data_dir=data_dir, database_url=url, secret_key=SECRET_KEY)


def test_every_acknowledged_record_survives_kill_9_of_every_process(
    durable: tuple[Settings, PostgresServer | None],
) -> None:
    settings, postgres = durable
    database = Database(settings.database)
    with database.read() as session:
        keyring = load_keyring(session, read_master_key(settings))
    lay_out(database, keyring, Clockwork()())
    codes = Pop(database, keyring, settings, Clockwork()).codes(GUESTS)
    sockets = [bind("127.0.0.1", 0), bind("127.0.0.1", 0)]
    load = Load(sockets[0].getsockname()[1], sockets[1].getsockname()[1], codes)
    load.start()
    try:
        for _ in range(3):
            with server_process(settings, sockets):
                time.sleep(random.uniform(1.5, 2.5))
                if postgres:
                    postgres.kill()
            if postgres:
                postgres.start()
    finally:
        load.halt.set()
        load.join(10)
        for bound in sockets:
            bound.close()
    database.dispose()

    assert len(load.accepted) == GUESTS
    assert len(load.octets) == GUESTS
    with database.read() as session:
        for code, octets in load.octets.items():
            query = (
                select(Leg.octets_from_guest)
                .join(Visit, Visit.id == Leg.visit_id)
                .join(Voucher, Voucher.id == Visit.voucher_id)
                .where(Voucher.code_hash.in_(code_hashes(keyring, Code.parse(code))))
            )
            recorded = session.scalars(query).all()
            assert len(recorded) == 1, "one visit, one leg, however often the server was killed"
            assert recorded[0] >= octets
    database.dispose()
