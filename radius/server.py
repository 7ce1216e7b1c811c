"""The RADIUS server: takes all datagrams that wait as one batch, commits, and only then answers (decision 2)."""

import re
import selectors
import socket
import threading
import time
import traceback
from collections import Counter
from collections.abc import Callable, Sequence
from pathlib import Path

import structlog
from sqlalchemy.exc import IntegrityError, OperationalError, SQLAlchemyError
from sqlalchemy.orm import Session

from hotspot.clock import Clock
from hotspot.database import Database
from hotspot.directory import Directory, current_revision, load_directory
from hotspot.keys import Keyring
from hotspot.settings import Settings
from radius import accounting, authentication
from radius.clients import Gate, Request
from radius.duplicates import DuplicateCache
from radius.packet import Discarded
from radius.replies import Reply
from radius.sockets import Datagram, receive, reply
from sessions.heartbeat import BEAT_EVERY_SECONDS, beat
from sessions.housekeeping import LISTENER

MOST_IN_A_BATCH = 256
# Another process took the same row or made the same row first: the batch is decided anew on what is true by then.
MOST_TRIES = 3
_REPORT_EVERY_SECONDS = 60.0

log = structlog.get_logger("radius")

Answer = Callable[[Session, Sequence[Request]], list[Reply]]


class Place:
    """The doors' snapshot of the place, read again when it has changed."""

    def __init__(self, database: Database, keyring: Keyring) -> None:
        self._database, self._keyring = database, keyring
        with database.read() as session:
            self._directory = load_directory(session, keyring)

    @property
    def directory(self) -> Directory:
        """The snapshot."""
        return self._directory

    def refresh(self) -> None:
        """Look whether the place has changed: once a batch. Keep the old snapshot while the database is away."""
        try:
            with self._database.read() as session:
                if current_revision(session) != self._directory.revision:
                    self._directory = load_directory(session, self._keyring)
        except Exception as error:  # one row that cannot be read must not end the service
            log.error("place not refreshed", error=_name(error))


class Port:
    """One socket: its gate, its duplicate cache, and how its batches are answered."""

    def __init__(self, bound: socket.socket, codes: tuple[int, ...], place: Place, answer: Answer, database: Database):
        self.bound = bound
        self.counts: Counter[str] = Counter()
        self._place, self._answer, self._database = place, answer, database
        self._gate = Gate(codes, lambda: place.directory)
        self._duplicates = DuplicateCache()

    def serve(self, now: float) -> None:
        """Take and answer one batch."""
        self._place.refresh()
        requests = []
        for datagram in receive(self.bound, MOST_IN_A_BATCH):
            request = self._check(datagram, now)
            if request:
                requests.append(request)
        if requests:
            self._send(requests, self._answer_together(requests))

    def _check(self, datagram: Datagram, now: float) -> Request | None:
        """Let a datagram in, or discard it, or answer its repetition."""
        try:
            request = self._gate.admit(datagram, now)
            stored = self._duplicates.look_up(datagram, request.packet, now)
        except Discarded as discarded:
            self.counts[discarded.cause] += 1
            return None
        if stored is None:
            return request
        self.counts["repeated"] += 1
        reply(self.bound, datagram, stored)
        return None

    def _answer_together(self, requests: list[Request]) -> list[Reply | None]:
        """One transaction for all; if something in it cannot be digested, one for each, so that it costs nobody else."""
        try:
            return list(self._commit(requests))
        except Discarded:
            pass
        except (
            OperationalError
        ) as error:  # the database is away or overrun: the NAS asks again, or asks the next server
            log.error("database away", error=type(error).__name__, requests=len(requests))
            return [None] * len(requests)
        except Exception as error:
            log.error("batch taken apart", error=_name(error), requests=len(requests))
        return [self._answer_alone(request) for request in requests]

    def _answer_alone(self, request: Request) -> Reply | None:
        try:
            return self._commit([request])[0]
        except Discarded as discarded:
            self.counts[discarded.cause] += 1
        except Exception as error:  # stay silent: the NAS asks again, and the others are not delayed
            self.counts["failed"] += 1
            log.error("request failed", error=_name(error), nas=request.nas.name)
        return None

    def _commit(self, requests: Sequence[Request]) -> list[Reply]:
        for attempt in range(1, MOST_TRIES + 1):
            try:
                with self._database.write() as session:
                    return self._answer(session, requests)
            except (IntegrityError, OperationalError) as error:
                if attempt == MOST_TRIES or error.connection_invalidated:
                    raise
        raise RuntimeError("unreachable: the last try returns or raises")

    def _send(self, requests: list[Request], replies: list[Reply | None]) -> None:
        for request, answer in zip(requests, replies, strict=True):
            self._duplicates.store(request.datagram, request.packet, answer.octets if answer else None)
            if answer:
                self.counts[answer.says] += 1
                reply(self.bound, request.datagram, answer.octets)


def _name(error: Exception) -> str:
    """An exception's kind and the line it came from; its message might hold a guest's data."""
    frames = traceback.extract_tb(error.__traceback__)
    return f"{type(error).__name__} at {Path(frames[-1].filename).name}:{frames[-1].lineno}"


class RadiusServer:
    """Authentication and accounting on two sockets, in one thread, until told to stop."""

    def __init__(
        self,
        settings: Settings,
        database: Database,
        keyring: Keyring,
        auth_socket: socket.socket,
        acct_socket: socket.socket,
        clock: Clock,
    ) -> None:
        self._database, self._clock = database, clock
        place = Place(database, keyring)

        def authenticate(session: Session, requests: Sequence[Request]) -> list[Reply]:
            return authentication.answer_batch(
                session, keyring, place.directory, requests, settings.interim_seconds, clock()
            )

        def account(session: Session, requests: Sequence[Request]) -> list[Reply]:
            return accounting.answer_batch(session, keyring, place.directory, requests, clock())

        self._ports = (
            Port(auth_socket, authentication.CODES, place, authenticate, database),
            Port(acct_socket, accounting.CODES, place, account, database),
        )
        self._next_beat = self._next_report = 0.0

    def run(self, stop: threading.Event) -> None:
        """Serve until `stop` is set; a batch that was begun is finished."""
        with selectors.DefaultSelector() as selector:
            for port in self._ports:
                selector.register(port.bound, selectors.EVENT_READ, port)
            while not stop.is_set():
                for key, _events in selector.select(timeout=0.2):
                    key.data.serve(time.monotonic())
                self._beat(time.monotonic())
        self._report()

    def _beat(self, now: float) -> None:
        if now < self._next_beat:
            return
        self._next_beat = now + BEAT_EVERY_SECONDS
        try:
            with self._database.write() as session:
                beat(session, LISTENER, self._clock())
        except SQLAlchemyError as error:
            log.warning("no heartbeat", error=type(error).__name__)
        if now >= self._next_report:
            self._next_report = now + _REPORT_EVERY_SECONDS
            self._report()

    def _report(self) -> None:
        """Say what was answered and discarded since the last report; no identities."""
        for name, port in zip(("authentication", "accounting"), self._ports, strict=True):
            if port.counts:
                said = {re.sub("[ -]", "_", str(what)): count for what, count in port.counts.items()}
                log.info("requests", port=name, **said)
                port.counts.clear()
