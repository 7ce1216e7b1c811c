"""Records that arrive together are taken as if they had come one after the other."""

from sessions.records import Status
from sessions.visit import VisitState
from tests import factories
from tests.sessions.world import World


def test_a_session_that_begins_before_and_goes_on_after_an_accounting_on_of_the_same_batch(world: World) -> None:
    device = factories.a_mac()
    handle = world.get_in(*world.vouchers(1), device=device)
    world.wait(seconds=10)
    start = world.record(Status.START, handle, device=device)
    restart = world.record(Status.ACCOUNTING_ON, None, at=world.now, acct_session_id="")
    interim = world.record(Status.INTERIM_UPDATE, handle, device=device, seconds=5, octets_to_guest=7)
    world.account(start, restart, interim, world.record(Status.STOP, handle, device=device, seconds=6))
    [leg] = world.legs(handle)
    assert (leg.seconds, leg.octets_to_guest) == (6, 7)


def test_sessions_of_one_batch_are_counted_whatever_is_between_them(world: World) -> None:
    device = factories.a_mac()
    handle = world.get_in(*world.vouchers(1), device=device)
    world.wait(seconds=10)
    begun = [world.record(Status.START, handle, f"s{number}", device=device) for number in range(3)]
    restarts = [world.record(Status.ACCOUNTING_OFF, None, "") for _ in range(2)]
    reports = [world.record(Status.INTERIM_UPDATE, handle, f"s{n}", device=device, seconds=9) for n in range(3)]
    world.account(begun[0], restarts[0], begun[1], reports[0], restarts[1], begun[2], *reports[1:])
    assert [leg.seconds for leg in world.legs(handle)] == [9, 9, 9]
    assert world.visit(handle).state is VisitState.OPEN


def test_a_device_changes_back_to_its_earlier_visit_within_a_batch(world: World) -> None:
    """The database never sees both of them running, in whichever order they were changed."""
    device = factories.a_mac()
    first, second = world.vouchers(2)
    earlier = world.go_online(first, device=device)
    world.listen_for(minutes=16)
    assert world.keep_house().silent == 1
    later = world.go_online(second, device=device)
    world.wait(seconds=10)
    touched = world.record(Status.INTERIM_UPDATE, earlier, "another", device=device, seconds=5)
    stop = world.record(Status.STOP, later, f"session-{later}", device=device, seconds=10)
    world.account(touched, stop, touched)
    assert (world.visit(earlier).state, world.visit(later).state) == (VisitState.OPEN, VisitState.CLOSED)
