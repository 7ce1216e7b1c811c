"""What a database thread does first."""

import socket
import threading
import time
from collections.abc import Iterator, Sequence
from types import SimpleNamespace
from typing import Any

import pytest

from hotspot.clock import utc_now
from hotspot.database import Database
from radius.clients import Request
from radius.door import Door
from radius.lane import Lane
from radius.packet import parse
from radius.replies import Reply
from radius.sockets import Datagram
from radius.transactions import Transactions
from tests.radius import wire
from tests.radius.pop import SECRET


@pytest.fixture
def bound() -> Iterator[socket.socket]:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as one:
        one.bind(("127.0.0.1", 0))
        yield one


def a_request(asker: socket.socket) -> Request:
    octets, source = wire.accounting_request([], SECRET.encode()).octets, asker.getsockname()
    nas: Any = SimpleNamespace(id=1)
    datagram = Datagram(octets, source, source, ())
    return Request(datagram, parse(octets, (4,)), nas, False, SECRET.encode(), time.monotonic())


def test_chores_come_after_the_batch(database: Database, bound: socket.socket) -> None:
    done: list[str] = []
    finished = threading.Event()

    def answer(_session: object, requests: Sequence[Request], _now: object) -> list[Reply]:
        done.append("batch")
        return [Reply(b"answer", "acknowledged") for _request in requests]

    def note(what: str) -> Any:
        def chore(*_arguments: object) -> None:
            done.append(what)
            if what == "chores":
                finished.set()

        return chore

    observer: Any = SimpleNamespace(answered=lambda *_: None, batch=lambda *_: None)
    door = Door("accounting", bound, (4,), observer, lambda *_: None, answer)
    shelter: Any = SimpleNamespace(waiting=False)
    place: Any = SimpleNamespace(renew=note("place"))
    chores: Any = SimpleNamespace(do=note("chores"))
    lane = Lane(door, shelter, place, Transactions(database), utc_now, chores)
    lane.backlog.put([a_request(bound)])
    lane.start()
    assert finished.wait(5)
    lane.stop()
    assert done[:3] == ["batch", "place", "chores"]
