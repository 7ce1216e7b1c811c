"""Signatures of RADIUS packets, and what else a shared secret is for: authenticators, Message-Authenticator, passwords."""

import hmac
from functools import lru_cache
from hashlib import md5
from typing import TYPE_CHECKING, Final

from pyrad.packet import AccountingRequest, StatusServer

from radius.packet import HEADER_LENGTH, Cause, Discarded, Packet

if TYPE_CHECKING:
    from hashlib import _Hash as Hash

# RADIUS is made of MD5 (RFC 2865 §3, RFC 3579 §3.2). A digest that begins as a copy costs half of one made anew.
_EMPTY: Final = md5(usedforsecurity=False)
_ZEROS: Final = bytes(16)
_BLOCK: Final = 64
_INNER, _OUTER = bytes(octet ^ 0x36 for octet in range(256)), bytes(octet ^ 0x5C for octet in range(256))


def _md5(octets: bytes) -> "Hash":
    digest = _EMPTY.copy()
    digest.update(octets)
    return digest


class Secret:
    """A shared secret, with the digest states that every HMAC-MD5 under it begins with (RFC 2104)."""

    __slots__ = ("_inner", "_outer", "octets")

    def __init__(self, octets: bytes) -> None:
        self.octets = octets
        key = (_md5(octets).digest() if len(octets) > _BLOCK else octets).ljust(_BLOCK, b"\0")
        self._inner, self._outer = _md5(key.translate(_INNER)), _md5(key.translate(_OUTER))

    def hmac(self, message: bytes) -> bytes:
        """The HMAC-MD5 of a message."""
        inner, outer = self._inner.copy(), self._outer.copy()
        inner.update(message)
        outer.update(inner.digest())
        return outer.digest()


# So many secrets have their states kept; each of them is some hundred octets.
secret_of = lru_cache(maxsize=20_000)(Secret)


def verify(packet: Packet, secret: bytes) -> bool:
    """Check the packet's signatures; returns whether it carries a Message-Authenticator. Discarded for a wrong one.

    A wrong secret and a forged packet look alike: both are "wrong secret" to the operator.
    """
    octets = packet.octets
    accounting = packet.code == AccountingRequest
    if accounting:
        expected = _md5(octets[:4] + _ZEROS + octets[HEADER_LENGTH:] + secret).digest()
        if not hmac.compare_digest(expected, packet.authenticator):
            raise Discarded(Cause.WRONG_SECRET)
    position = packet.position("Message-Authenticator")
    if position is None:
        if packet.code == StatusServer:
            raise Discarded(Cause.UNSIGNED)
        return False
    start, end = position + 2, position + 18
    # RFC 5176 §3.4: where the Request Authenticator is itself a digest, it counts as zeros.
    head = octets[:4] + _ZEROS + octets[HEADER_LENGTH:start] if accounting else octets[:start]
    if not hmac.compare_digest(secret_of(secret).hmac(head + _ZEROS + octets[end:]), octets[start:end]):
        raise Discarded(Cause.WRONG_SECRET)
    return True


def reveal(hidden: bytes, authenticator: bytes, secret: bytes) -> bytes:
    """A User-Password in clear, without the NULs behind it (RFC 2865 §5.2). Of a wrong secret comes rubbish."""
    clear, last = b"", authenticator
    for start in range(0, len(hidden), 16):
        block = hidden[start : start + 16]
        mask = int.from_bytes(_md5(secret + last).digest(), "big")
        clear += (int.from_bytes(block, "big") ^ mask).to_bytes(16, "big")
        last = block
    return clear.rstrip(b"\0")


def seal(code: int, request: Packet, secret: bytes, attributes: bytes, *, signed: bool) -> bytes:
    """A reply's octets: its attributes, Message-Authenticator first where `signed`, and the Response Authenticator."""
    length = HEADER_LENGTH + len(attributes) + (18 if signed else 0)
    header = bytes((code, request.identifier)) + length.to_bytes(2, "big")
    begin = header + request.authenticator
    if signed:
        mac = secret_of(secret).hmac(begin + b"\x50\x12" + _ZEROS + attributes)
        attributes = b"\x50\x12" + mac + attributes
    return header + _md5(begin + attributes + secret).digest() + attributes
