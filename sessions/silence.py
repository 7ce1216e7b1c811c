"""Access points that went silent with guests on them: probably without power or line.

An access point without guests says nothing, and nothing is wrong with it. So only one whose last guests all fell silent counts,
until somebody is on it again.
"""

from collections.abc import Collection
from datetime import datetime, timedelta

from sqlalchemy import and_, exists, func, or_, select
from sqlalchemy.orm import Session

from hotspot.place import AccessPoint
from sessions.visit import CloseCause, Leg, Visit, is_counted

# Rounds of house-keeping, which close visits for silence, follow each other more quickly than this.
_JUST_NOW = timedelta(minutes=2)


def note_silence(session: Session, now: datetime) -> list[str]:
    """Note which access points have just gone silent, and which no longer are; the names of the former.

    Only rows of access points are held, by id: whoever admits guests meanwhile waits for nothing else.
    """
    taken = exists().where(Visit.access_point_id == AccessPoint.id, is_counted())
    lost = _last_heard(session, _lost_just_now(session, now))
    speaks_again = and_(AccessPoint.silent_since.is_not(None), taken)
    has_gone = and_(AccessPoint.id.in_(lost), AccessPoint.silent_since.is_(None), ~taken)
    held = select(AccessPoint).where(or_(speaks_again, has_gone)).order_by(AccessPoint.id)
    names = []
    for point in session.scalars(held.with_for_update(key_share=True), execution_options={"populate_existing": True}):
        if point.silent_since is None:
            names.append(point.name)
        point.silent_since = lost[point.id] if point.silent_since is None else None
    return names


def _lost_just_now(session: Session, now: datetime) -> list[int]:
    """The visits just closed for silence, of access points where no visit ended in another way after them."""
    rows = session.execute(
        select(Visit.id, Visit.access_point_id, Visit.close_cause)
        .where(Visit.closed_at >= now - _JUST_NOW, Visit.access_point_id.is_not(None))
        .order_by(Visit.closed_at, Visit.id)
    ).all()
    silent: dict[int | None, list[int]] = {}
    for visit_id, point_id, cause in rows:
        if cause is CloseCause.SILENCE:
            silent.setdefault(point_id, []).append(visit_id)
        else:
            silent.pop(point_id, None)
    return [visit_id for some in silent.values() for visit_id in some]


def _last_heard(session: Session, visits: Collection[int]) -> dict[int, datetime]:
    """When each access point of these visits was last heard of by them."""
    rows = session.execute(
        select(Visit.access_point_id, func.max(Leg.last_heard_at))
        .join(Leg, Leg.visit_id == Visit.id)
        .where(Visit.id.in_(visits))
        .group_by(Visit.access_point_id)
    )
    return {point_id: moment for point_id, moment in rows if point_id is not None}
