"""Makes of NAS: how each names a place, in which attributes and units it takes limits, who enforces them, how it is told to end.

One table, at the end. docs/gateways.md says the same for people, and what is not sure.
"""

import enum
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache, cached_property

from radius.packet import Packet, load_dictionary
from vouchers.admission import Granted
from vouchers.passes import Terms

Attribute = tuple[str, int | str]
Attributes = list[Attribute]

_VENDOR_SPECIFIC = 26
_GIGAWORD = 1 << 32
_LARGEST_INTEGER = _GIGAWORD - 1
# RFC 2868 §3.6: an octet up to 0x1F before the text is a tag.
_TAGS = "".join(map(chr, range(0x20)))


class EnforcedBy(enum.StrEnum):
    """Who ends or slows a guest that has reached a limit."""

    NAS = "nas"
    DISCONNECT = "disconnect"
    NEXT_LOGIN = "next-login"
    NOBODY = "nobody"


class Limit(enum.StrEnum):
    """What a pass can limit."""

    TIME = "time"
    VOLUME = "volume"
    RATE = "rate"


def wispr_rate(granted: Granted) -> Attributes:
    """Rates as WISPr-Bandwidth-Max-*, in bit/s."""
    return [
        (name, min(kbit * 1000, _LARGEST_INTEGER))
        for name, kbit in (
            ("WISPr-Bandwidth-Max-Down", granted.down_kbit),
            ("WISPr-Bandwidth-Max-Up", granted.up_kbit),
        )
        if kbit is not None
    ]


def chilli_rate(granted: Granted) -> Attributes:
    """Rates as ChilliSpot-Bandwidth-Max-*, in kbit/s; CoovaChilli lets them win over WISPr's."""
    names = (("ChilliSpot-Bandwidth-Max-Down", granted.down_kbit), ("ChilliSpot-Bandwidth-Max-Up", granted.up_kbit))
    return [(name, kbit) for name, kbit in names if kbit is not None] + wispr_rate(granted)


def mikrotik_rate(granted: Granted) -> Attributes:
    """Rates as Mikrotik-Rate-Limit `rx/tx`; rx is what the router receives, the guest's upload. 0 is no limit."""
    if granted.down_kbit is None and granted.up_kbit is None:
        return []

    def spell(kbit: int | None) -> str:
        return "0" if kbit is None else f"{kbit}k"

    return [("Mikrotik-Rate-Limit", f"{spell(granted.up_kbit)}/{spell(granted.down_kbit)}")]


def _total_octets(name: str, gigawords_name: str) -> Callable[[Granted], Attributes]:
    """Volume of both directions in octets; 32 bits are not enough, so the upper ones go in a second attribute."""

    def volume(granted: Granted) -> Attributes:
        if granted.octets_left is None:
            return []
        gigawords, octets = divmod(granted.octets_left, _GIGAWORD)
        return [(name, octets), (gigawords_name, gigawords)]

    return volume


def told_by_portal(_granted: Granted) -> Attributes:
    """For a limit that a gateway without RADIUS is told by the portal, and keeps."""
    return []


def nothing(_granted: Granted) -> Attributes:
    """For a make that takes no such limit."""
    return []


class Spelling(enum.Enum):
    """Whether an attribute names an access point by itself, or only together with the NAS's own name: `nas/value`.

    Names such as `hotspot1` or `ether2` are on every router.
    """

    ALONE = 1
    WITH_NAS = 2


@dataclass(frozen=True)
class Hint:
    """An attribute of a request that may name an access point."""

    attribute: str
    spelling: Spelling = Spelling.ALONE


@dataclass(frozen=True)
class Naming:
    """How a Disconnect- or CoA-Request names a session (RFC 5176 §3).

    `session_id_needed`: without Acct-Session-Id a User-Name ends all sessions of that name.
    """

    session: tuple[str, ...] = ("User-Name", "Acct-Session-Id", "Calling-Station-Id", "Framed-IP-Address")
    least: tuple[str, ...] = ("User-Name", "Acct-Session-Id")
    names_nas: bool = True
    signed: bool = True
    stamped: bool = True
    session_id_needed: bool = False


@dataclass(frozen=True)
class Make:
    """One make. `guest_view`: its accounting calls input what the guest received.

    `takes_coa`: its CoA is known well enough to change a running session. `from_start`: what a CoA-Request limits counts
    from the session's start, not from now. `time_by` is where Session-Timeout ends a guest.
    """

    name: str
    title: str
    rate: Callable[[Granted], Attributes] = nothing
    volume: Callable[[Granted], Attributes] = nothing
    time_by: EnforcedBy = EnforcedBy.NAS
    hints: tuple[Hint, ...] = ()
    guest_view: bool = False
    coa_port: int = 3799
    naming: Naming = Naming()
    takes_coa: bool = False
    from_start: bool = False

    @property
    def rate_enforced_by(self) -> EnforcedBy:
        """Who keeps a guest to the pass's rate."""
        return EnforcedBy.NOBODY if self.rate is nothing else EnforcedBy.NAS

    @property
    def volume_enforced_by(self) -> EnforcedBy:
        """Who ends a guest that has used up the pass's volume."""
        return EnforcedBy.DISCONNECT if self.volume is nothing else EnforcedBy.NAS

    def enforced(self, terms: Terms) -> list[tuple[Limit, EnforcedBy]]:
        """By whom each limit that a pass sets is enforced here."""
        limits = [(Limit.TIME, self.time_by)]
        if terms.megabytes is not None:
            limits.append((Limit.VOLUME, self.volume_enforced_by))
        if terms.down_kbit is not None or terms.up_kbit is not None:
            limits.append((Limit.RATE, self.rate_enforced_by))
        return limits

    def limits(self, granted: Granted) -> Attributes:
        """The attributes of an Access-Accept that carry rate and volume; time goes out as Session-Timeout everywhere."""
        return [*self.rate(granted), *self.volume(granted)]

    def since_start(self, granted: Granted, elapsed_seconds: int, octets_used: int) -> Granted:
        """The limits of a running session as a CoA-Request has to tell them."""
        if not self.from_start:
            return granted
        octets = None if granted.octets_left is None else granted.octets_left + octets_used
        return granted._replace(seconds_left=granted.seconds_left + elapsed_seconds, octets_left=octets)

    @cached_property
    def _hint_types(self) -> frozenset[int]:
        """The types of attributes that may say more than NAS-Identifier does."""
        vendors = {hint.attribute: _vendor_and_number(hint.attribute) for hint in self.hints}
        return frozenset(_VENDOR_SPECIFIC if vendor else number for vendor, number in vendors.values())

    def place_names(self, packet: Packet) -> tuple[str, ...]:
        """What a request says of its access point besides a MAC in Called-Station-Id, the most telling first."""
        nas = packet.text("NAS-Identifier")
        if not packet.has_any(self._hint_types):
            return (nas,) if nas else ()
        exact: list[str] = []
        others: list[str] = []
        vendors = packet.all("Vendor-Specific") if self.hints else []
        for hint in self.hints:
            value = _text(packet, vendors, hint.attribute)
            if value and hint.spelling is Spelling.ALONE:
                others.append(value)
            elif value and nas:
                exact.append(f"{nas}/{value}")
        # More exact than the NAS's own name, and so before it.
        return (*exact, *([nas] if nas else ()), *others)


def _text(packet: Packet, vendors: list[bytes], name: str) -> str | None:
    """The first value of an attribute as text, one of a vendor's too."""
    vendor, number = _vendor_and_number(name)
    if vendor is None:
        return (packet.text(name) or "").lstrip(_TAGS)
    for value in vendors:
        if value[:4] == vendor and len(value) > 6 and value[4] == number:
            return value[6 : 4 + value[5]].decode("utf-8", "replace").rstrip("\0")
    return None


@cache
def _vendor_and_number(name: str) -> tuple[bytes | None, int]:
    attribute = load_dictionary()[name]
    vendor = load_dictionary().vendors.GetForward(attribute.vendor) if attribute.vendor else None
    return None if vendor is None else vendor.to_bytes(4, "big"), int(attribute.code)


_CHILLI_VOLUME = _total_octets("ChilliSpot-Max-Total-Octets", "ChilliSpot-Max-Total-Gigawords")
_MIKROTIK_VOLUME = _total_octets("Mikrotik-Total-Limit", "Mikrotik-Total-Limit-Gigawords")
_CAMBIUM_VOLUME = _total_octets("Cambium-Quota-Total", "Cambium-Quota-Total-Gigawords")

_LOCATION = (Hint("WISPr-Location-ID"), Hint("WISPr-Location-Name"))
_VLAN = Hint("Tunnel-Private-Group-Id", Spelling.WITH_NAS)
_CIRCUIT = (Hint("Agent-Circuit-Id"), Hint("NAS-Port-Id", Spelling.WITH_NAS))
# hostapd refuses whatever it does not know, and compares User-Name with an EAP identity that MAC-ACL does not have.
_BY_STATION = Naming(("Acct-Session-Id", "Calling-Station-Id"), least=("Calling-Station-Id",), names_nas=False)

MAKES: dict[str, Make] = {
    make.name: make
    for make in (
        Make(
            "coovachilli", "CoovaChilli", chilli_rate, _CHILLI_VOLUME, hints=(*_LOCATION, *_CIRCUIT), guest_view=True,
            naming=Naming(session_id_needed=True), takes_coa=True, from_start=True,
        ),
        Make(
            "mikrotik", "MikroTik RouterOS", mikrotik_rate, _MIKROTIK_VOLUME,
            hints=(Hint("Called-Station-Id", Spelling.WITH_NAS), *_LOCATION, *_CIRCUIT),
        ),
        Make("hostapd", "hostapd", naming=_BY_STATION),
        Make("aruba", "Aruba Instant", hints=(Hint("Aruba-Location-Id"),)),
        Make("cisco", "Cisco WLC", hints=(_VLAN,), coa_port=1700),
        Make("ruckus", "Ruckus ZoneDirector", wispr_rate, hints=_LOCATION),
        Make("cambium", "Cambium", wispr_rate, _CAMBIUM_VOLUME, hints=_LOCATION),
        # Its cloud sends the requests, and keeps to its own limits.
        Make("meraki", "Cisco Meraki", coa_port=1700),
        Make("tp-link", "TP-Link Omada", wispr_rate),
        Make("generic", "Generic WISPr", wispr_rate, hints=(*_LOCATION, *_CIRCUIT, _VLAN)),
    )
}  # fmt: skip

COA_MAKES = frozenset(make.name for make in MAKES.values() if make.takes_coa)

# They speak no RADIUS: the portal tells them the limits, and ends visits by the gateway's own reports.
OTHER_MAKES: dict[str, Make] = {
    make.name: make
    for make in (
        Make("opennds", "openNDS", told_by_portal),
        Make("opennds-level1", "openNDS, level 1", time_by=EnforcedBy.DISCONNECT),
    )
}
ALL_MAKES = MAKES | OTHER_MAKES
