"""The password of an Access-Request, as PAP or as CHAP (RFC 2865 §5.2, §5.3)."""

import hashlib
import hmac
from dataclasses import dataclass

from radius.packet import Packet
from radius.signatures import reveal

_LONGEST_PASSWORD = 128


@dataclass(frozen=True, repr=False)
class Pap:
    """A password that was decrypted."""

    password: str

    def matches(self, candidate: str) -> bool:
        """Whether `candidate` is the password."""
        return hmac.compare_digest(self.password.encode(), candidate.encode())


@dataclass(frozen=True, repr=False)
class Chap:
    """A proof that the other side knows the password."""

    identifier: bytes
    response: bytes
    challenge: bytes

    def matches(self, candidate: str) -> bool:
        """Whether `candidate` is the password."""
        expected = hashlib.md5(self.identifier + candidate.encode() + self.challenge, usedforsecurity=False).digest()
        return hmac.compare_digest(self.response, expected)


def read_proof(packet: Packet, secret: bytes) -> Pap | Chap | None:
    """The proof that a packet carries; None where it carries both, neither or a broken one, which RFC 2865 §4.1 forbids."""
    hidden, chap = packet.first("User-Password"), packet.first("CHAP-Password")
    if (hidden is None) == (chap is None):
        return None
    if chap is not None:
        challenge = packet.first("CHAP-Challenge") or packet.authenticator
        return Chap(chap[:1], chap[1:], challenge) if len(chap) == 17 else None
    if not hidden or len(hidden) > _LONGEST_PASSWORD or len(hidden) % 16:
        return None
    return Pap(reveal(hidden, packet.authenticator, secret).decode("utf-8", "ignore"))
