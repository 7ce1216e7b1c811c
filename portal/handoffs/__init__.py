"""Hand-offs: how gateways of each make send a guest to the portal, and how the portal sends the guest back.

A make's module reads the query, checks its signature and writes the way back. What the query says of the device is a hint;
the address a guest is sent back to is always one of the NAS's record, else anybody could have vouchers sent to an address
of their own.
"""

from dataclasses import dataclass, replace
from datetime import datetime

from hotspot.directory import Directory, Located, NasRecord, SiteRecord
from hotspot.place import LoginWay
from portal.handoffs.addresses import is_recorded, recorded_origins
from portal.handoffs.arrival import (
    Admission,
    Arrival,
    Failure,
    FormPost,
    Grant,
    Handoff,
    Problem,
    Redirect,
    Sent,
    State,
    Ticket,
    Wait,
)
from portal.handoffs.by_device import ByDevice
from portal.handoffs.controllers import CONTROLLERS
from portal.handoffs.coovachilli import CoovaChilli
from portal.handoffs.mikrotik import MikroTik
from portal.handoffs.opennds import OpenNds, OpenNdsLevel1

__all__ = [
    "HANDOFFS",
    "Admission",
    "Arrival",
    "Failure",
    "FormPost",
    "Grant",
    "Handoff",
    "Problem",
    "Recognised",
    "Redirect",
    "Sent",
    "State",
    "Ticket",
    "Wait",
    "gateways_of",
    "hands_back_to",
    "recognise",
    "sole_gateway",
]

_ALL: tuple[Handoff, ...] = (
    *(CoovaChilli(), MikroTik(), OpenNds(), OpenNdsLevel1()),
    *CONTROLLERS,
    *(ByDevice("hostapd"), ByDevice("generic")),
)
HANDOFFS: dict[str, Handoff] = {handoff.make: handoff for handoff in _ALL}
# Makes that sign nothing, although their NAS have a secret.
_UNSIGNED = frozenset({OpenNdsLevel1.make})


@dataclass(frozen=True, repr=False)
class Recognised:
    """An arrival, the NAS it comes from, and whether that NAS has signed it."""

    arrival: Arrival
    nas: NasRecord
    verified: bool

    def locate(self, directory: Directory, site: SiteRecord, now: datetime) -> Located:
        """The place as far as the query tells; RADIUS may know better."""
        found = directory.locate(self.nas, self.arrival.called_station_id, self.arrival.place_names, now)
        return found if isinstance(found, Located) and found.site.id == site.id else Located(site, None)


def recognise(directory: Directory, site: SiteRecord, sent: Sent) -> Recognised | Problem | None:
    """Who sends this guest to `site`; None when no gateway does."""
    here = {nas.make for nas in directory.nas if nas.site_id in (None, site.id)}
    for handoff in sorted(HANDOFFS.values(), key=lambda one: one.make not in here):
        keys = tuple(nas.uam_secret for nas in _serving(directory, site, handoff.make) if nas.uam_secret)
        arrival = handoff.parse(replace(sent, keys=keys))
        if isinstance(arrival, Problem):
            return arrival
        if arrival:
            return _find_sender(handoff, directory, site, arrival, sent)
    return None


def _find_sender(
    handoff: Handoff, directory: Directory, site: SiteRecord, arrival: Arrival, sent: Sent
) -> Recognised | Problem:
    """Gateways of several sites may use the same private address: then the identifier tells them apart, or the signature."""
    candidates = [nas for nas in _serving(directory, site, handoff.make) if hands_back_to(nas, arrival.gateway)]
    candidates = _called(directory, site, candidates, arrival.nas_identifier)
    if not candidates:
        return Problem.UNKNOWN_GATEWAY
    for nas in candidates:
        if handoff.verify(sent, nas):
            return Recognised(arrival, nas, verified=True)
    unsigned = [nas for nas in candidates if not nas.uam_secret or nas.make in _UNSIGNED]
    if not unsigned:
        return Problem.BAD_SIGNATURE
    return Recognised(arrival, unsigned[0], verified=False) if len(unsigned) == 1 else Problem.UNKNOWN_GATEWAY


def _serving(directory: Directory, site: SiteRecord, make: str) -> list[NasRecord]:
    return [nas for nas in directory.nas if nas.make == make and nas.site_id in (None, site.id)]


def _called(
    directory: Directory, site: SiteRecord, candidates: list[NasRecord], identifier: str | None
) -> list[NasRecord]:
    """Those that call themselves so; an access point's identifier names its site, and a NAS without one answers to any.

    Many makes tell no identifier: then it excludes nobody, and those that serve this site alone come before the others.
    """
    if identifier is None:
        return [nas for nas in candidates if nas.site_id] or candidates
    point = directory.by_identifier.get(identifier)
    if point:
        return candidates if point.site_id == site.id else []
    named = [nas for nas in candidates if nas.nas_identifier == identifier]
    return named or [nas for nas in candidates if nas.nas_identifier is None]


def hands_back_to(nas: NasRecord, gateway: str | None) -> bool:
    """Whether a NAS has a hand-off, and guests of it may be handed back to this gateway, an origin; None where it needs none."""
    handoff = HANDOFFS.get(nas.make)
    if handoff is None:
        return False
    if gateway is None:
        return handoff.admission is Admission.BY_DEVICE and LoginWay.MAC in nas.logins
    return is_recorded(gateway, nas, handoff.ports)


def gateways_of(nas: NasRecord) -> tuple[str, ...]:
    """The gateways, as origins, that guests of a NAS may be handed back to."""
    handoff = HANDOFFS.get(nas.make)
    return recorded_origins(nas, handoff.ports) if handoff and handoff.ports else ()


def sole_gateway(directory: Directory, site: SiteRecord) -> tuple[Handoff, str] | None:
    """The site's gateway with its hand-off, where there is only one it can be."""
    found = {
        (make, gateway) for make in HANDOFFS for nas in _serving(directory, site, make) for gateway in gateways_of(nas)
    }
    if len(found) != 1:
        return None
    make, gateway = found.pop()
    return HANDOFFS[make], gateway
