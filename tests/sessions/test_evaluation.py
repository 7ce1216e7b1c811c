"""How much a site is used, without a number that tells of anybody."""

from dataclasses import replace
from datetime import UTC, date, datetime, timedelta

import pytest

from hotspot.directory import SiteRecord
from hotspot.place import Site
from sessions.connection_log import Connection, Journal
from sessions.evaluation import FEWEST_TOLD, guests_by_day, guests_today, hours_today, usual_hours
from sessions.visit import hash_device
from tests.conftest import NOON
from tests.factories import a_mac
from tests.sessions.world import World

# 04:00 in Berlin, when the site's day begins.
DAWN = datetime(2026, 6, 15, 2, 0, tzinfo=UTC)


def site_of(world: World) -> SiteRecord:
    return world.directory.sites[world.place.site.id]


def they_were_here(world: World, devices: range, start: datetime, minutes: int, *, days_ago: int = 0) -> None:
    """Visits that are long over: only the log knows of them."""
    start -= timedelta(days=days_ago)
    with world.database.write() as session:
        journal = Journal(session)
        for number in devices:
            device = hash_device(world.keyring, a_mac(number))
            told = Connection(world.place.access_point.id, device, start, minutes * 60, 0)
            journal.add(site_of(world), told, start + timedelta(minutes=minutes))
        journal.write()


def come_online(world: World, devices: range) -> None:
    for number in devices:
        world.go_online(world.voucher(), a_mac(number))


def today(world: World) -> int | None:
    with world.database.read() as session:
        return guests_today(session, [site_of(world)], world.now)[world.place.site.id]


def hours(world: World) -> dict[str, int | None]:
    with world.database.read() as session:
        found = hours_today(session, site_of(world), world.now)
    return {f"{hour.begins:%H:%M}": hour.guests for hour in found}


def test_a_guest_who_comes_twice_is_one_guest(world: World) -> None:
    they_were_here(world, range(1, 7), NOON - timedelta(hours=2), 30)
    they_were_here(world, range(1, 4), NOON - timedelta(hours=1), 30)
    come_online(world, range(6, 9))
    assert today(world) == 8


@pytest.mark.parametrize("count", range(FEWEST_TOLD + 2))
def test_fewer_than_five_are_not_told_from_nobody(world: World, count: int) -> None:
    come_online(world, range(1, 1 + count))
    assert today(world) == (count if count >= FEWEST_TOLD else None)
    they_were_here(world, range(100, 100 + count), NOON, 30, days_ago=1)
    with world.database.read() as session:
        yesterday = guests_by_day(session, site_of(world), 1, world.now)
    assert yesterday == {date(2026, 6, 14): count if count >= FEWEST_TOLD else None}


def test_a_day_begins_when_the_sites_day_does(world: World) -> None:
    they_were_here(world, range(1, 6), DAWN - timedelta(minutes=31), 30)
    they_were_here(world, range(11, 21), DAWN - timedelta(minutes=29), 30)
    assert today(world) == 10
    with world.database.read() as session:
        assert guests_by_day(session, site_of(world), 2, world.now) == {date(2026, 6, 13): None, date(2026, 6, 14): 5}


def test_an_hour_counts_whoever_was_online_in_any_part_of_it(world: World) -> None:
    they_were_here(world, range(1, 7), datetime(2026, 6, 15, 9, 50, tzinfo=UTC), 20)
    come_online(world, range(11, 16))
    assert hours(world) == dict.fromkeys(("02:00", "03:00", "04:00", "05:00", "06:00", "07:00", "08:00", "11:00")) | {
        "09:00": 6,
        "10:00": 6,
        "12:00": 5,
    }


def test_who_came_yesterday_and_left_today_counts_from_dawn_on(world: World) -> None:
    they_were_here(world, range(1, 7), DAWN - timedelta(hours=2), 150)
    assert {hour for hour, guests in hours(world).items() if guests} == {"02:00"}
    assert today(world) == 6


def test_the_hours_of_a_day_are_those_of_the_clock_change_too(world: World) -> None:
    world.now = datetime(2026, 10, 25, 3, 30, tzinfo=UTC)
    assert list(hours(world)) == ["03:00"]
    world.now = datetime(2026, 10, 25, 2, 30, tzinfo=UTC)
    with world.database.read() as session:
        assert len(hours_today(session, site_of(world), world.now)) == 25


def test_hours_of_the_clock_add_the_days_up(world: World) -> None:
    for days_ago, guests in ((1, 6), (2, 5), (3, 4), (29, 9)):
        they_were_here(world, range(1, 1 + guests), NOON, 90, days_ago=days_ago)
    they_were_here(world, range(1, 50), NOON, 30)
    with world.database.read() as session:
        found = usual_hours(session, site_of(world), 28, world.now)
    assert {hour: guests for hour, guests in enumerate(found) if guests} == {14: 11, 15: 11}


def test_a_visit_over_midnight_is_in_the_hours_of_both_days(world: World) -> None:
    they_were_here(world, range(1, 6), datetime(2026, 6, 14, 21, 30, tzinfo=UTC), 60)
    with world.database.read() as session:
        found = usual_hours(session, site_of(world), 28, world.now)
    assert {hour for hour, guests in enumerate(found) if guests} == {23, 0}


def test_of_a_site_in_privacy_mode_there_is_nothing_to_tell(world: World) -> None:
    come_online(world, range(1, 8))
    with world.database.write() as session:
        session.get_one(Site, world.place.site.id).privacy_mode = True
    world.reload()
    with world.database.read() as session:
        assert guests_today(session, [site_of(world)], world.now) == {}


def test_devices_of_another_site_are_not_counted(world: World) -> None:
    they_were_here(world, range(1, 7), NOON, 30, days_ago=1)
    with world.database.read() as session:
        elsewhere = replace(site_of(world), id=10**6)
        assert guests_by_day(session, elsewhere, 1, world.now) == {date(2026, 6, 14): None}
        assert usual_hours(session, elsewhere, 28, world.now) == [None] * 24
