"""One MAC address at two places at once: told apart from a guest who walks on."""

from collections.abc import Callable

import pytest
from structlog.testing import capture_logs

from deploy.housekeeper import look_for_doubles
from hotspot.place import SiteKind
from sessions.doubles import ALARM_LASTS, Sighting, alarms, note_doubles
from sessions.gauges import measure
from tests import factories
from tests.factories import Place, a_mac
from tests.sessions.world import World

PHONE = a_mac(1)
MakeWorld = Callable[..., World]


@pytest.fixture
def elsewhere(world: World) -> Place:
    """Another site, whose NAS accounts too."""
    with world.database.write() as session:
        place = factories.a_place(session, world.keyring)
        place.nas.accounting_heard_at = world.now
    world.reload()
    return place


def look(world: World) -> list[Sighting]:
    with world.database.write() as session:
        return note_doubles(session, world.now)


def raised(world: World) -> list[Sighting]:
    with world.database.read() as session:
        assert measure(session, world.now).devices_at_two_places == len(alarms(session, world.now))
        return alarms(session, world.now)


def visit_elsewhere(world: World, elsewhere: Place) -> str:
    """The device, or its copy, comes online at the other site."""
    with world.database.write() as session:
        issued = factories.some_vouchers(session, world.keyring, elsewhere.site, elsewhere.article)[0]
    handle = world.get_in(issued.code.value, device=PHONE, place=elsewhere)
    world.start(handle, "other", place=elsewhere, device=PHONE)
    return handle


def test_a_device_that_two_sites_go_on_reporting_raises_an_alarm_once(world: World, elsewhere: Place) -> None:
    here = world.go_online(world.voucher(), PHONE)
    there = visit_elsewhere(world, elsewhere)
    for minutes in (5, 10, 15):
        world.wait(minutes=5)
        world.interim(here, minutes * 60, f"session-{here}", device=PHONE)
        world.interim(there, minutes * 60, "other", place=elsewhere, device=PHONE)
        assert look(world) == []
    world.wait(minutes=5)
    world.interim(here, 1200, f"session-{here}", device=PHONE)
    world.interim(there, 1200, "other", place=elsewhere, device=PHONE)
    sighting = Sighting(world.place.site.id, elsewhere.site.id)
    assert look(world) == [sighting]
    assert look(world) == []
    assert raised(world) == [sighting]
    world.stop(there, 1200, "other", place=elsewhere, device=PHONE)
    assert look(world) == []
    world.now += ALARM_LASTS
    assert raised(world) == []


def test_who_walks_on_to_another_site_is_no_double(world: World, elsewhere: Place) -> None:
    here = world.go_online(world.voucher(), PHONE)
    there = visit_elsewhere(world, elsewhere)
    for minutes in (5, 10, 15):
        world.wait(minutes=5)
        world.interim(here, minutes * 60, f"session-{here}", device=PHONE)
    world.wait(minutes=45)
    world.interim(there, 3600, "other", place=elsewhere, device=PHONE)
    assert look(world) == []


def test_who_roams_back_and_forth_for_an_hour_is_no_double_and_has_one_place(make_world: MakeWorld) -> None:
    world = make_world(SiteKind.MULTI, access_points=2, capacity=1)
    points = world.place.access_points
    (code,) = world.vouchers(1)
    handle = world.get_in(code, device=PHONE, access_point=points[0])
    world.start(handle, "session-0", access_point=points[0], device=PHONE)
    for number in range(1, 13):
        world.wait(minutes=5)
        point = points[number % 2]
        assert world.get_in(code, device=PHONE, access_point=point) == handle
        world.start(handle, f"session-{number}", access_point=point, device=PHONE)
        assert look(world) == []
        assert world.running() == 1
        assert world.visit(handle).access_point_id == point.id
        # The Stop of the old access point is late, or lost.
        if number % 3:
            world.stop(handle, 300, f"session-{number - 1}", access_point=points[(number - 1) % 2], device=PHONE)
    assert world.running() == 1


def test_a_device_at_two_access_points_of_one_site_at_once_raises_an_alarm(world: World) -> None:
    first, second = world.place.access_points
    handle = world.go_online(world.voucher(), PHONE)
    world.start(handle, "copy", access_point=second, device=PHONE)
    for minutes in (5, 10, 15, 20):
        world.wait(minutes=5)
        world.interim(handle, minutes * 60, f"session-{handle}", access_point=first, device=PHONE)
        world.interim(handle, minutes * 60, "copy", access_point=second, device=PHONE)
    assert look(world) == [Sighting(world.place.site.id, world.place.site.id)]


def test_the_log_names_the_sites_and_not_the_device(world: World, elsewhere: Place) -> None:
    here = world.go_online(world.voucher(), PHONE)
    there = visit_elsewhere(world, elsewhere)
    world.wait(minutes=20)
    world.interim(here, 1200, f"session-{here}", device=PHONE)
    world.interim(there, 1200, "other", place=elsewhere, device=PHONE)
    with capture_logs() as logs:
        look_for_doubles(world.database, world.keyring, world.now)
        look_for_doubles(world.database, world.keyring, world.now)
    (line,) = [log for log in logs if log["log_level"] == "warning"]
    assert line["sites"] == [world.place.site.slug, elsewhere.site.slug]
    assert PHONE.value not in str(line)


def test_an_alarm_goes_with_its_visits(world: World, elsewhere: Place) -> None:
    here = world.go_online(world.voucher(), PHONE)
    there = visit_elsewhere(world, elsewhere)
    world.wait(minutes=20)
    world.interim(here, 1200, f"session-{here}", device=PHONE)
    world.interim(there, 1200, "other", place=elsewhere, device=PHONE)
    assert len(look(world)) == 1
    world.stop(here, 1200, f"session-{here}", device=PHONE)
    world.stop(there, 1200, "other", place=elsewhere, device=PHONE)
    world.wait(hours=25)
    world.keep_house()
    assert not world.has_visit(here)
    assert raised(world) == []
