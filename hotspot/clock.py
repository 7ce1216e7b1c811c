"""Time: the only place that reads the clock, and the site's day."""

from collections.abc import Callable
from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

from hotspot.errors import WrongUse

Clock = Callable[[], datetime]

# Of dates that people or systems tell us.
YEARS = range(2000, 2200)


def utc_now() -> datetime:
    """The present moment, aware, in UTC."""
    return datetime.now(UTC)


def site_day(moment: datetime, zone: ZoneInfo, day_ends: time) -> date:
    """The date of the site's day that `moment` belongs to; a day runs from `day_ends` to `day_ends` of the next date."""
    local = moment.astimezone(zone)
    started_yesterday = local.time() < day_ends
    return local.date() - timedelta(days=1) if started_yesterday else local.date()


def at_wall_clock(local: datetime, zone: ZoneInfo) -> datetime:
    """The instant, in UTC, at which clocks on the wall of the site show `local`; one with an offset is meant as it says.

    WrongUse for a year beyond YEARS: near the ends of the calendar no zone can be told, and nothing added.
    What the change to daylight-saving time leaves out is as much later, what comes twice is its first occurrence (PEP 495).
    """
    if local.year not in YEARS:
        raise WrongUse("bad-dates", f"A date is from the year {YEARS[0]} to the year {YEARS[-1]}.")
    return (local if local.tzinfo else local.replace(tzinfo=zone)).astimezone(UTC)


def end_of_site_day(moment: datetime, zone: ZoneInfo, day_ends: time) -> datetime:
    """The instant, in UTC, at which the site's day of `moment` ends.

    Through a change to daylight-saving time: a wall-clock hour that does not exist ends as much later as the clock
    jumped, one that exists twice ends at its first occurrence (PEP 495).
    """
    return start_of_day(site_day(moment, zone, day_ends) + timedelta(days=1), zone, day_ends)


def start_of_site_day(moment: datetime, zone: ZoneInfo, day_ends: time) -> datetime:
    """The instant, in UTC, at which the site's day of `moment` began: when the one before ended."""
    return start_of_day(site_day(moment, zone, day_ends), zone, day_ends)


def start_of_day(day: date, zone: ZoneInfo, day_ends: time) -> datetime:
    """The instant, in UTC, at which a site's day begins."""
    return datetime.combine(day, day_ends, tzinfo=zone).astimezone(UTC)
