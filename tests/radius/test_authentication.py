"""Access-Requests over UDP, by radclient and by hand-made packets."""

import hashlib
import secrets
import socket

import pytest
from sqlalchemy import func, select

from hotspot.database import Database
from hotspot.keys import Keyring
from hotspot.place import MessageAuthenticatorPolicy, Nas
from hotspot.settings import Settings
from sessions.visit import RUNNING, Visit
from tests.radius import wire
from tests.radius.pop import SECRET, Clockwork, Pop, lay_out, login_attributes, radclient, serving
from vouchers.passes import Clock, Terms

KEY = SECRET.encode()


def test_a_voucher_code_is_accepted_with_the_time_of_its_pass(pop: Pop) -> None:
    [code] = pop.codes(1, Terms(Clock.FIRST_USE, minutes=60, down_kbit=20_000, up_kbit=5_000))
    answer = pop.login(code, pop.device())
    assert answer.kind == "Access-Accept"
    assert int(answer["Session-Timeout"]) == 3600
    assert answer["Idle-Timeout"] == "900"
    assert answer["Acct-Interim-Interval"] == "300"
    assert answer["WISPr-Bandwidth-Max-Down"] == "20000000"
    assert answer["WISPr-Bandwidth-Max-Up"] == "5000000"
    assert bytes.fromhex(answer["Class"][2:]).startswith(b"surfpass:")


def test_the_time_runs_on_between_two_logins(pop: Pop) -> None:
    [code] = pop.codes(1)
    device = pop.device()
    pop.login(code, device)
    pop.clock.ahead = 600
    assert 2998 <= int(pop.login(code, device)["Session-Timeout"]) <= 3000


def test_the_same_code_on_a_second_device_is_rejected_with_a_sentence(pop: Pop) -> None:
    [code] = pop.codes(1)
    pop.login(code, pop.device())
    answer = pop.login(code, pop.device())
    assert answer.kind == "Access-Reject"
    assert "in use on another device" in answer["Reply-Message"]


def test_a_code_may_be_typed_in_any_spelling(pop: Pop) -> None:
    [code] = pop.codes(1)
    spelled = code.lower().replace("-", " ")
    assert pop.login(spelled, pop.device()).kind == "Access-Accept"


def test_a_mistyped_code_is_told_apart_from_an_unknown_one(pop: Pop) -> None:
    [code] = pop.codes(1)
    mistyped = code[:-1] + ("2" if code[-1] != "2" else "3")
    assert "mistyped" in pop.login(mistyped, pop.device())["Reply-Message"]
    assert "not known" in pop.login("0000-0000-000", pop.device())["Reply-Message"]


def test_guessing_ends_after_ten_unknown_codes_but_not_for_another_device(pop: Pop) -> None:
    [code, other] = pop.codes(2)
    guesser = pop.device()
    for _ in range(10):
        assert "not known" in pop.login("0000-0000-000", guesser)["Reply-Message"]
    assert "Too many wrong codes" in pop.login(code, guesser)["Reply-Message"]
    assert pop.login(other, pop.device()).kind == "Access-Accept"
    pop.clock.ahead = 601
    assert pop.login(code, guesser).kind == "Access-Accept"


def test_an_ssid_that_is_not_the_hotspots_is_refused(pop: Pop) -> None:
    [code] = pop.codes(1)
    answer = pop.login(code, pop.device(), **{"Called-Station-Id": "02:00:00:00:00:01:Private"})
    assert "not part of the hotspot" in answer["Reply-Message"]


def test_guest_101_on_a_single_site_is_rejected_as_full(pop: Pop) -> None:
    codes = pop.codes(101)
    for code in codes[:100]:
        assert _login(pop, code, pop.device()) == wire.ACCESS_ACCEPT
    answer = pop.login(codes[100], pop.device())
    assert answer.kind == "Access-Reject"
    assert "No free place" in answer["Reply-Message"]
    with pop.database.read() as session:
        assert session.scalar(select(func.count()).where(Visit.state.in_(RUNNING))) == 100


def _login(pop: Pop, code: str, device: str) -> int:
    answer = wire.ask(pop.auth_port, wire.access_request(login_attributes(code, device), KEY, password=code.encode()))
    assert answer is not None
    return answer.code


def test_chap_works_with_a_challenge_and_with_the_request_authenticator(pop: Pop) -> None:
    one, two = pop.codes(2)
    challenge = secrets.token_bytes(16)
    response = b"\x05" + hashlib.md5(b"\x05" + one.encode() + challenge).digest()
    attributes = [
        *login_attributes(one, pop.device()),
        (wire.CHAP_PASSWORD, response),
        (wire.CHAP_CHALLENGE, challenge),
    ]
    accepted = wire.ask(pop.auth_port, wire.access_request(attributes, KEY))
    assert accepted is not None
    assert accepted.code == wire.ACCESS_ACCEPT
    wrong = [*login_attributes(two, pop.device()), (wire.CHAP_PASSWORD, response), (wire.CHAP_CHALLENGE, challenge)]
    refused = wire.ask(pop.auth_port, wire.access_request(wrong, KEY))
    assert refused is not None
    assert refused.code == wire.ACCESS_REJECT


def test_a_reply_has_its_message_authenticator_first_and_proxy_state_in_order(pop: Pop) -> None:
    [code] = pop.codes(1)
    states = [(wire.PROXY_STATE, b"outer"), (wire.PROXY_STATE, b"inner")]
    for password, kind in ((code, wire.ACCESS_ACCEPT), ("wrong", wire.ACCESS_REJECT)):
        request = wire.access_request(
            [*login_attributes(code, "0A-00-00-00-00-99"), *states], KEY, password=password.encode()
        )
        answer = wire.ask(pop.auth_port, request)
        assert answer is not None
        assert answer.code == kind
        assert answer.attributes[0][0] == wire.MESSAGE_AUTHENTICATOR
        assert [pair for pair in answer.attributes if pair[0] == wire.PROXY_STATE] == states


@pytest.mark.parametrize(
    "spoil",
    ["wrong secret", "forged", "unsigned", "unsigned EAP", "unsigned Proxy-State", "accounting code"],
)
def test_what_must_be_discarded_gets_no_answer(pop: Pop, spoil: str) -> None:
    [code] = pop.codes(1)
    attributes = login_attributes(code, pop.device())
    good = wire.access_request(attributes, KEY, password=code.encode())
    if spoil == "wrong secret":
        bad = wire.access_request(attributes, b"another secret", password=code.encode())
    elif spoil == "forged":
        bad = wire.Wire(good.octets[:-1] + bytes([good.octets[-1] ^ 1]), good.authenticator, KEY)
    elif spoil == "accounting code":
        bad = wire.accounting_request(attributes, KEY)
    else:
        more = {"unsigned EAP": [(wire.EAP_MESSAGE, b"\x02\x00\x00\x06\x01x")],
                "unsigned Proxy-State": [(wire.PROXY_STATE, b"x")]}.get(spoil, [])  # fmt: skip
        bad = wire.access_request([*attributes, *more], KEY, password=code.encode(), signed=False)
    assert wire.ask(pop.auth_port, bad, timeout=0.4) is None
    answer = wire.ask(pop.auth_port, good)
    assert answer is not None, "a discarded packet must not spoil the good one after it"
    assert answer.code == wire.ACCESS_ACCEPT


def test_what_breaks_the_rules_of_an_access_request_is_rejected(pop: Pop) -> None:
    [code] = pop.codes(1)
    device = pop.device()
    fine = login_attributes(code, device)
    without_nas = [pair for pair in fine if pair[0] != wire.NAS_IDENTIFIER]
    both = [*fine, (wire.CHAP_PASSWORD, bytes(17))]
    eap = [*fine, (wire.EAP_MESSAGE, b"\x02\x00\x00\x06\x01x")]
    for attributes, password in ((without_nas, code), (both, code), (eap, code), (fine, None), (fine[1:], code)):
        request = wire.access_request(attributes, KEY, password=password.encode() if password else None)
        answer = wire.ask(pop.auth_port, request)
        assert answer is not None
        assert answer.code == wire.ACCESS_REJECT


def test_a_repeated_request_gets_the_same_octets_again_and_is_decided_once(pop: Pop) -> None:
    [code] = pop.codes(1)
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sender:
        request = wire.access_request(login_attributes(code, pop.device()), KEY, password=code.encode())
        first = wire.ask(pop.auth_port, request, sender=sender)
        pop.clock.ahead = 30
        again = wire.ask(pop.auth_port, request, sender=sender)
        fresh = wire.access_request(login_attributes(code, "0A-00-00-00-AA-01"), KEY, password=code.encode())
        other = wire.ask(pop.auth_port, fresh, sender=sender)
    assert first is not None
    assert again is not None
    assert other is not None
    assert first.octets == again.octets
    assert other.code == wire.ACCESS_REJECT


def test_status_server_is_answered_on_both_ports_when_it_is_signed(pop: Pop) -> None:
    for port, kind in ((pop.auth_port, wire.ACCESS_ACCEPT), (pop.acct_port, wire.ACCOUNTING_RESPONSE)):
        answer = wire.ask(port, wire.access_request([], KEY, code=wire.STATUS_SERVER))
        assert answer is not None
        assert answer.code == kind
        assert wire.ask(port, wire.access_request([], KEY, code=wire.STATUS_SERVER, signed=False), timeout=0.3) is None
    assert radclient(pop.auth_port, "status", {"Message-Authenticator": "0x00"}).kind == "Access-Accept"


def test_a_returning_device_is_accepted_by_its_mac_and_an_unknown_one_is_not(pop: Pop) -> None:
    [code] = pop.codes(1)
    device = pop.device()
    pop.login(code, device)
    assert pop.login(device, device).kind == "Access-Accept"
    stranger = pop.device()
    assert "no running Surf Pass" in pop.login(stranger, stranger)["Reply-Message"]


def test_policy_auto_demands_a_message_authenticator_once_it_saw_one(
    database: Database, keyring: Keyring, settings: Settings
) -> None:
    clock = Clockwork()
    lay_out(database, keyring, clock(), policy=MessageAuthenticatorPolicy.AUTO)
    with serving(Pop(database, keyring, settings, clock)) as pop:
        codes = pop.codes(3)
        unsigned = [
            wire.access_request(login_attributes(code, pop.device()), KEY, password=code.encode(), signed=False)
            for code in codes
        ]
        before = wire.ask(pop.auth_port, unsigned[0])
        assert before is not None
        assert before.code == wire.ACCESS_ACCEPT
        assert pop.login(codes[1], pop.device()).kind == "Access-Accept"
        with database.read() as session:
            assert session.scalar(select(Nas.signed_at)) is not None
        assert wire.ask(pop.auth_port, unsigned[2], timeout=0.4) is None


def test_coovachilli_is_told_volume_and_rate_in_its_own_attributes(
    database: Database, keyring: Keyring, settings: Settings
) -> None:
    clock = Clockwork()
    lay_out(database, keyring, clock(), make="coovachilli")
    with serving(Pop(database, keyring, settings, clock)) as pop:
        [code] = pop.codes(1, Terms(Clock.ONLINE, minutes=30, megabytes=5_000, down_kbit=10_000))
        answer = pop.login(code, pop.device())
    gigawords = int(answer["Attr-26.14559.23"], 16)  # ChilliSpot-Max-Total-Gigawords, which Debian's dictionary lacks
    assert int(answer["ChilliSpot-Max-Total-Octets"]) + (gigawords << 32) == 5_000_000_000
    assert answer["ChilliSpot-Bandwidth-Max-Down"] == "10000"
    assert answer["Session-Timeout"] == "1800"
    assert answer["Acct-Interim-Interval"] == "60"
