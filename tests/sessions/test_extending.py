"""A visit that goes on with another voucher: nothing of the first is lost, nothing counts twice."""

from collections.abc import Callable, Sequence
from datetime import timedelta

import pytest
from sqlalchemy import event, func, select
from sqlalchemy.orm import Session

from hotspot.place import LoginWay, SiteKind
from sessions.admit import Admitted
from sessions.extending import MOST_FOLLOWERS, NotExtended, extend
from sessions.extensions import Extension
from sessions.orders import NewLimits
from sessions.outbox import claim
from sessions.usage import lock_vouchers
from sessions.visit import CloseCause, Disconnect, OrderKind, Visit, VisitState, VoucherDevice, hash_device
from tests.factories import a_mac
from tests.sessions.world import World
from vouchers.admission import Reason, Refused
from vouchers.passes import MEGABYTE, Clock
from vouchers.voucher import Voucher

PHONE, TABLET = a_mac(1), a_mac(2)
MakeWorld = Callable[..., World]


def follow(world: World, handle: str, code: str) -> Refused | NotExtended | None:
    """What the portal does when a guest who is online types another code."""
    voucher_id = world.voucher_id(code)
    with world.database.write() as session:
        visit = session.scalars(select(Visit).where(Visit.handle == handle)).one()
        return extend(session, world.directory, visit, voucher_id, world.now)


def told_limits(world: World) -> list[NewLimits]:
    """What the NAS are told now."""
    with world.database.write() as session:
        orders = claim(session, world.keyring, world.directory, world.now).orders
        return [order.limits for order in orders if order.limits]


def forget_orders(world: World) -> None:
    with world.database.write() as session:
        for row in session.scalars(select(Disconnect)):
            row.done_at = world.now


def extensions(world: World) -> int:
    with world.database.read() as session:
        return session.scalar(select(func.count()).select_from(Extension)) or 0


def runs_on(world: World, handle: str, code: str) -> bool:
    visit = world.visit(handle)
    return visit.state is VisitState.OPEN and visit.voucher_id == world.voucher_id(code)


def test_the_nas_is_told_the_time_of_both_at_once(world: World) -> None:
    first, second = world.voucher(minutes=60), world.voucher(minutes=30)
    handle = world.go_online(first, PHONE)
    world.wait(minutes=20)
    assert follow(world, handle, second) is None
    (limits,) = told_limits(world)
    assert limits.granted.seconds_left == (40 + 30) * 60
    assert limits.elapsed_seconds == 20 * 60
    assert world.stored(second).first_used_at is None


def test_the_visit_moves_on_when_the_first_is_over_and_only_then(world: World) -> None:
    first, second = world.voucher(minutes=60), world.voucher(minutes=30)
    handle = world.go_online(first, PHONE)
    follow(world, handle, second)
    world.wait(minutes=59)
    world.interim(handle, 59 * 60, f"session-{handle}")
    assert (world.keep_house().moved_on, runs_on(world, handle, first)) == (0, True)
    world.wait(minutes=1)
    assert (world.keep_house().moved_on, runs_on(world, handle, second)) == (1, True)
    assert world.outbox() == []
    voucher = world.stored(second)
    assert (voucher.first_used_at, voucher.ends_at) == (world.now, world.now + timedelta(minutes=30))
    assert voucher.code_ciphertext is None
    assert extensions(world) == 0
    (limits,) = told_limits(world)
    assert (limits.granted.seconds_left, limits.elapsed_seconds) == (30 * 60, 60 * 60)


def test_the_last_voucher_ends_the_visit(world: World) -> None:
    first, second = world.voucher(minutes=60), world.voucher(minutes=30)
    handle = world.go_online(first, PHONE)
    follow(world, handle, second)
    world.wait(minutes=60)
    world.keep_house()
    world.wait(minutes=30)
    world.keep_house()
    assert world.outbox() == [(handle, CloseCause.OVER)]


def test_volume_that_the_first_has_borne_is_not_taken_from_the_second(world: World) -> None:
    first = world.voucher(Clock.FIRST_USE, minutes=600, megabytes=10)
    second = world.voucher(Clock.FIRST_USE, minutes=600, megabytes=5)
    handle = world.go_online(first, PHONE)
    follow(world, handle, second)
    (limits,) = told_limits(world)
    assert limits.granted.octets_left == 15 * MEGABYTE
    forget_orders(world)
    world.wait(minutes=5)
    world.interim(handle, 300, f"session-{handle}", octets_to_guest=11 * MEGABYTE)
    assert world.outbox() == []
    world.keep_house()
    assert runs_on(world, handle, second)
    one, other = world.voucher_id(first), world.voucher_id(second)
    usages = world.usages([one, other])
    assert (usages[one].octets, usages[other].octets) == (11 * MEGABYTE, 0)
    (limits,) = told_limits(world)
    assert (limits.granted.octets_left, limits.octets_used) == (5 * MEGABYTE, 11 * MEGABYTE)
    world.wait(minutes=5)
    world.interim(handle, 600, f"session-{handle}", octets_to_guest=14 * MEGABYTE)
    usages = world.usages([one, other])
    assert (usages[one].octets, usages[other].octets) == (11 * MEGABYTE, 3 * MEGABYTE)
    world.stop(handle, 660, f"session-{handle}", octets_to_guest=14 * MEGABYTE)
    world.wait(hours=25)
    world.keep_house()
    assert not world.has_visit(handle)
    usages = world.usages([one, other])
    assert (usages[one].octets, usages[other].octets) == (11 * MEGABYTE, 3 * MEGABYTE)


@pytest.mark.parametrize(("shared", "seconds"), [(False, 300), (True, 900)])
def test_minutes_online_are_borne_by_the_one_and_then_by_the_other(world: World, shared: bool, seconds: int) -> None:
    first, second = world.voucher(Clock.ONLINE, minutes=10), world.voucher(Clock.ONLINE, minutes=60, devices=2)
    if shared:
        world.go_online(second, TABLET)
    handle = world.go_online(first, PHONE)
    follow(world, handle, second)
    world.wait(minutes=10)
    world.interim(handle, 600, f"session-{handle}")
    world.keep_house()
    assert runs_on(world, handle, second)
    world.wait(minutes=5)
    world.interim(handle, 900, f"session-{handle}")
    one, other = world.voucher_id(first), world.voucher_id(second)
    usages = world.usages([one, other])
    assert (usages[one].seconds, usages[other].seconds) == (600, seconds)
    assert len(usages[other].running) == (2 if shared else 1)


def test_a_volume_that_has_no_follower_with_one_is_watched_by_the_pop_alone(world: World) -> None:
    first, second = world.voucher(minutes=60, megabytes=10), world.voucher(minutes=60)
    handle = world.go_online(first, PHONE)
    follow(world, handle, second)
    (limits,) = told_limits(world)
    assert (limits.granted.octets_left, limits.granted.seconds_left) == (None, 2 * 60 * 60)


def test_vouchers_follow_one_another(world: World) -> None:
    codes = [world.voucher(minutes=30) for _ in range(3)]
    handle = world.go_online(codes[0], PHONE)
    assert [follow(world, handle, code) for code in codes[1:]] == [None, None]
    assert told_limits(world)[0].granted.seconds_left == 90 * 60
    for code in codes[1:]:
        world.wait(minutes=30)
        world.keep_house()
        assert runs_on(world, handle, code)


def test_a_follower_that_was_revoked_meanwhile_is_passed_over(world: World) -> None:
    first, second, third = (world.voucher(minutes=30) for _ in range(3))
    handle = world.go_online(first, PHONE)
    follow(world, handle, second)
    follow(world, handle, third)
    world.revoke(second)
    world.wait(minutes=30)
    world.keep_house()
    assert runs_on(world, handle, third)
    assert extensions(world) == 0


def test_a_follower_that_comes_while_the_visit_moves_on_has_its_turn_in_the_next_round(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    first, second, third = (world.voucher(minutes=30) for _ in range(3))
    handle = world.go_online(first, PHONE)
    follow(world, handle, second)
    world.revoke(second)
    world.wait(minutes=30)
    row = {"voucher_id": world.voucher_id(second), "next_voucher_id": world.voucher_id(third)}

    def add_third(session: Session, ids: set[int]) -> Sequence[Voucher]:
        """Another guest's page, between what is read and what is held."""
        device = hash_device(world.keyring, PHONE)
        session.add(Extension(device=device, asked_at=world.now, told_at=world.now, **row))
        session.flush()
        return lock_vouchers(session, ids)

    with monkeypatch.context() as patch:
        patch.setattr("sessions.extending.lock_vouchers", add_third)
        assert world.keep_house().moved_on == 0
    assert world.keep_house().moved_on == 1
    assert runs_on(world, handle, third)
    assert extensions(world) == 0


def test_no_vouchers_are_held_after_an_order_was_written(make_world: MakeWorld) -> None:
    world = make_world(access_points=2, kind=SiteKind.MULTI)
    spent, anew, *followers = (world.voucher(minutes=minutes) for minutes in (30, 90, 60, 60))
    handles = [world.go_online(code, device) for code, device in ((spent, PHONE), (anew, TABLET))]
    for handle, code in zip(handles, followers, strict=True):
        follow(world, handle, code)
    world.wait(minutes=29)
    world.get_in(anew, device=TABLET, access_point=world.place.access_points[1])
    world.wait(minutes=1)
    with world.counted_statements() as done:
        event.listen(world.database.engine, "commit", lambda _connection: done.append("COMMIT"))
        assert world.keep_house().moved_on == 1
    orders = [i for i, one in enumerate(done) if "INSERT INTO disconnect" in one]
    assert len(orders) == 2
    for order in orders:
        rest = done[order : done.index("COMMIT", order)]
        assert not [one for one in rest if "FROM voucher" in one]


def test_a_visit_whose_follower_is_taken_by_another_device_ends(world: World) -> None:
    first, second = world.voucher(minutes=30), world.voucher(minutes=90)
    handle = world.go_online(first, PHONE)
    follow(world, handle, second)
    world.go_online(second, TABLET)
    world.wait(minutes=30)
    assert world.keep_house().moved_on == 0
    world.keep_house()
    assert world.outbox() == [(handle, CloseCause.OVER)]


def test_a_revoked_voucher_ends_its_visit_whatever_follows(world: World) -> None:
    first, second = world.voucher(minutes=30), world.voucher(minutes=30)
    handle = world.go_online(first, PHONE)
    follow(world, handle, second)
    world.revoke(first)
    assert world.outbox() == [(handle, CloseCause.REVOKED)]


def test_what_cannot_follow_is_told_apart(world: World) -> None:
    first, second = world.voucher(minutes=120), world.voucher()
    handle = world.go_online(first, PHONE)
    assert follow(world, handle, first) is NotExtended.USED_HERE
    follow(world, handle, second)
    assert follow(world, handle, second) is NotExtended.USED_HERE
    revoked, taken = world.voucher(), world.voucher()
    world.revoke(revoked)
    world.go_online(taken, TABLET)
    for code, reason in ((revoked, Reason.REVOKED), (taken, Reason.IN_USE)):
        answer = follow(world, handle, code)
        assert isinstance(answer, Refused)
        assert answer.reason is reason
    ends_soon = world.voucher(Clock.UNTIL, minutes=None, until=world.now + timedelta(hours=1))
    assert follow(world, handle, ends_soon) is NotExtended.ENDS_BEFORE


def test_a_voucher_that_is_valid_by_its_turn_may_follow(world: World) -> None:
    first, later, too_late = world.voucher(minutes=120), world.voucher(minutes=30), world.voucher(minutes=30)
    handle = world.go_online(first, PHONE)
    with world.database.write() as session:
        session.get_one(Voucher, world.voucher_id(later)).good_from = world.now + timedelta(hours=1)
        session.get_one(Voucher, world.voucher_id(too_late)).good_from = world.now + timedelta(hours=9)
    assert follow(world, handle, later) is None
    answer = follow(world, handle, too_late)
    assert isinstance(answer, Refused)
    assert answer.reason is Reason.NOT_YET_VALID


def test_a_chain_has_an_end(world: World) -> None:
    codes = [world.voucher(minutes=30) for _ in range(MOST_FOLLOWERS + 2)]
    handle = world.go_online(codes[0], PHONE)
    answers = [follow(world, handle, code) for code in codes[1:]]
    assert answers == [None] * MOST_FOLLOWERS + [NotExtended.TOO_MANY]


def test_where_the_nas_ends_the_first_the_device_comes_back_on_the_second_by_its_mac(world: World) -> None:
    first, second = world.voucher(minutes=60), world.voucher(minutes=30)
    handle = world.go_online(first, PHONE)
    world.wait(minutes=5)
    follow(world, handle, second)  # promised later than the first was used: what was used goes before it all the same
    world.wait(minutes=5)
    world.stop(handle, 600, f"session-{handle}")
    again = world.enter(PHONE.value, device=PHONE)
    assert isinstance(again, Admitted)
    assert again.granted.seconds_left == 50 * 60, "the first has its time yet"
    world.wait(minutes=50)
    after = world.enter(PHONE.value, device=PHONE)
    assert isinstance(after, Admitted)
    assert after.granted.seconds_left == 30 * 60
    assert world.stored(second).first_used_at == world.now


def test_a_device_whose_volume_is_used_up_comes_back_on_the_second(world: World) -> None:
    first, second = world.voucher(minutes=600, megabytes=1), world.voucher(minutes=30)
    handle = world.go_online(first, PHONE)
    follow(world, handle, second)
    world.stop(handle, 60, f"session-{handle}", octets_to_guest=2 * MEGABYTE)
    after = world.enter(PHONE.value, device=PHONE)
    assert isinstance(after, Admitted)
    assert (after.granted.seconds_left, after.granted.octets_left) == (30 * 60, None)


def test_a_nas_that_lets_the_guest_in_anew_is_told_again(world: World) -> None:
    first, second = world.voucher(minutes=60), world.voucher(minutes=30)
    handle = world.go_online(first, PHONE)
    follow(world, handle, second)
    told_limits(world)
    forget_orders(world)
    world.keep_house()
    assert told_limits(world) == []
    world.wait(minutes=10)
    world.get_in(first, device=PHONE, access_point=world.place.access_points[1])
    world.keep_house()
    (limits,) = told_limits(world)
    assert limits.granted.seconds_left == 80 * 60
    forget_orders(world)
    world.keep_house()
    assert told_limits(world) == []


@pytest.mark.parametrize("by_mac", [True, False])
def test_a_device_is_remembered_for_the_next_voucher_only_where_it_may_come_by_mac(
    make_world: MakeWorld, by_mac: bool
) -> None:
    ways = (LoginWay.VOUCHER, LoginWay.MAC) if by_mac else (LoginWay.VOUCHER,)
    world = make_world(logins=ways)
    first, second = world.voucher(minutes=60), world.voucher(minutes=30)
    follow(world, world.go_online(first, PHONE), second)
    with world.database.read() as session:
        promised = session.scalars(select(VoucherDevice.voucher_id).where(VoucherDevice.promised_at.is_not(None))).all()
    assert promised == ([world.voucher_id(second)] if by_mac else [])


def test_an_extension_is_forgotten_once_nobody_can_use_it(world: World) -> None:
    first, second = world.voucher(minutes=60), world.voucher(minutes=30)
    handle = world.go_online(first, PHONE)
    follow(world, handle, second)
    world.stop(handle, 60, f"session-{handle}")
    world.keep_house()
    assert extensions(world) == 1
    world.wait(minutes=61)
    world.keep_house()
    assert extensions(world) == 0


def test_a_change_of_limits_waits_once(world: World) -> None:
    first, second, third = (world.voucher(minutes=30) for _ in range(3))
    handle = world.go_online(first, PHONE)
    follow(world, handle, second)
    follow(world, handle, third)
    with world.database.read() as session:
        kinds = session.scalars(select(Disconnect.kind)).all()
    assert kinds == [OrderKind.COA]
