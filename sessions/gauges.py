"""How the PoP stands: places, outbox and house-keeping in numbers, for the operator's metrics. No identities."""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import ColumnElement, func, select
from sqlalchemy.orm import InstrumentedAttribute, Session

from hotspot.place import AccessPoint
from hotspot.webhooks import Delivery, Webhook
from sessions import doubles, guessing
from sessions.heartbeat import Heartbeat
from sessions.visit import RUNNING, Disconnect, Visit, VisitState, is_counted
from vouchers.printing.files import WAITING, PrintFile


@dataclass(frozen=True)
class Waiting:
    """Rows that wait, and the age of the oldest in seconds."""

    count: int
    age: float


@dataclass(frozen=True)
class Gauges:
    """The numbers of one moment. `outbox` are orders to NAS that are not done; `beats` by who beats,
    `guess_alarms` by the limit that was used up within the hour.

    Visits that are closed are not counted: that would cost more than it tells.
    """

    visits: Mapping[VisitState, int]
    access_points: int
    access_points_full: int
    outbox: Waiting
    beats: Mapping[str, datetime]
    devices_at_two_places: int
    guess_alarms: Mapping[str, int]
    webhooks_untried: Waiting
    webhooks_tried: Waiting
    prints: Waiting


def measure(session: Session, now: datetime) -> Gauges:
    """Measure; ten queries, each over what runs or waits and none over history."""
    asked = select(func.count()).where(Visit.reserved_at.is_(None), Visit.state == VisitState.ASKED)
    running = select(Visit.state, func.count()).where(Visit.runs).group_by(Visit.state)
    visits = dict.fromkeys(RUNNING, 0) | dict(session.execute(running).all())
    guesses = Counter(dict.fromkeys((limit.name for limit in guessing.LIMITS), 0))
    for alarm in guessing.alarms(session, now):
        guesses[alarm.limit.name] += alarm.count
    in_use = select(Webhook.id).where(Webhook.retired_at.is_(None))
    told = Delivery.next_try_at.is_not(None) & Delivery.webhook_id.in_(in_use)
    return Gauges(
        visits={VisitState.ASKED: session.scalar(asked) or 0} | visits,
        access_points=session.scalar(select(func.count()).where(AccessPoint.retired_at.is_(None))) or 0,
        access_points_full=_count_full(session),
        outbox=_waiting(session, Disconnect.created_at, Disconnect.done_at.is_(None), now),
        devices_at_two_places=len(doubles.alarms(session, now)),
        beats=dict(session.execute(select(Heartbeat.name, Heartbeat.beat_at)).all()),
        guess_alarms=guesses,
        webhooks_untried=_waiting(session, Delivery.created_at, told & (Delivery.attempts == 0), now),
        webhooks_tried=_waiting(session, Delivery.created_at, told & (Delivery.attempts > 0), now),
        prints=_waiting(session, PrintFile.created_at, PrintFile.state.in_(WAITING), now),
    )


def _waiting(
    session: Session, since: InstrumentedAttribute[datetime], waits: ColumnElement[bool], now: datetime
) -> Waiting:
    count, oldest = session.execute(select(func.count(), func.min(since)).where(waits)).one()
    return Waiting(count, max((now - oldest).total_seconds(), 0.0) if oldest else 0.0)


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
