"""Access points that go silent with guests on them."""

from datetime import datetime

import pytest

from hotspot.place import AccessPoint
from tests.factories import a_mac
from tests.sessions.world import World

PHONE, LAPTOP = a_mac(1), a_mac(2)


def silent_since(world: World) -> datetime | None:
    with world.database.read() as session:
        return session.get_one(AccessPoint, world.place.access_point.id).silent_since


@pytest.fixture
def crowded(world: World) -> World:
    """A world with two guests, of whom the second was heard two minutes after the first."""
    world.listen_for(hours=1)
    world.go_online(world.voucher(), PHONE)
    world.listen_for(minutes=2)
    world.go_online(world.voucher(), LAPTOP)
    return world


def test_an_access_point_is_silent_since_the_last_of_its_guests_was_heard(crowded: World) -> None:
    last = crowded.now
    crowded.listen_for(minutes=15)
    crowded.keep_house()
    assert silent_since(crowded) is None
    crowded.listen_for(minutes=1)
    crowded.keep_house()
    assert silent_since(crowded) == last
    crowded.wait(minutes=1)
    crowded.keep_house()
    assert silent_since(crowded) == last


def test_one_guest_who_is_still_heard_is_proof_enough(crowded: World) -> None:
    crowded.listen_for(minutes=10)
    handle = crowded.running_visits(LAPTOP)[0].handle
    crowded.interim(handle, 600, f"session-{handle}")
    crowded.listen_for(minutes=7)
    crowded.keep_house()
    assert silent_since(crowded) is None


def test_who_comes_ends_the_silence_and_who_leaves_does_not_bring_it_back(crowded: World) -> None:
    crowded.listen_for(minutes=17)
    crowded.keep_house()
    assert silent_since(crowded)
    handle = crowded.go_online(crowded.voucher(), a_mac(3))
    crowded.keep_house()
    assert silent_since(crowded) is None
    crowded.stop(handle, 10, f"session-{handle}")
    crowded.keep_house()
    assert silent_since(crowded) is None


def test_an_access_point_without_guests_is_not_missed(world: World) -> None:
    world.listen_for(hours=1)
    handle = world.go_online(world.voucher())
    world.stop(handle, 60, f"session-{handle}")
    world.listen_for(hours=2)
    world.keep_house()
    assert silent_since(world) is None


def test_access_points_are_held_by_id_before_any_of_them_is_changed(crowded: World) -> None:
    crowded.listen_for(minutes=16)
    with crowded.counted_statements() as sent:
        crowded.keep_house()
    held, changed = (
        next(place for place, one in enumerate(sent) if begins in one)
        for begins in ("ORDER BY access_point.id", "UPDATE access_point")
    )
    assert held < changed
