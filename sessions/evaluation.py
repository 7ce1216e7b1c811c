"""How much sites are used: numbers of devices from the connection log (R11), of which none is small enough to tell of anybody.

A device is one guest here; nothing else could be counted without knowing people. Sites in privacy mode have no log.
"""

from collections import Counter, defaultdict
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from datetime import date, datetime, timedelta

from sqlalchemy import func, select, tuple_
from sqlalchemy.orm import Session

from hotspot.clock import site_day, start_of_site_day
from hotspot.directory import SiteRecord
from sessions.connection_log import LogEntry, todays_tokens
from sessions.visit import Visit, is_counted

# Of the past, fewer than so many are told apart from nobody no more than from each other (decision 12).
FEWEST_TOLD = 5
_HOUR = timedelta(hours=1)


@dataclass(frozen=True)
class HourOfUse:
    """The guests who were online in the hour that begins at `begins`, UTC; None for fewer than FEWEST_TOLD."""

    begins: datetime
    guests: int | None


def told(count: int) -> int | None:
    """A number of guests as it may be told."""
    return count if count >= FEWEST_TOLD else None


def guests_today(session: Session, sites: Collection[SiteRecord], now: datetime) -> Mapping[int, int | None]:
    """How many guests each site has had since its day began; three queries, and a look at the day's key for each day.

    Sites in privacy mode are left out.
    """
    days = {site.id: _today(site, now) for site in sites if not site.privacy_mode}
    logged = select(LogEntry.site_id, LogEntry.token).where(
        tuple_(LogEntry.site_id, LogEntry.day).in_(list(days.items()))
    )
    seen: dict[int, set[bytes]] = {site_id: set() for site_id in days}
    for site_id, token in session.execute(logged.distinct()):
        seen[site_id].add(token)
    online: dict[int, list[bytes]] = defaultdict(list)
    for site_id, device in session.execute(
        select(Visit.site_id, Visit.device).where(Visit.site_id.in_(days), is_counted(), Visit.device.is_not(None))
    ):
        online[site_id].append(device or b"")
    for site_id, devices in online.items():
        seen[site_id] |= set(todays_tokens(session, site_id, days[site_id], devices))
    return {site_id: told(len(tokens)) for site_id, tokens in seen.items()}


def hours_today(session: Session, site: SiteRecord, now: datetime) -> list[HourOfUse]:
    """The hours of the site's day up to now."""
    day = _today(site, now)
    logged = session.execute(
        select(LogEntry.token, LogEntry.started_at, LogEntry.minutes).where(
            LogEntry.site_id == site.id, LogEntry.day == day
        )
    )
    online = session.execute(
        select(Visit.device, Visit.reserved_at).where(Visit.site_id == site.id, is_counted(), Visit.device.is_not(None))
    ).all()
    tokens = todays_tokens(session, site.id, day, [device or b"" for device, _start in online])
    spans = [(token, start, start + timedelta(minutes=minutes)) for token, start, minutes in logged]
    spans += [(token, start or now, now) for token, (_device, start) in zip(tokens, online, strict=True)]
    return _by_hour(spans, start_of_site_day(now, site.zone, site.day_ends), now)


def _by_hour(spans: Iterable[tuple[bytes, datetime, datetime]], begins: datetime, now: datetime) -> list[HourOfUse]:
    """An hour counts whoever was online in any part of it."""
    seen: list[set[bytes]] = [set() for _hour in range(int((now - begins) / _HOUR) + 1)]
    for token, start, end in spans:
        first, last = max(0, (start - begins) // _HOUR), min(len(seen) - 1, (end - begins) // _HOUR)
        for hour in range(first, last + 1):
            seen[hour].add(token)
    return [HourOfUse(begins + hour * _HOUR, told(len(tokens))) for hour, tokens in enumerate(seen)]


def guests_by_day(session: Session, site: SiteRecord, days: int, now: datetime) -> dict[date, int | None]:
    """The guests of each of the last `days` days before today; one query."""
    today = _today(site, now)
    past = [today - timedelta(days=back) for back in range(days, 0, -1)]
    counted = dict(
        session.execute(
            select(LogEntry.day, func.count(LogEntry.token.distinct()))
            .where(LogEntry.site_id == site.id, LogEntry.day >= past[0], LogEntry.day < today)
            .group_by(LogEntry.day)
        ).all()
    )
    return {day: told(counted.get(day, 0)) for day in past}


def usual_hours(session: Session, site: SiteRecord, days: int, now: datetime) -> list[int | None]:
    """For each hour of the clock at the site, the guests online in it on the last `days` days before today, all added up.

    A day on which there were too few in an hour to be told adds nothing: a guest of every night is not to be seen in the sum.
    """
    today = _today(site, now)
    rows = session.execute(
        select(LogEntry.day, LogEntry.token, LogEntry.started_at, LogEntry.minutes).where(
            LogEntry.site_id == site.id, LogEntry.day >= today - timedelta(days=days), LogEntry.day < today
        )
    )
    seen: dict[tuple[int, date], set[bytes]] = defaultdict(set)
    for day, token, started_at, minutes in rows:
        local = started_at.astimezone(site.zone)
        last = (local.minute + minutes) // 60
        for passed in range(min(last, 23) + 1):
            seen[(local.hour + passed) % 24, day].add(token)
    added = Counter[int]()
    for (hour, _day), tokens in seen.items():
        added[hour] += told(len(tokens)) or 0
    return [told(added[hour]) for hour in range(24)]


def _today(site: SiteRecord, now: datetime) -> date:
    return site_day(now, site.zone, site.day_ends)
