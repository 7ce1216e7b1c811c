"""What a CoovaChilli and its portal say to each other in addresses (UAM): challenges, proofs and signed redirects."""

import hashlib
import itertools
import re
import secrets
from collections.abc import Iterable
from urllib.parse import quote

from radius.credentials import Chap, Pap

CHALLENGE_SECONDS = 600
_CHALLENGE_OCTETS = 16
_CHAP_IDENTIFIER = b"\0"
_LONGEST_PASSWORD = 128  # RFC 2865 §5.2


def make_challenge() -> bytes:
    """A random challenge."""
    return secrets.token_bytes(_CHALLENGE_OCTETS)


def shared_challenge(challenge: bytes, uam_secret: str | None) -> bytes:
    """The challenge that gateway and portal know but the air does not: the plain one where they share no secret."""
    return _md5(challenge + uam_secret.encode()) if uam_secret else challenge


def chap_proof(response: str, shared: bytes) -> Chap | None:
    """The CHAP proof of `response`, 32 hex digits; None for anything else."""
    octets = _from_hex(response)
    return Chap(_CHAP_IDENTIFIER, octets, shared) if octets and len(octets) == 16 else None


def pap_proof(password: str, shared: bytes) -> Pap | None:
    """The password that was hidden by XOR with the challenge, in hex; None where it cannot be one."""
    octets = _from_hex(password)
    if not octets:
        return None
    clear = bytes(a ^ b for a, b in zip(octets, itertools.cycle(shared), strict=False))
    text = clear.rstrip(b"\0").decode("utf-8", "replace")
    return Pap(text) if len(text.encode()) <= _LONGEST_PASSWORD else None


def signed_address(portal: str, parameters: Iterable[tuple[str, str]], uam_secret: str | None) -> str:
    """The portal's address with `parameters`, and with `md`, which lets the portal trust them.

    CoovaChilli writes percent-escapes in lower case, and `md` is over the very characters.
    """
    query = "&".join(f"{name}={_escape(value)}" for name, value in parameters)
    address = f"{portal}{'&' if '?' in portal else '?'}{query}"
    if not uam_secret:
        return address
    return f"{address}&md={_md5(address.encode() + uam_secret.encode()).hex().upper()}"


def _escape(value: str) -> str:
    return re.sub("%[0-9A-F]{2}", lambda escape: escape[0].lower(), quote(value, safe="", errors="replace"))


def _md5(octets: bytes) -> bytes:
    return hashlib.md5(octets, usedforsecurity=False).digest()  # what the protocol asks for


def _from_hex(text: str) -> bytes | None:
    try:
        return bytes.fromhex(text)
    except ValueError:
        return None
