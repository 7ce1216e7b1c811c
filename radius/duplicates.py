"""The duplicate cache (RFC 5080 §2.2.2): a request sent again gets the same answer again, byte for byte."""

from collections import OrderedDict
from dataclasses import dataclass

from radius.packet import Cause, Discarded, Packet
from radius.sockets import Datagram

LIFE_SECONDS = 40.0  # CoovaChilli sends for 4 x 10 s
MOST_ENTRIES = 100_000

Key = tuple[tuple[str, int], int, int]


@dataclass
class _Entry:
    authenticator: bytes
    since: float
    reply: bytes | None = None


class DuplicateCache:
    """What one socket has been asked lately. `now` is monotonic seconds throughout."""

    def __init__(self) -> None:
        self._entries: OrderedDict[Key, _Entry] = OrderedDict()

    def look_up(self, datagram: Datagram, packet: Packet, now: float) -> bytes | None:
        """The stored reply to a repeated request, None for a new one, which is in work from now on.

        Discarded for a repeated one still in work. Another authenticator under the same key means a new request.
        """
        self._forget_old(now)
        key = self._key(datagram, packet)
        entry = self._entries.get(key)
        if entry and entry.authenticator == packet.authenticator:
            if entry.reply is None:
                raise Discarded(Cause.IN_WORK)
            return entry.reply
        self._entries.pop(key, None)
        self._entries[key] = _Entry(packet.authenticator, now)
        return None

    def store(self, datagram: Datagram, packet: Packet, reply: bytes | None) -> None:
        """Keep the reply to a request; None forgets the request, so that a repetition is tried anew."""
        key = self._key(datagram, packet)
        if reply is None:
            self._entries.pop(key, None)
        elif key in self._entries:
            self._entries[key].reply = reply

    @staticmethod
    def _key(datagram: Datagram, packet: Packet) -> Key:
        return datagram.source, packet.code, packet.identifier

    def _forget_old(self, now: float) -> None:
        while self._entries:
            key, entry = next(iter(self._entries.items()))
            if now - entry.since <= LIFE_SECONDS and len(self._entries) <= MOST_ENTRIES:
                return
            del self._entries[key]
