"""What is discarded, rejected and answered, by real packets over UDP: the table of PROTOCOLS.md §1, row by row.

Every row has its test, and a test below sees to it that these are there:

- source address without a secret: test_addresses.test_who_is_not_enrolled_gets_no_answer
- lengths, padding: test_discards.test_a_datagram_that_is_no_packet_is_discarded
- lengths, padding: test_discards.test_the_longest_packets_and_padding_are_no_trouble
- unknown code: test_discards.test_a_code_that_does_not_belong_to_the_port_is_discarded
- bad attribute in an Access-Request: test_discards.test_an_attribute_that_breaks_the_rules_costs_the_whole_request
- bad attribute in an Accounting-Request: test_discards.test_an_attribute_that_breaks_the_rules_costs_the_whole_request
- wrong Request Authenticator in an Accounting-Request: test_accounting.test_what_must_be_discarded_gets_no_answer
- Message-Authenticator wrong: test_authentication.test_what_must_be_discarded_gets_no_answer
- Message-Authenticator wrong: test_discards.test_a_forged_packet_neither_gets_a_stored_answer_nor_spoils_it
- EAP-Message without Message-Authenticator: test_authentication.test_what_must_be_discarded_gets_no_answer
- EAP-Message: test_authentication.test_what_breaks_the_rules_of_an_access_request_is_rejected
- EAP-Message: test_foreign_clients.test_eapol_test_is_rejected_cleanly_whatever_it_tries
- Message-Authenticator missing: test_discards.test_what_an_unsigned_request_gets_is_a_matter_of_policy
- Message-Authenticator missing: test_authentication.test_policy_auto_demands_a_message_authenticator_once_it_saw_one
- Proxy-State without Message-Authenticator: test_discards.test_what_an_unsigned_request_gets_is_a_matter_of_policy
- no NAS identification: test_authentication.test_what_breaks_the_rules_of_an_access_request_is_rejected
- both passwords, or none: test_authentication.test_what_breaks_the_rules_of_an_access_request_is_rejected
- Status-Server: test_authentication.test_status_server_is_answered_on_both_ports_when_it_is_signed
- Status-Server: test_discards.test_status_server_is_limited_and_leaves_no_trace
- Accounting-Request: test_kill
- duplicates: test_authentication.test_a_repeated_request_gets_the_same_octets_again_and_is_decided_once
- duplicates: test_discards.test_a_repetition_while_the_first_is_in_work_is_not_answered_twice
- duplicates: test_discards.test_another_authenticator_or_port_or_code_is_another_request
- replies: test_authentication.test_a_reply_has_its_message_authenticator_first_and_proxy_state_in_order
- replies: test_discards.test_a_reply_keeps_every_proxy_state_and_never_outgrows_a_packet
- replies: test_sockets
- accounting items: test_sessions, test_accounting
"""

import importlib
import re
import socket
import struct
import threading
import time
from collections.abc import Iterator

import pytest
from sqlalchemy import func, select, text

from hotspot.database import Database
from hotspot.keys import Keyring
from hotspot.place import MessageAuthenticatorPolicy
from hotspot.settings import Settings
from radius import accounting
from radius.clients import Gate
from radius.door import FAILED
from radius.observe import Observer
from radius.packet import Cause, Discarded
from sessions.visit import Visit
from tests.radius import wire
from tests.radius.pop import SECRET, Clockwork, Pop, lay_out, login_attributes, record_attributes, serving

KEY = SECRET.encode()
START = 1
# How long we wait to be sure that nothing comes.
SILENCE = 0.3


def test_every_row_of_the_table_has_the_tests_it_names() -> None:
    rows = re.findall(r"^- .+: (.+)$", __doc__ or "", re.MULTILINE)
    assert len(rows) > 25
    for name in (one for row in rows for one in row.split(", ")):
        module, _dot, test = name.partition(".")
        found = importlib.import_module(f"tests.radius.{module}")
        assert not test or callable(getattr(found, test)), name


@pytest.fixture
def sender() -> Iterator[socket.socket]:
    """A NAS's socket."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as own:
        yield own


def login(code: str, device: str, **more: object) -> wire.Wire:
    return wire.access_request(login_attributes(code, device), KEY, password=code.encode(), **more)  # type: ignore[arg-type]


def visits(pop: Pop) -> int:
    with pop.database.read() as session:
        return session.scalar(select(func.count()).select_from(Visit)) or 0


def none_answered(port: int, *datagrams: bytes) -> None:
    """Send all of these, and see that nothing comes back."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sender:
        for octets in datagrams:
            sender.sendto(octets, ("127.0.0.1", port))
        sender.settimeout(SILENCE)
        with pytest.raises(TimeoutError):
            sender.recv(4096)


def is_well(pop: Pop) -> None:
    """A good packet is answered at once, whatever came before."""
    [code] = pop.codes(1, slug=f"good-{time.monotonic_ns()}")
    device = pop.device()
    accepted = wire.ask(pop.auth_port, login(code, device), timeout=1)
    assert accepted is not None
    assert accepted.code == wire.ACCESS_ACCEPT
    start = wire.accounting_request(record_attributes(START, "good", device), KEY)
    assert wire.ask(pop.acct_port, start, timeout=1) is not None


def raw(code: int, body: bytes, length: int | None = None) -> bytes:
    return struct.pack("!BBH16s", code, 1, len(body) + 20 if length is None else length, bytes(16)) + body


def signed_accounting(attributes: wire.Attributes, octets: int) -> wire.Wire:
    """A right Accounting-Request of so many octets."""
    missing = octets - 20 - len(wire.encode(attributes))
    filling = [(wire.CLASS, b"x" * 253)] * (missing // 255)
    rest = missing % 255
    return wire.accounting_request([*attributes, *filling, (wire.CLASS, b"x" * (rest - 2))], KEY)


def signed_access(attributes: wire.Attributes, password: bytes, octets: int) -> wire.Wire:
    """A right Access-Request of so many octets."""
    missing = octets - 20 - 18 - 18 - len(wire.encode(attributes))
    filling = [(wire.PROXY_STATE, b"x" * 253)] * (missing // 255)
    rest = missing % 255
    more = [(wire.PROXY_STATE, b"x" * (rest - 2))]
    return wire.access_request([*attributes, *filling, *more], KEY, password=password)


def test_a_datagram_that_is_no_packet_is_discarded(pop: Pop) -> None:
    for port, code in ((pop.auth_port, 1), (pop.acct_port, 4)):
        none_answered(
            port, b"", bytes([code]), bytes(19), *(raw(code, b"", length) for length in (0, 19, 21, 4096, 0xFFFF))
        )
    is_well(pop)


def test_the_longest_packets_and_padding_are_no_trouble(pop: Pop) -> None:
    [code] = pop.codes(1)
    device = pop.device()
    attributes = login_attributes(code, device)
    padded = login(code, device)
    answer = wire.ask(pop.auth_port, wire.Wire(padded.octets + b"\x50\x12junk", padded.authenticator, KEY))
    assert answer is not None
    assert answer.code == wire.ACCESS_ACCEPT
    for octets, answered in ((4096, True), (4097, False)):
        request = signed_access(attributes, code.encode(), octets)
        assert len(request.octets) == octets
        assert (wire.ask(pop.auth_port, request, timeout=1 if answered else SILENCE) is not None) is answered
    record = record_attributes(START, "s", device)
    for octets, answered in ((4095, True), (4096, False)):
        request = signed_accounting(record, octets)
        assert len(request.octets) == octets
        assert (wire.ask(pop.acct_port, request, timeout=1 if answered else SILENCE) is not None) is answered


def test_a_code_that_does_not_belong_to_the_port_is_discarded(pop: Pop) -> None:
    unknown = [wire.access_request([], KEY, code=code).octets for code in (0, 2, 3, 5, 11, 13, 40, 43, 255)]
    accounting = wire.accounting_request(record_attributes(START, "s", "x"), KEY).octets
    none_answered(pop.auth_port, *unknown, accounting)
    none_answered(pop.acct_port, *unknown, wire.access_request([], KEY).octets)


BROKEN = {
    "a type of 0": b"\x00\x03x",
    "a length of 0": b"\x01\x00",
    "a length of 1": b"\x01\x01",
    "a length past the end": b"\x01\x08abc",
    "one octet left over": b"\x01",
    "a Message-Authenticator of 17 octets": wire.encode([(80, bytes(15))]),
    "a Message-Authenticator of 19 octets": wire.encode([(80, bytes(17))]),
    "two Message-Authenticators": wire.encode([(80, bytes(16)), (80, bytes(16))]),
    "201 attributes": wire.encode([(wire.PROXY_STATE, b"")] * 201),
}


def test_an_attribute_that_breaks_the_rules_costs_the_whole_request(pop: Pop) -> None:
    """Accounting is signed rightly, so that nothing but the attribute can be what is wrong."""
    record = wire.encode(record_attributes(START, "s", pop.device()))
    login = wire.encode(login_attributes("x", "y"))
    none_answered(pop.acct_port, *(wire.sign_accounting(record + body, KEY) for body in BROKEN.values()))
    none_answered(pop.auth_port, *(raw(wire.ACCESS_REQUEST, login + body) for body in BROKEN.values()))
    is_well(pop)


def test_a_forged_packet_neither_gets_a_stored_answer_nor_spoils_it(pop: Pop, sender: socket.socket) -> None:
    [code] = pop.codes(1)
    request = login(code, pop.device())
    forged = wire.Wire(request.octets[:-1] + bytes([request.octets[-1] ^ 1]), request.authenticator, KEY)
    assert wire.ask(pop.auth_port, forged, timeout=SILENCE, sender=sender) is None
    first = wire.ask(pop.auth_port, request, sender=sender)
    assert first is not None
    assert first.code == wire.ACCESS_ACCEPT
    assert wire.ask(pop.auth_port, forged, timeout=SILENCE, sender=sender) is None
    again = wire.ask(pop.auth_port, request, sender=sender)
    assert again is not None
    assert again.octets == first.octets


@pytest.mark.parametrize("policy", MessageAuthenticatorPolicy)
def test_what_an_unsigned_request_gets_is_a_matter_of_policy(
    database: Database, keyring: Keyring, settings: Settings, policy: MessageAuthenticatorPolicy
) -> None:
    """Only Proxy-State and EAP-Message without a signature are too dangerous under any policy (CVE-2024-3596)."""
    clock = Clockwork()
    lay_out(database, keyring, clock(), policy=policy)
    with serving(Pop(database, keyring, settings, clock)) as pop:
        [code] = pop.codes(1)
        fine = login_attributes(code, pop.device())
        dangerous = (wire.PROXY_STATE, b"x"), (wire.EAP_MESSAGE, b"\x02\x00\x00\x06\x01x")
        none_answered(
            pop.auth_port,
            *(
                wire.access_request([*fine, more], KEY, password=code.encode(), signed=False).octets
                for more in dangerous
            ),
        )
        plain = wire.access_request(fine, KEY, password=code.encode(), signed=False)
        answer = wire.ask(pop.auth_port, plain, timeout=SILENCE if policy is MessageAuthenticatorPolicy.YES else 2)
        assert (answer is None) is (policy is MessageAuthenticatorPolicy.YES)
        assert answer is None or answer.attributes[0][0] == wire.MESSAGE_AUTHENTICATOR


def test_status_server_is_limited_and_leaves_no_trace(pop: Pop, sender: socket.socket) -> None:
    sender.setblocking(False)
    for port in (pop.auth_port, pop.acct_port):
        for number in range(200):
            request = wire.access_request([], KEY, code=wire.STATUS_SERVER, identifier=number)
            sender.sendto(request.octets, ("127.0.0.1", port))
        time.sleep(0.5)
        answers = 0
        try:
            while sender.recv(4096):
                answers += 1
        except BlockingIOError:
            pass
        assert 1 <= answers <= 60, "20 a second, and the clock may have struck once or twice"
    assert visits(pop) == 0
    is_well(pop)


def test_another_authenticator_or_port_or_code_is_another_request(pop: Pop, sender: socket.socket) -> None:
    codes = pop.codes(3)
    devices = [pop.device() for _ in codes]
    for code, device in zip(codes[:2], devices[:2], strict=True):
        answer = wire.ask(pop.auth_port, login(code, device), sender=sender)
        assert answer is not None
        assert answer.code == wire.ACCESS_ACCEPT
    same = login(codes[2], devices[2])
    for _ in range(2):
        assert wire.ask(pop.auth_port, same) is not None, "from another port each time"
    for number in range(2):
        start = wire.accounting_request(record_attributes(START, f"s{number}", devices[number]), KEY)
        assert wire.ask(pop.acct_port, start, sender=sender) is not None
        status = wire.access_request([], KEY, code=wire.STATUS_SERVER)
        answer = wire.ask(pop.acct_port, status, sender=sender)
        assert answer is not None
        assert answer.code == wire.ACCOUNTING_RESPONSE
    assert visits(pop) == 3


def test_a_repetition_while_the_first_is_in_work_is_not_answered_twice(pop: Pop, sender: socket.socket) -> None:
    [code] = pop.codes(1)
    request = login(code, pop.device())
    held = threading.Event()

    def hold() -> None:
        with pop.database.write() as session:
            if session.get_bind().dialect.name == "postgresql":
                session.execute(text("LOCK TABLE voucher IN ACCESS EXCLUSIVE MODE"))
            held.set()
            time.sleep(0.8)

    holder = threading.Thread(target=hold)
    holder.start()
    held.wait(5)
    for _ in range(4):
        sender.sendto(request.octets, ("127.0.0.1", pop.auth_port))
        time.sleep(0.1)
    holder.join()
    sender.settimeout(2)
    first = wire.check(request, sender.recv(4096))
    assert first.code == wire.ACCESS_ACCEPT
    sender.settimeout(SILENCE)
    with pytest.raises(TimeoutError):
        sender.recv(4096)
    assert visits(pop) == 1


def test_what_is_discarded_or_fails_when_it_is_read_is_not_in_work_when_it_comes_again(
    pop: Pop, sender: socket.socket, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Both are counted as what they are, each time."""
    counted: list[str] = []
    monkeypatch.setattr(Observer, "discarded", lambda _self, cause, _source, _nas: counted.append(cause))
    monkeypatch.setattr(Observer, "unanswered", lambda _self, _request, why: counted.append(why))
    raised: list[Exception] = [Discarded(Cause.BAD_ATTRIBUTE)] * 2 + [RuntimeError("a defect")] * 2

    def read(*_arguments: object) -> object:
        raise raised[len(counted)]

    monkeypatch.setattr(accounting, "read", read)
    request = wire.accounting_request(record_attributes(START, "s", pop.device()), KEY)
    for _ in raised:
        assert wire.ask(pop.acct_port, request, timeout=SILENCE, sender=sender) is None
    assert counted == [Cause.BAD_ATTRIBUTE, Cause.BAD_ATTRIBUTE, FAILED, FAILED]
    monkeypatch.undo()
    assert wire.ask(pop.acct_port, request, sender=sender) is not None


def test_what_fails_before_it_is_known_whose_it_is_is_counted(
    pop: Pop, sender: socket.socket, monkeypatch: pytest.MonkeyPatch
) -> None:
    counted: list[tuple[str, str]] = []
    monkeypatch.setattr(Observer, "failed", lambda _self, source, why: counted.append((source, why)))

    def admit(*_arguments: object) -> object:
        raise RuntimeError("a defect")

    monkeypatch.setattr(Gate, "admit", admit)
    request = wire.accounting_request(record_attributes(START, "s", pop.device()), KEY)
    assert wire.ask(pop.acct_port, request, timeout=SILENCE, sender=sender) is None
    monkeypatch.undo()
    assert counted == [("127.0.0.1", FAILED)]
    is_well(pop)


@pytest.mark.parametrize(("octets", "kind"), [(3000, wire.ACCESS_ACCEPT), (4096, wire.ACCESS_REJECT)])
def test_a_reply_keeps_every_proxy_state_and_never_outgrows_a_packet(pop: Pop, octets: int, kind: int) -> None:
    """Where the limits find no room beside it, nobody is let in without them."""
    [code] = pop.codes(1)
    smallest = [(wire.USER_NAME, b"x"), (wire.NAS_IP_ADDRESS, b"\x7f\x00\x00\x01")]
    for attributes, expected in (
        (login_attributes(code, pop.device()), kind),
        (smallest, wire.ACCESS_REJECT),
    ):
        request = signed_access(attributes, code.encode(), octets)
        answer = wire.ask(pop.auth_port, request)
        assert answer is not None
        assert answer.code == expected
        assert len(answer.octets) <= 4096
        asked, kept = ([one for one in wire.split(packet[20:]) if one[0] == wire.PROXY_STATE]
                       for packet in (request.octets, answer.octets))  # fmt: skip
        assert asked == kept
