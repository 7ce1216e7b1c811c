"""Makes of NAS: what each can be told of a guest's limits, in which attributes and units, and who enforces what."""

import enum
from collections.abc import Callable
from dataclasses import dataclass

from vouchers.admission import Granted

Attribute = tuple[str, int | str]
Attributes = list[Attribute]

_GIGAWORD = 1 << 32
_LARGEST_INTEGER = _GIGAWORD - 1


class EnforcedBy(enum.StrEnum):
    """Who ends or slows a guest that has reached a limit."""

    NAS = "nas"
    DISCONNECT = "disconnect"
    NEXT_LOGIN = "next-login"
    NOBODY = "nobody"


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


def nothing(_granted: Granted) -> Attributes:
    """For a make that takes no such limit."""
    return []


@dataclass(frozen=True)
class Make:
    """One make. `guest_view`: its accounting calls input what the guest received (PROTOCOLS: CoovaChilli)."""

    name: str
    title: str
    rate: Callable[[Granted], Attributes] = nothing
    volume: Callable[[Granted], Attributes] = nothing
    guest_view: bool = False
    coa_port: int = 3799

    @property
    def rate_enforced_by(self) -> EnforcedBy:
        """Who keeps a guest to the pass's rate."""
        return EnforcedBy.NOBODY if self.rate is nothing else EnforcedBy.NAS

    @property
    def volume_enforced_by(self) -> EnforcedBy:
        """Who ends a guest that has used up the pass's volume."""
        return EnforcedBy.DISCONNECT if self.volume is nothing else EnforcedBy.NAS

    def limits(self, granted: Granted) -> Attributes:
        """The attributes of an Access-Accept that carry rate and volume; time goes out as Session-Timeout everywhere."""
        return [*self.rate(granted), *self.volume(granted)]


_CHILLI_VOLUME = _total_octets("ChilliSpot-Max-Total-Octets", "ChilliSpot-Max-Total-Gigawords")
_MIKROTIK_VOLUME = _total_octets("Mikrotik-Total-Limit", "Mikrotik-Total-Limit-Gigawords")

MAKES: dict[str, Make] = {
    make.name: make
    for make in (
        Make("coovachilli", "CoovaChilli", chilli_rate, _CHILLI_VOLUME, guest_view=True),
        Make("mikrotik", "MikroTik RouterOS", mikrotik_rate, _MIKROTIK_VOLUME),
        Make("hostapd", "hostapd"),
        Make("aruba", "Aruba Instant"),
        Make("cisco", "Cisco WLC", coa_port=1700),
        Make("ruckus", "Ruckus ZoneDirector", wispr_rate),
        Make("cambium", "Cambium", wispr_rate),
        Make("tp-link", "TP-Link Omada", wispr_rate),
        Make("generic", "Generic WISPr", wispr_rate),
    )
}
