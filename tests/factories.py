"""What a test needs to stand: places, passes, vouchers and logins, made through the domain's own functions."""

import itertools
from dataclasses import dataclass
from datetime import UTC, datetime, time
from typing import Any

from sqlalchemy.orm import Session

from hotspot.audit import COMMAND_LINE
from hotspot.directory import AccessPointRecord, Directory, Located, NasRecord, load_directory
from hotspot.enrolment import NewAccessPoint, NewSite, add_access_points, add_customer, add_site
from hotspot.keys import Keyring, Purpose, derive_master_key, load_keyring
from hotspot.mac import Mac
from hotspot.nas import NewNas, add_nas
from hotspot.people import Role, User
from hotspot.people.accounts import add_user
from hotspot.place import AccessPoint, Customer, LoginWay, Nas, Site, SiteKind
from sessions.desk import by_ids, revoke_vouchers
from sessions.login import Login
from tests.conftest import SECRET_KEY
from vouchers.issuing import Issued, Order, issue
from vouchers.pass_changes import NewPass, add_pass
from vouchers.passes import Clock, Pass, Terms
from vouchers.voucher import Voucher

EARLIER = datetime(2026, 6, 1, 8, 0, tzinfo=UTC)
SECRET = "a RADIUS secret"
PASSWORD = "a password of tests"
TOTP_SECRET = "JBSWY3DPEHPK3PXPJBSWY3DPEHPK3PXP"
ALL_WAYS = (LoginWay.TICKET, LoginWay.VOUCHER, LoginWay.MAC)

_numbers = itertools.count(1)


def a_number() -> int:
    """The next of 1, 2, 3 ...: for names that must not repeat."""
    return next(_numbers)


def a_mac(number: int | None = None) -> Mac:
    """A locally administered MAC address: always the same for a `number`, else another one every time."""
    value = 0x020000000000 + number if number is not None else 0x060000000000 + a_number()
    return Mac.parse(f"{value:012x}")


def a_customer(session: Session, name: str | None = None, *, now: datetime = EARLIER) -> Customer:
    """A customer."""
    return add_customer(session, COMMAND_LINE, f"Gasthof {a_number()}" if name is None else name, now)


def a_site(
    session: Session,
    kind: SiteKind = SiteKind.SINGLE,
    *,
    customer: Customer | None = None,
    slug: str | None = None,
    ssid: str = "Surf Pass",
    timezone: str = "Europe/Berlin",
    day_ends: time = time(4),
    privacy_mode: bool = False,
    now: datetime = EARLIER,
) -> Site:
    """A site, of a customer of its own unless one is given."""
    slug = slug or f"site-{a_number()}"
    new = NewSite(
        slug=slug,
        name=f"Site {slug}",
        kind=kind,
        ssid=ssid,
        timezone=timezone,
        day_ends=day_ends,
        privacy_mode=privacy_mode,
    )
    return add_site(session, COMMAND_LINE, customer or a_customer(session, now=now), new, now)


def an_access_point(
    session: Session,
    site: Site,
    *,
    macs: tuple[Mac, ...] | None = None,
    nas_identifier: str | None = None,
    capacity: int | None = None,
    soft: bool = False,
    now: datetime = EARLIER,
) -> AccessPoint:
    """An access point with one radio unless other MACs are given."""
    new = NewAccessPoint(
        name=f"AP {a_number()}",
        macs=(a_mac(),) if macs is None else macs,
        nas_identifier=nas_identifier,
        capacity=capacity,
        soft=soft,
    )
    return add_access_points(session, COMMAND_LINE, site, [new], now)[0]


def a_nas(
    session: Session,
    keyring: Keyring,
    *,
    site: Site | None = None,
    network: str | None = None,
    now: datetime = EARLIER,
    **told: Any,
) -> Nas:
    """A RADIUS client that may log in every way; `told` are further fields of NewNas."""
    number = a_number()
    fields = {"name": f"NAS {number}", "make": "generic", "secret": SECRET, "logins": ALL_WAYS} | told
    network = network or f"10.{number >> 8 & 255}.{number & 255}.1/32"
    return add_nas(session, COMMAND_LINE, keyring, NewNas(network=network, **fields), site, now)


def a_pass(
    session: Session,
    clock: Clock = Clock.FIRST_USE,
    *,
    site: Site | None = None,
    customer: Customer | None = None,
    slug: str | None = None,
    minutes: int | None = 1440,
    good_days: int = 365,
    return_days: int = 14,
    price_cents: int = 0,
    always: bool = False,
    now: datetime = EARLIER,
    **told: Any,
) -> Pass:
    """A pass of a day from first use, offered everywhere; `told` are further fields of Terms."""
    slug = slug or f"pass-{a_number()}"
    new = NewPass(
        slug=slug,
        name=f"Pass {slug}",
        terms=Terms(clock=clock, minutes=minutes, **told),
        good_days=good_days,
        return_days=return_days,
        price_cents=price_cents,
        always=always,
    )
    return add_pass(session, COMMAND_LINE, new, site=site, customer=customer, now=now)


def some_vouchers(
    session: Session, keyring: Keyring, site: Site, article: Pass, count: int = 1, *, now: datetime = EARLIER
) -> list[Issued]:
    """Vouchers of a pass, issued at a site."""
    return issue(session, COMMAND_LINE, keyring, site, Order(article, count), now)


def revoke(session: Session, voucher: Voucher, now: datetime = EARLIER) -> None:
    """Revoke a voucher and end its visits, as staff do."""
    session.flush()
    revoke_vouchers(session, COMMAND_LINE, session.get_one(Site, voucher.site_id), by_ids([voucher.id]), now)


def a_user(
    session: Session,
    role: Role = Role.OWNER,
    *,
    customer: Customer | None = None,
    email: str | None = None,
    password: str = PASSWORD,
    now: datetime = EARLIER,
) -> User:
    """A user whose password is PASSWORD; whoever needs a customer and has none gets one of their own.

    An operator has an app whose secret is TOTP_SECRET.
    """
    if role is not Role.OPERATOR and customer is None:
        customer = a_customer(session, now=now)
    email = email or f"user-{a_number()}@example.org"
    user = add_user(session, COMMAND_LINE, email=email, role=role, customer=customer, password=password, now=now)
    if role is Role.OPERATOR:
        keyring = load_keyring(session, derive_master_key(SECRET_KEY))
        user.totp_secret = keyring.encrypt(Purpose.SECRETS, TOTP_SECRET)
    return user


@dataclass(frozen=True)
class Place:
    """All that a login needs around it."""

    customer: Customer
    site: Site
    access_points: tuple[AccessPoint, ...]
    nas: Nas
    article: Pass

    @property
    def access_point(self) -> AccessPoint:
        """The first access point."""
        return self.access_points[0]


def a_place(
    session: Session,
    keyring: Keyring,
    kind: SiteKind = SiteKind.SINGLE,
    *,
    access_points: int = 1,
    capacity: int | None = None,
    soft: bool = False,
    privacy_mode: bool = False,
    article: Pass | None = None,
    nas_site: bool = False,
    now: datetime = EARLIER,
    **nas: Any,
) -> Place:
    """A customer with a site, its access points, a NAS of its own and a pass; `nas` are further fields of NewNas.

    With `nas_site` the NAS is bound to the site, as grain `site` demands.
    """
    site = a_site(session, kind, privacy_mode=privacy_mode, now=now)
    points = [an_access_point(session, site, capacity=capacity, soft=soft, now=now) for _ in range(access_points)]
    return Place(
        customer=site.customer,
        site=site,
        access_points=tuple(points),
        nas=a_nas(session, keyring, site=site if nas_site else None, now=now, **nas),
        article=article or a_pass(session, now=now),
    )


def directory(session: Session, keyring: Keyring) -> Directory:
    """A snapshot of the place, with what the session has added but not yet written."""
    session.flush()
    return load_directory(session, keyring)


@dataclass(frozen=True)
class ClearProof:
    """A password that is there to read, as with PAP."""

    password: str

    def matches(self, candidate: str) -> bool:
        """Whether `candidate` is the password."""
        return candidate == self.password


def located(snapshot: Directory, access_point: AccessPoint) -> Located:
    """An access point as a request names it."""
    return Located(snapshot.sites[access_point.site_id], snapshot.access_points[access_point.id])


def nas_of(snapshot: Directory, nas: Nas) -> NasRecord:
    """A NAS as the doors see it."""
    return next(one for one in snapshot.nas if one.id == nas.id)


def a_login(
    snapshot: Directory,
    place: Place,
    user_name: str,
    *,
    password: str | None = None,
    device: Mac | None = None,
    access_point: AccessPoint | None = None,
    at_site: bool = False,
    no_device: bool = False,
) -> Login:
    """A login at a place; the password is the user name unless given, the device a new one.

    `at_site` names only the site, as a NAS of grain `site` does.
    """
    point: AccessPointRecord | None = None
    if not at_site:
        point = snapshot.access_points[(access_point or place.access_point).id]
    return Login(
        nas=nas_of(snapshot, place.nas),
        located=Located(snapshot.sites[place.site.id], point),
        user_name=user_name,
        proof=ClearProof(user_name if password is None else password),
        device=None if no_device else device or a_mac(),
        nas_address="10.0.0.1",
    )
