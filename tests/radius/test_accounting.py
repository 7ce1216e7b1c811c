"""Accounting-Requests over UDP: counted once, whatever the network does to them."""

import socket

import pytest
from sqlalchemy import select

from hotspot.database import Database
from hotspot.keys import Keyring
from hotspot.settings import Settings
from sessions.visit import Disconnect, Leg, Visit, VisitState
from tests.radius import wire
from tests.radius.pop import SECRET, Clockwork, Pop, lay_out, record_attributes, serving
from vouchers.passes import Clock, Terms

KEY = SECRET.encode()
START, STOP, INTERIM, ON, OFF = 1, 2, 3, 7, 8


def visits(pop: Pop) -> list[Visit]:
    with pop.database.read() as session:
        return list(session.scalars(select(Visit).order_by(Visit.id)))


def legs(pop: Pop) -> list[Leg]:
    with pop.database.read() as session:
        return list(session.scalars(select(Leg).order_by(Leg.id)))


def send(pop: Pop, status: int, session: str, device: str, *more: tuple[int, bytes]) -> None:
    """Send a record and see it acknowledged."""
    request = wire.accounting_request([*record_attributes(status, session, device), *more], KEY)
    answer = wire.ask(pop.acct_port, request)
    assert answer is not None
    assert answer.code == wire.ACCOUNTING_RESPONSE


def test_a_session_is_opened_counted_and_closed(pop: Pop) -> None:
    [code] = pop.codes(1)
    device = pop.device()
    class_ = pop.login(code, device)["Class"]
    assert pop.account("Start", "s-1", device, Class=class_).kind == "Accounting-Response"
    assert visits(pop)[0].state is VisitState.OPEN
    interim: dict[str, str | int] = {"Class": class_, "Acct-Session-Time": 60, "Acct-Input-Octets": 10}
    pop.account("Interim-Update", "s-1", device, **interim)
    stop: dict[str, str | int] = {**interim, "Acct-Session-Time": 90, "Acct-Input-Octets": 20}
    pop.account("Stop", "s-1", device, **stop, **{"Acct-Output-Octets": 500})
    [visit], [leg] = visits(pop), legs(pop)
    assert visit.state is VisitState.CLOSED
    assert (leg.seconds, leg.octets_from_guest, leg.octets_to_guest) == (90, 20, 500)


def test_gigawords_are_the_upper_half_of_a_counter(pop: Pop) -> None:
    [code] = pop.codes(1)
    device = pop.device()
    pop.login(code, device)
    more = [(wire.USER_NAME, code.encode()), (wire.ACCT_INPUT_OCTETS, wire.integer(5))]
    send(pop, INTERIM, "s", device, *more, (wire.ACCT_INPUT_GIGAWORDS, wire.integer(2)))
    assert legs(pop)[0].octets_from_guest == 2 * 2**32 + 5


def test_a_retransmit_with_a_new_identifier_counts_once(pop: Pop) -> None:
    [code] = pop.codes(1)
    device = pop.device()
    pop.login(code, device)
    for delay in range(3):
        more = [(wire.USER_NAME, code.encode()), (wire.ACCT_INPUT_OCTETS, wire.integer(700))]
        send(pop, STOP, "s", device, *more, (wire.ACCT_DELAY_TIME, wire.integer(delay)))
    assert [leg.octets_from_guest for leg in legs(pop)] == [700]


def test_a_wrong_clock_in_the_nas_does_not_move_a_session(pop: Pop) -> None:
    [code] = pop.codes(1)
    device = pop.device()
    pop.login(code, device)
    send(pop, START, "s", device, (wire.USER_NAME, code.encode()), (wire.EVENT_TIMESTAMP, wire.integer(3600)))
    assert abs((legs(pop)[0].started_at - pop.clock()).total_seconds()) < 60


def test_accounting_on_ends_what_was_heard_before_it(pop: Pop) -> None:
    codes = pop.codes(2)
    first, second = pop.device(), pop.device()
    pop.login(codes[0], first)
    send(pop, START, "s-1", first, (wire.USER_NAME, codes[0].encode()))
    pop.clock.ahead = 30
    send(pop, ON, "", "")
    pop.clock.ahead = 40
    pop.login(codes[1], second)
    send(pop, START, "s-1", second, (wire.USER_NAME, codes[1].encode()))
    assert [visit.state for visit in visits(pop)] == [VisitState.CLOSED, VisitState.OPEN]


def test_an_unknown_session_and_an_odd_status_are_acknowledged(pop: Pop) -> None:
    """Else the NAS would send them for ever."""
    send(pop, INTERIM, "nobody's", pop.device())
    send(pop, 15, "odd", pop.device())
    assert legs(pop) == []


def test_a_code_that_was_let_in_unknown_to_us_is_accounted_all_the_same(pop: Pop) -> None:
    [code] = pop.codes(1)
    send(pop, INTERIM, "s", pop.device(), (wire.USER_NAME, code.encode()), (wire.ACCT_INPUT_OCTETS, wire.integer(9)))
    assert visits(pop)[0].state is VisitState.OPEN
    assert legs(pop)[0].octets_from_guest == 9


@pytest.mark.parametrize("spoil", ["wrong secret", "bad length", "no status", "cut short"])
def test_what_must_be_discarded_gets_no_answer(pop: Pop, spoil: str) -> None:
    device = pop.device()
    good = record_attributes(START, "s", device)
    bad = {
        "wrong secret": wire.accounting_request(good, b"another secret"),
        "bad length": wire.accounting_request([*good[1:], (wire.ACCT_STATUS_TYPE, b"\x01")], KEY),
        "no status": wire.accounting_request(good[1:], KEY),
        "cut short": wire.Wire(wire.accounting_request(good, KEY).octets[:-1], bytes(16), KEY),
    }[spoil]
    assert wire.ask(pop.acct_port, bad, timeout=0.4) is None
    send(pop, START, "s", device)


def test_one_poisonous_packet_does_not_cost_the_others_their_answer(pop: Pop) -> None:
    """All of these wait together, so the server takes them as one batch."""
    codes = pop.codes(6)
    poison = [
        (wire.ACCT_STATUS_TYPE, wire.integer(START)),
        (wire.ACCT_SESSION_TIME, b"\x01"),
        (wire.NAS_IDENTIFIER, b"x"),
    ]
    requests = []
    for number, code in enumerate(codes):
        device = pop.device()
        pop.login(code, device)
        attributes = [*record_attributes(START, f"s{number}", device), (wire.USER_NAME, code.encode())]
        requests.append(wire.accounting_request(attributes, KEY, identifier=number))
    requests.insert(3, wire.accounting_request(poison, KEY, identifier=99))
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sender:
        sender.settimeout(2)
        for request in requests:
            sender.sendto(request.octets, ("127.0.0.1", pop.acct_port))
        answered = {sender.recv(4096)[1] for _ in codes}
    assert answered == set(range(6))
    assert len(legs(pop)) == 6


def test_coovachilli_reports_what_the_guest_sees_unless_it_says_otherwise(
    database: Database, keyring: Keyring, settings: Settings
) -> None:
    clock = Clockwork()
    lay_out(database, keyring, clock(), make="coovachilli")
    with serving(Pop(database, keyring, settings, clock)) as pop:
        codes = pop.codes(2)
        nas_view = (26, wire.integer(14559) + bytes((10, 6)) + wire.integer(1))
        for code, more in ((codes[0], []), (codes[1], [nas_view])):
            device = pop.device()
            pop.login(code, device)
            counters = [(wire.ACCT_INPUT_OCTETS, wire.integer(900)), (wire.ACCT_OUTPUT_OCTETS, wire.integer(30))]
            send(pop, INTERIM, "s" + code, device, (wire.USER_NAME, code.encode()), *counters, *more)
        assert [(leg.octets_from_guest, leg.octets_to_guest) for leg in legs(pop)] == [(30, 900), (900, 30)]


def test_a_used_up_volume_puts_the_visit_in_the_outbox(pop: Pop) -> None:
    [code] = pop.codes(1, Terms(Clock.FIRST_USE, minutes=60, megabytes=1))
    device = pop.device()
    pop.login(code, device)
    send(pop, INTERIM, "s", device, (wire.USER_NAME, code.encode()), (wire.ACCT_INPUT_OCTETS, wire.integer(1_000_000)))
    with pop.database.read() as session:
        assert [row.cause for row in session.scalars(select(Disconnect))] == ["over"]
    assert "used up" in pop.login(code, device)["Reply-Message"]


def test_counters_beyond_all_reason_are_acknowledged_all_the_same(pop: Pop) -> None:
    """Else the NAS would repeat a record that no database takes for ever."""
    [code] = pop.codes(1)
    device = pop.device()
    pop.login(code, device)
    huge = wire.integer(0xFFFFFFFF)
    more = [
        (wire.ACCT_INPUT_OCTETS, huge),
        (wire.ACCT_INPUT_GIGAWORDS, huge),
        (49, huge),
        (wire.USER_NAME, code.encode()),
    ]
    send(pop, STOP, "s", device, *more)
    send(pop, STOP, "s\x00odd", device, (wire.USER_NAME, b"guest\x00name"), (wire.CLASS, b"surfpass:\x00\xff"))
    assert legs(pop)[0].octets_from_guest == 2**50
