"""Disconnect- and CoA-Requests (RFC 5176): what the outbox orders goes to NAS, many at once, and comes back as answers.

One thread and one selector: a NAS that is silent costs nobody else a moment.
"""

import secrets
import selectors
import socket
import threading
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime

import structlog
from pyrad.packet import CoAPacket

from hotspot.clock import Clock
from hotspot.database import Database
from hotspot.directory import Directory, current_revision, load_directory
from hotspot.keys import Keyring
from radius.dynamic import (
    NAS_IDENTIFICATION_MISMATCH,
    UNSUPPORTED_ATTRIBUTE,
    Address,
    Target,
    find_target,
    make_request,
    read_reply,
)
from radius.sockets import bind
from sessions.orders import Answer, Order
from sessions.outbox import MOST_PER_NAS, claim, has_due, settle
from sessions.visit import OrderKind

POLL_SECONDS = 0.5
# When an attempt is sent again, in seconds after its first datagram, and when it counts as silent.
RETRANSMIT_AFTER = (1.0, 2.0)
SILENT_AFTER = 4.0
_LARGEST_DATAGRAM = 4096
# Then what is due has its turn, whoever floods us.
_MOST_AT_ONCE = 256

log = structlog.get_logger("disconnects")

# With these a NAS says that the request names what it does not know; the least may suit it.
_TRY_BARE = (UNSUPPORTED_ATTRIBUTE, NAS_IDENTIFICATION_MISMATCH)


@dataclass(repr=False)
class Attempt:
    """One request under way. Its octets stay the same in every retransmission: Identifier, authenticator, Event-Timestamp."""

    order: Order
    target: Target
    packet: CoAPacket
    octets: bytes
    begun: float
    bare: bool
    waits: list[float] = field(default_factory=lambda: [*RETRANSMIT_AFTER, SILENT_AFTER])

    @property
    def due(self) -> float:
        """When something has to happen if no reply comes, in monotonic seconds."""
        return self.begun + self.waits[0]


class Sender:
    """Takes orders from the outbox, sends them, and settles them. `host` is the address that NAS know the PoP by."""

    def __init__(self, database: Database, keyring: Keyring, clock: Clock, host: str = "") -> None:
        self._database, self._keyring, self._clock = database, keyring, clock
        self._host = host
        self._selector = selectors.DefaultSelector()
        self._sockets: dict[int, socket.socket] = {}
        self._attempts: dict[tuple[Address, int], Attempt] = {}
        self._answers: list[tuple[Order, Answer]] = []
        self._directory: Directory | None = None
        self._poll_at = 0.0
        self._more = False

    def run(self, stop: threading.Event) -> None:
        """Send until `stop` is set; what is under way then is taken up by the next sender when its lease ends."""
        log.info("sending disconnects", every_seconds=POLL_SECONDS)
        try:
            while not stop.is_set():
                self.turn(time.monotonic())
        finally:
            self.close()

    def close(self) -> None:
        """Give the sockets back."""
        for one in self._sockets.values():
            one.close()
        self._sockets.clear()
        self._selector.close()

    def turn(self, now: float) -> None:
        """One turn of the loop: claim when it is time, wait for replies, look after what is due, settle. `now` is monotonic."""
        if now >= self._poll_at:
            self._poll_at = now + POLL_SECONDS
            self._guarded(self._take_orders)
        due = min((attempt.due for attempt in self._attempts.values()), default=self._poll_at)
        self._receive(0.0 if self._answers else max(0.0, min(due, self._poll_at) - now))
        self._look_after(time.monotonic())
        if self._answers:
            self._guarded(self._settle)

    def _guarded(self, work: Callable[[], None]) -> None:
        """While the database is away nothing is claimed, and answers are kept until it is back."""
        try:
            work()
        except Exception as error:
            log.error("outbox not reached", error=type(error).__name__)
            self._poll_at = time.monotonic() + POLL_SECONDS
            self._receive(POLL_SECONDS)

    def _take_orders(self) -> None:
        now = self._clock()
        with self._database.read() as session:
            if not has_due(session, now):
                return
            if self._directory is None or current_revision(session) != self._directory.revision:
                self._directory = load_directory(session, self._keyring)
        counts = Counter(attempt.order.nas_id for attempt in self._attempts.values())
        busy = [nas_id for nas_id, count in counts.items() if count >= MOST_PER_NAS]
        with self._database.write() as session:
            claimed = claim(session, self._keyring, self._directory, now, busy)
        self._more = len(claimed.orders) >= MOST_PER_NAS
        names = {nas.id: nas.name for nas in self._directory.nas}
        for nas_id, count in Counter(claimed.given_up).items():
            log.warning("disconnects given up", nas=names.get(nas_id, "retired"), count=count)
        for order in claimed.orders:
            self._begin(order, self._directory, now)

    def _begin(self, order: Order, directory: Directory, now: datetime) -> None:
        target = find_target(order, directory, now)
        if target is None:
            if order.attempts == 1:
                log.warning("session cannot be named or reached", nas_id=order.nas_id, kind=order.kind)
            self._answers.append((order, Answer.SILENT))
        elif order.kind is OrderKind.COA and not target.make.takes_coa:
            self._answers.append((order, Answer.NOT_TAKEN))
        else:
            self._send_anew(order, target, bare=False)

    def _send_anew(self, order: Order, target: Target, *, bare: bool) -> None:
        identifier = self._free_identifier(target.address)
        if identifier is None:
            self._answers.append((order, Answer.SILENT))
            return
        packet = make_request(order, target, identifier, self._clock(), bare=bare)
        attempt = Attempt(order, target, packet, packet.RequestPacket(), time.monotonic(), bare)
        self._attempts[target.address, identifier] = attempt
        self._transmit(attempt)

    def _free_identifier(self, address: Address) -> int | None:
        """An Identifier that no request under way to this address has; by chance, so that a late reply meets none of it."""
        start = secrets.randbelow(256)
        candidates = ((start + step) % 256 for step in range(256))
        return next((one for one in candidates if (address, one) not in self._attempts), None)

    def _transmit(self, attempt: Attempt) -> None:
        try:
            self._socket_for(attempt.target.address[0]).sendto(attempt.octets, attempt.target.address)
        except OSError as error:  # as good as lost on its way
            log.debug("datagram not sent", nas=attempt.target.nas.name, error=type(error).__name__)

    def _socket_for(self, host: str) -> socket.socket:
        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        if family not in self._sockets:
            # Some NAS take requests only from the address of the server they ask.
            ours = self._host if (":" in self._host) == (family == socket.AF_INET6) else ""
            self._sockets[family] = bound = bind(ours or ("::" if family == socket.AF_INET6 else "0.0.0.0"), 0)  # noqa: S104
            self._selector.register(bound, selectors.EVENT_READ)
        return self._sockets[family]

    def _receive(self, seconds: float) -> None:
        if not self._sockets:
            time.sleep(seconds)
            return
        for key, _events in self._selector.select(seconds):
            bound = key.fileobj
            assert isinstance(bound, socket.socket)  # noqa: S101  nothing else is registered
            for _ in range(_MOST_AT_ONCE):
                try:
                    octets, source = bound.recvfrom(_LARGEST_DATAGRAM)
                except BlockingIOError:
                    break
                except OSError:  # an ICMP error of an earlier datagram
                    continue
                self._take_reply(octets, (_plain(source[0]), source[1]))

    def _take_reply(self, octets: bytes, source: Address) -> None:
        """A reply that is not what was asked for, or not signed by the NAS, is ignored: the true one may still come."""
        attempt = self._attempts.get((source, octets[1])) if len(octets) > 1 else None
        read = read_reply(attempt.order, attempt.packet, octets) if attempt else None
        if attempt is None or read is None:
            return
        del self._attempts[source, octets[1]]
        answer, error_cause = read
        if error_cause in _TRY_BARE and not attempt.bare:
            self._send_anew(attempt.order, attempt.target, bare=True)
            return
        if answer is Answer.REFUSED:
            log.warning("NAS refuses", nas=attempt.target.nas.name, kind=attempt.order.kind, error_cause=error_cause)
        self._answers.append((attempt.order, answer))

    def _look_after(self, now: float) -> None:
        """Send again what got no reply in time, and give up those attempts that never will."""
        for key, attempt in list(self._attempts.items()):
            if now < attempt.due:
                continue
            attempt.waits.pop(0)
            if attempt.waits:
                self._transmit(attempt)
            else:
                del self._attempts[key]
                self._answers.append((attempt.order, Answer.SILENT))

    def _settle(self) -> None:
        if self._directory is None:
            return
        answers = self._answers
        with self._database.write() as session:
            settle(session, self._keyring, self._directory, answers, self._clock())
        self._answers = []
        if self._more:  # there is room again, and more waits, as when all day passes end at once
            self._poll_at = 0.0
        log.info("settled", **Counter(f"{order.kind}-{answer.name.lower()}" for order, answer in answers))


def _plain(host: str) -> str:
    return host.partition("%")[0]
