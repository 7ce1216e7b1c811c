"""RADIUS packets as they come off the wire: a strict check of the raw octets, before anything else looks at them.

A request is read without pyrad, whose objects would cost more than all the rest of its way. pyrad's decoder trusts the
lengths in a packet, so no answer reaches it either that has not passed `parse`.
"""

import enum
import ipaddress
from functools import cache, lru_cache
from pathlib import Path

from pyrad.dictionary import Dictionary
from pyrad.packet import AccountingRequest

from hotspot.mac import Mac

MOST_ATTRIBUTES = 200
_LONGEST = {AccountingRequest: 4095}  # RFC 2866 §3; RFC 2865 §3 allows one octet more
MOST_OCTETS = 4096
HEADER_LENGTH = 20
MESSAGE_AUTHENTICATOR = 80
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


class Packet:
    """A well-formed packet: its header, and its octets without padding. Attributes are read when they are asked for."""

    __slots__ = ("_first", "authenticator", "code", "identifier", "octets")

    def __init__(self, octets: bytes, first: dict[int, int]) -> None:
        self.octets = octets
        self.code, self.identifier = octets[0], octets[1]
        self.authenticator = octets[4:20]
        self._first = first

    @property
    def attributes(self) -> tuple[tuple[int, bytes], ...]:
        """All attributes as (type, value) in order."""
        octets, position, found = self.octets, HEADER_LENGTH, []
        while position < len(octets):
            end = position + octets[position + 1]
            found.append((octets[position], octets[position + 2 : end]))
            position = end
        return tuple(found)

    def all(self, name: str) -> list[bytes]:
        """The values of every attribute `name`."""
        number = _number(name)
        return [value for kind, value in self.attributes if kind == number] if number in self._first else []

    def __contains__(self, name: str) -> bool:
        return _number(name) in self._first

    def has_any(self, types: frozenset[int]) -> bool:
        """Whether it has an attribute of one of these types."""
        return not self._first.keys().isdisjoint(types)

    def position(self, name: str) -> int | None:
        """Where in the octets the first attribute `name` begins."""
        return self._first.get(_number(name))

    def first(self, name: str) -> bytes | None:
        """The first value of `name`, None where there is none."""
        position = self._first.get(_number(name))
        if position is None:
            return None
        octets = self.octets
        return octets[position + 2 : position + octets[position + 1]]

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
        if len(value) == 4:
            return f"{value[0]}.{value[1]}.{value[2]}.{value[3]}"
        if len(value) != 16:
            raise Discarded(Cause.BAD_ATTRIBUTE)
        return str(ipaddress.ip_address(value))

    @property
    def proxy_states(self) -> bytes:
        """All Proxy-States as they came, header and value, in order: so they go back (RFC 2865 §5.33)."""
        if "Proxy-State" not in self:
            return b""
        return b"".join(bytes((33, len(value) + 2)) + value for value in self.all("Proxy-State"))

    @property
    def device(self) -> Mac | None:
        """The guest's MAC in Calling-Station-Id, None where there is none."""
        text = self.text("Calling-Station-Id")
        return _read_mac(text) if text else None

    def vendor_integer(self, vendor: int, number: int) -> int | None:
        """The first integer `number` of a vendor (RFC 2865 §5.26); None where there is none or it is malformed."""
        if _VENDOR_SPECIFIC not in self._first:
            return None
        for kind, value in self.attributes:
            if kind == _VENDOR_SPECIFIC and len(value) >= 10 and int.from_bytes(value[:4], "big") == vendor:
                rest = value[4:]
                while len(rest) >= 2 and 2 <= rest[1] <= len(rest):
                    if rest[0] == number and rest[1] == 6:
                        return int.from_bytes(rest[2:6], "big")
                    rest = rest[rest[1] :]
        return None


@lru_cache(maxsize=20_000)
def _read_mac(text: str) -> Mac | None:
    """A device asks and is reported of many times."""
    return Mac.split(text)[0]


@cache
def _number(name: str) -> int:
    return int(load_dictionary()[name].code)


def parse(datagram: bytes, codes: tuple[int, ...]) -> Packet:
    """Check a datagram strictly (RFC 2865 §3, §5); Discarded tells what is wrong with it. `codes` are those welcome here."""
    if len(datagram) < HEADER_LENGTH:
        raise Discarded(Cause.MALFORMED)
    code = datagram[0]
    if code not in codes:
        raise Discarded(Cause.UNKNOWN_CODE)
    length = datagram[2] << 8 | datagram[3]
    if not HEADER_LENGTH <= length <= min(len(datagram), _LONGEST.get(code, MOST_OCTETS)):
        raise Discarded(Cause.MALFORMED)
    octets = datagram if length == len(datagram) else datagram[:length]
    return Packet(octets, _check_attributes(octets))


def _check_attributes(octets: bytes) -> dict[int, int]:
    """Walk all attributes once; returns where the first of each type begins. Discarded for one that cannot be."""
    first: dict[int, int] = {}
    position, length, count = HEADER_LENGTH, len(octets), 0
    try:
        while position < length:
            kind, size = octets[position], octets[position + 1]
            if size < 2 or not kind or (kind == MESSAGE_AUTHENTICATOR and (size != 18 or kind in first)):
                raise Discarded(Cause.BAD_ATTRIBUTE)
            if kind not in first:
                first[kind] = position
            position += size
            count += 1
    except IndexError:  # a type without its length at the very end
        raise Discarded(Cause.BAD_ATTRIBUTE) from None
    if position != length or count > MOST_ATTRIBUTES:
        raise Discarded(Cause.BAD_ATTRIBUTE)
    return first
