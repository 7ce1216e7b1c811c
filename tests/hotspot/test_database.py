"""Transactions and column types, on both databases."""

import contextlib
import stat
import threading
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest
from sqlalchemy import select, text
from sqlalchemy.exc import IntegrityError, StatementError

from hotspot.database import Database, new_public_id
from hotspot.mac import Mac
from hotspot.place import Customer, Radio, Site
from tests import factories
from tests.conftest import NOON


def names(database: Database) -> list[str]:
    with database.read() as session:
        return list(session.scalars(select(Customer.name).order_by(Customer.id)))


def test_a_written_transaction_is_kept(database: Database) -> None:
    with database.write() as session:
        factories.a_customer(session, "Markt")
    assert names(database) == ["Markt"]


def test_a_transaction_that_raises_leaves_nothing(database: Database) -> None:
    with contextlib.suppress(RuntimeError), database.write() as session:
        factories.a_customer(session, "Markt")
        raise RuntimeError
    assert names(database) == []


def test_nothing_done_while_reading_is_kept(database: Database) -> None:
    with database.read() as session:
        factories.a_customer(session, "Markt")
        session.flush()
    assert names(database) == []


def test_a_moment_without_a_zone_is_refused(database: Database) -> None:
    with pytest.raises(StatementError, match="without a zone"), database.write() as session:
        session.add(Customer(name="Markt", created_at=NOON.replace(tzinfo=None)))


def test_a_moment_comes_back_aware_in_utc_to_the_microsecond(database: Database) -> None:
    moment = datetime(2026, 6, 15, 14, 0, 0, 123456, tzinfo=ZoneInfo("Europe/Berlin"))
    with database.write() as session:
        session.add(Customer(name="Markt", created_at=moment))
    with database.read() as session:
        stored = session.scalars(select(Customer.created_at)).one()
    assert (stored, stored.tzinfo) == (moment, UTC)


def test_moments_of_any_zone_are_compared_as_moments(database: Database) -> None:
    with database.write() as session:
        session.add(Customer(name="Markt", created_at=NOON))
    just_before = (NOON - timedelta(seconds=1)).astimezone(ZoneInfo("Asia/Tokyo"))
    with database.read() as session:
        assert session.scalars(select(Customer).where(Customer.created_at > just_before)).all()
        assert not session.scalars(select(Customer).where(Customer.created_at < just_before)).all()


def test_a_mac_is_stored_in_one_spelling(database: Database) -> None:
    with database.write() as session:
        factories.an_access_point(session, factories.a_site(session), macs=(Mac.parse("0200.0000.00aa"),))
    with database.read() as session:
        assert session.scalars(text("SELECT mac FROM radio")).one() == "02-00-00-00-00-AA"
        assert session.scalars(select(Radio.mac)).one() == Mac("02-00-00-00-00-AA")


def test_the_database_itself_holds_unknown_values_out_of_an_enum(database: Database) -> None:
    with database.write() as session:
        factories.a_site(session)
    with database.read() as session, pytest.raises(IntegrityError):
        session.execute(text("UPDATE site SET kind = 'triple'"))


def test_the_database_itself_holds_foreign_keys(database: Database) -> None:
    with database.write() as session:
        factories.a_site(session)
    with database.read() as session, pytest.raises(IntegrityError):
        session.execute(text("UPDATE site SET customer_id = 999"))


def test_public_ids_are_random_and_fit_for_urls() -> None:
    ids = {new_public_id() for _ in range(1000)}
    assert len(ids) == 1000
    assert all(len(one) == 16 and one.isalnum() and one == one.lower() for one in ids)


@pytest.fixture
def sqlite(tmp_path: Path, sqlite_template: Path) -> Iterator[Database]:
    path = tmp_path / "copy.db"
    path.write_bytes(sqlite_template.read_bytes())
    database = Database(f"sqlite:///{path}")
    yield database
    database.dispose()


def test_sqlite_takes_the_write_lock_before_the_first_read(sqlite: Database) -> None:
    def write() -> None:
        with sqlite.write() as session:
            factories.a_customer(session, "second")

    other = threading.Thread(target=write)
    with sqlite.write() as session:
        other.start()
        other.join(0.2)
        assert other.is_alive()
        factories.a_customer(session, "first")
    other.join()
    assert names(sqlite) == ["first", "second"]


def test_sqlite_lets_others_read_while_one_writes(sqlite: Database) -> None:
    with sqlite.write() as session:
        factories.a_customer(session)
        session.flush()
        assert names(sqlite) == []


def test_sqlite_writers_wait_for_each_other_instead_of_failing(sqlite: Database) -> None:
    def read_then_write() -> None:
        with sqlite.write() as session:
            count = len(session.scalars(select(Customer)).all())
            time.sleep(0.05)
            factories.a_customer(session, f"Customer {count}")

    threads = [threading.Thread(target=read_then_write) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert names(sqlite) == [f"Customer {count}" for count in range(6)]


def test_sqlite_keeps_what_it_has_committed_and_to_itself(sqlite: Database, tmp_path: Path) -> None:
    with sqlite.engine.connect() as connection:
        pragmas = [
            connection.exec_driver_sql(f"PRAGMA {name}").scalar_one() for name in ("journal_mode", "synchronous")
        ]
    assert pragmas == ["wal", 2]
    fresh = Database(f"sqlite:///{tmp_path}/folder/new.db")
    assert stat.S_IMODE((tmp_path / "folder").stat().st_mode) == 0o700
    assert stat.S_IMODE((tmp_path / "folder" / "new.db").stat().st_mode) == 0o600
    fresh.dispose()


def test_a_site_hour_is_stored_as_it_is(database: Database) -> None:
    with database.write() as session:
        site = factories.a_site(session)
    with database.read() as session:
        stored = session.get(Site, site.id)
        assert stored is not None
        assert stored.day_ends.isoformat() == "04:00:00"
