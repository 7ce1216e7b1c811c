"""What the operator is told of guesses: where, and by which limit."""

from datetime import timedelta

from hotspot.limits import Limit
from sessions.guessing import ALARMS_LIVE, NOWHERE, Alarm, alarms
from sessions.housekeeping import EVERYWHERE
from sessions.offers import redeem
from tests.factories import a_mac, located
from tests.sessions.world import World
from vouchers.admission import Reason, Refused
from vouchers.codes import Code

PHONE, LAPTOP = a_mac(1), a_mac(2)


def noted(world: World) -> list[Alarm]:
    """The alarms of the last hour."""
    with world.database.read() as session:
        return alarms(session, world.now)


def guess(world: World, times: int) -> None:
    for _ in range(times):
        world.reason(Code.new().value, device=PHONE)


def test_an_alarm_is_noted_when_a_limit_is_used_up_and_not_before(world: World) -> None:
    guess(world, Limit.GUESSES_BY_DEVICE.allowed - 1)
    assert noted(world) == []
    guess(world, 3)
    point = world.place.access_point
    assert noted(world) == [Alarm(world.place.site.id, point.id, Limit.GUESSES_BY_DEVICE, 1, world.now)]
    world.wait(minutes=10)
    guess(world, Limit.GUESSES_BY_DEVICE.allowed)
    assert noted(world) == [Alarm(world.place.site.id, point.id, Limit.GUESSES_BY_DEVICE, 2, world.now)]


def test_guesses_at_the_portal_and_through_the_gateway_are_counted_together(world: World) -> None:
    here = located(world.directory, world.place.access_point)
    guess(world, Limit.GUESSES_BY_DEVICE.allowed - 1)
    with world.database.write() as session:
        wrong = redeem(session, world.keyring, here, Code.new().value, PHONE, world.now)
        stopped = redeem(session, world.keyring, here, Code.new().value, PHONE, world.now)
    assert wrong == Refused(Reason.UNKNOWN_CODE)
    assert stopped == Refused(Reason.TOO_MANY_TRIES, moment=world.now + timedelta(minutes=10))
    assert world.reason(Code.new().value, device=PHONE) is Reason.TOO_MANY_TRIES


def test_every_wrong_code_counts_at_the_access_point_the_site_and_in_all(world: World) -> None:
    site, point = world.place.site.id, world.place.access_point.id
    world.guessed_before(Limit.GUESSES_AT_ACCESS_POINT, str(point))
    world.guessed_before(Limit.GUESSES_AT_SITE, str(site))
    world.guessed_before(Limit.GUESSES_IN_ALL, "everybody")
    guess(world, 1)
    assert {(alarm.limit, alarm.site_id, alarm.access_point_id) for alarm in noted(world)} == {
        (Limit.GUESSES_AT_ACCESS_POINT, site, point),
        (Limit.GUESSES_AT_SITE, site, NOWHERE),
        (Limit.GUESSES_IN_ALL, NOWHERE, NOWHERE),
    }
    assert world.keep_house().guessed_at == {world.place.site.slug, EVERYWHERE}


def test_house_keeping_says_at_which_sites_somebody_guesses(world: World) -> None:
    guess(world, Limit.GUESSES_BY_DEVICE.allowed)
    assert world.keep_house().guessed_at == {world.place.site.slug}
    world.wait(hours=1)
    assert world.keep_house().guessed_at == frozenset()


def test_alarms_are_forgotten_after_a_week(world: World) -> None:
    guess(world, Limit.GUESSES_BY_DEVICE.allowed)
    since = world.now
    for hours, kept in ((-1, 1), (2, 0)):
        world.now += ALARMS_LIVE * (hours == -1) + timedelta(hours=hours)
        world.keep_house()
        with world.database.read() as session:
            assert len(alarms(session, since)) == kept


def test_a_stopped_device_is_told_until_when(world: World) -> None:
    guess(world, Limit.GUESSES_BY_DEVICE.allowed)
    outcome = world.enter(Code.new().value, device=PHONE)
    assert getattr(outcome, "moment", None) == world.now + timedelta(minutes=10)
    assert world.reason(Code.new().value, device=LAPTOP) is Reason.UNKNOWN_CODE
