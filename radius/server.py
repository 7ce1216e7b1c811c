"""The RADIUS server: one thread receives, and each port has one with the database, which answers after the commit.

While the database is away another thread of the port does what can be done without it.
"""

import re
import socket
import sys
import threading
import time
from collections.abc import Sequence
from datetime import datetime

import structlog
from sqlalchemy.orm import Session

from hotspot.clock import Clock
from hotspot.database import Database
from hotspot.keys import Keyring
from hotspot.settings import Settings
from radius import accounting, authentication
from radius.chores import Chores
from radius.clients import Proven, Request
from radius.door import Door
from radius.failures import name_of
from radius.intake import Intake
from radius.lane import Lane
from radius.observe import Watch
from radius.place import Place
from radius.port import Port
from radius.replies import Reply
from radius.shelter import Silence, Spooling
from radius.spool import Spool
from radius.transactions import Transactions
from sessions.places import Places

SPOOL_FOLDER = "spool"
# How long what has begun may take at the end; the supervisor waits longer.
STOP_SECONDS = 6.0
_FLUSH_EVERY_SECONDS = 1.0
# The ports' database threads share one interpreter: none may keep the others from their answers for long.
_SWITCH_SECONDS = 0.0005
_REPORT_EVERY_SECONDS = 60.0

log = structlog.get_logger("radius")


class RadiusServer:
    """Authentication and accounting on two sockets, until told to stop. `name` tells the spools of workers apart."""

    def __init__(
        self,
        settings: Settings,
        database: Database,
        keyring: Keyring,
        auth_socket: socket.socket,
        acct_socket: socket.socket,
        clock: Clock,
        name: str = "radius",
    ) -> None:
        self._settings, self._keyring, self._clock = settings, keyring, clock
        self._intake = Intake()
        self._place = Place(database, keyring)
        self._watch = Watch(settings.data_dir, database, clock)
        self._spool = Spool(settings.data_dir / SPOOL_FOLDER, name, keyring)
        self._spool.adopt_orphans()
        transactions = Transactions(database)
        chores = Chores(transactions, self._spool, clock)
        auth, acct = self._authentication(auth_socket), self._accounting(acct_socket)
        self._doors = (auth, acct)
        spooling = Spooling(acct, self._spool, transactions, keyring, self._place, clock)
        self._lanes = (
            Lane(auth, Silence(auth), self._place, transactions, clock, chores, self._intake.wake),
            Lane(acct, spooling, self._place, transactions, clock, chores, self._intake.wake),
        )
        proven = Proven()
        self._ports = [
            Port(door, lane.backlog, self._place, clock, proven)
            for door, lane in zip(self._doors, self._lanes, strict=True)
        ]
        self._intake.serve(self._ports)
        self._next_flush = self._next_report = 0.0

    def _authentication(self, bound: socket.socket) -> Door:
        def read(request: Request, now: datetime) -> object:
            return authentication.read(request, self._place, now)

        places = Places()

        def answer(session: Session, requests: Sequence[Request], now: datetime) -> list[Reply]:
            interim = self._settings.interim_seconds
            return authentication.answer_batch(session, self._keyring, places, requests, interim, now)

        return Door("authentication", bound, authentication.CODES, self._watch.observer("authentication"), read, answer)

    def _accounting(self, bound: socket.socket) -> Door:
        def read(request: Request, now: datetime) -> object:
            return accounting.read(request, self._place, now)

        def answer(session: Session, requests: Sequence[Request], now: datetime) -> list[Reply]:
            return accounting.answer_batch(session, self._keyring, self._place.directory, requests, now)

        return Door("accounting", bound, accounting.CODES, self._watch.observer("accounting"), read, answer)

    @property
    def waiting(self) -> int:
        """How many requests wait for a database thread."""
        return sum(len(lane.backlog) for lane in self._lanes)

    def run(self, stop: threading.Event) -> None:
        """Serve until `stop` is set; what was begun is finished."""
        sys.setswitchinterval(_SWITCH_SECONDS)
        for lane in self._lanes:
            lane.start()
        while not stop.is_set():
            self._intake.take_in()
            self._look_after(time.monotonic())
        self._intake.close()
        self._finish()

    def _look_after(self, now: float) -> None:
        for lane in self._lanes:
            lane.look_after()
        if now >= self._next_flush:
            self._next_flush = now + _FLUSH_EVERY_SECONDS
            self._flush()
            if now >= self._next_report:
                self._next_report = now + _REPORT_EVERY_SECONDS
                self._report()

    def _flush(self) -> None:
        try:
            self._watch.set_spooled(self._spool.depth)
            self._watch.set_database_away(any(lane.away for lane in self._lanes))
            self._watch.flush(self._clock())
        except Exception as error:  # who cannot be seen goes on working
            log.error("not observed", error=name_of(error))

    def _finish(self) -> None:
        """Receive no more; answer what was received."""
        deadline = time.monotonic() + STOP_SECONDS
        for lane in self._lanes:
            lane.stop()
        while not all(lane.stopped for lane in self._lanes) and time.monotonic() < deadline:
            self._look_after(time.monotonic())
            time.sleep(0.02)
        self._report()
        self._watch.close(self._clock())
        self._spool.close()

    def _report(self) -> None:
        """Say what was answered and discarded since the last report; no identities."""
        for door in self._doors:
            if said := door.observer.report():
                log.info(
                    "requests", port=door.name, **{re.sub("[ -]", "_", what): count for what, count in said.items()}
                )
