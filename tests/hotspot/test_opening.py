"""Opening hours: a table of instants, and what the operator sets."""

from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hotspot.audit import COMMAND_LINE
from hotspot.database import Database
from hotspot.errors import WrongUse
from hotspot.keys import Keyring
from hotspot.opening import ALL_DAY, OpeningHours, Span, hours_of, set_day, set_week
from tests.conftest import NOON
from tests.factories import a_site, directory

BERLIN = ZoneInfo("Europe/Berlin")


def span(hours: str) -> Span:
    opens, _dash, closes = hours.partition("-")
    return Span(time.fromisoformat(opens), time.fromisoformat(closes))


def week(weekdays: str, weekend: str = "", zone: ZoneInfo = BERLIN) -> tuple[tuple[Span, ...], ...]:
    return (((span(weekdays),),) * 5) + (((span(weekend),) if weekend else (),) * 2)


def berlin(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=BERLIN).astimezone(UTC)


OFFICE = OpeningHours(BERLIN, week("08:00-22:00"))
BAR = OpeningHours(BERLIN, week("18:00-02:00", "18:00-06:00"))
CHRISTMAS = OpeningHours(
    BERLIN, week("08:00-22:00"), ((date(2026, 12, 24), (span("08:00-14:00"),)), (date(2026, 12, 25), ()))
)
DAYS = OpeningHours(BERLIN, week("00:00-00:00"))
NIGHTS = OpeningHours(BERLIN, (((span("01:00-05:00"),),) * 7))
LUNCH = OpeningHours(BERLIN, ((span("11:00-14:00"), span("18:00-23:00")),) * 7)

# The moment; when it closes, "now" where it is closed; when it opens next. 15 June 2026 is a Monday.
INSTANTS = [
    (OFFICE, "2026-06-15T07:59:59", "now", "2026-06-15T08:00"),
    (OFFICE, "2026-06-15T08:00", "2026-06-15T22:00", "2026-06-16T08:00"),
    (OFFICE, "2026-06-15T21:59:59", "2026-06-15T22:00", "2026-06-16T08:00"),
    (OFFICE, "2026-06-15T22:00", "now", "2026-06-16T08:00"),
    (OFFICE, "2026-06-19T22:00", "now", "2026-06-22T08:00"),
    (BAR, "2026-06-16T01:00", "2026-06-16T02:00", "2026-06-16T18:00"),
    (BAR, "2026-06-21T05:00", "2026-06-21T06:00", "2026-06-21T18:00"),
    (LUNCH, "2026-06-15T15:00", "now", "2026-06-15T18:00"),
    (DAYS, "2026-06-15T12:00", "2026-06-20T00:00", "2026-06-22T00:00"),
    (CHRISTMAS, "2026-12-24T13:00", "2026-12-24T14:00", "2026-12-28T08:00"),
    (CHRISTMAS, "2026-12-25T13:00", "now", "2026-12-28T08:00"),
    # Clocks go forward at 02:00 on 29 March and back at 03:00 on 25 October.
    (NIGHTS, "2026-03-29T01:30", "2026-03-29T05:00", "2026-03-30T01:00"),
    (NIGHTS, "2026-10-25T01:30", "2026-10-25T05:00", "2026-10-26T01:00"),
]


@pytest.mark.parametrize(("hours", "moment", "closes", "opens"), INSTANTS)
def test_the_hours_at_an_instant(hours: OpeningHours, moment: str, closes: str, opens: str) -> None:
    now = berlin(moment)
    assert hours.closes_at(now) == (now if closes == "now" else berlin(closes))
    assert hours.is_open(now) == (closes != "now")
    assert hours.opens_at(now) == berlin(opens)


def test_a_night_is_as_long_as_the_change_of_the_clocks_makes_it() -> None:
    for start, seconds in (("2026-03-29T01:00", 3 * 3600), ("2026-10-25T01:00", 5 * 3600)):
        closes = NIGHTS.closes_at(berlin(start))
        assert closes
        assert (closes - berlin(start)).total_seconds() == seconds


def test_an_hour_that_the_clocks_leave_out_never_comes() -> None:
    hours = OpeningHours(BERLIN, (((span("02:10-03:05"),),) * 7))
    assert hours.opens_at(berlin("2026-03-29T00:00")) == berlin("2026-03-30T02:10")


def test_always_open_has_no_closing_and_never_open_no_opening() -> None:
    assert OpeningHours(BERLIN, (ALL_DAY,) * 7).closes_at(NOON) is None
    closed = OpeningHours(BERLIN, ((),) * 7)
    assert not closed.is_open(NOON)
    assert closed.opens_at(NOON) is None


def test_a_site_that_is_closed_for_the_season_says_when_it_opens() -> None:
    winter = [date(2026, 10, 1) + timedelta(days=number) for number in range(180)]
    hours = OpeningHours(BERLIN, (ALL_DAY,) * 7, tuple((day, ()) for day in winter))
    assert hours.opens_at(berlin("2026-11-11T11:11")) == berlin("2027-03-30T00:00")


times = st.builds(time, st.integers(0, 23), st.integers(0, 59))
weeks = st.tuples(*[st.lists(st.builds(Span, times, times), max_size=2).map(tuple)] * 7)
zones = st.sampled_from([BERLIN, ZoneInfo("UTC"), ZoneInfo("Australia/Lord_Howe"), ZoneInfo("America/St_Johns")])


@given(st.builds(OpeningHours, zones, weeks), st.integers(0, 366 * 86400))
def test_whatever_the_hours_it_is_open_until_it_closes_and_opens_when_it_says(hours: OpeningHours, after: int) -> None:
    now = NOON + timedelta(seconds=after)
    closes, opens = hours.closes_at(now), hours.opens_at(now)
    if closes and closes > now:
        assert hours.is_open(closes - timedelta(seconds=1))
        assert not hours.is_open(closes)
    if opens:
        assert opens > now
        assert hours.is_open(opens)
        assert not hours.is_open(opens - timedelta(seconds=1))


def test_the_operator_sets_a_week_and_dates_and_doors_see_them(database: Database, keyring: Keyring) -> None:
    with database.write() as session:
        site, other = a_site(session), a_site(session)
        before = directory(session, keyring).revision
        set_week(session, COMMAND_LINE, site, {0: [span("08:00-12:00"), span("14:00-18:00")]}, NOON)
        set_day(session, COMMAND_LINE, site, date(2026, 6, 16), [span("10:00-00:00")], NOON)
        set_day(session, COMMAND_LINE, site, date(2026, 6, 22), [], NOON)
        snapshot = directory(session, keyring)
        hours = snapshot.sites[site.id].hours
        assert hours == hours_of(session, site)
        assert snapshot.revision > before
        assert snapshot.sites[other.id].hours is None
        assert hours
        assert hours.spans_on(date(2026, 6, 15)) == (span("08:00-12:00"), span("14:00-18:00"))
        assert hours.spans_on(date(2026, 6, 16)) == (span("10:00-00:00"),)
        assert hours.spans_on(date(2026, 6, 22)) == hours.spans_on(date(2026, 6, 17)) == ()
        assert snapshot.closed_sites(NOON - timedelta(hours=1)) == [site.id]
        assert snapshot.closed_sites(NOON + timedelta(hours=1)) == []


def test_dates_alone_are_exceptions_to_always(database: Database) -> None:
    with database.write() as session:
        site = a_site(session)
        set_day(session, COMMAND_LINE, site, date(2026, 6, 15), [], NOON)
        hours = hours_of(session, site)
        assert hours
        assert not hours.is_open(NOON)
        assert hours.opens_at(NOON) == berlin("2026-06-16T00:00")
        set_day(session, COMMAND_LINE, site, date(2026, 6, 15), None, NOON)
        assert hours_of(session, site) is None


def test_hours_that_overlap_are_refused(database: Database) -> None:
    with database.write() as session, pytest.raises(WrongUse, match="overlap"):
        set_week(session, COMMAND_LINE, a_site(session), {0: [span("08:00-12:00"), span("11:00-18:00")]}, NOON)
