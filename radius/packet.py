"""RADIUS packets as they come off the wire: a strict check of the raw octets, before anything else looks at them.

pyrad's decoder trusts the lengths in a packet, so nothing reaches it that has not passed `parse`.
"""

import enum
import ipaddress
import struct
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from pyrad.dictionary import Dictionary
from pyrad.packet import AccountingRequest, AcctPacket, AuthPacket, StatusServer

from hotspot.mac import Mac

MOST_ATTRIBUTES = 200
_LONGEST = {AccountingRequest: 4095}  # RFC 2866 §3; RFC 2865 §3 allows one octet more
_LONGEST_ELSE = 4096
_HEADER = struct.Struct("!BBH16s")
_VENDOR_SPECIFIC = 26


class Cause(enum.StrEnum):
    """Why a datagram is discarded without an answer."""

    MALFORMED = "malformed"
    BAD_ATTRIBUTE = "bad attribute"
    UNKNOWN_CODE = "unknown code"
    UNKNOWN_CLIENT = "unknown client"
    UNKNOWN_IDENTIFIER = "unknown NAS-Identifier"
    WRONG_SECRET = "wrong secret"
    UNSIGNED = "no Message-Authenticator"
    UNSIGNED_PROXY_STATE = "Proxy-State without Message-Authenticator"
    UNSIGNED_EAP = "EAP-Message without Message-Authenticator"
    IN_WORK = "in work already"
    TOO_OFTEN = "too often"


class Discarded(Exception):
    """The packet must not be answered."""

    def __init__(self, cause: Cause) -> None:
        super().__init__(cause)
        self.cause = cause


@cache
def load_dictionary() -> Dictionary:
    """Our own dictionary: the attributes this project uses."""
    return Dictionary(str(Path(__file__).with_name("dictionary")))


@dataclass(frozen=True, repr=False)
class Packet:
    """A well-formed packet: its header, its octets without padding, and its attributes as (type, octets) in order."""

    code: int
    identifier: int
    authenticator: bytes
    octets: bytes
    attributes: tuple[tuple[int, bytes], ...]

    def all(self, name: str) -> list[bytes]:
        """The values of every attribute `name`."""
        number = _number(name)
        return [value for kind, value in self.attributes if kind == number]

    def __contains__(self, name: str) -> bool:
        number = _number(name)
        return any(kind == number for kind, _value in self.attributes)

    def first(self, name: str) -> bytes | None:
        """The first value of `name`, None where there is none."""
        number = _number(name)
        return next((value for kind, value in self.attributes if kind == number), None)

    def text(self, name: str) -> str | None:
        """The first value of `name` as text; what is no UTF-8 is replaced, NULs at the end are dropped."""
        value = self.first(name)
        return None if value is None else value.decode("utf-8", "replace").rstrip("\0")

    def integer(self, name: str) -> int | None:
        """The first value of `name` as an integer; Discarded when it is not four octets."""
        value = self.first(name)
        if value is None:
            return None
        if len(value) != 4:
            raise Discarded(Cause.BAD_ATTRIBUTE)
        return int.from_bytes(value, "big")

    def address(self, name: str) -> str | None:
        """The first value of `name` as an IPv4 or IPv6 address; Discarded when it is neither."""
        value = self.first(name)
        if value is None:
            return None
        if len(value) not in (4, 16):
            raise Discarded(Cause.BAD_ATTRIBUTE)
        return str(ipaddress.ip_address(value))

    @property
    def device(self) -> Mac | None:
        """The guest's MAC in Calling-Station-Id, None where there is none."""
        mac, _rest = Mac.split(self.text("Calling-Station-Id") or "")
        return mac

    def vendor_integer(self, vendor: int, number: int) -> int | None:
        """The first integer `number` of a vendor (RFC 2865 §5.26); None where there is none or it is malformed."""
        for kind, value in self.attributes:
            if kind == _VENDOR_SPECIFIC and len(value) >= 10 and int.from_bytes(value[:4], "big") == vendor:
                rest = value[4:]
                while len(rest) >= 2 and 2 <= rest[1] <= len(rest):
                    if rest[0] == number and rest[1] == 6:
                        return int.from_bytes(rest[2:6], "big")
                    rest = rest[rest[1] :]
        return None

    def decode(self, secret: bytes) -> AuthPacket | AcctPacket:
        """The same packet for pyrad: its signatures, its password, its reply."""
        kind = AcctPacket if self.code == AccountingRequest else AuthPacket
        try:
            return kind(packet=self.octets, secret=secret, dict=load_dictionary())
        except Exception as error:  # whatever pyrad trips over must not stop the worker
            raise Discarded(Cause.BAD_ATTRIBUTE) from error


@cache
def _number(name: str) -> int:
    return int(load_dictionary()[name].code)


def parse(datagram: bytes, codes: tuple[int, ...]) -> Packet:
    """Check a datagram strictly (RFC 2865 §3, §5) and split it; Discarded tells why not. `codes` are those welcome here."""
    if len(datagram) < _HEADER.size:
        raise Discarded(Cause.MALFORMED)
    code, identifier, length, authenticator = _HEADER.unpack_from(datagram)
    if code not in codes:
        raise Discarded(Cause.UNKNOWN_CODE)
    if not _HEADER.size <= length <= min(len(datagram), _LONGEST.get(code, _LONGEST_ELSE)):
        raise Discarded(Cause.MALFORMED)
    octets = datagram[:length]
    packet = Packet(code, identifier, authenticator, octets, tuple(_split(octets[_HEADER.size :])))
    signatures = packet.all("Message-Authenticator")
    if len(packet.attributes) > MOST_ATTRIBUTES or len(signatures) > 1 or any(len(one) != 16 for one in signatures):
        raise Discarded(Cause.BAD_ATTRIBUTE)
    return packet


def _split(octets: bytes) -> list[tuple[int, bytes]]:
    attributes = []
    while octets:
        if len(octets) < 2 or octets[0] == 0 or not 2 <= octets[1] <= len(octets):
            raise Discarded(Cause.BAD_ATTRIBUTE)
        attributes.append((octets[0], octets[2 : octets[1]]))
        octets = octets[octets[1] :]
    return attributes


def verify(packet: Packet, decoded: AuthPacket | AcctPacket) -> bool:
    """Check the packet's signatures; returns whether it carries a Message-Authenticator. Discarded for a wrong one.

    A wrong secret and a forged packet look alike: both are "wrong secret" to the operator.
    """
    if packet.code == AccountingRequest and not decoded.VerifyAcctRequest():
        raise Discarded(Cause.WRONG_SECRET)
    signed = "Message-Authenticator" in packet
    if signed and not decoded.verify_message_authenticator():
        raise Discarded(Cause.WRONG_SECRET)
    if packet.code == StatusServer and not signed:
        raise Discarded(Cause.UNSIGNED)
    return signed
