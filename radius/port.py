"""The receiving side of a port: takes datagrams in, discards some, repeats answers, and queues what has to be answered."""

from datetime import datetime

import structlog

from hotspot.clock import Clock
from hotspot.directory import NasRecord
from radius.backlog import Backlog
from radius.clients import Gate, Proven, Request
from radius.door import FAILED, OVERLOAD, Door
from radius.duplicates import DuplicateCache
from radius.failures import name_of
from radius.packet import Discarded
from radius.place import Place
from radius.sockets import Datagram, receive, reply

# Then the other port has its turn.
MOST_AT_ONCE = 256

log = structlog.get_logger("radius")


class Port:
    """One socket with its gate and its duplicate cache; for the thread that receives, which waits for no database here."""

    def __init__(self, door: Door, backlog: Backlog, place: Place, clock: Clock, proven: Proven) -> None:
        self.bound = door.bound
        self._door, self._backlog, self._clock = door, backlog, clock
        self._gate = Gate(door.codes, lambda: place.directory, clock, proven)
        self._duplicates = DuplicateCache()

    @property
    def is_idle(self) -> bool:
        """Whether all that was taken in is done."""
        return self._backlog.is_drained

    def take_in(self, now: float) -> bool:
        """Take in what has arrived, MOST_AT_ONCE at most; returns whether there is something to answer.

        `now` is monotonic seconds.
        """
        moment = self._clock()
        room = self._backlog.room
        requests: list[Request] = []
        for datagram in receive(self.bound, MOST_AT_ONCE):
            try:
                request = self._check(datagram, now)
            except Exception as error:  # no input may stop the worker
                log.error("request failed", port=self._door.name, error=name_of(error))
                self._door.observer.failed(datagram.source[0], FAILED)
                continue
            if request and self._read(request, moment, has_room=len(requests) < room):
                requests.append(request)
        if requests:
            self._backlog.put(requests)
        return bool(requests)

    def _read(self, request: Request, moment: datetime, *, has_room: bool) -> bool:
        """Read what a request says, if there is room for it in the queue; returns whether it has to be answered."""
        if not has_room:
            self._door.stay_silent(request, OVERLOAD)
            return False
        try:
            request.told = self._door.read(request, moment)
        except Discarded as discarded:
            self._forget(request)
            self._door.observer.discarded(discarded.cause, request.source, request.nas)
            return False
        except Exception as error:
            log.error("request failed", port=self._door.name, error=name_of(error))
            self._door.stay_silent(request, FAILED)
            return False
        return True

    @staticmethod
    def _forget(request: Request) -> None:
        """It is not in work: when it is repeated, it is discarded for the same cause again."""
        if request.entry:
            request.entry.forgotten = True

    def _check(self, datagram: Datagram, now: float) -> Request | None:
        """Let a datagram in, or discard it, or answer its repetition."""
        request = None
        try:
            request = self._gate.admit(datagram, now)
            found = self._duplicates.look_up(datagram.source, request.packet, now)
        except Discarded as discarded:
            nas = request.nas if request else self._only_client(datagram)
            self._door.observer.discarded(discarded.cause, datagram.source[0], nas)
            return None
        if isinstance(found, bytes):
            self._door.observer.repeated(request.nas)
            reply(self.bound, datagram, found)
            return None
        request.entry = found
        return request

    def _only_client(self, datagram: Datagram) -> NasRecord | None:
        """Whose datagram it must be, where one NAS alone may send from its address."""
        group = self._gate.clients_at(datagram.source[0])
        return group[0] if len(group) == 1 else None
