"""Accounting of the software access point: sent in the background and tried again, so that no page waits for it."""

import queue
import threading
from dataclasses import dataclass
from datetime import datetime, timedelta

import structlog

from deploy.software_ap.connection import Attributes
from hotspot.clock import Clock
from radius.client import RadiusClient

_log = structlog.get_logger("demo-ap")

_GIVE_UP_AFTER = timedelta(minutes=5)
_MOST_WAITING = 1000
_FIRST_PAUSE, _LONGEST_PAUSE = 0.5, 5.0


@dataclass(frozen=True, repr=False)
class _Record:
    at: datetime
    attributes: Attributes


class AccountingQueue:
    """Records on their way to the PoP, in their order. A PoP that is not up yet gets them when it is."""

    def __init__(self, client: RadiusClient, clock: Clock) -> None:
        self._client, self._clock = client, clock
        self._records: queue.Queue[_Record | None] = queue.Queue(_MOST_WAITING)
        self._closing = threading.Event()
        self._thread = threading.Thread(target=self._run, name="access-point-accounting", daemon=True)

    def start(self) -> None:
        """Begin to send."""
        self._thread.start()

    def put(self, attributes: Attributes) -> None:
        """Send a record soon; dropped, with a line in the log, when too many wait."""
        try:
            self._records.put_nowait(_Record(self._clock(), attributes))
        except queue.Full:
            _log.warning("accounting dropped", reason="too many records wait")

    def close(self, timeout: float) -> None:
        """Give each record that waits one more try, within `timeout` seconds in all."""
        self._closing.set()
        try:
            self._records.put_nowait(None)
        except queue.Full:
            return
        self._thread.join(timeout)

    def _run(self) -> None:
        while (record := self._records.get()) is not None:
            self._deliver(record)

    def _deliver(self, record: _Record) -> None:
        pause = _FIRST_PAUSE
        while not self._client.account(self._attributes(record)):
            if self._closing.is_set() or self._clock() - record.at > _GIVE_UP_AFTER:
                _log.warning("accounting dropped", reason="the RADIUS server does not answer")
                return
            self._closing.wait(pause)
            pause = min(2 * pause, _LONGEST_PAUSE)

    def _attributes(self, record: _Record) -> Attributes:
        """A later try says how much later it is, and so is a new packet (RFC 2866 §5.2)."""
        delay = max(0, int((self._clock() - record.at).total_seconds()))
        return [
            *record.attributes,
            ("Event-Timestamp", int(record.at.timestamp())),
            ("Acct-Delay-Time", delay),
        ]
