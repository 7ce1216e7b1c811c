"""What becomes of requests while the database is away: accounting is spooled, authentication stays silent."""

import time
from collections.abc import Sequence
from datetime import timedelta
from typing import Protocol

import structlog
from sqlalchemy.orm import Session

from hotspot.clock import Clock
from hotspot.keys import Keyring
from radius.accounting import CODES, acknowledgement, read_record
from radius.backlog import MOST_IN_A_BATCH
from radius.clients import Request
from radius.door import DATABASE_AWAY, SPOOLED, Door
from radius.failures import name_of
from radius.packet import Discarded, parse
from radius.place import Place
from radius.spool import Spool, Spooled
from radius.transactions import Transactions
from radius.turn import Turn
from sessions.accounting import account
from sessions.records import Record

log = structlog.get_logger("radius")


class _Rejected:
    """An entry that cannot be read as a record."""


class Shelter(Protocol):
    """A port's way through an outage."""

    def take_in(self, requests: Sequence[Request]) -> None:
        """Deal with requests that cannot be committed now."""

    def replay(self, turn: Turn) -> int:
        """Commit a batch of what was taken in, the oldest first; returns how many. Raises while the database is away."""

    @property
    def waiting(self) -> int:
        """How many are still to be committed."""


class Silence:
    """Authentication: the NAS asks the next server, so nothing is kept."""

    waiting = 0

    def __init__(self, door: Door) -> None:
        self._door = door

    def take_in(self, requests: Sequence[Request]) -> None:
        """Answer nobody."""
        for request in requests:
            self._door.stay_silent(request, DATABASE_AWAY)

    def replay(self, turn: Turn) -> int:
        """There is nothing."""
        return 0


class Spooling:
    """Accounting: written to the spool, then answered; committed from there, in order, once the database is back."""

    def __init__(
        self, door: Door, spool: Spool, transactions: Transactions, keyring: Keyring, place: Place, clock: Clock
    ) -> None:
        self._door, self._spool, self._transactions = door, spool, transactions
        self._keyring, self._place, self._clock = keyring, place, clock

    @property
    def waiting(self) -> int:
        """How many records are in the spool."""
        return self._spool.depth

    def take_in(self, requests: Sequence[Request]) -> None:
        """Spool records and acknowledge them; stay silent where the spool cannot be written."""
        now, moment = time.monotonic(), self._clock()
        spooled = [
            Spooled(moment - timedelta(seconds=now - one.arrived), one.nas.id, one.source, one.packet.octets)
            for one in requests
            if isinstance(one.told, Record)
        ]
        try:
            self._spool.append(spooled)
        except OSError as error:
            log.error("spool cannot be written", error=name_of(error), records=len(spooled))
            for request in requests:
                self._door.stay_silent(request, DATABASE_AWAY)
            return
        for request in requests:
            self._door.send(request, acknowledgement(request), SPOOLED if isinstance(request.told, Record) else "")

    def replay(self, turn: Turn) -> int:
        """Commit the oldest records, and only then drop them from the spool."""
        entries = self._spool.oldest(MOST_IN_A_BATCH)
        if entries:
            read = [(entry, self._read(entry)) for entry in entries]
            records = [(entry, record) for entry, record in read if isinstance(record, Record)]
            results = self._transactions.commit_each(turn, records, self._account)
            turn.finish()  # who was too late must not drop what another is about to commit
            refused = [entry for (entry, _), result in zip(records, results, strict=True) if result is None]
            self._reject([*refused, *(entry for entry, record in read if isinstance(record, _Rejected))])
            self._spool.drop(len(entries))
        return len(entries)

    def _reject(self, entries: Sequence[Spooled]) -> None:
        """Keep what was acknowledged and cannot be committed. OSError: it stays in the spool, and is tried again."""
        if entries:
            log.error("spooled records rejected", records=len(entries))
            self._spool.reject(entries)

    def _account(self, session: Session, records: Sequence[tuple[Spooled, Record]]) -> list[bool]:
        account(session, self._keyring, self._place.directory, [record for _, record in records], self._clock())
        return [True] * len(records)

    def _read(self, entry: Spooled) -> Record | _Rejected | None:
        """What an entry reports; None for what we keep nothing of."""
        nas = next((nas for nas in self._place.directory.nas if nas.id == entry.nas_id), None)
        if nas is None:  # retired meanwhile, or the snapshot is of another database
            return _Rejected()
        try:
            packet = parse(entry.octets, CODES)
            return read_record(packet, nas, entry.source, self._place, entry.arrived, late=True)
        except Discarded:  # it was read before; what is welcome has changed with the version
            return _Rejected()
