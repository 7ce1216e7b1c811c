"""Devices that come online by their MAC: noted by the portal, called back by a Disconnect, let in by RADIUS."""

from collections.abc import Callable
from dataclasses import replace
from ipaddress import ip_network

from sqlalchemy import func, select, update
from sqlalchemy.orm import Session

from hotspot.audit import COMMAND_LINE
from hotspot.directory import NasRecord
from hotspot.legal import NOTHING_AGREED, Agreement, LegalKind, NewText, agreement_in_force, publish
from hotspot.limits import Limit
from sessions.calling_back import MOST_NOTES, ask_for_device
from sessions.offers import Wanted
from sessions.orders import Answer, Order
from sessions.outbox import claim, settle
from sessions.tickets import TICKET_LIFE
from sessions.usage import Account, accounts_by_id
from sessions.visit import Disconnect, Outcome, Visit, VisitState, hash_device
from tests import factories
from tests.sessions.world import World
from vouchers.admission import Reason, Refused
from vouchers.passes import Pass

MakeWorld = Callable[..., World]
UAM_SECRET = "the uam secret"
PHONE, NEIGHBOUR = factories.a_mac(1), factories.a_mac(2)


def ask(
    world: World,
    code: str | None = None,
    *,
    free: Pass | None = None,
    proved: bool = False,
    nas: NasRecord | None = None,
    agreement: Agreement = NOTHING_AGREED,
) -> str:
    """What the portal does for PHONE; returns the handle."""
    with world.database.write() as session:
        voucher = _account(session, world, code) if code else None
        wanted = Wanted(factories.located(world.directory, world.place.access_point), None, voucher, free)
        nas = nas or factories.nas_of(world.directory, world.place.nas)
        return ask_for_device(session, world.keyring, wanted, nas, PHONE, agreement, world.now, proved=proved).handle


def noted(world: World) -> int:
    """How many notes name PHONE."""
    with world.database.read() as session:
        here = Visit.device == hash_device(world.keyring, PHONE)
        return session.scalar(select(func.count()).select_from(Visit).where(here)) or 0


def _account(session: Session, world: World, code: str) -> Account:
    voucher_id = world.voucher_id(code)
    return accounts_by_id(session, {voucher_id}, world.now)[voucher_id]


def orders(world: World) -> tuple[Order, ...]:
    """What the sender of Disconnects takes from the outbox."""
    with world.database.write() as session:
        return claim(session, world.keyring, world.directory, world.now).orders


def outcomes(world: World) -> list[Outcome | None]:
    """What became of the orders."""
    with world.database.read() as session:
        return list(session.scalars(select(Disconnect.outcome).order_by(Disconnect.id)))


def test_a_noted_device_is_let_in_by_its_mac(world: World) -> None:
    assert world.reason(PHONE.value, device=PHONE) is Reason.UNKNOWN_DEVICE
    (code,) = world.vouchers(1)
    handle = ask(world, code)
    assert world.get_in(PHONE.value, device=PHONE) == handle
    assert world.visit(handle).voucher_id == world.voucher_id(code)
    assert world.reason(NEIGHBOUR.value, device=NEIGHBOUR) is Reason.UNKNOWN_DEVICE


def test_a_free_pass_is_taken_the_same_way(world: World) -> None:
    article = world.free_pass()
    handle = ask(world, free=article)
    assert world.get_in(PHONE.value, device=PHONE) == handle
    assert world.visit(handle).pass_id == article.id


def test_the_mac_has_to_be_the_password_too(world: World) -> None:
    ask(world, *world.vouchers(1))
    assert world.reason(PHONE.value, "something else", device=PHONE) is Reason.UNKNOWN_DEVICE


def test_a_note_is_good_for_ten_minutes(world: World) -> None:
    ask(world, *world.vouchers(1))
    world.now += TICKET_LIFE
    assert world.reason(PHONE.value, device=PHONE) is Reason.UNKNOWN_DEVICE


def test_of_two_notes_the_newer_counts_and_a_signed_one_before_what_the_device_had_before(
    make_world: MakeWorld,
) -> None:
    world = make_world(uam_secret=UAM_SECRET)
    old, first, second = world.vouchers(3)
    world.stop(world.go_online(old, PHONE))
    world.wait(minutes=1)
    with_old = world.get_in(PHONE.value, device=PHONE)
    assert world.visit(with_old).voucher_id == world.voucher_id(old)
    ask(world, first, proved=True)
    handle = ask(world, second, proved=True)
    assert world.get_in(PHONE.value, device=PHONE) == handle


def test_a_revoked_voucher_takes_its_note_along(world: World) -> None:
    (code,) = world.vouchers(1)
    ask(world, code)
    world.revoke(code)
    assert world.reason(PHONE.value, device=PHONE) is Reason.UNKNOWN_DEVICE


def test_the_nas_is_told_to_send_the_device_away_and_no_visit_ends_by_that(world: World) -> None:
    handle = ask(world, *world.vouchers(1))
    (order,) = orders(world)
    assert (order.cause, order.own_name) == (None, True)
    assert (order.identifiers.user_name, order.identifiers.mac) == (PHONE.value, PHONE.value)
    network = world.place.nas.network
    assert order.identifiers.nas_address == network.removesuffix("/32")
    # Race: the device is back before the acknowledgement is settled.
    world.get_in(PHONE.value, device=PHONE)
    with world.database.write() as session:
        assert settle(session, world.keyring, world.directory, [(order, Answer.ACKNOWLEDGED)], world.now) == 0
    assert world.visit(handle).state is VisitState.RESERVED
    assert outcomes(world) == [Outcome.ACKNOWLEDGED]


def test_a_device_that_is_back_is_not_sent_away_again(world: World) -> None:
    ask(world, *world.vouchers(1))
    (order,) = orders(world)
    with world.database.write() as session:
        settle(session, world.keyring, world.directory, [(order, Answer.SILENT)], world.now)
    world.get_in(PHONE.value, device=PHONE)
    world.wait(minutes=5)
    assert orders(world) == ()
    assert outcomes(world) == [Outcome.MOOT]


def test_whoever_names_a_neighbours_device_that_is_online_does_it_no_harm(world: World) -> None:
    own, strange = world.vouchers(2)
    online = world.go_online(own, PHONE)
    handle = ask(world, strange)
    assert world.visit(handle).device is None
    assert orders(world) == ()
    assert world.get_in(PHONE.value, device=PHONE) == online


def test_a_device_that_is_online_at_another_site_of_the_nas_is_left_alone_too(world: World) -> None:
    own, strange = world.vouchers(2)
    online = world.go_online(own, PHONE)
    with world.database.write() as session:
        elsewhere = factories.a_place(session, world.keyring)
        session.execute(update(Visit).where(Visit.handle == online).values(site_id=elsewhere.site.id))
    assert world.visit(ask(world, strange)).device is None
    assert orders(world) == ()


def test_a_device_that_the_gateway_has_signed_may_change_its_voucher(make_world: MakeWorld) -> None:
    world = make_world(uam_secret=UAM_SECRET)
    own, other = world.vouchers(2)
    world.go_online(own, PHONE)
    handle = ask(world, other, proved=True)
    assert world.visit(handle).device == hash_device(world.keyring, PHONE)
    assert len(orders(world)) == 1
    assert world.get_in(PHONE.value, device=PHONE) == handle


def test_a_note_that_nobody_has_signed_comes_after_what_the_device_has_itself(world: World) -> None:
    own, strange = world.vouchers(2)
    world.stop(handle := world.go_online(own, PHONE), 60, f"session-{handle}")
    note = ask(world, strange)
    back = world.get_in(PHONE.value, device=PHONE)
    assert world.visit(back).voucher_id == world.voucher_id(own)
    assert world.visit(note).state is VisitState.ASKED
    world.stop(back, 60, "session-back")
    world.revoke(own)
    assert world.get_in(PHONE.value, device=PHONE) == note, "where its own gives nothing more"


def test_nobody_has_a_device_refused_by_a_note_that_does_not_hold(world: World) -> None:
    own, liars = world.voucher(devices=1), world.voucher(devices=1)
    world.go_online(liars, NEIGHBOUR)
    mine = ask(world, own)
    world.wait(seconds=5)
    false = ask(world, liars)
    assert world.get_in(PHONE.value, device=PHONE) == mine
    assert world.visit(false).refusal == Refused(Reason.IN_USE).note


def test_what_is_noted_for_a_device_accepts_nothing_for_its_own_voucher(world: World) -> None:
    own, strange = world.voucher(devices=1), world.voucher(devices=1)
    world.stop(handle := world.go_online(own, PHONE), 60, f"session-{handle}")
    world.go_online(strange, NEIGHBOUR)
    with world.database.write() as session:
        publish(session, COMMAND_LINE, LegalKind.TERMS, [NewText("en", "Be kind.")], world.now, world.now)
        in_force = agreement_in_force(session, world.now)
    ask(world, strange, agreement=in_force)
    assert world.reason(PHONE.value, device=PHONE) is Reason.TERMS_CHANGED


def test_a_device_is_noted_once_for_a_voucher_and_for_few_in_all(world: World) -> None:
    codes, article = world.vouchers(MOST_NOTES + 1), world.free_pass()
    for _ in range(3):
        ask(world, codes[0])
        ask(world, free=article)
    assert noted(world) == 2
    for code in codes:
        ask(world, code)
    assert noted(world) == MOST_NOTES
    assert world.visit(ask(world, codes[0])).device == hash_device(world.keyring, PHONE), "it is noted for this already"
    assert world.visit(ask(world, codes[-1], proved=True)).device == hash_device(world.keyring, PHONE)
    world.now += TICKET_LIFE
    assert world.visit(ask(world, codes[-2])).device == hash_device(world.keyring, PHONE)


def test_where_the_nas_is_a_whole_network_the_guest_has_to_rejoin(world: World) -> None:
    nas = replace(factories.nas_of(world.directory, world.place.nas), network=ip_network("10.0.0.0/24"))
    handle = ask(world, *world.vouchers(1), nas=nas)
    assert orders(world) == ()
    assert world.get_in(PHONE.value, device=PHONE) == handle


def test_nobody_makes_the_pop_keep_a_device_away(world: World) -> None:
    article, allowed = world.free_pass(), Limit.CALLS_BACK_OF_DEVICE.allowed
    for _ in range(allowed + 2):
        ask(world, free=article)
    assert len(orders(world)) == allowed
