"""What the operator enrols: customers, sites and access points. Every function refuses what would not work later."""

import re
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, time
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from sqlalchemy import or_, select
from sqlalchemy.orm import Session

from hotspot import audit
from hotspot.audit import Actor
from hotspot.errors import NotFound, Refusal, WrongUse
from hotspot.mac import Mac
from hotspot.place import (
    AccessPoint,
    Customer,
    Radio,
    Site,
    SiteKind,
    SiteSsid,
    announce_change,
)

_SLUG = re.compile(r"[a-z0-9](?:[a-z0-9-]{0,38}[a-z0-9])?")


def check_slug(slug: str) -> str:
    """Return `slug` when it can stand in a URL; Refusal otherwise."""
    if not _SLUG.fullmatch(slug):
        raise WrongUse("bad-slug", f"{slug[:60]!r} is not a slug: use a-z, 0-9 and hyphens, at most 40.")
    return slug


def check_name(name: str) -> str:
    """Return `name` without white space around it when people can read it; WrongUse otherwise."""
    name = name.strip()
    if not name or len(name) > 80 or not name.isprintable():
        raise WrongUse("bad-name", "A name needs 1 to 80 printable characters.")
    return name


def add_customer(session: Session, actor: Actor, name: str, now: datetime) -> Customer:
    """Add a customer; Refusal when the name is taken."""
    name = check_name(name)
    if session.scalar(select(Customer.id).where(Customer.name == name)):
        raise Refusal("name-taken", f"There is a customer named {name!r} already.")
    customer = Customer(name=name, created_at=now)
    session.add(customer)
    session.flush()
    audit.record(session, actor, "customer added", f"customer {customer.public_id}", now, customer_id=customer.id)
    return customer


def find_customer(session: Session, name_or_id: str) -> Customer:
    """The customer with this name or public id; NotFound when there is none."""
    found = session.scalar(
        select(Customer).where(
            or_(Customer.public_id == name_or_id, Customer.name == name_or_id), Customer.retired_at.is_(None)
        )
    )
    if not found:
        raise NotFound("no-customer", f"There is no customer {name_or_id[:80]!r}.")
    return found


@dataclass(frozen=True)
class NewSite:
    """What is told of a site when it is added."""

    slug: str
    name: str
    kind: SiteKind
    ssid: str
    timezone: str = "Europe/Berlin"
    day_ends: time = time(4)
    line: str | None = None
    address: str | None = None
    latitude: float | None = None
    longitude: float | None = None
    privacy_mode: bool = False


def add_site(session: Session, actor: Actor, customer: Customer, new: NewSite, now: datetime) -> Site:
    """Add a site; Refusal for a slug that is taken, an unknown time zone or an SSID that is not 1 to 32 octets."""
    check_slug(new.slug)
    try:
        ZoneInfo(new.timezone)
    except (ZoneInfoNotFoundError, ValueError, OSError) as error:
        raise WrongUse("bad-timezone", f"{new.timezone!r} is not a time zone such as Europe/Berlin.") from error
    if not 1 <= len(new.ssid.encode()) <= 32:
        raise WrongUse("bad-ssid", "An SSID has 1 to 32 octets.")
    if session.scalar(select(Site.id).where(Site.slug == new.slug)):
        raise Refusal("slug-taken", f"There is a site {new.slug!r} already.")
    site = Site(
        customer_id=customer.id,
        slug=new.slug,
        name=check_name(new.name),
        kind=new.kind,
        slots=new.kind.slots,
        timezone=new.timezone,
        day_ends=new.day_ends,
        line=new.line,
        address=new.address,
        latitude=new.latitude,
        longitude=new.longitude,
        privacy_mode=new.privacy_mode,
        created_at=now,
        ssids=[SiteSsid(ssid=new.ssid)],
    )
    session.add(site)
    session.flush()
    announce_change(session)
    audit.record(session, actor, "site added", f"site {site.public_id}", now, customer_id=customer.id, detail=site.slug)
    return site


def find_site(session: Session, slug: str) -> Site:
    """The site with this slug; NotFound when there is none."""
    site = session.scalar(select(Site).where(Site.slug == slug, Site.retired_at.is_(None)))
    if not site:
        raise NotFound("no-site", f"There is no site {slug[:60]!r}.")
    return site


@dataclass(frozen=True)
class NewAccessPoint:
    """What is told of an access point when it is added; without a capacity it takes what its site's kind usually does."""

    name: str
    macs: tuple[Mac, ...]
    nas_identifier: str | None = None
    capacity: int | None = None
    outdoor: bool = False
    soft: bool = False


def add_access_points(
    session: Session, actor: Actor, site: Site, new: Sequence[NewAccessPoint], now: datetime
) -> list[AccessPoint]:
    """Add access points to a site, all or none; Refusal names the one that does not fit, and why.

    Race: of two commands that take the same slot at once the unique index lets one through.
    """
    session.refresh(site, with_for_update=True)
    used = set(
        session.scalars(
            select(AccessPoint.slot).where(AccessPoint.site_id == site.id, AccessPoint.retired_at.is_(None))
        )
    )
    free = [slot for slot in range(1, site.slots + 1) if slot not in used]
    if len(new) > len(free):
        raise Refusal("too-many-access-points", _too_many(site.kind))
    _refuse_known_names(session, site, [one.name.strip() for one in new])
    _check_radios(new)
    _refuse_known_radios(session, {mac: one.name for one in new for mac in one.macs})
    _refuse_known_identifiers(session, [one.nas_identifier for one in new if one.nas_identifier])
    added = [_access_point(site, one, slot, now) for one, slot in zip(new, free, strict=False)]
    session.add_all(added)
    session.flush()
    announce_change(session)
    for one in added:
        subject = f"access point {one.public_id}"
        audit.record(session, actor, "access point added", subject, now, customer_id=site.customer_id, detail=one.name)
    return added


def _too_many(kind: SiteKind) -> str:
    return f"A {kind} site has at most {kind.slots} access point{'' if kind.slots == 1 else 's'}."


def _access_point(site: Site, new: NewAccessPoint, slot: int, now: datetime) -> AccessPoint:
    capacity = new.capacity if new.capacity is not None else site.kind.capacity
    if not 1 <= capacity <= 10_000:
        raise WrongUse("bad-capacity", f"{new.name}: a capacity is a number from 1 to 10000.")
    if not new.macs and not new.nas_identifier:
        raise WrongUse("no-radio", f"{new.name}: give a MAC address or a NAS-Identifier, else no request can name it.")
    return AccessPoint(
        site_id=site.id,
        slots=site.slots,
        slot=slot,
        name=check_name(new.name),
        nas_identifier=new.nas_identifier,
        capacity=capacity,
        capacity_is_soft=new.soft,
        outdoor=new.outdoor,
        created_at=now,
        radios=[Radio(mac=mac) for mac in new.macs],
    )


def _check_radios(new: Sequence[NewAccessPoint]) -> None:
    macs = [mac for one in new for mac in one.macs]
    for mac in macs:
        if not mac.names_a_device:
            raise WrongUse("bad-mac", f"{mac} is no device's own address.")
        if macs.count(mac) > 1:
            raise Refusal("mac-taken", f"{mac} is given twice.")


def _refuse_known_radios(session: Session, names: Mapping[Mac, str]) -> None:
    """`names` are the new access points' names by their MACs."""
    known = set(session.scalars(select(Radio.mac).where(Radio.mac.in_(names))))
    if known:
        raise Refusal("mac-taken", f"{names[min(known)]}: {min(known)} belongs to an access point already.")


def _refuse_known_names(session: Session, site: Site, names: Collection[str]) -> None:
    twice = {name for name in names if list(names).count(name) > 1}
    query = select(AccessPoint.name).where(
        AccessPoint.site_id == site.id, AccessPoint.name.in_(set(names)), AccessPoint.retired_at.is_(None)
    )
    known = twice | set(session.scalars(query))
    if known:
        raise Refusal("name-taken", f"There is an access point named {min(known)!r} at this site already.")


def _refuse_known_identifiers(session: Session, identifiers: Collection[str]) -> None:
    twice = {one for one in identifiers if list(identifiers).count(one) > 1}
    query = select(AccessPoint.nas_identifier).where(
        AccessPoint.nas_identifier.in_(set(identifiers)), AccessPoint.retired_at.is_(None)
    )
    known = twice | {one for one in session.scalars(query) if one}
    if known:
        raise Refusal("identifier-taken", f"NAS-Identifier {min(known)!r} belongs to an access point already.")
