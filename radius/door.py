"""What the two ports have in common: how a request is read, how a batch is answered, and how an answer leaves."""

import socket
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy.orm import Session

from radius.clients import Request
from radius.observe import Observer
from radius.replies import Reply
from radius.sockets import reply

DATABASE_AWAY = "database away"
OVERLOAD = "overload"
FAILED = "failed"
SPOOLED = "spooled"


@dataclass(frozen=True)
class Door:
    """A port: its name, its socket, who watches it, and what it does with the codes that are welcome there.

    `read` raises Discarded; `answer` works inside the caller's write transaction, on requests that were read.
    """

    name: str
    bound: socket.socket
    codes: tuple[int, ...]
    observer: Observer
    read: Callable[[Request, datetime], object]
    answer: Callable[[Session, Sequence[Request], datetime], list[Reply]]

    def send(self, request: Request, answer: Reply, says: str = "") -> None:
        """Answer a request, and keep the answer for when it is repeated."""
        if request.entry:
            request.entry.reply = answer.octets
        reply(self.bound, request.datagram, answer.octets)
        self.observer.answered(request, says or answer.says, time.monotonic() - request.arrived)

    def stay_silent(self, request: Request, why: str) -> None:
        """Do not answer: the NAS asks again, or asks the next server, and that is a new request."""
        if request.entry:
            request.entry.forgotten = True
        self.observer.unanswered(request, why)
