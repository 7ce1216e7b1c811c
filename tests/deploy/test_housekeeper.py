"""House-keeping as a process: a crowd that ends at once does not wait, and the planner hears of a crowd that comes."""

import threading
import time
from datetime import datetime, timedelta

import pytest
from sqlalchemy import func, select, text

from deploy import statistics
from deploy.housekeeper import run
from deploy.installation import Installation
from deploy.statistics import refresh_statistics
from hotspot.database import Database
from hotspot.keys import Keyring
from hotspot.place import LoginWay
from hotspot.settings import Settings
from sessions.heartbeat import Heartbeat
from sessions.housekeeping import LISTENER
from sessions.visit import CloseCause, Visit, VisitState
from tests import factories
from tests.conftest import NOON
from tests.factories import Place

CROWD = 1200


class UntilFirstPause(threading.Event):
    """Stops whoever would wait."""

    def wait(self, timeout: float | None = None) -> bool:
        """Stop instead."""
        self.set()
        return True


@pytest.fixture
def place(database: Database, keyring: Keyring) -> Place:
    """A place at which somebody has listened for long."""
    with database.write() as session:
        session.add(Heartbeat(name=LISTENER, since=NOON - timedelta(days=2), beat_at=NOON))
        return factories.a_place(session, keyring)


def add_visits(database: Database, place: Place, state: VisitState, closed_at: datetime | None) -> None:
    is_closed = closed_at is not None
    with database.write() as session:
        first = session.scalar(select(func.count()).select_from(Visit)) or 0
        session.add_all(
            Visit(
                site_id=place.site.id,
                access_point_id=place.access_point.id,
                nas_id=place.nas.id,
                pass_id=place.article.id,
                way=LoginWay.TICKET,
                state=state,
                device=number.to_bytes(20),
                interim_seconds=300,
                asked_at=NOON - timedelta(days=1),
                accepted_at=NOON - timedelta(hours=10),
                reserved_at=NOON - timedelta(hours=10),
                reserved_until=NOON - timedelta(hours=9),
                closed_at=closed_at,
                close_cause=CloseCause.STOPPED if is_closed else None,
                identifiers=b"sealed",
            )
            for number in range(first, first + CROWD)
        )


def test_a_crowd_that_ends_at_once_waits_for_no_other_round(
    database: Database, place: Place, settings: Settings
) -> None:
    add_visits(database, place, VisitState.CLOSED, NOON - timedelta(hours=25))
    add_visits(database, place, VisitState.CLOSED, NOON - timedelta(hours=1))
    add_visits(database, place, VisitState.OPEN, None)
    add_visits(database, place, VisitState.RESERVED, None)
    installation = Installation(clock=lambda: NOON)
    installation.__dict__["settings"] = settings
    run(installation, UntilFirstPause())
    installation.close()
    with database.read() as session:
        counts = select(Visit.close_cause, Visit.identifiers.is_(None), func.count())
        rows = session.execute(counts.group_by(Visit.close_cause, Visit.identifiers.is_(None)))
        assert {(cause, bool(erased)): count for cause, erased, count in rows} == {
            (CloseCause.STOPPED, True): CROWD,
            (CloseCause.SILENCE, False): CROWD,
            (CloseCause.NEVER_STARTED, False): CROWD,
        }


@pytest.mark.parametrize("database_url", ["postgresql"], indirect=True)
def test_the_planner_hears_of_a_crowd(database: Database, place: Place) -> None:
    analyze(database)
    assert refresh_statistics(database) == []
    for _ in range(3):
        add_visits(database, place, VisitState.OPEN, None)
    assert counted_within(database, 3 * CROWD, seconds=20)
    assert refresh_statistics(database) == ["visit"]
    assert refresh_statistics(database) == []
    with database.read() as session:
        assert session.scalar(text("SELECT reltuples FROM pg_class WHERE relname = 'visit'")) == 3 * CROWD


def analyze(database: Database) -> None:
    with database.write() as session:
        session.execute(text("ANALYZE visit, leg"))


def counted_within(database: Database, changes: int, seconds: float) -> bool:
    """PostgreSQL counts what a connection has changed some seconds later, and each commit for itself."""
    changed = text("SELECT n_mod_since_analyze FROM pg_stat_user_tables WHERE relname = 'visit'")
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        with database.write() as session:
            if session.scalar(changed) == changes:
                return True
        time.sleep(0.1)
    return False


def test_statistics_that_cannot_be_refreshed_do_no_harm(database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(statistics, "_OUTDATED", text("SELECT nothing FROM nowhere"))
    assert refresh_statistics(database) == []
