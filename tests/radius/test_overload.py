"""More requests than can be served: what is answered is answered in time, the rest is dropped early."""

import time
from collections.abc import Iterator
from contextlib import contextmanager

from sqlalchemy import Connection, event

from hotspot.database import Database
from radius.backlog import ANSWERABLE_SECONDS, MOST_IN_A_BATCH, Backlog
from radius.clients import Request
from radius.packet import parse
from radius.sockets import Datagram
from tests.radius import wire
from tests.radius.flood import Flood, record
from tests.radius.pop import SECRET, Pop, login_attributes

COMMIT_SECONDS = 0.4
CAPACITY = MOST_IN_A_BATCH / COMMIT_SECONDS


@contextmanager
def slow_commits(database: Database) -> Iterator[None]:
    """A database whose every commit takes a while."""

    def dawdle(_connection: Connection) -> None:
        time.sleep(COMMIT_SECONDS)

    event.listen(database.engine, "commit", dawdle)
    try:
        yield
    finally:
        event.remove(database.engine, "commit", dawdle)


def test_under_overload_answers_are_in_time_and_the_queue_stays_bounded(pop: Pop) -> None:
    waited: list[int] = []

    def watch() -> None:
        assert pop.server is not None
        waited.append(pop.server.waiting)

    about = login_attributes("", pop.device())[1:]
    flood = Flood(pop.acct_port, lambda n, identifier: record(n, identifier, about, SECRET.encode()), 3 * CAPACITY)
    with slow_commits(pop.database):
        flood.run(seconds=6, patience=5, watch=watch)
    assert len(flood.latencies) > 0.5 * CAPACITY * 6, "what can be served is served"
    assert flood.lost > CAPACITY, "it was no overload"
    assert max(flood.latencies) < ANSWERABLE_SECONDS + 3 * COMMIT_SECONDS
    assert max(waited) <= 4000 * ANSWERABLE_SECONDS, "before it is measured"
    assert max(waited[len(waited) // 2 :]) < 2 * CAPACITY * ANSWERABLE_SECONDS


def a_request(arrived: float = 0.0) -> Request:
    packet = wire.accounting_request([], SECRET.encode())
    source = ("127.0.0.1", 1)
    datagram = Datagram(packet.octets, source, source, ())
    return Request(datagram, parse(packet.octets, (4,)), None, False, b"", arrived)  # type: ignore[arg-type]


def test_what_is_measured_decides_how_many_may_wait() -> None:
    backlog = Backlog()
    for _ in range(50):
        backlog.measure(MOST_IN_A_BATCH, seconds=1.0)
    assert MOST_IN_A_BATCH * 2 <= backlog.room < MOST_IN_A_BATCH * 3
    backlog.measure(10, seconds=1.0)
    assert backlog.room >= MOST_IN_A_BATCH * 2, "a small batch says nothing of what could be served"
    backlog.put(a_request() for _ in range(backlog.room))
    assert backlog.room == 0


def test_only_the_owner_takes_and_an_heir_has_to_wait_until_he_has_done() -> None:
    backlog = Backlog()
    first, second = object(), object()
    backlog.seize(first)
    backlog.put([a_request(), a_request()])
    assert backlog.take(second, 0) is None
    assert len(backlog.take(first, 0) or ()) == 2
    assert not backlog.inherit(second, lambda: True), "the first has something in hand"
    assert backlog.take(first, 0) == []
    assert not backlog.inherit(second, lambda: False)
    assert backlog.inherit(second, lambda: True)
    assert backlog.take(first, 0) is None
    backlog.put([a_request()])
    backlog.close()
    assert len(backlog.take(second, 0) or ()) == 1
    assert backlog.take(second, 0) is None
