"""A load of a given rate, from guests who remember what they were promised: every Accept and every acknowledged counter."""

import heapq
import itertools
import selectors
import socket
import threading
import time
from collections import Counter, deque
from collections.abc import Generator, Iterator, Sequence
from dataclasses import dataclass, field

from tests.radius import wire

TIMEOUT_SECONDS = 1.0
# How often a NAS sends the same packet before it makes a new one.
SENDINGS = 3
REST_SECONDS = 1.0
SECRET = b"testing123"
_PER_SOCKET = 256
_TICK_SECONDS = 0.002
_START, _STOP, _INTERIM = 1, 2, 3

# Each step asks; the answer is sent in.
Story = Generator["Step", wire.Answer, None]


@dataclass(frozen=True)
class Step:
    """What a guest's NAS asks next; with a password it is a login, else accounting."""

    attributes: wire.Attributes
    password: bytes | None = None
    rests: bool = False


@dataclass
class Guest:
    """A device with a voucher at an access point. One who `stays` never leaves; the others log in anew after each Stop."""

    number: int
    code: str
    called: str
    stays: bool = False
    accepted: bool = False
    octets: dict[str, int] = field(default_factory=dict)

    @property
    def device(self) -> str:
        """Its MAC address."""
        return f"0A-00-00-00-{self.number >> 8:02X}-{self.number & 255:02X}"

    def story(self) -> Story:
        """What it does from its first login on; notes what was acknowledged."""
        for visit in itertools.count():
            session = f"s{self.number}-{visit}"
            last = 2 + (self.number + visit) % 5  # else all would log in at the same time again and again
            login = [(wire.USER_NAME, self.code.encode()), *self._about()]
            answer = yield Step(login, self.code.encode())
            while answer.code != wire.ACCESS_ACCEPT:
                answer = yield Step(login, self.code.encode(), rests=True)
            self.accepted = True
            handle = answer.first(wire.CLASS) or b""
            for count in itertools.count():
                status = _START if count == 0 else _STOP if count == last and not self.stays else _INTERIM
                octets = count * 1000
                yield Step(self._record(status, session, octets, handle))
                self.octets[session] = octets
                if status == _STOP:
                    break

    def _record(self, status: int, session: str, octets: int, handle: bytes) -> wire.Attributes:
        return [
            (wire.ACCT_STATUS_TYPE, wire.integer(status)),
            (wire.ACCT_SESSION_ID, session.encode()),
            (wire.USER_NAME, self.code.encode()),
            (wire.CLASS, handle),
            (wire.ACCT_INPUT_OCTETS, wire.integer(octets)),
            *self._about(),
        ]

    def _about(self) -> wire.Attributes:
        return [
            (wire.NAS_IDENTIFIER, b"load"),
            (wire.CALLED_STATION_ID, self.called.encode()),
            (wire.CALLING_STATION_ID, self.device.encode()),
        ]


class Talk:
    """A guest's conversation with the server: one request at a time, sent again until it is answered."""

    def __init__(self, guest: Guest) -> None:
        self.guest = guest
        self.identifier = guest.number % _PER_SOCKET
        self._story = guest.story()
        self.step = next(self._story)
        self.packet: wire.Wire | None = None
        self.sendings = 0
        self.begun = 0.0

    def next_packet(self, now: float) -> wire.Wire:
        """The present step's packet; after some sendings a new one for the same."""
        if self.packet is None:
            self.begun = now
        if self.packet is None or self.sendings >= SENDINGS:
            self.packet, self.sendings = self._make(round(now - self.begun)), 0
        self.sendings += 1
        return self.packet

    def hear(self, octets: bytes) -> wire.Answer | None:
        """Go on to the next step; None when this answers not the present packet but an earlier one of its Identifier."""
        if self.packet is None:
            return None
        try:
            answer = wire.check(self.packet, octets)
        except AssertionError:
            return None
        self.packet = None
        self.step = self._story.send(answer)
        return answer

    def _make(self, delay: int) -> wire.Wire:
        step, key = self.step, SECRET
        if step.password is not None:
            return wire.access_request(step.attributes, key, password=step.password, identifier=self.identifier)
        delayed = [*step.attributes, (wire.ACCT_DELAY_TIME, wire.integer(delay))]
        return wire.accounting_request(delayed, key, identifier=self.identifier)


class Load(threading.Thread):
    """Guests who together send `rate` requests a second, or as many as their unanswered requests leave them."""

    def __init__(self, auth_port: int, acct_port: int, guests: Sequence[Guest], rate: float) -> None:
        super().__init__(daemon=True)
        self._ports, self._rate = (auth_port, acct_port), rate
        self._sockets = [
            socket.socket(socket.AF_INET, socket.SOCK_DGRAM) for _ in range(-(-len(guests) // _PER_SOCKET))
        ]
        self._talks = {divmod(guest.number, _PER_SOCKET): Talk(guest) for guest in guests}
        self._ready = deque(self._talks.values())
        self._resting: list[tuple[float, int, Talk]] = []
        self._asked: deque[tuple[float, wire.Wire, Talk]] = deque()
        self._begun, self._halt, self._draining = 0.0, threading.Event(), threading.Event()
        self.due = self.sent = self._allowed = 0
        self.answers: Counter[int] = Counter()
        self.latencies: list[float] = []
        self.last_login = self.last_record = 0.0
        self.failure: Exception | None = None

    def run(self) -> None:
        """Keep the load up until `finish` is called."""
        try:
            with selectors.DefaultSelector() as selector:
                for index, own in enumerate(self._sockets):
                    own.setblocking(False)
                    own.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 20)
                    selector.register(own, selectors.EVENT_READ, index)
                self._begun = time.monotonic()
                while not self._halt.is_set():
                    for key, _events in selector.select(_TICK_SECONDS):
                        self._receive(key.data)
                    self._send(time.monotonic())
        except Exception as error:
            self.failure = error

    def finish(self, seconds: float) -> None:
        """Begin nothing new, and wait until all that was asked is answered. AssertionError when something is not."""
        self._draining.set()
        deadline = time.monotonic() + seconds
        while any(talk.packet for talk in self._talks.values()) and time.monotonic() < deadline and self.is_alive():
            time.sleep(0.05)
        unanswered = sum(1 for talk in self._talks.values() if talk.packet)
        self.stop()
        self.check()
        assert unanswered == 0, f"{unanswered} requests were never answered"

    def check(self) -> None:
        """Raise what has ended the load before its time."""
        if self.failure:
            raise self.failure

    def stop(self) -> None:
        """End at once."""
        self._halt.set()
        self.join(10)
        for own in self._sockets:
            own.close()

    def _receive(self, index: int) -> None:
        now = time.monotonic()
        for octets in _waiting(self._sockets[index]):
            talk = self._talks[index, octets[1]]
            answer = talk.hear(octets)
            if answer is None:
                continue
            self.answers[answer.code] += 1
            self.latencies.append(now - talk.begun)
            if answer.code == wire.ACCOUNTING_RESPONSE:
                self.last_record = now
            else:
                self.last_login = now
            if talk.step.rests:
                heapq.heappush(self._resting, (now + REST_SECONDS, talk.guest.number, talk))
            else:
                self._ready.append(talk)

    def _send(self, now: float) -> None:
        """Send what is due by the rate; what was asked too long ago goes first."""
        while self._resting and self._resting[0][0] <= now:
            self._ready.append(heapq.heappop(self._resting)[2])
        while self._asked and self._asked[0][0] <= now:
            _deadline, packet, talk = self._asked.popleft()
            if talk.packet is packet:
                self._ready.appendleft(talk)
        allowance = int((now - self._begun) * self._rate) - self._allowed
        self._allowed += allowance
        if not self._draining.is_set():
            self.due += allowance
        while allowance > 0 and self._ready:
            talk = self._ready.popleft()
            if self._draining.is_set() and talk.packet is None:
                continue
            packet = talk.next_packet(now)
            index = talk.guest.number // _PER_SOCKET
            self._sockets[index].sendto(packet.octets, ("127.0.0.1", self._ports[talk.step.password is None]))
            self._asked.append((now + TIMEOUT_SECONDS, packet, talk))
            self.sent += not self._draining.is_set()
            allowance -= 1


def _waiting(own: socket.socket) -> Iterator[bytes]:
    while True:
        try:
            yield own.recv(4096)
        except BlockingIOError:
            return
