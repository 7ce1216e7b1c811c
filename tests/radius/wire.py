"""Hand-made RADIUS packets: made from the RFCs, without pyrad, so that the server is measured by something else than itself."""

import hashlib
import hmac
import secrets
import socket
import struct
from dataclasses import dataclass

ACCESS_REQUEST, ACCESS_ACCEPT, ACCESS_REJECT = 1, 2, 3
ACCOUNTING_REQUEST, ACCOUNTING_RESPONSE = 4, 5
STATUS_SERVER = 12

USER_NAME, USER_PASSWORD, CHAP_PASSWORD, NAS_IP_ADDRESS = 1, 2, 3, 4
REPLY_MESSAGE, CLASS, SESSION_TIMEOUT = 18, 25, 27
CALLED_STATION_ID, CALLING_STATION_ID, NAS_IDENTIFIER, PROXY_STATE = 30, 31, 32, 33
ACCT_STATUS_TYPE, ACCT_DELAY_TIME, ACCT_INPUT_OCTETS, ACCT_OUTPUT_OCTETS, ACCT_SESSION_ID = 40, 41, 42, 43, 44
ACCT_SESSION_TIME, ACCT_INPUT_GIGAWORDS, EVENT_TIMESTAMP, CHAP_CHALLENGE = 46, 52, 55, 60
EAP_MESSAGE, MESSAGE_AUTHENTICATOR = 79, 80

Attributes = list[tuple[int, bytes]]


def encode(attributes: Attributes) -> bytes:
    """Type, length, value for each."""
    return b"".join(bytes((kind, len(value) + 2)) + value for kind, value in attributes)


def integer(value: int) -> bytes:
    """An integer attribute's value."""
    return struct.pack("!I", value)


def hide(password: bytes, secret: bytes, authenticator: bytes) -> bytes:
    """A User-Password, RFC 2865 §5.2."""
    padded = password + bytes(-len(password) % 16)
    hidden, last = b"", authenticator
    for start in range(0, len(padded), 16):
        key = hashlib.md5(secret + last).digest()
        last = bytes(a ^ b for a, b in zip(padded[start : start + 16], key, strict=True))
        hidden += last
    return hidden


@dataclass(frozen=True)
class Wire:
    """A packet ready to send, and what is needed to check its answer."""

    octets: bytes
    authenticator: bytes
    secret: bytes


def access_request(
    attributes: Attributes, secret: bytes, *, password: bytes | None = None, signed: bool = True, identifier: int = 7,
    code: int = ACCESS_REQUEST,
) -> Wire:  # fmt: skip
    """An Access-Request or Status-Server, by default with a right Message-Authenticator."""
    authenticator = secrets.token_bytes(16)
    if password is not None:
        attributes = [*attributes, (USER_PASSWORD, hide(password, secret, authenticator))]
    body = encode(attributes)
    if not signed:
        return Wire(_header(code, identifier, body, authenticator) + body, authenticator, secret)
    empty = body + encode([(MESSAGE_AUTHENTICATOR, bytes(16))])
    header = _header(code, identifier, empty, authenticator)
    mac = hmac.digest(secret, header + empty, "md5")
    return Wire(header + body + encode([(MESSAGE_AUTHENTICATOR, mac)]), authenticator, secret)


def accounting_request(attributes: Attributes, secret: bytes, *, identifier: int = 7) -> Wire:
    """An Accounting-Request, RFC 2866 §3."""
    octets = sign_accounting(encode(attributes), secret, identifier)
    return Wire(octets, octets[4:20], secret)


def sign_accounting(body: bytes, secret: bytes, identifier: int = 7) -> bytes:
    """An Accounting-Request around attributes that need not be well-formed."""
    authenticator = hashlib.md5(_header(ACCOUNTING_REQUEST, identifier, body, bytes(16)) + body + secret).digest()
    return _header(ACCOUNTING_REQUEST, identifier, body, authenticator) + body


def _header(code: int, identifier: int, body: bytes, authenticator: bytes) -> bytes:
    return struct.pack("!BBH16s", code, identifier, len(body) + 20, authenticator)


@dataclass(frozen=True)
class Answer:
    """A reply that was checked: its Response Authenticator is right."""

    code: int
    octets: bytes
    attributes: Attributes

    def first(self, kind: int) -> bytes | None:
        """The first value of an attribute."""
        return next((value for one, value in self.attributes if one == kind), None)


def ask(
    port: int, wire: Wire, *, timeout: float = 2.0, sender: socket.socket | None = None, host: str = "127.0.0.1"
) -> Answer | None:
    """Send a packet to loopback and return the checked answer; None when nothing comes."""
    own = sender or socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET, socket.SOCK_DGRAM)
    try:
        own.settimeout(timeout)
        own.sendto(wire.octets, (host, port))
        try:
            octets = own.recv(4096)
        except TimeoutError:
            return None
    finally:
        if sender is None:
            own.close()
    return check(wire, octets)


def check(wire: Wire, octets: bytes) -> Answer:
    """Check the Response Authenticator and, where there is one, the Message-Authenticator; split the attributes."""
    head, body = octets[:4], octets[20:]
    assert octets[1] == wire.octets[1], "the answer is to another request"
    assert len(octets) == int.from_bytes(octets[2:4], "big")
    assert octets[4:20] == hashlib.md5(head + wire.authenticator + body + wire.secret).digest()
    attributes = split(body)
    for kind, value in attributes:
        if kind == MESSAGE_AUTHENTICATOR:
            emptied = [(k, bytes(16) if k == MESSAGE_AUTHENTICATOR else v) for k, v in attributes]
            vector = (
                bytes(16)
                if octets[0] == ACCOUNTING_RESPONSE and wire.octets[0] != STATUS_SERVER
                else wire.authenticator
            )
            assert value == hmac.digest(wire.secret, head + vector + encode(emptied), "md5")
    return Answer(octets[0], octets, attributes)


def split(body: bytes) -> Attributes:
    """The attributes of a well-formed packet."""
    attributes: Attributes = []
    while body:
        attributes.append((body[0], body[2 : body[1]]))
        body = body[body[1] :]
    return attributes
