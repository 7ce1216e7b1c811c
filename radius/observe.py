"""What a worker saw: counted on the hot path, and once a second handed to metrics, the traffic table and traces.

One `Watch` a worker process; it gives each port its `Observer`. `discarded` and `repeated` are called from the thread that
receives, `answered` and `batch` from the one that answers on this port at the time, the database's or the shelter's;
`unanswered` and `failed` from any, so these go through a queue; `Watch.flush` from the thread that receives, which copies
what others count. So no counter has two writers at once, and none needs a lock.
"""

from collections import Counter, deque
from datetime import datetime
from pathlib import Path

from hotspot.clock import Clock, utc_now
from hotspot.database import Database
from hotspot.directory import NasRecord
from hotspot.traffic import OTHER_SOURCES
from radius.clients import Request
from radius.packet import Cause
from radius.seen import Key, Seen, Totals
from radius.tally import Tally
from radius.trace import Tracer
from radius.traffic_writer import TrafficWriter

REPEATED = "repeated"
# Whoever sends from forged addresses must not fill the memory within the second until the next flush.
MOST_STRANGERS = 500


class Observer:
    """The eyes of one port ("authentication" or "accounting"); a call costs a microsecond or so while nobody traces."""

    def __init__(self, port: str, tracer: Tracer, clock: Clock = utc_now) -> None:
        self.port = port
        self._tracer, self._clock = tracer, clock
        self._discarded: Counter[Key] = Counter()
        self._repeated: Counter[Key] = Counter()
        self._unanswered: deque[Key] = deque()
        self._strangers = 0
        self._totals, self._before = Totals(), Totals()
        self._said: Counter[str] = Counter()

    def discarded(self, cause: Cause, source: str, nas: NasRecord | None) -> None:
        """A datagram was dropped; `source` is the RADIUS client's address, `nas` None where nothing names one."""
        key: Key = (nas.id, cause) if nas else (source, cause)
        if nas is None and key not in self._discarded:
            self._strangers += 1
            if self._strangers > MOST_STRANGERS:
                key = (OTHER_SOURCES, cause)
        self._discarded[key] += 1
        if nas and self._tracer.listeners:
            self._tracer.discarded(self.port, nas, cause, self._clock())

    def repeated(self, nas: NasRecord) -> None:
        """A request came again and got its stored answer again."""
        self._repeated[nas.id, REPEATED] += 1

    def answered(self, request: Request, says: str, seconds: float) -> None:
        """An answer has left: `says` is accepted, acknowledged, status, spooled or a Reason; `seconds` since arrival."""
        totals = self._totals
        totals.answered[request.nas.id, says] += 1
        totals.latency.add(seconds)
        if self._tracer.listeners:
            self._tracer.answered(self.port, request, says, seconds, self._clock())

    def unanswered(self, request: Request, why: str) -> None:
        """A good request stays without an answer: "database away", "overload", "failed"."""
        self._unanswered.append((request.nas.id, why))
        if self._tracer.listeners:
            self._tracer.answered(self.port, request, why, None, self._clock())

    def failed(self, source: str, why: str) -> None:
        """A datagram from the address `source` ended in a defect before it was known whose it is."""
        self._unanswered.append((source, why))

    def batch(self, size: int, seconds: float) -> None:
        """A batch of `size` requests was committed, and took `seconds`."""
        self._totals.batch_size.add(size)
        self._totals.batch_seconds.add(seconds)

    def take(self) -> Seen:
        """What was seen since the last call; from the thread that receives."""
        now, before = self._totals.copy(), self._before
        self._before = now
        unanswered = Counter(self._unanswered.popleft() for _ in range(len(self._unanswered)))
        seen = Seen(self.port, now.since(before), unanswered, self._discarded, self._repeated)
        self._discarded, self._repeated, self._strangers = Counter(), Counter(), 0
        for (_who, what), count in seen:
            self._said[what] += count
        return seen

    def report(self) -> dict[str, int]:
        """How often each thing was seen from one report to the next, for a line in the log; no identities."""
        said, self._said = dict(self._said), Counter()
        return said


class Watch:
    """One worker's observers, and where their numbers go; but for `close` nothing in it waits for the database."""

    def __init__(self, data_dir: Path, database: Database, clock: Clock = utc_now) -> None:
        self._clock = clock
        self._tracer = Tracer(data_dir)
        self._tally = Tally(data_dir)
        self._writer = TrafficWriter(database)
        self._observers: list[Observer] = []

    def observer(self, port: str) -> Observer:
        """The observer of a port."""
        observer = Observer(port, self._tracer, self._clock)
        self._observers.append(observer)
        self._tally.zero(port)
        return observer

    def set_spooled(self, records: int) -> None:
        """How many records wait in this worker's spool; from the thread that receives."""
        self._tally.set_spooled(records)

    def set_database_away(self, away: bool) -> None:
        """Whether this worker finds the database away; from the thread that receives."""
        self._tally.set_database_away(away)

    def flush(self, now: datetime) -> None:
        """Hand on what was seen; about once a second, from the thread that receives."""
        for observer in self._observers:
            seen = observer.take()
            self._tally.add(seen)
            self._writer.add(seen, now)
        self._tracer.look()

    def close(self, now: datetime) -> None:
        """Hand on the last, and write it; when the worker stops."""
        self.flush(now)
        self._writer.close()
        self._tracer.close()
        self._tally.close()
