"""Our codec against pyrad's, which we use elsewhere: what one signs the other verifies, what one hides the other reveals."""

import hashlib
import hmac

from hypothesis import given
from hypothesis import strategies as st
from pyrad.packet import AccessAccept, AccessReject, AccountingResponse, AcctPacket, AuthPacket

from hotspot.directory import Located, NasRecord
from radius.clients import Request
from radius.credentials import Chap, Pap, read_proof
from radius.duplicates import Entry
from radius.makes import MAKES
from radius.packet import Discarded, Packet, load_dictionary, parse
from radius.replies import CLASS_PREFIX, IDLE_TIMEOUT_SECONDS, SENTENCES, accept, acknowledge, reject, status
from radius.signatures import Secret, seal, verify
from radius.sockets import Datagram
from sessions.admit import Admitted
from sessions.login import Login
from tests.conftest import NOON
from tests.factories import ClearProof, a_mac
from tests.radius import wire
from tests.vouchers.test_admission import SITE
from vouchers.admission import Granted, Reason, Refused

ACCESS, ACCOUNTING, STATUS = 1, 4, 12
SECRETS = st.binary(min_size=1, max_size=100)
# Octets that pyrad takes as they are: 79 and 80 it treats in ways of its own.
ATTRIBUTES = st.lists(
    st.tuples(st.integers(1, 255).filter(lambda kind: kind not in (2, 26, 79, 80)), st.binary(max_size=40)), max_size=12
)
PROXY_STATES = st.lists(st.binary(max_size=60), max_size=4)
KBITS = st.none() | st.integers(1, 10_000_000)
GRANTED = st.builds(Granted, st.integers(60, 10_000_000), st.none() | st.integers(0, 2**45), KBITS, KBITS, st.none())


def request_of(packet: wire.Wire) -> Request:
    """As the gate lets it in."""
    parsed = parse(packet.octets, (ACCESS, ACCOUNTING, STATUS))
    source = ("127.0.0.1", 1)
    nas: NasRecord = None  # type: ignore[assignment]  # replies do not look at it
    return Request(Datagram(packet.octets, source, source, ()), parsed, nas, True, packet.secret, 0.0, Entry(b"", 0.0))


def by_pyrad(octets: bytes, request: wire.Wire) -> AuthPacket:
    """A reply as pyrad reads it, its signatures verified by pyrad."""
    kind = AcctPacket if request.octets[0] == ACCOUNTING else AuthPacket
    asked = kind(packet=request.octets, secret=request.secret, dict=load_dictionary())
    reply = asked.CreateReply(packet=octets)
    assert asked.VerifyReply(reply, enforce_ma=request.octets[0] != ACCOUNTING)
    wire.check(request, octets)
    return reply


@given(ATTRIBUTES, SECRETS, st.integers(0, 255))
def test_what_pyrad_signs_we_verify_and_nothing_else(attributes: wire.Attributes, secret: bytes, spoilt: int) -> None:
    signed = AuthPacket(secret=secret, id=1, dict=load_dictionary())
    accounted = AcctPacket(secret=secret, id=1, dict=load_dictionary())
    signed.add_message_authenticator()
    for kind, value in attributes:
        signed.setdefault(kind, []).append(value)
        accounted.setdefault(kind, []).append(value)
    for octets, is_signed in ((signed.RequestPacket(), True), (accounted.RequestPacket(), False)):
        assert verify(parse(octets, (ACCESS, ACCOUNTING)), secret) is is_signed
        assert not verifies(octets, secret + b"x")
        position = 4 + spoilt % (len(octets) - 4)
        forged = bytearray(octets)
        forged[position] ^= 0x10
        assert not verifies(bytes(forged), secret)


def verifies(octets: bytes, secret: bytes) -> bool:
    """Whether these octets prove the secret; an Access-Request whose signature has become something else does not."""
    try:
        packet = parse(octets, (ACCESS, ACCOUNTING))
        return verify(packet, secret) or packet.code == ACCOUNTING
    except Discarded:
        return False


@given(ATTRIBUTES, SECRETS)
def test_a_signed_accounting_request_is_verified_as_pyrad_does(attributes: wire.Attributes, secret: bytes) -> None:
    packet = AcctPacket(secret=secret, id=1, dict=load_dictionary())
    packet.add_message_authenticator()
    for kind, value in attributes:
        packet.setdefault(kind, []).append(value)
    octets = packet.RequestPacket()
    theirs = AcctPacket(packet=octets, secret=secret, dict=load_dictionary())
    assert theirs.VerifyAcctRequest()
    assert theirs.verify_message_authenticator()
    assert verify(parse(octets, (ACCOUNTING,)), secret)


@given(st.text(max_size=60).filter(lambda text: not text.endswith("\0") and text), SECRETS)
def test_a_password_that_pyrad_hides_is_revealed(password: str, secret: bytes) -> None:
    packet = AuthPacket(secret=secret, dict=load_dictionary())
    hidden = packet.PwCrypt(password)
    if len(hidden) > 128:
        return
    packet.setdefault(2, []).append(hidden)
    assert read_proof(parse(packet.RequestPacket(), (ACCESS,)), secret) == Pap(password)


def test_the_rfcs_own_example_is_revealed() -> None:
    """RFC 2865 §7.1."""
    octets = bytes.fromhex(
        "01000038 0f403f9473978057bd83d5cb98f4227a 01066e656d6f 02120dbe708d93d413ce3196e43f782a0aee 0406c0a80110 050600000003"
    )
    assert read_proof(parse(octets, (ACCESS,)), b"xyzzy5461") == Pap("arctangent")


@given(st.binary(min_size=1, max_size=1), st.binary(min_size=5, max_size=32), st.text(min_size=1, max_size=20))
def test_chap_is_proved_by_the_challenge_or_else_the_authenticator(
    identifier: bytes, challenge: bytes, code: str
) -> None:
    for sent in (challenge, None):
        authenticator = bytes(range(16))
        response = hashlib.md5(identifier + code.encode() + (sent or authenticator)).digest()
        body = wire.encode([(3, identifier + response), *([(60, sent)] if sent else [])])
        octets = bytes((1, 1)) + (20 + len(body)).to_bytes(2, "big") + authenticator + body
        proof = read_proof(parse(octets, (ACCESS,)), b"secret")
        assert isinstance(proof, Chap)
        assert proof.matches(code)
        assert not proof.matches(code + "x")


@given(GRANTED, st.sampled_from(sorted(MAKES)), PROXY_STATES, SECRETS, st.integers(60, 3600))
def test_an_accept_says_the_same_as_one_that_pyrad_makes(
    granted: Granted, make: str, states: list[bytes], secret: bytes, interim: int
) -> None:
    request = wire.access_request([(33, state) for state in states], secret)
    admitted = Admitted("abcdefghijklmnop", granted, interim)
    octets = accept(request_of(request), MAKES[make], admitted)
    reply = by_pyrad(octets, request)
    assert reply.code == AccessAccept
    assert reply["Session-Timeout"] == [min(granted.seconds_left, reply["Session-Timeout"][0])]
    assert reply["Idle-Timeout"] == [IDLE_TIMEOUT_SECONDS]
    assert reply["Acct-Interim-Interval"] == [interim]
    assert reply["Class"] == [CLASS_PREFIX + b"abcdefghijklmnop"]
    for name, value in MAKES[make].limits(granted):
        assert reply[name] == [value]
    attributes = wire.check(request, octets).attributes
    assert attributes[0][0] == wire.MESSAGE_AUTHENTICATOR
    assert [value for kind, value in attributes if kind == wire.PROXY_STATE] == states


@given(st.sampled_from(Reason), PROXY_STATES, SECRETS)
def test_a_reject_says_why(reason: Reason, states: list[bytes], secret: bytes) -> None:
    request = wire.access_request([(33, state) for state in states], secret)
    octets = reject(request_of(request), Refused(reason))
    reply = by_pyrad(octets, request)
    assert reply.code == AccessReject
    assert reply["Reply-Message"] == [SENTENCES[reason]]
    assert wire.check(request, octets).attributes[0][0] == wire.MESSAGE_AUTHENTICATOR


def test_a_reject_says_when_by_the_sites_clock() -> None:
    request = wire.access_request([], b"secret")
    asked = request_of(request)
    asked.told = Login(asked.nas, Located(SITE, None), "code", ClearProof("code"), a_mac(), "10.0.0.1")
    octets = reject(asked, Refused(Reason.NOT_YET_VALID, moment=NOON))
    assert by_pyrad(octets, request)["Reply-Message"] == ["This Surf Pass is valid from 15 Jun 2026, 14:00."]


@given(PROXY_STATES, SECRETS)
def test_acknowledgements_are_verified_by_pyrad(states: list[bytes], secret: bytes) -> None:
    accounting = wire.accounting_request([(33, state) for state in states], secret)
    assert by_pyrad(acknowledge(request_of(accounting)), accounting).code == AccountingResponse
    health = wire.access_request([(33, state) for state in states], secret, code=STATUS)
    for on_accounting, code in ((True, AccountingResponse), (False, AccessAccept)):
        octets = status(request_of(health), accounting=on_accounting)
        answer = wire.check(health, octets)
        assert answer.code == code
        assert answer.attributes[1:] == [(33, state) for state in states]


def test_no_reply_is_longer_than_4096_octets_and_proxy_state_goes_back_first_of_all() -> None:
    states = [(33, bytes([number]) * 253) for number in range(15)] + [(33, bytes(190))]
    request = wire.access_request(states, b"secret")
    assert len(request.octets) > 4050
    octets = reject(request_of(request), Refused(Reason.FULL))
    assert len(octets) <= 4096
    assert wire.check(request, octets).attributes[1:] == states


@given(SECRETS, st.binary(max_size=300))
def test_the_kept_digest_states_give_the_hmac(secret: bytes, message: bytes) -> None:
    states = Secret(secret)
    assert states.hmac(message) == hmac.digest(secret, message, "md5")
    assert states.hmac(message) == hmac.digest(secret, message, "md5"), "and are not used up"


@given(ATTRIBUTES)
def test_attributes_are_read_as_pyrad_reads_them(attributes: wire.Attributes) -> None:
    octets = seal(ACCESS, parse(bytes((1, 7, 0, 20)) + bytes(16), (1,)), b"x", wire.encode(attributes), signed=False)
    ours, theirs = parse(octets, (ACCESS,)), AuthPacket(packet=octets, secret=b"x", dict=load_dictionary())
    assert ours.attributes == tuple(attributes)
    assert [ours.code, ours.identifier, ours.authenticator] == [theirs.code, theirs.id, theirs.authenticator]
    for name, number in (("User-Name", 1), ("Class", 25), ("Proxy-State", 33)):
        values = [value for kind, value in attributes if kind == number]
        assert ours.all(name) == values
        assert ours.first(name) == (values[0] if values else None)
        assert (name in ours) is bool(values)


def test_a_packet_does_not_show_what_is_in_it() -> None:
    packet = parse(wire.access_request([(1, b"guest")], b"secret").octets, (1,))
    assert isinstance(packet, Packet)
    assert "guest" not in repr(packet)
