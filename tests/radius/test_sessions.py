"""Whole sessions over UDP as NAS report them in the wild: what is lost, late, repeated, renumbered, wrapped or badly timed."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta

import pytest
from sqlalchemy import select

from hotspot.audit import COMMAND_LINE
from hotspot.database import Database
from hotspot.directory import load_directory
from hotspot.enrolment import NewAccessPoint, NewSite, add_access_points, add_customer, add_site
from hotspot.keys import Keyring
from hotspot.mac import Mac
from hotspot.nas import NewNas, add_nas
from hotspot.place import LoginWay, SiteKind
from hotspot.settings import Settings
from sessions.housekeeping import Round, keep_house
from sessions.visit import CloseCause, Leg, Visit, VisitState
from tests.radius import wire
from tests.radius.pop import SECRET, Clockwork, Pop, serving
from vouchers.passes import Clock, Terms

KEY = SECRET.encode()
START, STOP, INTERIM, ON, OFF = 1, 2, 3, 7, 8
# Two access points, and the two NAS of one network that speak for them.
LOBBY, GARDEN = "02-00-00-00-00-01", "02-00-00-00-00-02"
SSID = "Markt"
WRAP = 2**32


@dataclass
class Guest:
    """A device with a voucher."""

    code: str
    mac: str
    class_: bytes | None = None


@dataclass
class Multi:
    """A Multi site behind a PoP."""

    pop: Pop

    def guest(self) -> Guest:
        """Somebody with a voucher of a day."""
        mac = self.pop.device()
        [code] = self.pop.codes(1, Terms(Clock.FIRST_USE, minutes=1440), slug=f"day-{mac.lower()}")
        return Guest(code, mac)

    def login(self, guest: Guest, called: str = LOBBY, nas: str = "first") -> int:
        """An Access-Request; keeps the Class."""
        attributes = [*_where(called, nas), *_who(guest), (wire.USER_NAME, guest.code.encode())]
        answer = wire.ask(self.pop.auth_port, wire.access_request(attributes, KEY, password=guest.code.encode()))
        assert answer is not None
        guest.class_ = answer.first(wire.CLASS) or guest.class_
        return answer.code

    def report(
        self, status: int, guest: Guest | None = None, session: str = "s1", *, called: str | None = LOBBY,
        nas: str = "first", more: wire.Attributes | None = None, **counters: int,
    ) -> None:  # fmt: skip
        """An Accounting-Request that has to be acknowledged."""
        attributes = [(wire.ACCT_STATUS_TYPE, wire.integer(status)), *_where(called, nas), *(more or [])]
        if guest:
            attributes += [*_who(guest), (wire.ACCT_SESSION_ID, session.encode())]
            attributes += [(wire.CLASS, guest.class_)] if guest.class_ else [(wire.USER_NAME, guest.code.encode())]
        attributes += [(_COUNTERS[name], wire.integer(value)) for name, value in counters.items()]
        answer = wire.ask(self.pop.acct_port, wire.accounting_request(attributes, KEY))
        assert answer is not None
        assert answer.code == wire.ACCOUNTING_RESPONSE

    def wait(self, seconds: float) -> None:
        """Turn the clock."""
        self.pop.clock.ahead += seconds

    def visits(self) -> list[Visit]:
        """All visits, the oldest first."""
        with self.pop.database.read() as session:
            return list(session.scalars(select(Visit).order_by(Visit.id)))

    def visit(self) -> Visit:
        """The only visit."""
        [visit] = self.visits()
        return visit

    def legs(self) -> list[Leg]:
        """All legs, the oldest first."""
        with self.pop.database.read() as session:
            return list(session.scalars(select(Leg).order_by(Leg.id)))

    def octets(self) -> list[int]:
        """What each leg had from its guest."""
        return [leg.octets_from_guest for leg in self.legs()]

    def now(self) -> datetime:
        """The PoP's clock."""
        return self.pop.clock()


_COUNTERS = {
    "seconds": wire.ACCT_SESSION_TIME,
    "up": wire.ACCT_INPUT_OCTETS,
    "down": wire.ACCT_OUTPUT_OCTETS,
    "up_gigawords": wire.ACCT_INPUT_GIGAWORDS,
    "delay": wire.ACCT_DELAY_TIME,
    "stamp": wire.EVENT_TIMESTAMP,
}


def _where(called: str | None, nas: str) -> wire.Attributes:
    named = [(wire.CALLED_STATION_ID, f"{called}:{SSID}".encode())] if called else []
    return [(wire.NAS_IDENTIFIER, nas.encode()), *named]


def _who(guest: Guest) -> wire.Attributes:
    return [(wire.CALLING_STATION_ID, guest.mac.encode())]


@pytest.fixture
def multi(database: Database, keyring: Keyring, settings: Settings) -> Iterator[Multi]:
    """The place, and the server on loopback."""
    clock = Clockwork()
    with database.write() as session:
        customer = add_customer(session, COMMAND_LINE, "Gasthof am Markt", clock())
        site = add_site(session, COMMAND_LINE, customer, NewSite("markt", "Markt", SiteKind.MULTI, SSID), clock())
        points = [NewAccessPoint(name, (Mac(mac),)) for name, mac in (("Lobby", LOBBY), ("Garden", GARDEN))]
        add_access_points(session, COMMAND_LINE, site, points, clock())
        for name in ("first", "second"):
            nas = NewNas(name, "127.0.0.1/32", "generic", SECRET, nas_identifier=name, logins=(LoginWay.VOUCHER,))
            add_nas(session, COMMAND_LINE, keyring, nas, None, clock())
    with serving(Pop(database, keyring, settings, clock)) as pop:
        yield Multi(pop)


def test_accounting_on_ends_the_visits_of_the_access_point_it_names_and_no_others(multi: Multi) -> None:
    """hostapd sends On and Off per BSS, so the address alone would end its neighbours too."""
    here, there = multi.guest(), multi.guest()
    for guest, called in ((here, LOBBY), (there, GARDEN)):
        multi.login(guest, called)
        multi.report(START, guest, guest.mac, called=called)
    multi.wait(10)
    multi.report(ON, called=GARDEN)
    assert [visit.close_cause for visit in multi.visits()] == [None, CloseCause.NAS_RESTART]


@pytest.mark.parametrize("status", [ON, OFF])
def test_accounting_on_without_a_place_ends_the_visits_of_the_nas_that_says_so(multi: Multi, status: int) -> None:
    """Both NAS have the same address: the identity tells."""
    first, second = multi.guest(), multi.guest()
    for guest, nas in ((first, "first"), (second, "second")):
        multi.login(guest, nas=nas)
        multi.report(START, guest, guest.mac, nas=nas)
    multi.wait(10)
    multi.report(status, called=None, nas="second")
    assert [visit.close_cause for visit in multi.visits()] == [None, CloseCause.NAS_RESTART]


def test_a_lost_start_is_made_up_for_by_the_first_interim(multi: Multi) -> None:
    guest = multi.guest()
    multi.login(guest)
    multi.wait(600)
    multi.report(INTERIM, guest, seconds=590, up=7)
    [leg] = multi.legs()
    assert multi.visit().state is VisitState.OPEN
    assert abs(multi.now() - leg.started_at - timedelta(seconds=590)) < timedelta(seconds=10)


def test_a_lost_stop_does_not_keep_the_guest_out(multi: Multi) -> None:
    guest = multi.guest()
    multi.login(guest)
    multi.report(START, guest, up=0)
    multi.wait(120)
    assert multi.login(guest, GARDEN) == wire.ACCESS_ACCEPT
    multi.report(START, guest, "s2", called=GARDEN)
    assert multi.visit().state is VisitState.OPEN


def test_late_and_reordered_records_change_nothing(multi: Multi) -> None:
    guest = multi.guest()
    multi.login(guest)
    multi.report(INTERIM, guest, seconds=300, up=300)
    multi.report(STOP, guest, seconds=600, up=600)
    multi.report(INTERIM, guest, seconds=450, up=450)
    multi.report(START, guest, delay=600)
    multi.report(STOP, guest, seconds=600, up=600, delay=5)
    [leg] = multi.legs()
    assert (leg.seconds, leg.octets_from_guest) == (600, 600)
    assert multi.visit().close_cause is CloseCause.STOPPED


def test_a_session_id_that_repeats_after_a_reboot_is_another_session(multi: Multi) -> None:
    guest = multi.guest()
    for round_ in range(3):
        multi.login(guest)
        multi.report(START, guest, "00000001")
        multi.wait(300)
        multi.report(INTERIM, guest, "00000001", seconds=300, up=1000 + round_)
        multi.wait(60)
        multi.report(ON, called=None)
        multi.wait(60)
    assert multi.octets() == [1000, 1001, 1002]


def test_a_session_id_that_repeats_though_nobody_told_of_the_reboot_is_another_session(multi: Multi) -> None:
    """The On was lost: the visit goes on, with the same Class and the same Acct-Session-Id, and counts from nothing."""
    guest = multi.guest()
    for up in (1000, 50):
        multi.login(guest)
        multi.report(START, guest, "00000001")
        multi.wait(300)
        multi.report(INTERIM, guest, "00000001", seconds=300, up=up)
        multi.wait(60)
    assert multi.octets() == [1000, 50]


@pytest.mark.parametrize("echoes", [True, False])
def test_a_guest_who_roams_is_not_thrown_out_by_the_late_stop_of_the_old_access_point(
    multi: Multi, echoes: bool
) -> None:
    guest = multi.guest()
    multi.login(guest)
    if not echoes:
        guest.class_ = None
    multi.report(START, guest, "old")
    multi.wait(60)
    multi.report(START, guest, "new", called=GARDEN)
    multi.wait(10)
    multi.report(STOP, guest, "old", seconds=60, up=5)
    visit = multi.visit()
    assert visit.state is VisitState.OPEN
    assert [leg.stopped_at is None for leg in multi.legs()] == [False, True]
    assert visit.access_point_id == multi.legs()[1].access_point_id
    multi.report(STOP, guest, "new", called=GARDEN, seconds=10, up=3)
    assert multi.visit().state is VisitState.CLOSED
    assert multi.octets() == [5, 3]


def test_places_of_a_nas_that_never_accounts_are_held_to_session_timeout_and_staff_hear_of_it(multi: Multi) -> None:
    def a_round() -> Round:
        with multi.pop.database.write() as session:
            return keep_house(session, load_directory(session, multi.pop.keyring), multi.now())

    guest = multi.guest()
    multi.login(guest)
    visit = multi.visit()
    assert visit.reserved_until is not None
    assert abs(visit.reserved_until - multi.now() - timedelta(days=1)) < timedelta(seconds=10)
    assert a_round().nas_without_accounting == frozenset()
    multi.wait(6 * 3600)
    done = a_round()
    assert (done.nas_without_accounting, done.never_started) == (frozenset({"first"}), 0)
    assert multi.visit().state is VisitState.RESERVED


def test_a_counter_that_wraps_without_gigawords_goes_on_beyond(multi: Multi) -> None:
    guest = multi.guest()
    multi.login(guest)
    reported = (3_000_000_000, 4_200_000_000, 500_000_000, 2_900_000_000, 4_000_000_000, 100)
    for number, up in enumerate(reported):
        multi.report(INTERIM, guest, seconds=300 * number, up=up)
        multi.wait(300)
    assert multi.octets() == [2 * WRAP + 100]


def test_a_record_that_is_late_is_no_counter_that_wraps(multi: Multi) -> None:
    guest = multi.guest()
    multi.login(guest)
    for seconds, up in ((600, 3_000_000_000), (300, 1_500_000_000), (900, 3_200_000_000), (600, 3_000_000_000)):
        multi.report(INTERIM, guest, seconds=seconds, up=up)
        multi.wait(5)
    assert multi.octets() == [3_200_000_000]


def test_a_late_record_with_much_less_on_it_is_no_counter_that_wraps(multi: Multi) -> None:
    """Its Acct-Session-Time is behind too: a counter that has wrapped comes with more time, not with less."""
    guest = multi.guest()
    multi.login(guest)
    for seconds, up in ((6000, 4_000_000_000), (300, 10_000_000), (6300, 4_100_000_000)):
        multi.report(INTERIM, guest, seconds=seconds, up=up)
        multi.wait(5)
    assert multi.octets() == [4_100_000_000]


def test_a_nas_with_gigawords_does_not_wrap(multi: Multi) -> None:
    guest = multi.guest()
    multi.login(guest)
    for number, (up_gigawords, up) in enumerate(((0, 4_000_000_000), (1, 5), (1, 4_000_000_000), (2, 7))):
        multi.report(INTERIM, guest, seconds=300 * number, up=up, up_gigawords=up_gigawords)
        multi.wait(300)
    assert multi.octets() == [2 * WRAP + 7]


def test_counters_beyond_all_reason_do_no_harm_to_what_comes_after(multi: Multi) -> None:
    """Their sums have to fit the database too, else the voucher could never be looked at again."""
    guest = multi.guest()
    worst = 2**32 - 1
    for session in ("s1", "s2", "s3"):
        multi.login(guest)
        multi.report(INTERIM, guest, session, more=[(53, wire.integer(worst)), (wire.ACCT_OUTPUT_OCTETS, bytes(4))],
                     seconds=worst, up=worst, up_gigawords=worst)  # fmt: skip
        multi.report(STOP, guest, session, seconds=worst)
    assert multi.login(guest) == wire.ACCESS_ACCEPT
    with multi.pop.database.write() as session_:
        keep_house(session_, load_directory(session_, multi.pop.keyring), multi.now() + timedelta(days=2))
    assert multi.login(guest) == wire.ACCESS_ACCEPT


@pytest.mark.parametrize("stamp", [0, 1, 946_684_800, 2**32 - 1])
def test_a_clock_that_is_wrong_moves_nothing(multi: Multi, stamp: int) -> None:
    guest = multi.guest()
    multi.login(guest)
    multi.report(START, guest, stamp=stamp)
    multi.wait(300)
    multi.report(INTERIM, guest, seconds=300, stamp=stamp)
    multi.report(STOP, guest, seconds=300, stamp=stamp)
    [leg] = multi.legs()
    assert leg.stopped_at is not None
    assert abs(leg.stopped_at - leg.started_at - timedelta(seconds=300)) < timedelta(seconds=10)
    assert abs(multi.now() - leg.stopped_at) < timedelta(seconds=10)


def test_a_record_that_was_held_up_tells_how_long(multi: Multi) -> None:
    guest = multi.guest()
    multi.login(guest)
    multi.wait(100)
    multi.report(START, guest, delay=90)
    for delay in (0, 5, 65):
        multi.wait(5)
        multi.report(STOP, guest, seconds=90, up=900, delay=delay)
    [leg] = multi.legs()
    assert abs(multi.now() - leg.started_at - timedelta(seconds=105)) < timedelta(seconds=10)
    assert leg.octets_from_guest == 900


@pytest.mark.parametrize(
    "called",
    ["02-00-00-00-00-02:Markt", "02:00:00:00:00:02:Markt", "0200.0000.0002:Markt", "020000000002", "02-00-00-00-00-02"],
)
def test_the_access_point_is_found_however_its_address_is_spelled(multi: Multi, called: str) -> None:
    guest = multi.guest()
    attributes = [(wire.NAS_IDENTIFIER, b"first"), (wire.CALLED_STATION_ID, called.encode())]
    attributes += [*_who(guest), (wire.USER_NAME, guest.code.encode())]
    answer = wire.ask(multi.pop.auth_port, wire.access_request(attributes, KEY, password=guest.code.encode()))
    assert answer is not None
    assert answer.code == wire.ACCESS_ACCEPT
    with multi.pop.database.read() as session:
        directory = load_directory(session, multi.pop.keyring)
    assert directory.access_points[multi.visit().access_point_id or 0].name == "Garden"
