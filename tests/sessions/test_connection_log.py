"""The anonymized connection log: what is in an entry, whose it is, and when nobody can tell any more (R11)."""

import threading
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import pytest
from sqlalchemy import select, text

from hotspot.database import Database
from hotspot.directory import SiteRecord
from hotspot.keys import Keyring
from sessions.connection_log import Connection, Journal, LogEntry, destroy_day_keys
from tests import factories
from tests.conftest import NOON

DAY = date(2026, 6, 15)
PHONE, LAPTOP = b"p" * 24, b"l" * 24
BEGAN = datetime(2026, 6, 15, 11, 37, 42, tzinfo=UTC)


@pytest.fixture
def sites(database: Database, keyring: Keyring) -> tuple[SiteRecord, SiteRecord]:
    """Two sites; the second one's day begins nine hours earlier, in Auckland."""
    with database.write() as session:
        slugs = [factories.a_site(session).id, factories.a_site(session, timezone="Pacific/Auckland").id]
        directory = factories.directory(session, keyring)
    return directory.sites[slugs[0]], directory.sites[slugs[1]]


def write(database: Database, site: SiteRecord, device: bytes = PHONE, now: datetime = NOON, **told: object) -> bytes:
    """Write an entry and return its token."""
    connection = replace(Connection(None, device, BEGAN, 754, 1_234_567), **told)  # type: ignore[arg-type]
    with database.write() as session:
        journal = Journal(session)
        reference = journal.add(site, connection, now)
        journal.write()
        return session.scalars(select(LogEntry.token).where(LogEntry.reference == reference)).one()


def stored_day_keys(database: Database) -> dict[date, bytes]:
    """All day keys there are, wherever they are kept."""
    if database.engine.dialect.name == "sqlite":
        folder = Path(f"{database.url.database}.day-keys")
        return {date.fromisoformat(path.stem): path.read_bytes() for path in folder.glob("*")}
    with database.read() as session:
        tables = "SELECT day, key FROM log_day_key_even UNION ALL SELECT day, key FROM log_day_key_odd"
        return {day: bytes(key) for day, key in session.execute(text(tables))}


def test_an_entry_is_rounded(database: Database, sites: tuple[SiteRecord, SiteRecord]) -> None:
    write(database, sites[0])
    with database.read() as session:
        entry = session.scalars(select(LogEntry)).one()
    assert entry.started_at == datetime(2026, 6, 15, 11, 35, tzinfo=UTC)
    assert (entry.minutes, entry.octets, entry.day) == (13, 1_200_000, DAY)
    assert entry.site_id == sites[0].id


def test_a_device_has_one_token_on_a_day_at_a_site(database: Database, sites: tuple[SiteRecord, SiteRecord]) -> None:
    here, there = sites
    tokens = [
        write(database, here),
        write(database, here, now=NOON + timedelta(hours=13)),  # 03:00 in Berlin: the same day of the site
        write(database, here, LAPTOP),
        write(database, there),
        write(database, here, now=NOON + timedelta(hours=14)),
    ]
    assert tokens[0] == tokens[1]
    assert len(set(tokens)) == 4
    assert all(len(token) == 8 for token in tokens)


def test_a_token_does_not_follow_from_the_device_alone(
    database: Database, sites: tuple[SiteRecord, SiteRecord]
) -> None:
    before = write(database, sites[0])
    with database.write() as session:
        destroy_day_keys(session, DAY + timedelta(days=1))
    assert stored_day_keys(database) == {}
    assert write(database, sites[0]) != before


def test_only_the_keys_of_days_that_are_over_are_destroyed(
    database: Database, sites: tuple[SiteRecord, SiteRecord]
) -> None:
    days = [DAY - timedelta(days=n) for n in range(5)]
    for day in days:
        write(database, sites[0], now=datetime(day.year, day.month, day.day, 12, tzinfo=UTC))
    keys = stored_day_keys(database)
    assert sorted(keys) == sorted(days)
    assert len(set(keys.values())) == 5
    with database.write() as session:
        destroy_day_keys(session, days[1])
    assert stored_day_keys(database) == {day: keys[day] for day in days[:2]}
    with database.write() as session:
        destroy_day_keys(session, days[1])
    assert len(stored_day_keys(database)) == 2


def test_a_destroyed_key_leaves_nothing_behind(database: Database, sites: tuple[SiteRecord, SiteRecord]) -> None:
    write(database, sites[0])
    (key,) = stored_day_keys(database).values()
    with database.write() as session:
        destroy_day_keys(session, DAY + timedelta(days=1))
    if database.engine.dialect.name == "postgresql":
        with database.read() as session:
            table = "log_day_key_odd" if DAY.toordinal() % 2 else "log_day_key_even"
            assert session.scalar(text("SELECT pg_relation_size(:name)"), {"name": table}) == 0
        return
    folder = Path(f"{database.url.database}.day-keys")
    assert list(folder.iterdir()) == []
    assert not any(key in path.read_bytes() for path in folder.parent.glob("surfpass.db*") if path.is_file())


def test_day_keys_are_outside_of_what_is_backed_up(database: Database, sites: tuple[SiteRecord, SiteRecord]) -> None:
    write(database, sites[0])
    (key,) = stored_day_keys(database).values()
    if database.engine.dialect.name == "postgresql":
        with database.read() as session:
            kinds = "SELECT DISTINCT relpersistence::text FROM pg_class WHERE relname LIKE 'log_day_key_%'"
            assert session.scalars(text(kinds)).all() == ["u"]
        return
    assert database.url.database
    assert all(key not in path.read_bytes() for path in Path(database.url.database).parent.glob("surfpass.db*")
               if path.is_file())  # fmt: skip
    folder = Path(f"{database.url.database}.day-keys")
    assert folder.stat().st_mode & 0o777 == 0o700
    assert {path.stat().st_mode & 0o777 for path in folder.iterdir()} == {0o600}


def test_privacy_mode_writes_nothing(database: Database, sites: tuple[SiteRecord, SiteRecord]) -> None:
    private = replace(sites[0], privacy_mode=True)
    with database.write() as session:
        journal = Journal(session)
        assert journal.add(private, Connection(None, PHONE, BEGAN, 60, 1), NOON) is None
        journal.write()
    with database.read() as session:
        assert session.scalars(select(LogEntry)).all() == []
    assert stored_day_keys(database) == {}


def test_a_withdrawn_entry_is_gone(database: Database, sites: tuple[SiteRecord, SiteRecord]) -> None:
    with database.write() as session:
        journal = Journal(session)
        first, second, third = (journal.add(sites[0], Connection(None, PHONE, BEGAN, 60, 1), NOON) for _ in range(3))
        journal.withdraw(third)
        journal.write()
    with database.write() as session:
        journal = Journal(session)
        journal.withdraw(first)
        journal.withdraw(None)
        journal.write()
    with database.read() as session:
        assert session.scalars(select(LogEntry.reference)).all() == [second]


def test_two_writers_that_make_the_days_key_make_one(database: Database, sites: tuple[SiteRecord, SiteRecord]) -> None:
    tokens: list[bytes] = []
    threads = [threading.Thread(target=lambda: tokens.append(write(database, sites[0]))) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(tokens) == 6
    assert len(set(tokens)) == 1
