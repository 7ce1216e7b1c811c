"""The site's day: a table of instants."""

from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hotspot.clock import end_of_site_day, site_day, start_of_site_day, utc_now

BERLIN = ZoneInfo("Europe/Berlin")
AT_FOUR = time(4)


def utc(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


@pytest.mark.parametrize(
    ("moment", "zone", "day_ends", "day", "ends"),
    [
        # "Today" sold at 23:30 is worth four and a half hours.
        ("2026-06-15 21:30", "Europe/Berlin", time(4), date(2026, 6, 15), "2026-06-16 02:00"),
        ("2026-06-15 12:00", "Europe/Berlin", time(4), date(2026, 6, 15), "2026-06-16 02:00"),
        # After midnight it is still yesterday's day, until 04:00 exactly.
        ("2026-06-15 22:30", "Europe/Berlin", time(4), date(2026, 6, 15), "2026-06-16 02:00"),
        ("2026-06-16 01:59:59", "Europe/Berlin", time(4), date(2026, 6, 15), "2026-06-16 02:00"),
        ("2026-06-16 02:00", "Europe/Berlin", time(4), date(2026, 6, 16), "2026-06-17 02:00"),
        ("2026-01-15 03:00", "Europe/Berlin", time(4), date(2026, 1, 15), "2026-01-16 03:00"),
        # A day that ends at midnight is the calendar's.
        ("2026-06-15 21:59:59", "Europe/Berlin", time(0), date(2026, 6, 15), "2026-06-15 22:00"),
        ("2026-06-15 22:00", "Europe/Berlin", time(0), date(2026, 6, 16), "2026-06-16 22:00"),
        # Clocks go forward on 29 March 2026 at 02:00 to 03:00: that day has 23 hours.
        ("2026-03-28 12:00", "Europe/Berlin", time(4), date(2026, 3, 28), "2026-03-29 02:00"),
        ("2026-03-29 01:59", "Europe/Berlin", time(4), date(2026, 3, 28), "2026-03-29 02:00"),
        ("2026-03-29 02:00", "Europe/Berlin", time(4), date(2026, 3, 29), "2026-03-30 02:00"),
        # 02:30 does not exist that night: the day ends as much later as the clock jumped, at 03:30.
        ("2026-03-28 12:00", "Europe/Berlin", time(2, 30), date(2026, 3, 28), "2026-03-29 01:30"),
        # Clocks go back on 25 October 2026 at 03:00 to 02:00: that day has 25 hours.
        ("2026-10-24 12:00", "Europe/Berlin", time(4), date(2026, 10, 24), "2026-10-25 03:00"),
        ("2026-10-25 02:59", "Europe/Berlin", time(4), date(2026, 10, 24), "2026-10-25 03:00"),
        ("2026-10-25 03:00", "Europe/Berlin", time(4), date(2026, 10, 25), "2026-10-26 03:00"),
        # 02:30 comes twice that night: the day ends at the first.
        ("2026-10-24 12:00", "Europe/Berlin", time(2, 30), date(2026, 10, 24), "2026-10-25 00:30"),
        # Elsewhere.
        ("2026-06-15 12:00", "UTC", time(4), date(2026, 6, 15), "2026-06-16 04:00"),
        ("2026-06-15 12:00", "Asia/Kathmandu", time(4), date(2026, 6, 15), "2026-06-15 22:15"),
        ("2026-12-31 23:30", "Europe/Berlin", time(4), date(2026, 12, 31), "2027-01-01 03:00"),
        ("2028-02-28 12:00", "Europe/Berlin", time(4), date(2028, 2, 28), "2028-02-29 03:00"),
    ],
)
def test_a_site_day_runs_from_its_hour_to_its_hour(
    moment: str, zone: str, day_ends: time, day: date, ends: str
) -> None:
    assert site_day(utc(moment), ZoneInfo(zone), day_ends) == day
    assert end_of_site_day(utc(moment), ZoneInfo(zone), day_ends) == utc(ends)
    assert start_of_site_day(utc(ends), ZoneInfo(zone), day_ends) == utc(ends)


@given(
    st.integers(0, 5 * 365 * 86400).map(lambda seconds: utc("2025-01-01 00:00") + timedelta(seconds=seconds)),
    st.sampled_from(["Europe/Berlin", "America/New_York", "Asia/Kathmandu", "Australia/Lord_Howe", "UTC"]),
    st.times().map(lambda t: t.replace(second=0, microsecond=0)),
)
def test_a_site_day_ends_after_its_moments_and_within_25_hours(moment: datetime, zone: str, day_ends: time) -> None:
    left = end_of_site_day(moment, ZoneInfo(zone), day_ends) - moment
    # In the hour that comes twice, a day that ends within it has its end behind it the second time.
    assert timedelta(hours=-1) <= left <= timedelta(hours=25)


def test_the_moment_may_come_in_any_zone() -> None:
    moment = utc("2026-06-15 21:30")
    assert end_of_site_day(moment.astimezone(BERLIN), BERLIN, AT_FOUR) == end_of_site_day(moment, BERLIN, AT_FOUR)


def test_the_end_is_told_in_utc() -> None:
    assert end_of_site_day(utc("2026-06-15 12:00"), BERLIN, AT_FOUR).tzinfo is UTC


def test_the_present_is_aware() -> None:
    assert utc_now().utcoffset() == timedelta(0)
