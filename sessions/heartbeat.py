"""Since when the PoP has been listening: silence counts only while somebody listened."""

from datetime import datetime, timedelta

from sqlalchemy import String
from sqlalchemy.orm import Mapped, Session, mapped_column

from hotspot.database import Base

# The listener beats more often than this; a longer gap was an outage, after which the clock of silence starts anew.
LONGEST_GAP = timedelta(seconds=60)
BEAT_EVERY_SECONDS = 15.0


class Heartbeat(Base):
    """A part of the PoP that listens, since when without a gap, and when it last said so."""

    __tablename__ = "heartbeat"

    name: Mapped[str] = mapped_column(String(40), primary_key=True)
    since: Mapped[datetime]
    beat_at: Mapped[datetime]


def beat(session: Session, name: str, now: datetime) -> None:
    """Note that `name` listens at `now`."""
    row = session.get(Heartbeat, name, with_for_update=True)
    if row is None:
        session.add(Heartbeat(name=name, since=now, beat_at=now))
        return
    if now - row.beat_at > LONGEST_GAP:
        row.since = now
    row.beat_at = now


def listening_since(session: Session, name: str, now: datetime) -> datetime:
    """Since when `name` has listened without a gap up to `now`; `now` itself while it does not."""
    row = session.get(Heartbeat, name)
    if row is None or now - row.beat_at > LONGEST_GAP:
        return now
    return row.since
