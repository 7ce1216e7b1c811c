"""The whole chain to a NAS and back: an order in the outbox, a request over UDP, a scripted NAS, and what became of the visit."""

import threading
import time
from collections.abc import Callable
from datetime import timedelta

import pytest
from sqlalchemy import select, update

from hotspot.audit import COMMAND_LINE
from hotspot.database import Database
from hotspot.keys import Keyring
from hotspot.mac import Mac
from hotspot.nas_changes import change_secret
from hotspot.place import Nas, SiteKind, announce_change
from radius.coa import SILENT_AFTER, Sender
from sessions.admit import Admitted
from sessions.orders import LEASE
from sessions.outbox import change_limits, claim
from sessions.visit import CloseCause, Disconnect, OrderKind, Outcome, Visit, VisitState
from tests import factories
from tests.conftest import NOON
from tests.radius import nas_peer, wire
from tests.radius.nas_peer import Asked, Peer, acknowledges, ignores, in_turn, refuses
from tests.sessions import test_calling_back
from tests.sessions.world import World

SECRET = factories.SECRET.encode()
NAS_ADDRESS = "127.0.0.1"
PHONE, TABLET = Mac("0A-00-00-00-00-01"), Mac("0A-00-00-00-00-02")
CHILLISPOT, MAX_TOTAL_OCTETS, MAX_TOTAL_GIGAWORDS = 14559, 3, 23
GIGAWORD = 1 << 32
NAS_IPV6_ADDRESS = 95


@pytest.fixture
def make_world(database: Database, keyring: Keyring) -> Callable[..., World]:
    """A place whose NAS listens on loopback for what the PoP tells it."""

    def make(peer: Peer, make: str = "coovachilli", network: str = "127.0.0.1/32") -> World:
        with database.write() as session:
            place = factories.a_place(
                session, keyring, SiteKind.MULTI, access_points=2, make=make, network=network, coa_port=peer.port
            )
            place.nas.accounting_heard_at = NOON
            snapshot = factories.directory(session, keyring)
        return World(database, keyring, place, snapshot)

    return make


def online(world: World, code: str, device: Mac = PHONE, session: str = "5f3a01", **told: object) -> str:
    """A guest who has logged in and whose session has begun; returns the visit's handle."""
    handle = world.get_in(code, device=device)
    world.start(handle, session, **{"device": device, "nas_address": NAS_ADDRESS, "framed_address": "10.9.0.7", **told})
    return handle


def sender(world: World) -> Sender:
    """A sender that lives by the world's clock."""
    return Sender(world.database, world.keyring, lambda: world.now, NAS_ADDRESS)


def send_until(world: World, done: Callable[[], bool], *, by: Sender | None = None, seconds: float = 5.0) -> None:
    """Turn a sender until something is true, and fail when it is not within `seconds`."""
    one = by or sender(world)
    deadline = time.monotonic() + seconds
    try:
        while not done():
            assert time.monotonic() < deadline, "not in time"
            one.turn(time.monotonic())
    finally:
        if by is None:
            one.close()


def is_closed(world: World, handle: str) -> Callable[[], bool]:
    return lambda: world.visit(handle).state is VisitState.CLOSED


def rows(world: World) -> list[Disconnect]:
    with world.database.read() as session:
        return list(session.scalars(select(Disconnect).order_by(Disconnect.id)))


def outcomes(world: World) -> list[Outcome | None]:
    return [row.outcome for row in rows(world)]


def test_a_revoked_voucher_ends_its_visit_within_five_seconds(make_world: Callable[..., World]) -> None:
    with Peer(SECRET, acknowledges) as peer:
        world = make_world(peer)
        code = world.voucher()
        handle = online(world, code)
        world.revoke(code)
        assert world.visit(handle).runs
        send_until(world, is_closed(world, handle))
    (request,) = peer.asked
    assert request.code == nas_peer.DISCONNECT_REQUEST
    assert request.first(wire.ACCT_SESSION_ID) == b"5f3a01"
    assert request.first(wire.CALLING_STATION_ID) == PHONE.value.encode()
    assert request.first(nas_peer.FRAMED_IP_ADDRESS) == bytes((10, 9, 0, 7))
    assert request.first(wire.EVENT_TIMESTAMP) == wire.integer(int(world.now.timestamp()))
    assert request.attributes[0][0] == wire.MESSAGE_AUTHENTICATOR
    assert request.first(wire.NAS_IP_ADDRESS) == bytes((127, 0, 0, 1))
    visit = world.visit(handle)
    assert (visit.close_cause, world.running()) == (CloseCause.REVOKED, 0)
    assert outcomes(world) == [Outcome.ACKNOWLEDGED]


def test_a_stop_that_comes_after_the_acknowledgement_still_counts(make_world: Callable[..., World]) -> None:
    with Peer(SECRET, acknowledges) as peer:
        world = make_world(peer)
        code = world.voucher()
        handle = online(world, code)
        world.revoke(code)
        send_until(world, is_closed(world, handle))
    world.wait(seconds=2)
    world.stop(handle, 90, "5f3a01", octets_to_guest=5000, device=PHONE)
    (leg,) = world.legs(handle)
    assert (leg.octets_to_guest, leg.seconds) == (5000, 90)
    assert world.visit(handle).close_cause is CloseCause.REVOKED


def test_a_nas_that_knows_no_such_session_ends_the_visit_too(make_world: Callable[..., World]) -> None:
    with Peer(SECRET, refuses(503)) as peer:
        world = make_world(peer)
        code = world.voucher()
        handle = online(world, code)
        world.revoke(code)
        send_until(world, is_closed(world, handle))
    assert outcomes(world) == [Outcome.ALREADY_GONE]


@pytest.mark.parametrize("error_cause", [401, 403])
def test_a_nas_that_refuses_an_attribute_is_asked_once_more_with_the_least(
    make_world: Callable[..., World], error_cause: int
) -> None:
    with Peer(SECRET, in_turn(refuses(error_cause), acknowledges)) as peer:
        world = make_world(peer)
        code = world.voucher()
        handle = online(world, code)
        world.revoke(code)
        send_until(world, is_closed(world, handle))
    assert wire.CALLING_STATION_ID in peer.asked[0].kinds
    assert peer.asked[1].kinds == {wire.USER_NAME, wire.ACCT_SESSION_ID}
    assert len(peer.asked) == 2


@pytest.mark.parametrize("error_cause", [401, 403])
def test_a_code_is_never_all_that_a_request_says_for_it_would_end_other_devices_too(
    make_world: Callable[..., World], error_cause: int
) -> None:
    with Peer(SECRET, in_turn(refuses(error_cause), acknowledges)) as peer:
        world = make_world(peer, make="generic")
        code = world.voucher()
        (admitted,) = world.admit(world.login(code, device=PHONE)._replace(nas_address=NAS_ADDRESS))
        assert isinstance(admitted, Admitted)
        world.revoke(code)
        send_until(world, is_closed(world, admitted.handle))
    assert peer.asked[1].kinds == {wire.USER_NAME, wire.CALLING_STATION_ID}


def test_what_cannot_be_read_is_given_up_and_stops_nobody_else(make_world: Callable[..., World]) -> None:
    with Peer(SECRET, acknowledges) as peer:
        world = make_world(peer)
        codes = world.vouchers(3)
        handles = [online(world, code, factories.a_mac(n), f"s-{n}") for n, code in enumerate(codes)]
        with world.database.write() as session:
            session.execute(update(Visit).where(Visit.handle == handles[1]).values(identifiers=b"\0" * 60))
        for code in codes:
            world.revoke(code)
        send_until(world, lambda: None not in outcomes(world))
    assert outcomes(world) == [Outcome.ACKNOWLEDGED, Outcome.GIVEN_UP, Outcome.ACKNOWLEDGED]
    assert [world.visit(handle).runs for handle in handles] == [False, True, False]


def test_what_cannot_be_read_any_more_is_settled_by_what_the_nas_says(make_world: Callable[..., World]) -> None:
    worlds: list[World] = []

    def meanwhile(peer: Peer, request: Asked) -> bytes | None:
        with worlds[0].database.write() as session:
            session.execute(update(Visit).where(Visit.handle == handle).values(identifiers=b"\0" * 60))
        return acknowledges(peer, request)

    with Peer(SECRET, meanwhile) as peer:
        world = make_world(peer)
        worlds.append(world)
        code = world.voucher()
        handle = online(world, code)
        world.revoke(code)
        send_until(world, is_closed(world, handle))
    assert outcomes(world) == [Outcome.ACKNOWLEDGED]


def test_another_refusal_is_tried_again_later_and_later(make_world: Callable[..., World]) -> None:
    with Peer(SECRET, refuses(501)) as peer:
        world = make_world(peer)
        code = world.voucher()
        online(world, code)
        world.revoke(code)
        pauses = []
        for _ in range(8):
            send_until(world, lambda: rows(world)[0].due_at - world.now not in (timedelta(0), LEASE))
            pauses.append((rows(world)[0].due_at - world.now).total_seconds())
            world.now = rows(world)[0].due_at
    assert pauses == [1, 2, 4, 8, 16, 32, 60, 60]


def test_a_retransmission_is_the_same_to_the_last_octet(make_world: Callable[..., World]) -> None:
    with Peer(SECRET, in_turn(ignores, ignores, acknowledges)) as peer:
        world = make_world(peer)
        code = world.voucher()
        handle = online(world, code)
        world.revoke(code)
        send_until(world, is_closed(world, handle))
    assert len(peer.asked) == 3
    assert len({request.octets for request in peer.asked}) == 1


def test_a_reply_signed_with_another_secret_is_ignored(make_world: Callable[..., World]) -> None:
    def lies_first(peer: Peer, request: Asked) -> bytes | None:
        peer.say(nas_peer.reply(request, b"another secret", nas_peer.DISCONNECT_ACK))
        peer.say(b"\x29")
        return nas_peer.reply(request, peer.secret, nas_peer.DISCONNECT_NAK, [(101, wire.integer(501))])

    with Peer(SECRET, lies_first) as peer:
        world = make_world(peer)
        code = world.voucher()
        handle = online(world, code)
        world.revoke(code)
        send_until(world, lambda: bool(peer.asked) and rows(world)[0].due_at - world.now < LEASE)
    assert world.visit(handle).runs


def test_what_a_sender_had_under_way_when_it_died_is_sent_by_the_next(make_world: Callable[..., World]) -> None:
    with Peer(SECRET, in_turn(ignores, acknowledges)) as peer:
        world = make_world(peer)
        code = world.voucher()
        handle = online(world, code)
        world.revoke(code)
        send_until(world, lambda: bool(peer.asked))
        following = sender(world)
        following.turn(time.monotonic())
        assert len(peer.asked) == 1, "the lease of the one that died still runs"
        world.wait(seconds=LEASE.total_seconds())
        send_until(world, is_closed(world, handle), by=following)
        following.close()
    assert len(peer.asked) == 2
    assert peer.asked[0].octets != peer.asked[1].octets


def test_several_senders_send_each_order_once(make_world: Callable[..., World]) -> None:
    with Peer(SECRET, acknowledges) as peer:
        world = make_world(peer)
        codes = world.vouchers(30)
        for number, code in enumerate(codes):
            online(world, code, factories.a_mac(number), f"s-{number}")
        for code in codes:
            world.revoke(code)
        stop = threading.Event()
        senders = [threading.Thread(target=sender(world).run, args=(stop,)) for _ in range(3)]
        for thread in senders:
            thread.start()
        deadline = time.monotonic() + 8
        while world.running() and time.monotonic() < deadline:
            time.sleep(0.05)
        stop.set()
        for thread in senders:
            thread.join(5)
    assert world.running() == 0
    assert sorted(request.first(wire.ACCT_SESSION_ID) or b"" for request in peer.asked) == sorted(
        f"s-{number}".encode() for number in range(30)
    )


def test_a_reply_that_comes_after_the_attempt_changes_nothing(make_world: Callable[..., World]) -> None:
    with Peer(SECRET, ignores) as peer:
        world = make_world(peer)
        code = world.voucher()
        handle = online(world, code)
        world.revoke(code)
        one = sender(world)
        send_until(world, lambda: rows(world)[0].due_at - world.now == timedelta(seconds=1), by=one, seconds=7)
        peer.say(nas_peer.reply(peer.asked[0], SECRET, nas_peer.DISCONNECT_ACK))
        one.turn(time.monotonic())
        assert world.visit(handle).runs
        peer.script = refuses(503)
        world.wait(seconds=1)
        send_until(world, is_closed(world, handle), by=one)
        one.close()
    assert outcomes(world) == [Outcome.ALREADY_GONE]


def test_a_silent_nas_delays_no_other(make_world: Callable[..., World]) -> None:
    with Peer(SECRET, ignores) as silent, Peer(SECRET, acknowledges, host="127.0.0.2") as quick:
        world = make_world(silent)
        codes = world.vouchers(130)
        for number, code in enumerate(codes):
            online(world, code, factories.a_mac(number), f"s-{number}")
        with world.database.write() as session:
            nas = factories.a_nas(session, world.keyring, make="generic", network="127.0.0.2/32", coa_port=quick.port)
            nas.accounting_heard_at = NOON
            announce_change(session)
        world.reload()
        last = world.voucher()
        handle = world.get_in(last, device=PHONE)
        world.start(handle, "other", nas=nas, nas_address="127.0.0.2", device=PHONE)
        for code in [*codes, last]:
            world.revoke(code)
        began = time.monotonic()
        send_until(world, is_closed(world, handle))
        assert time.monotonic() - began < SILENT_AFTER / 2


def test_nothing_goes_to_an_address_outside_the_nas_network(make_world: Callable[..., World]) -> None:
    with Peer(SECRET, acknowledges) as peer:
        world = make_world(peer, network="10.44.0.0/24")
        code = world.voucher()
        handle = online(world, code)
        world.revoke(code)
        send_until(world, lambda: rows(world)[0].due_at - world.now == timedelta(seconds=1))
    assert peer.asked == []
    assert world.visit(handle).runs


def test_a_nas_that_still_has_the_secret_of_before_is_told_with_that(make_world: Callable[..., World]) -> None:
    with Peer(SECRET, acknowledges) as peer:
        world = make_world(peer)
        code = world.voucher()
        handle = online(world, code)
        with world.database.write() as session:
            nas = session.get_one(Nas, world.place.nas.id)
            change_secret(
                session, COMMAND_LINE, world.keyring, nas, "the secret of tomorrow", timedelta(days=1), world.now
            )
        world.revoke(code)
        one = sender(world)
        send_until(world, lambda: rows(world)[0].due_at - world.now == timedelta(seconds=1), by=one, seconds=7)
        assert (peer.bad, peer.asked) == (3, [])
        world.wait(seconds=1)
        send_until(world, is_closed(world, handle), by=one)
        one.close()


def test_a_nas_with_an_address_of_ipv6_is_told_there(make_world: Callable[..., World]) -> None:
    with Peer(SECRET, acknowledges, host="::1") as peer:
        world = make_world(peer, network="::1/128")
        code = world.voucher()
        handle = online(world, code, nas_address="::1")
        world.revoke(code)
        send_until(world, is_closed(world, handle))
    assert peer.asked[0].first(NAS_IPV6_ADDRESS) == bytes(15) + b"\1"


def test_hostapd_gets_nothing_it_would_refuse(make_world: Callable[..., World]) -> None:
    with Peer(SECRET, acknowledges) as peer:
        world = make_world(peer, make="hostapd")
        code = world.voucher()
        handle = online(world, code)
        world.revoke(code)
        send_until(world, is_closed(world, handle))
    (request,) = peer.asked
    stamps = {wire.EVENT_TIMESTAMP, wire.MESSAGE_AUTHENTICATOR}
    assert request.kinds == {wire.ACCT_SESSION_ID, wire.CALLING_STATION_ID} | stamps


def test_coovachilli_is_not_told_a_code_alone_for_it_would_end_all_its_devices(
    make_world: Callable[..., World],
) -> None:
    with Peer(SECRET, acknowledges) as peer:
        world = make_world(peer)
        code = world.voucher()
        # As between Access-Accept and Start: the NAS has not told its session's id yet.
        (admitted,) = world.admit(world.login(code, device=PHONE)._replace(nas_address=NAS_ADDRESS))
        assert isinstance(admitted, Admitted)
        world.revoke(code)
        send_until(world, lambda: rows(world)[0].due_at - world.now == timedelta(seconds=1))
    assert peer.asked == []
    assert world.visit(admitted.handle).runs


def test_a_session_that_has_ended_by_itself_is_not_disturbed(make_world: Callable[..., World]) -> None:
    with Peer(SECRET, acknowledges) as peer:
        world = make_world(peer)
        code = world.voucher()
        handle = online(world, code)
        world.revoke(code)
        world.stop(handle, 10, "5f3a01", device=PHONE)
        send_until(world, lambda: outcomes(world) == [Outcome.MOOT])
    assert peer.asked == []


def test_a_guest_who_roams_meanwhile_is_ended_where_he_is(make_world: Callable[..., World]) -> None:
    worlds: list[World] = []

    def roams(peer: Peer, request: Asked) -> bytes | None:
        world = worlds[0]
        if len(peer.asked) == 1:
            world.wait(seconds=1)
            world.start(handle, "5f3a02", device=PHONE, nas_address=NAS_ADDRESS)
        return acknowledges(peer, request)

    with Peer(SECRET, roams) as peer:
        world = make_world(peer)
        worlds.append(world)
        code = world.voucher()
        handle = online(world, code)
        world.revoke(code)
        send_until(world, is_closed(world, handle))
    assert [request.first(wire.ACCT_SESSION_ID) for request in peer.asked] == [b"5f3a01", b"5f3a02"]


def test_a_visit_whose_nas_forgets_its_time_is_ended_by_the_clock_of_the_pop(
    make_world: Callable[..., World],
) -> None:
    with Peer(SECRET, acknowledges) as peer:
        world = make_world(peer)
        code = world.voucher(minutes=60)
        handle = online(world, code)
        world.wait(minutes=50)
        world.interim(handle, 3000, "5f3a01", device=PHONE)
        world.wait(minutes=11)
        world.keep_house()
        send_until(world, is_closed(world, handle))
    assert world.visit(handle).close_cause is CloseCause.OVER


def test_a_visit_that_has_used_up_its_volume_is_ended(make_world: Callable[..., World]) -> None:
    with Peer(SECRET, acknowledges) as peer:
        world = make_world(peer, make="generic")
        code = world.voucher(megabytes=1)
        handle = online(world, code)
        world.wait(seconds=60)
        world.interim(handle, 60, "5f3a01", device=PHONE, octets_to_guest=1_000_001)
        send_until(world, is_closed(world, handle))
    assert world.visit(handle).close_cause is CloseCause.OVER


def test_an_order_is_given_up_after_a_day(make_world: Callable[..., World]) -> None:
    with Peer(SECRET, acknowledges) as peer:
        world = make_world(peer)
        code = world.voucher()
        online(world, code)
        world.revoke(code)
        world.wait(hours=24, seconds=1)
        send_until(world, lambda: outcomes(world) == [Outcome.GIVEN_UP])
    assert peer.asked == []


def test_new_limits_of_a_chilli_count_from_the_start_of_its_session(make_world: Callable[..., World]) -> None:
    with Peer(SECRET, acknowledges) as peer:
        world = make_world(peer)
        code = world.voucher(minutes=60, megabytes=9000, devices=2, down_kbit=2000)
        phone = online(world, code)
        world.wait(seconds=300)
        world.interim(phone, 300, "5f3a01", device=PHONE, octets_to_guest=1_000_000_000)
        world.wait(seconds=30)
        tablet = world.get_in(code, device=TABLET)
        with world.database.write() as session:
            assert change_limits(session, world.voucher_id(code), world.now, except_handle=tablet) == 1
        send_until(world, lambda: outcomes(world) == [Outcome.ACKNOWLEDGED])
    (request,) = peer.asked
    assert request.code == nas_peer.COA_REQUEST
    assert request.first(wire.ACCT_SESSION_ID) == b"5f3a01"
    assert request.first(wire.SESSION_TIMEOUT) == wire.integer(3600)
    assert request.first(nas_peer.IDLE_TIMEOUT) == wire.integer(900)
    assert request.first(nas_peer.ACCT_INTERIM_INTERVAL) == wire.integer(60)
    used = 1_000_000_000
    total = used + (9000 * 1_000_000 - used) // 2
    assert request.vendor(CHILLISPOT, MAX_TOTAL_GIGAWORDS) == total // GIGAWORD
    assert request.vendor(CHILLISPOT, MAX_TOTAL_OCTETS) == total % GIGAWORD
    assert request.vendor(CHILLISPOT, 5) == 2000


def test_new_limits_are_not_told_to_a_make_whose_coa_is_not_known(make_world: Callable[..., World]) -> None:
    with Peer(SECRET, acknowledges) as peer:
        world = make_world(peer, make="generic")
        code = world.voucher(megabytes=10, devices=2)
        online(world, code)
        with world.database.write() as session:
            change_limits(session, world.voucher_id(code), world.now)
        send_until(world, lambda: outcomes(world) == [Outcome.NOT_TAKEN])
    assert peer.asked == []


def test_limits_that_change_again_while_they_are_told_are_told_again(make_world: Callable[..., World]) -> None:
    worlds: list[World] = []

    def meanwhile(peer: Peer, request: Asked) -> bytes | None:
        if len(peer.asked) == 1:
            world = worlds[0]
            world.wait(seconds=1)
            with world.database.write() as session:
                change_limits(session, world.voucher_id(code), world.now)
        return acknowledges(peer, request)

    with Peer(SECRET, meanwhile) as peer:
        world = make_world(peer)
        worlds.append(world)
        code = world.voucher(megabytes=10, devices=2)
        online(world, code)
        with world.database.write() as session:
            change_limits(session, world.voucher_id(code), world.now)
        send_until(world, lambda: outcomes(world) == [Outcome.ACKNOWLEDGED] and len(peer.asked) == 2)


def test_an_order_for_new_limits_does_not_keep_a_visit_from_being_ended(make_world: Callable[..., World]) -> None:
    with Peer(SECRET, ignores) as peer:
        world = make_world(peer)
        code = world.voucher(minutes=60)
        online(world, code)
        with world.database.write() as session:
            change_limits(session, world.voucher_id(code), world.now)
        world.wait(minutes=61)
        world.keep_house()
    assert [row.kind for row in rows(world)] == [OrderKind.COA, OrderKind.DISCONNECT]


def test_a_claim_is_one_senders_alone(make_world: Callable[..., World]) -> None:
    with Peer(SECRET, ignores) as peer:
        world = make_world(peer)
        code = world.voucher()
        online(world, code)
        world.revoke(code)
    claims = []
    for _ in range(2):
        with world.database.write() as session:
            claims.append(claim(session, world.keyring, world.directory, world.now).orders)
    assert [len(orders) for orders in claims] == [1, 0]


@pytest.mark.parametrize("make", ["generic", "hostapd"])
def test_a_device_that_is_called_back_is_named_by_its_mac_and_its_visit_goes_on(
    make_world: Callable[..., World], make: str
) -> None:
    with Peer(SECRET, acknowledges) as peer:
        world = make_world(peer, make=make)
        handle = test_calling_back.ask(world, world.voucher())
        send_until(world, lambda: outcomes(world) == [Outcome.ACKNOWLEDGED])
    (request,) = peer.asked
    assert request.code == nas_peer.DISCONNECT_REQUEST
    assert request.first(wire.CALLING_STATION_ID) == test_calling_back.PHONE.value.encode()
    assert request.first(wire.ACCT_SESSION_ID) is None
    assert world.visit(handle).state is VisitState.ASKED
    assert world.get_in(test_calling_back.PHONE.value, device=test_calling_back.PHONE) == handle
