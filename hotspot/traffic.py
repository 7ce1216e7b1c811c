"""What arrives from each RADIUS client, by the hour: for the operator to see why a NAS gets no answers.

An address here is a RADIUS client's, never a guest's.
"""

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import BigInteger, ForeignKey, String, case, cast, delete, func, select
from sqlalchemy.orm import Mapped, Session, declared_attr, mapped_column

from hotspot import place  # noqa: F401 - the table that nas_id refers to
from hotspot.bulk import upsert
from hotspot.database import Base, BigId

TRAFFIC_LIVES = timedelta(days=7)
# Addresses can be forged: so many strangers an hour are told apart, the rest are one.
STRANGERS_AN_HOUR = 200
OTHER_SOURCES = "others"
_ROWS_A_STATEMENT = 500


class _Counted:
    """The columns that both tables share."""

    hour: Mapped[datetime] = mapped_column(primary_key=True, index=True)
    port: Mapped[str] = mapped_column(String(20), primary_key=True)
    what: Mapped[str] = mapped_column(String(64), primary_key=True)
    count: Mapped[int] = mapped_column(BigInteger)
    first_at: Mapped[datetime]
    last_at: Mapped[datetime]


class NasTraffic(_Counted, Base):
    """How often something came from a NAS in an hour."""

    __tablename__ = "nas_traffic"

    @declared_attr
    def nas_id(cls) -> Mapped[int]:
        """The NAS; first in the primary key, which serves the look-up by NAS."""
        return mapped_column(BigId, ForeignKey("nas.id"), primary_key=True, sort_order=-1)


class StrangerTraffic(_Counted, Base):
    """How often something came in an hour from an address that is no NAS's."""

    __tablename__ = "stranger_traffic"

    source: Mapped[str] = mapped_column(String(45), primary_key=True, sort_order=-1)


@dataclass(frozen=True)
class Arrival:
    """Something that arrived `count` times within one hour; `who` is the row of a NAS, or a stranger's address."""

    who: int | str
    port: str
    what: str
    count: int
    first_at: datetime
    last_at: datetime

    @property
    def hour(self) -> datetime:
        """The hour it is counted in."""
        return hour_of(self.first_at)

    @property
    def key(self) -> tuple[str, datetime, str, str]:
        """What is counted together; it sorts."""
        return str(self.who), self.hour, self.port, self.what

    def plus(self, other: "Arrival") -> "Arrival":
        """Both together."""
        first, last = min(self.first_at, other.first_at), max(self.last_at, other.last_at)
        return replace(self, count=self.count + other.count, first_at=first, last_at=last)


@dataclass(frozen=True)
class Traffic:
    """How often something arrived since a moment; `source` only for a stranger."""

    port: str
    what: str
    count: int
    first_at: datetime
    last_at: datetime
    source: str | None = None


def hour_of(moment: datetime) -> datetime:
    """The full hour before `moment`."""
    return moment.replace(minute=0, second=0, microsecond=0)


def summed(arrivals: Iterable[Arrival]) -> list[Arrival]:
    """What is counted together as one, in the order in which rows are taken."""
    together: dict[tuple[str, datetime, str, str], Arrival] = {}
    for one in arrivals:
        known = together.get(one.key)
        together[one.key] = known.plus(one) if known else one
    return [together[key] for key in sorted(together)]


def record(session: Session, arrivals: Collection[Arrival]) -> None:
    """Add to the counts. Rows are taken in the order of their keys, so that two writers cannot deadlock."""
    known = [one for one in arrivals if isinstance(one.who, int)]
    strangers = _bounded(session, [one for one in arrivals if isinstance(one.who, str)])
    _upsert(session, NasTraffic, "nas_id", summed(known))
    _upsert(session, StrangerTraffic, "source", summed(strangers))


def _bounded(session: Session, strangers: list[Arrival]) -> list[Arrival]:
    """Strangers beyond the bound become one. Two writers at once may let a few more in: that does no harm."""
    kept: dict[datetime, set[str]] = {hour: set() for hour in {one.hour for one in strangers}}
    if kept:
        query = select(StrangerTraffic.hour, StrangerTraffic.source).where(StrangerTraffic.hour.in_(kept)).distinct()
        for hour, source in session.execute(query):
            kept[hour].add(source)
    bounded = []
    for one in strangers:
        sources = kept[one.hour]
        if one.who in sources or len(sources - {OTHER_SOURCES}) < STRANGERS_AN_HOUR:
            sources.add(str(one.who))
            bounded.append(one)
        else:
            bounded.append(replace(one, who=OTHER_SOURCES))
    return bounded


def _upsert(session: Session, table: type[NasTraffic | StrangerTraffic], who: str, arrivals: list[Arrival]) -> None:
    for start in range(0, len(arrivals), _ROWS_A_STATEMENT):
        fresh = upsert(session, table).values([_row(one, who) for one in arrivals[start : start + _ROWS_A_STATEMENT]])
        # Workers write seconds apart: what is written first need not have come first.
        earlier, later = fresh.excluded.first_at < table.first_at, fresh.excluded.last_at > table.last_at
        session.execute(
            fresh.on_conflict_do_update(
                index_elements=[who, "hour", "port", "what"],
                set_={
                    "count": table.count + fresh.excluded["count"],
                    "first_at": case((earlier, fresh.excluded.first_at), else_=table.first_at),
                    "last_at": case((later, fresh.excluded.last_at), else_=table.last_at),
                },
            )
        )


def _row(one: Arrival, who: str) -> Mapping[str, Any]:
    return {
        who: one.who,
        "hour": one.hour,
        "port": one.port,
        "what": one.what[:64],
        "count": one.count,
        "first_at": one.first_at,
        "last_at": one.last_at,
    }


def traffic_of(session: Session, nas_id: int, since: datetime) -> list[Traffic]:
    """What arrived from a NAS since the hour of `since`, the most frequent first."""
    query = _sums(NasTraffic, since).where(NasTraffic.nas_id == nas_id)
    return [Traffic(*row) for row in session.execute(query)]


def traffic_of_strangers(session: Session, since: datetime) -> list[Traffic]:
    """What arrived since the hour of `since` from addresses that are no NAS's, the most frequent first."""
    query = _sums(StrangerTraffic, since).add_columns(StrangerTraffic.source).group_by(StrangerTraffic.source)
    return [Traffic(*row) for row in session.execute(query)]


def _sums(table: type[NasTraffic | StrangerTraffic], since: datetime) -> Any:
    # A sum of bigints is a numeric on PostgreSQL.
    total = cast(func.sum(table.count), BigInteger)
    return (
        select(table.port, table.what, total, func.min(table.first_at), func.max(table.last_at))
        .where(table.hour >= hour_of(since))
        .group_by(table.port, table.what)
        .order_by(total.desc(), table.port, table.what)
    )


def forget_old(session: Session, now: datetime) -> None:
    """Delete what is older than seven days."""
    for table in (NasTraffic, StrangerTraffic):
        session.execute(
            delete(table).where(table.hour < now - TRAFFIC_LIVES), execution_options={"synchronize_session": False}
        )
