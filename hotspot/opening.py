"""Opening hours (R31): when a site's hotspot is open, by its own clock; a weekly table, and dates that differ from it."""

from bisect import bisect_right
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from functools import lru_cache
from itertools import pairwise
from typing import NamedTuple
from zoneinfo import ZoneInfo

from sqlalchemy import CheckConstraint, Date, ForeignKey, Integer, delete, select
from sqlalchemy.orm import Mapped, Session, mapped_column

from hotspot import audit
from hotspot.audit import Actor
from hotspot.database import Base, BigId
from hotspot.errors import WrongUse
from hotspot.place import Site, announce_change

WEEKDAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
# So far the hours are worked out at once. A site that stays open longer has no closing that a login needs to know of.
_DAYS_AHEAD = 8
# A site that does not open within a year has no opening that a guest could wait for.
_WEEKS_SEARCHED = 53

_INSTANT = timedelta(microseconds=1)


class Span(NamedTuple):
    """From when to when, by the wall clock; one that does not close after it opens closes on the next day."""

    opens: time
    closes: time

    def on(self, day: date, zone: ZoneInfo) -> tuple[datetime, datetime]:
        """The moments it opens and closes, in UTC; through a change to daylight-saving time as `end_of_site_day` does it."""
        last = day if self.closes > self.opens else day + timedelta(days=1)
        return _moment(day, self.opens, zone), _moment(last, self.closes, zone)


ALL_DAY = (Span(time(0), time(0)),)


class OpeningSpan(Base):
    """A span of a site on a weekday, 0 being Monday, or on one date; a date without hours is closed."""

    __tablename__ = "opening_span"
    __table_args__ = (
        CheckConstraint("(weekday IS NULL) <> (day IS NULL)", name="weekday_or_day"),
        CheckConstraint("(opens IS NULL) = (closes IS NULL)", name="opens_and_closes"),
    )

    id: Mapped[int] = mapped_column(BigId, primary_key=True)
    site_id: Mapped[int] = mapped_column(ForeignKey("site.id"), index=True)
    weekday: Mapped[int | None] = mapped_column(Integer)
    day: Mapped[date | None] = mapped_column(Date)
    opens: Mapped[time | None]
    closes: Mapped[time | None]


@dataclass(frozen=True)
class OpeningHours:
    """When a site is open: the spans of the seven weekdays, Monday first, and those of dates that differ."""

    zone: ZoneInfo
    week: tuple[tuple[Span, ...], ...]
    dates: tuple[tuple[date, tuple[Span, ...]], ...] = ()

    def is_open(self, now: datetime) -> bool:
        """Whether the site is open at `now`."""
        return self.closes_at(now) != now

    def closes_at(self, now: datetime) -> datetime | None:
        """When the site closes that is open at `now`; `now` where it is closed; None where it stays open for a week."""
        hours = _hours_from(self, self._day(now))
        spent = bisect_right(hours, now, key=lambda one: one[0])
        if not spent or hours[spent - 1][1] <= now:
            return now
        end = hours[spent - 1][1]
        return end if end < _moment(self._day(now) + timedelta(days=_DAYS_AHEAD), time(0), self.zone) else None

    def opens_at(self, now: datetime) -> datetime | None:
        """When the site opens next after `now`; None where that is not within a year."""
        for week in range(_WEEKS_SEARCHED):
            for start, _end in _hours_from(self, self._day(now) + timedelta(weeks=week)):
                # What goes on from the days before begins here only because they are not looked at.
                if start > now and not self.is_open(start - _INSTANT):
                    return start
        return None

    def spans_on(self, day: date) -> tuple[Span, ...]:
        """The spans that begin on a date."""
        return dict(self.dates).get(day, self.week[day.weekday()])

    def _day(self, now: datetime) -> date:
        return now.astimezone(self.zone).date()


def _moment(day: date, hour: time, zone: ZoneInfo) -> datetime:
    return datetime.combine(day, hour, tzinfo=zone).astimezone(UTC)


@lru_cache(maxsize=4096)
def _hours_from(hours: OpeningHours, day: date) -> tuple[tuple[datetime, datetime], ...]:
    """When it is open from the day before `day` on, in order; spans that touch are one."""
    days = [day + timedelta(days=number) for number in range(-1, _DAYS_AHEAD)]
    found = sorted(span.on(one, hours.zone) for one in days for span in hours.spans_on(one))
    joined: list[tuple[datetime, datetime]] = []
    for start, end in found:
        if joined and start <= joined[-1][1]:
            joined[-1] = (joined[-1][0], max(end, joined[-1][1]))
        elif end > start:  # a span within the hour that a change to daylight-saving time leaves out is none
            joined.append((start, end))
    return tuple(joined)


def load_hours(session: Session, zones: Mapping[int, ZoneInfo]) -> dict[int, OpeningHours]:
    """The hours of the sites that have any, by site id; `zones` are the sites' time zones. One query."""
    rows: dict[int, list[OpeningSpan]] = defaultdict(list)
    for row in session.scalars(select(OpeningSpan).order_by(OpeningSpan.opens)):
        rows[row.site_id].append(row)
    return {site_id: _hours(zones[site_id], some) for site_id, some in rows.items() if site_id in zones}


def _hours(zone: ZoneInfo, rows: Iterable[OpeningSpan]) -> OpeningHours:
    week: list[list[Span]] = [[] for _ in WEEKDAYS]
    dates: dict[date, list[Span]] = defaultdict(list)
    for row in rows:
        spans = dates[row.day] if row.day else week[row.weekday or 0]
        if row.opens is not None and row.closes is not None:
            spans.append(Span(row.opens, row.closes))
    # Dates alone make exceptions to a site that is otherwise always open.
    of_week = tuple(map(tuple, week)) if any(week) else (ALL_DAY,) * len(WEEKDAYS)
    return OpeningHours(zone, of_week, tuple((day, tuple(spans)) for day, spans in sorted(dates.items())))


def hours_of(session: Session, site: Site) -> OpeningHours | None:
    """The hours of a site; None where it is always open."""
    return load_hours(session, {site.id: ZoneInfo(site.timezone)}).get(site.id)


def set_week(session: Session, actor: Actor, site: Site, week: Mapping[int, Sequence[Span]], now: datetime) -> None:
    """Replace the weekly table by spans by weekday; a weekday without any is closed, and no table at all means always open."""
    for spans in week.values():
        _refuse_overlaps(spans)
    session.execute(delete(OpeningSpan).where(OpeningSpan.site_id == site.id, OpeningSpan.weekday.is_not(None)))
    session.add_all(
        OpeningSpan(site_id=site.id, weekday=weekday, opens=span.opens, closes=span.closes)
        for weekday, spans in week.items()
        for span in spans
    )
    _note(session, actor, site, "opening hours set" if week else "opening hours removed", now)


def set_day(session: Session, actor: Actor, site: Site, day: date, spans: Sequence[Span] | None, now: datetime) -> None:
    """Set the spans of one date; none: closed on that date; None: as on any such weekday."""
    _refuse_overlaps(spans or ())
    session.execute(delete(OpeningSpan).where(OpeningSpan.site_id == site.id, OpeningSpan.day == day))
    if spans is not None:
        hours: Iterable[tuple[time | None, time | None]] = spans or [(None, None)]
        session.add_all(OpeningSpan(site_id=site.id, day=day, opens=opens, closes=closes) for opens, closes in hours)
    _note(session, actor, site, "opening hours of a date set", now, day.isoformat())


def _refuse_overlaps(spans: Sequence[Span]) -> None:
    hours = sorted(span.on(date(2001, 1, 1), ZoneInfo("UTC")) for span in spans)
    if any(later[0] < earlier[1] for earlier, later in pairwise(hours)):
        raise WrongUse("hours-overlap", "Two of these opening hours overlap.")


def _note(session: Session, actor: Actor, site: Site, action: str, now: datetime, detail: str = "") -> None:
    session.flush()
    announce_change(session)
    subject = f"site {site.public_id}"
    audit.record(session, actor, action, subject, now, customer_id=site.customer_id, detail=detail)
