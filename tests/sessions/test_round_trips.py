"""How often a batch has to wait for PostgreSQL; each time costs more than most statements."""

from collections.abc import Callable

import pytest

from hotspot.place import SiteKind
from sessions.admit import Admitted
from sessions.records import Status
from tests.round_trips import counted_trips
from tests.sessions.world import World

MakeWorld = Callable[..., World]
pytestmark = pytest.mark.parametrize("database_url", ["postgresql"], indirect=True)


def test_a_batch_of_logins_takes_three_round_trips_new_or_returning(make_world: MakeWorld) -> None:
    world = make_world(SiteKind.MULTI)
    world.admit(world.login(world.vouchers(1)[0]))  # the guests are counted
    logins = [world.login(code) for code in world.vouchers(20)]
    for _ in ("new", "returning"):
        with counted_trips() as trips:
            assert all(isinstance(outcome, Admitted) for outcome in world.admit(*logins))
        assert len(trips) == 3


def test_a_batch_of_accounting_takes_three_round_trips_and_one_more_for_the_key_of_the_log(world: World) -> None:
    handles = [world.get_in(code) for code in world.vouchers(20)]
    world.account(*(world.record(Status.START, one, one) for one in handles[:1]))
    for status, round_trips in ((Status.START, 3), (Status.INTERIM_UPDATE, 3), (Status.STOP, 4)):
        with counted_trips() as trips:
            world.account(*(world.record(status, one, one, seconds=status * 10) for one in handles[1:]))
        assert len(trips) == round_trips
