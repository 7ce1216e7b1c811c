"""The RADIUS client, against a peer that answers as the test tells it to."""

import hashlib
import hmac
import socket
import struct
import threading
from collections.abc import Callable, Iterator

import pytest

from radius.client import AccessReply, RadiusClient, RadiusTimeout, Value
from radius.credentials import Chap, Pap, read_proof
from radius.packet import Packet, parse
from radius.signatures import verify

SECRET = b"a shared secret"
ACCESS_REQUEST, ACCEPT, REJECT, ACCOUNTING_REQUEST, ACCOUNTING_RESPONSE, CHALLENGE = 1, 2, 3, 4, 5, 11

Answer = Callable[[bytes], list[bytes]]


def attribute(number: int, value: bytes) -> bytes:
    return struct.pack("!BB", number, len(value) + 2) + value


def signed_reply(
    request: bytes,
    code: int,
    attributes: bytes = b"",
    *,
    secret: bytes = SECRET,
    identifier: int | None = None,
    message_authenticator: bool = True,
    ma_secret: bytes | None = None,
) -> bytes:
    """A reply made by hand from RFC 2865 §3 and RFC 3579 §3.2, so that client and test do not share a mistake."""
    identifier = request[1] if identifier is None else identifier
    body = (attribute(80, bytes(16)) if message_authenticator else b"") + attributes
    header = struct.pack("!BBH", code, identifier, 20 + len(body))
    if message_authenticator:
        digest = hmac.digest(ma_secret or secret, header + request[4:20] + body, "md5")
        body = attribute(80, digest) + attributes
    authenticator = hashlib.md5(header + request[4:20] + body + secret, usedforsecurity=False).digest()
    return header + authenticator + body


class Peer:
    """A UDP server on loopback; `answer` makes the replies to each datagram."""

    def __init__(self, answer: Answer, host: str = "127.0.0.1") -> None:
        self.answer = answer
        self.received: list[bytes] = []
        self._socket = socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET, socket.SOCK_DGRAM)
        self._socket.bind((host, 0))
        self._socket.settimeout(0.05)
        self.host, self.port = self._socket.getsockname()[:2]
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._serve)
        self._thread.start()

    def _serve(self) -> None:
        while not self._stop.is_set():
            try:
                datagram, source = self._socket.recvfrom(4096)
            except TimeoutError:
                continue
            self.received.append(datagram)
            for reply in self.answer(datagram):
                self._socket.sendto(reply, source)

    def client(self, timeout: float = 0.3, retries: int = 2) -> RadiusClient:
        return RadiusClient(self.host, self.port, self.port, SECRET, timeout, retries)

    def close(self) -> None:
        self._stop.set()
        self._thread.join()
        self._socket.close()


@pytest.fixture
def peers() -> Iterator[Callable[..., Peer]]:
    started: list[Peer] = []

    def start(answer: Answer, host: str = "127.0.0.1") -> Peer:
        started.append(Peer(answer, host))
        return started[-1]

    yield start
    for peer in started:
        peer.close()


StartPeer = Callable[..., Peer]


def accept(request: bytes) -> list[bytes]:
    return [signed_reply(request, ACCEPT)]


def checked(datagram: bytes) -> Packet:
    """The request as our server reads it, its signature verified."""
    packet = parse(datagram, (ACCESS_REQUEST, ACCOUNTING_REQUEST))
    signed = verify(packet, SECRET)
    assert signed is (packet.code == ACCESS_REQUEST)
    return packet


def test_an_accept_brings_its_limits_and_its_class_whole(peers: StartPeer) -> None:
    attributes = b"".join(
        (
            attribute(27, struct.pack("!I", 3600)),
            attribute(28, struct.pack("!I", 900)),
            attribute(85, struct.pack("!I", 300)),
            attribute(25, b"0x41"),
            attribute(25, b"\xff\x00second"),
            attribute(18, "Grüß Gott".encode()),
            attribute(26, struct.pack("!IBBI", 14559, 3, 6, 1000)),
        )
    )
    peer = peers(lambda request: [signed_reply(request, ACCEPT, attributes)])
    reply = peer.client().authenticate("guest", Pap("secret"))
    assert reply.accepted
    assert (reply.session_timeout, reply.idle_timeout, reply.interim_interval) == (3600, 900, 300)
    assert reply.class_ == (b"0x41", b"\xff\x00second")
    assert reply.reply_message == "Grüß Gott"
    assert reply.integer("ChilliSpot-Max-Total-Octets") == 1000


def test_a_reject_and_a_challenge_are_no_accept(peers: StartPeer) -> None:
    message = attribute(18, b"No.") + attribute(18, b"Really.")
    for code in (REJECT, CHALLENGE):
        peer = peers(lambda request, code=code: [signed_reply(request, code, message)])
        reply = peer.client().authenticate("guest", Pap("secret"))
        assert not reply.accepted
        assert reply.reply_message == "No. Really."
        assert reply.session_timeout is None


def test_message_authenticator_is_the_first_attribute_and_right(peers: StartPeer) -> None:
    peer = peers(accept)
    peer.client().authenticate("guest", Pap("secret"), [("NAS-Identifier", "ap")])
    packet = checked(peer.received[0])
    assert packet.attributes[0][0] == 80
    assert packet.text("NAS-Identifier") == "ap"


@pytest.mark.parametrize("password", ["x", "exactly 16 chars", "Größe, longer than sixteen octets in all"])
def test_a_pap_password_arrives(peers: StartPeer, password: str) -> None:
    peer = peers(accept)
    peer.client().authenticate("guest", Pap(password))
    packet = checked(peer.received[0])
    assert read_proof(packet, SECRET) == Pap(password)
    assert packet.text("User-Name") == "guest"


@pytest.mark.parametrize("challenge", [b"0x00112233445566", b"1234567890123456", bytes(16)])
def test_a_chap_proof_arrives_octet_by_octet_whatever_it_looks_like(peers: StartPeer, challenge: bytes) -> None:
    peer = peers(accept)
    response = hashlib.md5(b"\0" + b"secret" + challenge, usedforsecurity=False).digest()
    peer.client().authenticate("guest", Chap(b"\0", response, challenge))
    packet = checked(peer.received[0])
    proof = read_proof(packet, SECRET)
    assert proof == Chap(b"\0", response, challenge)
    assert proof.matches("secret")


def test_a_lost_packet_is_sent_again_byte_for_byte(peers: StartPeer) -> None:
    peer: Peer = peers(lambda request: accept(request) if len(peer.received) == 3 else [])
    assert peer.client().authenticate("guest", Pap("secret")).accepted
    assert len(peer.received) == 3
    assert len(set(peer.received)) == 1


def test_silence_ends_after_the_retries(peers: StartPeer) -> None:
    peer = peers(lambda request: [])
    with pytest.raises(RadiusTimeout):
        peer.client(timeout=0.1).authenticate("guest", Pap("secret"))
    assert len(peer.received) == 3
    assert not peer.client(timeout=0.1, retries=0).account([("Acct-Status-Type", 1)])


def test_a_port_that_nobody_listens_on_is_silence() -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as unused:
        unused.bind(("127.0.0.1", 0))
        port = unused.getsockname()[1]
    client = RadiusClient("127.0.0.1", port, port, SECRET, timeout=0.05, retries=1)
    with pytest.raises(RadiusTimeout):
        client.authenticate("guest", Pap("secret"))
    assert not client.account([("Acct-Status-Type", 7)])


def flipped(reply: bytes, position: int) -> bytes:
    return reply[:position] + bytes([reply[position] ^ 1]) + reply[position + 1 :]


FORGERIES: dict[str, Callable[[bytes], bytes]] = {
    "a wrong Response Authenticator": lambda request: flipped(signed_reply(request, ACCEPT), 4),
    "a wrong Message-Authenticator": lambda request: signed_reply(request, ACCEPT, ma_secret=b"other"),
    "no Message-Authenticator": lambda request: signed_reply(request, ACCEPT, message_authenticator=False),
    "another secret": lambda request: signed_reply(request, ACCEPT, secret=b"other"),
    "another Identifier": lambda request: signed_reply(request, ACCEPT, identifier=request[1] ^ 1),
    "a code that answers something else": lambda request: signed_reply(request, ACCOUNTING_RESPONSE),
    "a Proxy-State that was not sent": lambda request: signed_reply(request, ACCEPT, attribute(33, b"x")),
    "an attribute past the end": lambda request: signed_reply(request, ACCEPT, b"\x12\x7fshort"),
    "a length past the end": lambda request: signed_reply(request, ACCEPT)[:-1],
    "no packet at all": lambda request: b"\x02",
}


@pytest.mark.parametrize("forge", FORGERIES.values(), ids=FORGERIES.keys())
def test_a_bad_reply_is_ignored_and_the_true_one_taken(peers: StartPeer, forge: Callable[[bytes], bytes]) -> None:
    peer = peers(lambda request: [forge(request), signed_reply(request, REJECT, attribute(18, b"the true one"))])
    reply = peer.client().authenticate("guest", Pap("secret"))
    assert not reply.accepted
    assert reply.reply_message == "the true one"
    assert len(peer.received) == 1


def test_accounting_is_acknowledged_and_carries_the_right_authenticator(peers: StartPeer) -> None:
    peer = peers(lambda request: [signed_reply(request, ACCOUNTING_RESPONSE, message_authenticator=False)])
    attributes: list[tuple[str, Value]] = [
        ("Acct-Status-Type", 1),
        ("Acct-Session-Id", "4f00"),
        ("Class", b"0x41"),
        ("Class", b"two"),
        ("ChilliSpot-Acct-View-Point", 1),
        ("Framed-IP-Address", "10.1.2.3"),
    ]
    assert peer.client().account(attributes)
    packet = checked(peer.received[0])
    assert packet.integer("Acct-Status-Type") == 1
    assert packet.all("Class") == [b"0x41", b"two"]
    assert packet.vendor_integer(14559, 10) == 1
    assert packet.address("Framed-IP-Address") == "10.1.2.3"


def test_a_forged_accounting_response_acknowledges_nothing(peers: StartPeer) -> None:
    peer = peers(
        lambda request: [signed_reply(request, ACCOUNTING_RESPONSE, secret=b"other", message_authenticator=False)]
    )
    assert not peer.client(timeout=0.1, retries=1).account([("Acct-Status-Type", 1)])
    assert len(set(peer.received)) == 1


def test_ipv6_works_as_well(peers: StartPeer) -> None:
    peer = peers(accept, host="::1")
    assert peer.client().authenticate("guest", Pap("secret"), [("NAS-IPv6-Address", "::1")]).accepted


def test_many_threads_may_ask_one_client_at_once(peers: StartPeer) -> None:
    peer = peers(lambda request: [signed_reply(request, ACCEPT, attribute(25, parse_name(request)))])
    client = peer.client(timeout=1)
    replies: dict[str, AccessReply] = {}

    def ask(name: str) -> None:
        replies[name] = client.authenticate(name, Pap("secret"))

    threads = [threading.Thread(target=ask, args=(f"guest{number}",)) for number in range(20)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert {name: reply.class_ for name, reply in replies.items()} == {
        f"guest{number}": (f"guest{number}".encode(),) for number in range(20)
    }


def parse_name(request: bytes) -> bytes:
    return checked(request).first("User-Name") or b""
