"""A NAS that takes Disconnect- and CoA-Requests as its script says: made by hand from RFC 5176, without pyrad."""

import hashlib
import hmac
import socket
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from types import TracebackType
from typing import Self

from tests.radius import wire

DISCONNECT_REQUEST, DISCONNECT_ACK, DISCONNECT_NAK = 40, 41, 42
COA_REQUEST, COA_ACK, COA_NAK = 43, 44, 45
FRAMED_IP_ADDRESS, IDLE_TIMEOUT, ACCT_INTERIM_INTERVAL, ERROR_CAUSE, VENDOR_SPECIFIC = 8, 28, 85, 101, 26


@dataclass(frozen=True)
class Asked:
    """A request whose Request Authenticator, and Message-Authenticator where there is one, are right."""

    octets: bytes
    attributes: wire.Attributes

    @property
    def code(self) -> int:
        """What is asked for."""
        return self.octets[0]

    def first(self, kind: int) -> bytes | None:
        """The first value of an attribute."""
        return next((value for one, value in self.attributes if one == kind), None)

    @property
    def kinds(self) -> set[int]:
        """The types of its attributes."""
        return {kind for kind, _value in self.attributes}

    def vendor(self, vendor: int, number: int) -> int | None:
        """An integer of a vendor, one in each Vendor-Specific."""
        for kind, value in self.attributes:
            if kind == VENDOR_SPECIFIC and int.from_bytes(value[:4], "big") == vendor and value[4] == number:
                return int.from_bytes(value[6:], "big")
        return None


Answer = bytes | None
Script = Callable[["Peer", Asked], Answer]


@dataclass
class Peer:
    """Listens on loopback; `script` gets each request in turn and returns what to send back, None for silence."""

    secret: bytes
    script: Script
    host: str = "127.0.0.1"
    asked: list[Asked] = field(default_factory=list)
    bad: int = 0

    def __enter__(self) -> Self:
        family = socket.AF_INET6 if ":" in self.host else socket.AF_INET
        self._socket = socket.socket(family, socket.SOCK_DGRAM)
        self._socket.bind((self.host, 0))
        self._socket.settimeout(0.05)
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._listen)
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stop.set()
        self._thread.join(5)
        self._socket.close()

    @property
    def port(self) -> int:
        """Its CoA port."""
        return int(self._socket.getsockname()[1])

    def say(self, octets: bytes) -> None:
        """Send something to whoever asked last, asked for or not."""
        self._socket.sendto(octets, self._source)

    def _listen(self) -> None:
        while not self._stop.is_set():
            try:
                octets, self._source = self._socket.recvfrom(4096)
            except TimeoutError:
                continue
            request = check(octets, self.secret)
            if request is None:
                self.bad += 1
                continue
            self.asked.append(request)
            answer = self.script(self, request)
            if answer is not None:
                self.say(answer)


def check(octets: bytes, secret: bytes) -> Asked | None:
    """The request, if it is signed as RFC 5176 §2.3 and §3.3 say; None otherwise."""
    head, authenticator, body = octets[:4], octets[4:20], octets[20:]
    if authenticator != hashlib.md5(head + bytes(16) + body + secret).digest():
        return None
    attributes: wire.Attributes = []
    rest = body
    while rest:
        attributes.append((rest[0], rest[2 : rest[1]]))
        rest = rest[rest[1] :]
    for kind, value in attributes:
        if kind == wire.MESSAGE_AUTHENTICATOR:
            emptied = [(k, bytes(16) if k == wire.MESSAGE_AUTHENTICATOR else v) for k, v in attributes]
            if value != hmac.digest(secret, head + bytes(16) + wire.encode(emptied), "md5"):
                return None
    return Asked(octets, attributes)


def reply(request: Asked, secret: bytes, code: int, attributes: wire.Attributes | None = None) -> bytes:
    """A reply with a right Response Authenticator."""
    body = wire.encode(attributes or [])
    head = bytes((code, request.octets[1])) + (20 + len(body)).to_bytes(2, "big")
    return head + hashlib.md5(head + request.octets[4:20] + body + secret).digest() + body


def acknowledges(peer: Peer, request: Asked) -> Answer:
    """Does what it is told."""
    return reply(request, peer.secret, request.code + 1)


def refuses(error_cause: int) -> Script:
    """Answers NAK with an Error-Cause."""

    def script(peer: Peer, request: Asked) -> Answer:
        return reply(request, peer.secret, request.code + 2, [(ERROR_CAUSE, wire.integer(error_cause))])

    return script


def ignores(_peer: Peer, _request: Asked) -> Answer:
    """Never says anything."""
    return None


def in_turn(*scripts: Script) -> Script:
    """The first script for the first request, and so on; the last for all that follow."""

    def script(peer: Peer, request: Asked) -> Answer:
        return scripts[min(len(peer.asked), len(scripts)) - 1](peer, request)

    return script
