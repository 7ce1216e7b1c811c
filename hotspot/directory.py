"""The place as the doors see it: a frozen snapshot that finds the NAS, the access point and the site of a request."""

import ipaddress
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime, time
from functools import cached_property
from operator import attrgetter
from zoneinfo import ZoneInfo

from sqlalchemy import select
from sqlalchemy.orm import Session, joinedload

from hotspot.exclusions import Exclusion, ExclusionList, Exclusions, load_exclusions
from hotspot.keys import Keyring, Purpose
from hotspot.mac import Mac
from hotspot.opening import OpeningHours, load_hours
from hotspot.place import (
    MAKES_WITHOUT_RADIUS,
    AccessPoint,
    Grain,
    LoginWay,
    MessageAuthenticatorPolicy,
    Nas,
    Part,
    PlaceRevision,
    Site,
    SiteKind,
)
from hotspot.questions import Query

Address = ipaddress.IPv4Address | ipaddress.IPv6Address
Network = ipaddress.IPv4Network | ipaddress.IPv6Network


@dataclass(frozen=True)
class SiteRecord:
    """A site, with its network names and until when each is valid; without `hours` it is always open."""

    id: int
    public_id: str
    customer_id: int
    slug: str
    name: str
    kind: SiteKind
    zone: ZoneInfo
    day_ends: time
    privacy_mode: bool
    ssids: tuple[tuple[str, datetime | None], ...]
    access_point_ids: tuple[int, ...]
    own_page: bool = False
    hours: OpeningHours | None = None
    exclusions: tuple[Exclusions, ...] = field(default=(), compare=False, repr=False)

    def exclusion(self, device: bytes, now: datetime) -> Exclusion | None:
        """What keeps this device out at `now`, if anything does."""
        found = (part.get(device) for part in self.exclusions)
        return next((one for one in found if one and one.holds(now)), None)

    def has_ssid(self, ssid: str, now: datetime) -> bool:
        """Whether `ssid` is a name of this site's network at `now`."""
        return any(name == ssid and (until is None or now < until) for name, until in self.ssids)


@dataclass(frozen=True)
class AccessPointRecord:
    """An access point."""

    id: int
    public_id: str
    site_id: int
    name: str


@dataclass(frozen=True, repr=False)
class NasRecord:
    """A RADIUS client with its secrets in clear: keep it in memory, out of logs."""

    id: int
    name: str
    network: Network
    make: str
    secret: bytes
    uam_secret: str | None
    nas_identifier: str | None
    gateway_addresses: tuple[str, ...]
    message_authenticator: MessageAuthenticatorPolicy
    signed: bool
    accounting_heard: bool
    logins: frozenset[LoginWay]
    grain: Grain
    site_id: int | None
    coa_port: int
    old_secrets: tuple[tuple[bytes, datetime], ...] = ()
    uam_pap: bool = False
    guest_networks: tuple[Network, ...] = ()
    reports_heard: bool = False

    def sees(self, address: str) -> bool:
        """Whether a guest of this NAS comes to the portal from `address` itself, and from behind no NAT."""
        return bool(self.guest_networks) and any(ipaddress.ip_address(address) in one for one in self.guest_networks)

    def secrets_at(self, now: datetime) -> tuple[bytes, ...]:
        """The secrets that may sign a request at `now`, the newest first: while one is replaced, the old one too."""
        if not self.old_secrets:
            return (self.secret,)
        return (self.secret, *(secret for secret, valid_until in self.old_secrets if now < valid_until))

    @property
    def speaks_radius(self) -> bool:
        """Whether it asks over RADIUS; else the portal keeps its guests' visits."""
        return self.make not in MAKES_WITHOUT_RADIUS

    @property
    def must_sign(self) -> bool:
        """Whether an Access-Request without Message-Authenticator is discarded."""
        policy = self.message_authenticator
        return policy is MessageAuthenticatorPolicy.YES or (policy is MessageAuthenticatorPolicy.AUTO and self.signed)


@dataclass(frozen=True)
class Located:
    """Where a request comes from; the access point is None where only the site is known."""

    site: SiteRecord
    access_point: AccessPointRecord | None


@dataclass(frozen=True)
class WrongSsid:
    """The SSID is not the hotspot's (R14)."""


@dataclass(frozen=True)
class Nowhere:
    """Nothing in the request names a place."""


@dataclass(frozen=True)
class Directory:
    """A snapshot of all sites, access points and NAS at one revision."""

    revision: int
    sites: dict[int, SiteRecord]
    access_points: dict[int, AccessPointRecord]
    by_mac: dict[Mac, AccessPointRecord]
    by_identifier: dict[str, AccessPointRecord]
    nas: tuple[NasRecord, ...]
    excluded_devices: frozenset[bytes] = frozenset()

    def closed_sites(self, now: datetime) -> list[int]:
        """The sites whose hours say that they are closed at `now`."""
        return [site.id for site in self.sites.values() if site.hours and not site.hours.is_open(now)]

    @cached_property
    def _networks(self) -> list[tuple[Network, tuple[NasRecord, ...]]]:
        """Networks with their NAS, the longest prefix first."""
        groups: dict[Network, list[NasRecord]] = {}
        for nas in filter(attrgetter("speaks_radius"), self.nas):
            groups.setdefault(nas.network, []).append(nas)
        return sorted(
            ((network, tuple(group)) for network, group in groups.items()), key=lambda pair: -pair[0].prefixlen
        )

    def clients_at(self, address: Address) -> tuple[NasRecord, ...]:
        """The NAS whose network is the closest around `address`; several share its secret; none if nothing is around it."""
        if isinstance(address, ipaddress.IPv6Address) and address.ipv4_mapped:
            address = address.ipv4_mapped
        for network, group in self._networks:
            if network.version == address.version and address in network:
                return group
        return ()

    def guest_nas_at(self, address: str) -> NasRecord | None:
        """The NAS whose guests come to the portal from `address`, which no NAT hides."""
        return next((nas for nas in self.nas if nas.sees(address)), None)

    @staticmethod
    def choose_client(group: tuple[NasRecord, ...], nas_identifier: str | None) -> NasRecord | None:
        """The NAS of the group that calls itself `nas_identifier`; one that is alone needs no identifier to be told by."""
        if len(group) == 1:
            return group[0]
        return next((nas for nas in group if nas_identifier and nas.nas_identifier == nas_identifier), None)

    def locate(
        self, nas: NasRecord, called_station_id: str | None, names: Sequence[str], now: datetime
    ) -> Located | WrongSsid | Nowhere:
        """The place of a request (decision 5): Called-Station-Id, then `names`, then the NAS's only access point.

        `names` are what else may name an access point, such as NAS-Identifier, in the order in which they are to be believed.
        """
        mac, ssid = Mac.split(called_station_id or "")
        found = self._locate(nas, mac, names)
        if found and ssid is not None and not found.site.has_ssid(ssid, now):
            return WrongSsid()
        return found or Nowhere()

    def _locate(self, nas: NasRecord, mac: Mac | None, names: Sequence[str]) -> Located | None:
        if nas.grain is Grain.SITE:
            site = self.sites.get(nas.site_id) if nas.site_id else None
            return Located(site, None) if site else None
        for candidate in (self.by_mac.get(mac) if mac else None, *map(self.by_identifier.get, names)):
            if candidate and nas.site_id in (None, candidate.site_id):
                return Located(self.sites[candidate.site_id], candidate)
        only = self.sites[nas.site_id].access_point_ids if nas.site_id in self.sites else ()
        if len(only) == 1:
            access_point = self.access_points[only[0]]
            return Located(self.sites[access_point.site_id], access_point)
        return None


_REVISIONS = Query(lambda _is_in: select(PlaceRevision.id, PlaceRevision.revision))


def current_revisions(session: Session) -> dict[int, int]:
    """The number of each part's latest change; a part that has never changed is not in it."""
    return dict(_REVISIONS.rows(session))


def current_revision(session: Session) -> int:
    """The number of the place's latest change."""
    return current_revisions(session).get(Part.PLACE, 0)


def load_directory(session: Session, keyring: Keyring) -> Directory:
    """Read the whole place; a fixed number of queries."""
    revision = current_revision(session)
    # Each with its collection, by a join: one question less.
    of_points = select(AccessPoint).where(AccessPoint.retired_at.is_(None)).options(joinedload(AccessPoint.radios))
    points = session.scalars(of_points).unique().all()
    records = {p.id: AccessPointRecord(p.id, p.public_id, p.site_id, p.name) for p in points}
    of_sites = select(Site).where(Site.retired_at.is_(None)).options(joinedload(Site.ssids))
    sites = session.scalars(of_sites).unique().all()
    points_of: dict[int, list[int]] = defaultdict(list)
    for point in points:
        points_of[point.site_id].append(point.id)
    hours = load_hours(session, {site.id: ZoneInfo(site.timezone) for site in sites})
    exclusions = load_exclusions(session)
    of_nas = select(Nas).where(Nas.retired_at.is_(None)).options(joinedload(Nas.old_secrets)).order_by(Nas.id)
    nas = session.scalars(of_nas).unique().all()
    return Directory(
        revision=revision,
        sites={site.id: _site_record(site, points_of[site.id], hours.get(site.id), exclusions) for site in sites},
        access_points=records,
        by_mac={radio.mac: records[p.id] for p in points for radio in p.radios},
        by_identifier={p.nas_identifier: records[p.id] for p in points if p.nas_identifier},
        nas=tuple(nas_record(one, keyring) for one in nas),
        excluded_devices=exclusions.devices,
    )


def _site_record(
    site: Site, access_point_ids: list[int], hours: OpeningHours | None, exclusions: ExclusionList
) -> SiteRecord:
    return SiteRecord(
        id=site.id,
        public_id=site.public_id,
        customer_id=site.customer_id,
        slug=site.slug,
        name=site.name,
        kind=site.kind,
        zone=ZoneInfo(site.timezone),
        day_ends=site.day_ends,
        privacy_mode=site.privacy_mode,
        ssids=tuple((one.ssid, one.valid_until) for one in site.ssids),
        access_point_ids=tuple(access_point_ids),
        hours=hours,
        exclusions=exclusions.at(site.id, site.customer_id),
        own_page=site.own_page,
    )


def nas_record(nas: Nas, keyring: Keyring) -> NasRecord:
    """A NAS row as a frozen record, secrets decrypted."""
    uam_secret = keyring.decrypt(Purpose.SECRETS, nas.uam_secret).decode() if nas.uam_secret else None
    return NasRecord(
        id=nas.id,
        name=nas.name,
        network=ipaddress.ip_network(nas.network),
        make=nas.make,
        secret=keyring.decrypt(Purpose.SECRETS, nas.secret),
        uam_secret=uam_secret,
        nas_identifier=nas.nas_identifier,
        gateway_addresses=tuple(nas.gateway_addresses),
        message_authenticator=nas.message_authenticator,
        signed=nas.signed_at is not None,
        accounting_heard=nas.accounting_heard_at is not None,
        logins=frozenset(LoginWay(way) for way in nas.logins),
        grain=nas.grain,
        site_id=nas.site_id,
        coa_port=nas.coa_port,
        guest_networks=tuple(ipaddress.ip_network(network) for network in nas.guest_networks),
        old_secrets=tuple((keyring.decrypt(Purpose.SECRETS, old.secret), old.valid_until) for old in nas.old_secrets),
        uam_pap=nas.uam_pap,
        reports_heard=nas.reports_heard_at is not None,
    )
