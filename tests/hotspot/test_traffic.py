"""What arrives from each NAS is counted by the hour, strangers within bounds, and forgotten after a week."""

import threading
from collections.abc import Iterable
from datetime import datetime, timedelta

from sqlalchemy import func, select

from hotspot.database import Database
from hotspot.keys import Keyring
from hotspot.traffic import (
    OTHER_SOURCES,
    STRANGERS_AN_HOUR,
    Arrival,
    NasTraffic,
    StrangerTraffic,
    Traffic,
    forget_old,
    record,
    traffic_of,
    traffic_of_strangers,
)
from tests import factories
from tests.conftest import NOON

MINUTE = timedelta(minutes=1)
HOUR = timedelta(hours=1)


def arrived(who: int | str, what: str, count: int = 1, at: datetime = NOON, *, port: str = "authentication") -> Arrival:
    return Arrival(who, port, what, count, at, at)


def write(database: Database, *arrivals: Arrival) -> None:
    with database.write() as session:
        record(session, arrivals)


def a_nas(database: Database, keyring: Keyring) -> int:
    with database.write() as session:
        return factories.a_nas(session, keyring).id


def test_what_arrives_is_summed_with_its_first_and_last_moment(database: Database, keyring: Keyring) -> None:
    nas = a_nas(database, keyring)
    write(database, arrived(nas, "accepted", 3), arrived(nas, "accepted", 2, NOON + MINUTE))
    write(database, arrived(nas, "accepted", 5, NOON + 2 * MINUTE), arrived(nas, "wrong secret", 50, NOON + HOUR))
    write(database, arrived(nas, "accepted", 7, NOON + HOUR), arrived(nas, "acknowledged", port="accounting"))
    with database.read() as session:
        assert traffic_of(session, nas, NOON) == [
            Traffic("authentication", "wrong secret", 50, NOON + HOUR, NOON + HOUR),
            Traffic("authentication", "accepted", 17, NOON, NOON + HOUR),
            Traffic("accounting", "acknowledged", 1, NOON, NOON),
        ]
        assert [one.count for one in traffic_of(session, nas, NOON + HOUR + MINUTE)] == [50, 7]
        assert all(isinstance(one.count, int) for one in traffic_of(session, nas, NOON))
        assert traffic_of(session, nas + 1, NOON) == []


def test_what_came_first_may_be_written_last(database: Database, keyring: Keyring) -> None:
    nas = a_nas(database, keyring)
    for minutes in (20, 10, 30):
        write(database, arrived(nas, "accepted", 1, NOON + minutes * MINUTE))
        write(database, arrived("192.0.2.1", "unknown client", 1, NOON + minutes * MINUTE))
    with database.read() as session:
        for (found,) in (traffic_of(session, nas, NOON), traffic_of_strangers(session, NOON)):
            assert (found.first_at, found.last_at) == (NOON + 10 * MINUTE, NOON + 30 * MINUTE)


def test_a_nas_is_not_told_what_others_send(database: Database, keyring: Keyring) -> None:
    first, second = a_nas(database, keyring), a_nas(database, keyring)
    write(database, arrived(first, "accepted"), arrived(second, "wrong secret"), arrived("192.0.2.1", "unknown client"))
    with database.read() as session:
        assert [one.what for one in traffic_of(session, first, NOON)] == ["accepted"]
        assert [one.what for one in traffic_of(session, second, NOON)] == ["wrong secret"]
        strangers = traffic_of_strangers(session, NOON)
    assert [(one.source, one.what, one.count) for one in strangers] == [("192.0.2.1", "unknown client", 1)]


def strangers(numbers: Iterable[int], at: datetime = NOON) -> list[Arrival]:
    return [arrived(f"192.0.2.{number}", "unknown client", 1, at) for number in numbers]


def test_so_many_strangers_an_hour_are_told_apart_and_the_rest_are_one(database: Database) -> None:
    write(database, *strangers(range(150)))
    write(database, *strangers(range(100, STRANGERS_AN_HOUR + 50)))
    write(database, *strangers(range(1000, 1003), NOON + HOUR))
    with database.read() as session:
        found = traffic_of_strangers(session, NOON)
    assert sum(one.count for one in found) == 150 + 150 + 3
    of_noon = [one for one in found if one.first_at == NOON]
    assert len(of_noon) == STRANGERS_AN_HOUR + 1
    assert next(one.count for one in found if one.source == OTHER_SOURCES) == 50
    assert len(found) == STRANGERS_AN_HOUR + 1 + 3


def test_workers_that_write_at_once_lose_nothing(database: Database, keyring: Keyring) -> None:
    nas = [a_nas(database, keyring) for _ in range(3)]
    kinds = ("accepted", "full", "wrong secret")

    def work(number: int) -> None:
        order = nas if number % 2 else nas[::-1]
        for _ in range(10):
            write(database, *(arrived(one, kind) for one in order for kind in kinds))

    threads = [threading.Thread(target=work, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    with database.read() as session:
        for one in nas:
            assert [row.count for row in traffic_of(session, one, NOON)] == [40, 40, 40]


def test_after_seven_days_it_is_forgotten(database: Database, keyring: Keyring) -> None:
    nas = a_nas(database, keyring)
    for days in (0, 6, 8):
        write(database, arrived(nas, "accepted", 1, NOON - timedelta(days=days)))
        write(database, arrived("192.0.2.1", "unknown client", 1, NOON - timedelta(days=days)))
    with database.write() as session:
        forget_old(session, NOON)
    with database.read() as session:
        for table in (NasTraffic, StrangerTraffic):
            assert session.scalar(select(func.count()).select_from(table)) == 2
