"""Access points that went silent with guests on them: probably without power or line.

An access point without guests says nothing, and nothing is wrong with it. So only one whose last guests all fell silent counts,
until somebody is on it again.
"""

from collections.abc import Collection
from datetime import datetime, timedelta

from sqlalchemy import exists, func, select, update
from sqlalchemy.orm import Session

from hotspot.place import AccessPoint
from sessions.visit import CloseCause, Leg, Visit, is_counted

# Rounds of house-keeping, which close visits for silence, follow each other more quickly than this.
_JUST_NOW = timedelta(minutes=2)


def note_silence(session: Session, now: datetime) -> list[str]:
    """Note which access points have just gone silent, and which no longer are; the names of the former.

    Only rows of access points are written: whoever admits guests meanwhile waits for nothing else.
    """
    taken = exists().where(Visit.access_point_id == AccessPoint.id, is_counted())
    session.execute(update(AccessPoint).where(AccessPoint.silent_since.is_not(None), taken).values(silent_since=None))
    names = []
    for point_id, since in _last_heard(session, _lost_just_now(session, now)).items():
        quiet = update(AccessPoint).where(AccessPoint.id == point_id, AccessPoint.silent_since.is_(None), ~taken)
        name = session.scalar(quiet.values(silent_since=since).returning(AccessPoint.name))
        names += [name] if name else []
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
