"""How the PoP stands: places, outbox and house-keeping in numbers, for the operator's metrics. No identities."""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from hotspot.place import AccessPoint
from sessions import doubles, guessing
from sessions.heartbeat import Heartbeat
from sessions.visit import RUNNING, Disconnect, Visit, VisitState, is_counted


@dataclass(frozen=True)
class Gauges:
    """The numbers of one moment. `outbox_age` is of the oldest order not done, in seconds; `beats` by who beats,
    `guess_alarms` by the limit that was used up within the hour.

    Visits that are closed are not counted: that would cost more than it tells.
    """

    visits: Mapping[VisitState, int]
    access_points: int
    access_points_full: int
    outbox_depth: int
    outbox_age: float
    beats: Mapping[str, datetime]
    devices_at_two_places: int
    guess_alarms: Mapping[str, int]


def measure(session: Session, now: datetime) -> Gauges:
    """Measure; seven queries, each over what runs or waits and none over history."""
    asked = select(func.count()).where(Visit.reserved_at.is_(None), Visit.state == VisitState.ASKED)
    running = select(Visit.state, func.count()).where(Visit.runs).group_by(Visit.state)
    visits = dict.fromkeys(RUNNING, 0) | dict(session.execute(running).all())
    waiting = select(func.count(), func.min(Disconnect.created_at)).where(Disconnect.done_at.is_(None))
    guesses = Counter(dict.fromkeys((limit.name for limit in guessing.LIMITS), 0))
    for alarm in guessing.alarms(session, now):
        guesses[alarm.limit.name] += alarm.count
    depth, oldest = session.execute(waiting).one()
    return Gauges(
        visits={VisitState.ASKED: session.scalar(asked) or 0} | visits,
        access_points=session.scalar(select(func.count()).where(AccessPoint.retired_at.is_(None))) or 0,
        access_points_full=_count_full(session),
        outbox_depth=depth,
        outbox_age=max((now - oldest).total_seconds(), 0.0) if oldest else 0.0,
        devices_at_two_places=len(doubles.alarms(session, now)),
        beats=dict(session.execute(select(Heartbeat.name, Heartbeat.beat_at)).all()),
        guess_alarms=guesses,
    )


def _count_full(session: Session) -> int:
    """Access points with as many guests as they take, or more."""
    full = (
        select(AccessPoint.id)
        .join(Visit, Visit.access_point_id == AccessPoint.id)
        .where(AccessPoint.retired_at.is_(None), is_counted())
        .group_by(AccessPoint.id, AccessPoint.capacity)
        .having(func.count() >= AccessPoint.capacity)
    )
    return session.scalar(select(func.count()).select_from(full.subquery())) or 0
