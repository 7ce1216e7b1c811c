"""Hand-offs: how gateways of each make send a guest to the portal, and how the portal sends the guest back.

A make's module reads the query, checks its signature and writes the way back. What the query says of the device is a hint;
the address a guest is sent back to is always one of the NAS's record, else anybody could have vouchers sent to an address
of their own.
"""

from dataclasses import dataclass
from datetime import datetime

from hotspot.directory import Directory, Located, NasRecord, SiteRecord
from portal.handoffs.arrival import Arrival, Failure, Handoff, Problem, State
from portal.handoffs.coovachilli import CoovaChilli

__all__ = ["HANDOFFS", "Arrival", "Failure", "Handoff", "Problem", "Recognised", "State", "recognise", "sole_gateway"]

HANDOFFS: dict[str, Handoff] = {handoff.make: handoff for handoff in (CoovaChilli(),)}


@dataclass(frozen=True, repr=False)
class Recognised:
    """An arrival, the NAS it comes from, and whether that NAS has signed it."""

    arrival: Arrival
    nas: NasRecord
    verified: bool

    def locate(self, directory: Directory, site: SiteRecord, now: datetime) -> Located:
        """The place as far as the query tells; RADIUS may know better."""
        arrival = self.arrival
        names = (arrival.nas_identifier,) if arrival.nas_identifier else ()
        found = directory.locate(self.nas, arrival.called_station_id, names, now)
        return found if isinstance(found, Located) and found.site.id == site.id else Located(site, None)


def recognise(directory: Directory, site: SiteRecord, page_url: str, query: bytes) -> Recognised | Problem | None:
    """Who sends this guest to `site`, whose page is told to gateways as `page_url`; None when no gateway does."""
    for handoff in HANDOFFS.values():
        arrival = handoff.parse(query)
        if isinstance(arrival, Problem):
            return arrival
        if arrival:
            return _find_sender(handoff, directory, site, arrival, page_url, query)
    return None


def _find_sender(
    handoff: Handoff, directory: Directory, site: SiteRecord, arrival: Arrival, page_url: str, query: bytes
) -> Recognised | Problem:
    """Gateways of several sites may use the same private address: then the identifier tells them apart, or the signature."""
    candidates = [nas for nas in _serving(directory, site, handoff.make) if arrival.gateway in nas.gateway_addresses]
    candidates = _called(directory, site, candidates, arrival.nas_identifier)
    if not candidates:
        return Problem.UNKNOWN_GATEWAY
    for nas in candidates:
        if handoff.verify(page_url, query, nas):
            return Recognised(arrival, nas, verified=True)
    unsigned = [nas for nas in candidates if not nas.uam_secret]
    if not unsigned:
        return Problem.BAD_SIGNATURE
    return Recognised(arrival, unsigned[0], verified=False) if len(unsigned) == 1 else Problem.UNKNOWN_GATEWAY


def _serving(directory: Directory, site: SiteRecord, make: str) -> list[NasRecord]:
    return [nas for nas in directory.nas if nas.make == make and nas.site_id in (None, site.id)]


def _called(
    directory: Directory, site: SiteRecord, candidates: list[NasRecord], identifier: str | None
) -> list[NasRecord]:
    """Those that call themselves so; an access point's identifier names its site, and a NAS without one answers to any."""
    point = directory.by_identifier.get(identifier or "")
    if point:
        return candidates if point.site_id == site.id else []
    named = [nas for nas in candidates if identifier and nas.nas_identifier == identifier]
    return named or [nas for nas in candidates if nas.nas_identifier is None]


def sole_gateway(directory: Directory, site: SiteRecord) -> tuple[Handoff, str] | None:
    """The site's gateway with its hand-off, where there is only one it can be."""
    found = {
        (handoff.make, address)
        for handoff in HANDOFFS.values()
        for nas in _serving(directory, site, handoff.make)
        for address in nas.gateway_addresses
    }
    if len(found) != 1:
        return None
    make, address = found.pop()
    return HANDOFFS[make], address
