"""Writes what arrived into the traffic table, in a thread of its own: neither the network nor the database waits for it."""

import threading
from dataclasses import dataclass
from datetime import datetime

import structlog
from sqlalchemy.exc import IntegrityError

from hotspot.database import Database
from hotspot.traffic import Arrival, hour_of, record
from radius.seen import Seen

WRITE_EVERY_SECONDS = 10.0
# Rows that wait while the database is away; what would need more is not counted.
MOST_WAITING = 5000
# A database that is away is not waited for when the worker stops.
_PATIENCE_SECONDS = 2.0

log = structlog.get_logger("radius")

_Row = tuple[int | str, str, str, datetime]


@dataclass(slots=True)
class _Sum:
    count: int
    first_at: datetime
    last_at: datetime


class TrafficWriter:
    """Collects counts and writes them every few seconds; what cannot be written is kept for the next time."""

    def __init__(self, database: Database, every_seconds: float = WRITE_EVERY_SECONDS) -> None:
        self._database, self._every_seconds = database, every_seconds
        self._lock = threading.Lock()
        self._waiting: dict[_Row, _Sum] = {}
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="traffic", daemon=True)
        self._thread.start()

    def add(self, seen: Seen, now: datetime) -> None:
        """Take what a port has seen."""
        hour = hour_of(now)
        with self._lock:
            for (who, what), count in seen:
                self._add((who, seen.port, what, hour), _Sum(count, now, now))

    def _add(self, row: _Row, more: _Sum) -> None:
        known = self._waiting.get(row)
        if known:
            known.count += more.count
            known.first_at, known.last_at = min(known.first_at, more.first_at), max(known.last_at, more.last_at)
        elif len(self._waiting) < MOST_WAITING:
            self._waiting[row] = more

    def write(self) -> None:
        """Write what waits, in one transaction; keep it when the database is away."""
        with self._lock:
            going, self._waiting = self._waiting, {}
        if not going:
            return
        try:
            with self._database.write() as session:
                record(
                    session,
                    [
                        Arrival(who, port, what, one.count, one.first_at, one.last_at)
                        for (who, port, what, _hour), one in going.items()
                    ],
                )
        except IntegrityError:  # a NAS that is not there, as after a restored backup: it will never be
            log.warning("traffic dropped", rows=len(going))
        except Exception as error:  # whatever it is, the thread has to live on
            log.debug("traffic not written", error=type(error).__name__)
            with self._lock:
                for row, one in going.items():
                    self._add(row, one)

    def close(self) -> None:
        """Write the last and end."""
        self._stop.set()
        self._thread.join(_PATIENCE_SECONDS)

    def _run(self) -> None:
        while not self._stop.wait(self._every_seconds):
            self.write()
        self.write()
