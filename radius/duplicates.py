"""The duplicate cache (RFC 5080 §2.2.2): a request sent again gets the same answer again, byte for byte."""

from sys import intern

from radius.packet import Cause, Discarded, Packet

LIFE_SECONDS = 40.0  # CoovaChilli sends for 4 x 10 s
# A generation of entries: 250 NAS with all 256 Identifiers in use; two are kept.
MOST_ENTRIES = 65_536

# The address once for all; then port, code and Identifier.
Key = tuple[str, int]


class Entry:
    """A request that was taken in. Whoever answers it, in whatever thread, stores the reply here, or forgets it."""

    __slots__ = ("authenticator", "forgotten", "reply", "since")

    def __init__(self, authenticator: bytes, since: float) -> None:
        self.authenticator, self.since = authenticator, since
        self.reply: bytes | None = None
        self.forgotten = False

    @property
    def is_in_work(self) -> bool:
        """Whether it is neither answered nor given up."""
        return self.reply is None and not self.forgotten

    def repeats(self, authenticator: bytes, now: float) -> bool:
        """Whether a request with this authenticator is the same one again."""
        return self.authenticator == authenticator and not self.forgotten and now - self.since <= LIFE_SECONDS


class DuplicateCache:
    """What one socket has been asked lately; for one thread. `now` is monotonic seconds throughout."""

    def __init__(self) -> None:
        self._young: dict[Key, Entry] = {}
        self._old: dict[Key, Entry] = {}
        self._turned = 0.0

    def __len__(self) -> int:
        return len(self._young) + len(self._old)

    def look_up(self, source: tuple[str, int], packet: Packet, now: float) -> bytes | Entry:
        """The stored reply to a repeated request, or the entry of a new one, which is in work from now on.

        Discarded for a repeated one still in work. Another authenticator under the same key means a new request.
        """
        if now - self._turned > LIFE_SECONDS or len(self._young) >= MOST_ENTRIES:
            self._young, self._old, self._turned = {}, self._young, now
        host, port = source
        key = (intern(host), port << 16 | packet.code << 8 | packet.identifier)
        entry = self._young.get(key) or self._old.get(key)
        if entry and entry.repeats(packet.authenticator, now):
            if entry.reply is None:
                raise Discarded(Cause.IN_WORK)
            return entry.reply
        fresh = self._young[key] = Entry(packet.authenticator, now)
        return fresh
