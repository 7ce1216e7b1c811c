"""Accounting that comes at a given rate whatever is answered, each packet sent once: what was answered, and how soon."""

import selectors
import socket
import time
from collections.abc import Callable
from dataclasses import dataclass, field

from tests.radius import wire

_SOCKETS = 40
_TICK_SECONDS = 0.005


@dataclass
class Flood:
    """Packets of one rate; `latencies` are the seconds that the answered ones took."""

    port: int
    make: Callable[[int, int], wire.Wire]
    rate: float
    sent: int = 0
    latencies: list[float] = field(default_factory=list)
    asked: dict[tuple[int, int], float] = field(default_factory=dict)

    def run(self, seconds: float, patience: float, watch: Callable[[], None] = lambda: None) -> None:
        """Send for so long, then wait for answers for so long; `watch` is called all the time."""
        sockets = [socket.socket(socket.AF_INET, socket.SOCK_DGRAM) for _ in range(_SOCKETS)]
        with selectors.DefaultSelector() as selector:
            for number, bound in enumerate(sockets):
                bound.connect(("127.0.0.1", self.port))
                bound.setblocking(False)
                selector.register(bound, selectors.EVENT_READ, number)
            begun = time.monotonic()
            while (passed := time.monotonic() - begun) < seconds + patience:
                due = int(min(passed, seconds) * self.rate) - self.sent
                for _ in range(due):
                    self._send(sockets)
                if passed > seconds and not self.asked:
                    break
                for key, _events in selector.select(_TICK_SECONDS):
                    self._receive(sockets[key.data], key.data)
                watch()
        for bound in sockets:
            bound.close()

    @property
    def lost(self) -> int:
        """How many were never answered."""
        return self.sent - len(self.latencies)

    def _send(self, sockets: list[socket.socket]) -> None:
        number = self.sent % _SOCKETS
        identifier = self.sent // _SOCKETS % 256
        sockets[number].send(self.make(self.sent, identifier).octets)
        self.asked[number, identifier] = time.monotonic()
        self.sent += 1

    def _receive(self, bound: socket.socket, number: int) -> None:
        while True:
            try:
                octets = bound.recv(4096)
            except OSError:
                return
            asked = self.asked.pop((number, octets[1]), None)
            if asked is not None:
                self.latencies.append(time.monotonic() - asked)


def record(number: int, identifier: int, attributes: wire.Attributes, secret: bytes) -> wire.Wire:
    """An Interim-Update of a session of its own."""
    mine = [(wire.ACCT_STATUS_TYPE, wire.integer(3)), (wire.ACCT_SESSION_ID, f"flood-{number}".encode())]
    return wire.accounting_request([*mine, *attributes], secret, identifier=identifier)
