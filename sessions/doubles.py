"""The same MAC address at two places at once: somebody has copied it, to be online on another's voucher without the portal.

Who walks on is still reported by the place before until that NAS's Idle-Timeout; so two places count only when the earlier one
goes on reporting the device for longer than that.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import permutations

from sqlalchemy import ForeignKey, func, or_, select
from sqlalchemy.orm import Mapped, Session, mapped_column

from hotspot.bulk import upsert
from hotspot.database import Base
from sessions.visit import Leg, Visit

# The Idle-Timeout of 15 minutes, and an interval of accounting.
AT_ONCE_FOR = timedelta(minutes=20)
# Nobody has seen it since: it is no alarm any more.
ALARM_LASTS = timedelta(minutes=15)


class DoubleSighting(Base):
    """Two visits of one device, at two sites, or one visit, at two access points, that went on at once."""

    __tablename__ = "double_sighting"

    visit_id: Mapped[int] = mapped_column(ForeignKey("visit.id", ondelete="CASCADE"), primary_key=True)
    other_visit_id: Mapped[int] = mapped_column(
        ForeignKey("visit.id", ondelete="CASCADE"), primary_key=True, index=True
    )
    first_seen_at: Mapped[datetime]
    last_seen_at: Mapped[datetime]


@dataclass(frozen=True)
class Sighting:
    """Where a device is at once, as site ids: two sites, or twice the one at two of whose access points it is."""

    site_id: int
    other_site_id: int


@dataclass(frozen=True)
class _Presence:
    """A session of a device that goes on."""

    visit_id: int
    site_id: int
    place: tuple[int | None, ...]
    began: datetime
    heard: datetime


def note_doubles(session: Session, now: datetime) -> list[Sighting]:
    """Look at all that runs, in the caller's write transaction; returns what was not known yet."""
    known = {(row.visit_id, row.other_visit_id): row for row in session.scalars(select(DoubleSighting))}
    fresh: dict[tuple[int, int], Sighting] = {}
    for presences in _presences(session).values():
        for pair in _doubles(presences):
            one, other = sorted(pair, key=lambda presence: presence.visit_id)
            key = one.visit_id, other.visit_id
            row = {"visit_id": key[0], "other_visit_id": key[1], "first_seen_at": now, "last_seen_at": now}
            noted = upsert(session, DoubleSighting).values(row)
            keys = [DoubleSighting.visit_id, DoubleSighting.other_visit_id]
            session.execute(noted.on_conflict_do_update(index_elements=keys, set_={"last_seen_at": now}))
            if key not in known or known[key].last_seen_at < now - ALARM_LASTS:
                fresh[key] = Sighting(one.site_id, other.site_id)
    return list(fresh.values())


def alarms(session: Session, now: datetime) -> list[Sighting]:
    """The devices that are at two places at once now."""
    one, other = Visit.__table__.alias(), Visit.__table__.alias()
    query = (
        select(one.c.site_id, other.c.site_id)
        .select_from(DoubleSighting)
        .join(one, one.c.id == DoubleSighting.visit_id)
        .join(other, other.c.id == DoubleSighting.other_visit_id)
        .where(DoubleSighting.last_seen_at > now - ALARM_LASTS)
        .order_by(DoubleSighting.first_seen_at)
    )
    return [Sighting(*row) for row in session.execute(query)]


def _presences(session: Session) -> dict[bytes, list[_Presence]]:
    """The sessions that go on of the devices that have some at several places; two queries, over what runs."""
    goes_on = (Leg.visit_id == Visit.id, Leg.stopped_at.is_(None), Visit.runs, Visit.device.is_not(None))
    places = (Visit.site_id, Leg.nas_id, Leg.access_point_id)
    several = or_(*(func.min(column) != func.max(column) for column in places))
    devices = select(Visit.device).where(*goes_on).group_by(Visit.device).having(several).correlate(None)
    query = select(Visit.device, Visit.id, *places, Leg.started_at, Leg.last_heard_at)
    found: dict[bytes, list[_Presence]] = {}
    for device, visit_id, site_id, *place, began, heard in session.execute(
        query.where(*goes_on, Visit.device.in_(devices))
    ):
        presence = _Presence(visit_id, site_id, (site_id, *place), began, heard)
        found.setdefault(device or b"", []).append(presence)
    return found


def _doubles(presences: Iterable[_Presence]) -> Iterable[tuple[_Presence, _Presence]]:
    for early, late in permutations(presences, 2):
        elsewhere = early.place != late.place and early.began <= late.began
        if elsewhere and min(early.heard, late.heard) >= late.began + AT_ONCE_FOR:
            yield early, late
