"""The one gate to what belongs to customers (decision 12): every look-up of the staff pages and of the API goes through it."""

from collections.abc import Collection
from typing import Protocol, TypeVar
from zoneinfo import ZoneInfo

from flask import abort
from sqlalchemy import Select, select
from sqlalchemy.orm import Session, joinedload, selectinload

from hotspot.api_keys import ApiKey
from hotspot.keys import Keyring
from hotspot.looks import Look
from hotspot.people import Role, User
from hotspot.people.tablets import Tablet
from hotspot.place import AccessPoint, Customer, Site
from hotspot.webhooks import Delivery, Webhook
from vouchers import finding
from vouchers.deeds import Deed
from vouchers.presets import Preset
from vouchers.printing.files import PrintFile
from vouchers.printing.printers import Printer
from vouchers.voucher import Batch, Voucher


class Asker(Protocol):
    """Who asks: somebody who is signed in, or another system with its key."""

    @property
    def customer_id(self) -> int | None:
        """The customer that they belong to."""

    @property
    def site_id(self) -> int | None:
        """The one site that they are held to, if there is one."""

    @property
    def is_operator(self) -> bool:
        """Whether every customer's places are theirs to see."""


Found = TypeVar("Found", Site, Batch, Voucher, Look, Preset, Deed, PrintFile, Printer)


def find(session: Session, user: Asker, kind: type[Found], public_id: str) -> Found:
    """The row of this kind with this public id; 404 when there is none, or when it is not the user's to see."""
    return look_for(session, user, kind, public_id) or abort(404)


def look_for(session: Session, user: Asker, kind: type[Found], public_id: str) -> Found | None:
    """The same, and None instead of a page that says 404."""
    return session.scalar(_visible(user, kind).where(kind.public_id == public_id))


def find_all(session: Session, user: Asker, kind: type[Found], public_ids: Collection[str]) -> list[Found]:
    """Those of these rows that are the user's to see; one query."""
    return list(session.scalars(_visible(user, kind).where(kind.public_id.in_(public_ids))))


def sites(session: Session, user: Asker) -> list[Site]:
    """All sites the user sees, with customer, network names and access points; a fixed number of queries."""
    everything = (
        joinedload(Site.customer),
        selectinload(Site.ssids),
        selectinload(Site.access_points.and_(AccessPoint.retired_at.is_(None))),
    )
    return sorted(
        session.scalars(_visible(user, Site).options(*everything)),
        key=lambda site: (site.customer.name.casefold(), site.name.casefold(), site.id),
    )


def find_voucher(session: Session, user: Asker, keyring: Keyring, code_or_serial: str) -> Voucher:
    """The voucher with this code or serial number; NotFound when there is none, or when it is not the user's to see."""
    found = finding.find_voucher(session, keyring, code_or_serial)
    mine = session.scalar(_visible(user, Voucher).where(Voucher.id == found.id))
    if mine is None:
        raise finding.unknown_voucher()
    return mine


def _visible(user: Asker, kind: type[Found]) -> Select[Found]:
    """What `user` may see of a kind: an operator everything, others what is at the own customer's sites."""
    query = select(kind) if issubclass(kind, Site) else select(kind).join(Site, Site.id == kind.site_id)
    query = query.where(Site.retired_at.is_(None))
    if issubclass(kind, Voucher):
        # A free pass has no serial: it is a device's day, and nothing that staff may look at.
        query = query.where(kind.serial.is_not(None))
    if user.site_id is not None:
        query = query.where(Site.id == user.site_id)
    return query if user.is_operator else query.where(Site.customer_id == user.customer_id)


def people(session: Session, user: Asker) -> list[User]:
    """Those whom `user` may look after: of the own customer, or of every customer for an operator."""
    query = _colleagues(user).options(joinedload(User.customer)).outerjoin(User.customer)
    return list(session.scalars(query.order_by(Customer.name, User.name, User.id).limit(2000)))


def find_person(session: Session, user: Asker, public_id: str) -> User:
    """One of `people`; 404 when there is no such person, or when it is not the user's to look after."""
    found = session.scalar(_colleagues(user).options(joinedload(User.customer)).where(User.public_id == public_id))
    if found is None:
        abort(404)
    return found


def customers(session: Session, user: Asker) -> list[Customer]:
    """The own customer, or all of them for an operator."""
    return list(session.scalars(_customers(user).order_by(Customer.name)))


def find_customer(session: Session, user: Asker, public_id: str) -> Customer:
    """The customer that the user means: the own one, whatever is said, or one of all for an operator, else 404."""
    query = _customers(user)
    found = session.scalar(query.where(Customer.public_id == public_id) if user.is_operator else query)
    if found is None:
        abort(404)
    return found


def tablets(session: Session, user: Asker) -> list[Tablet]:
    """The tablets of those whom `user` looks after."""
    return list(session.scalars(_tablets(user).order_by(Tablet.name, Tablet.id)))


def find_tablet(session: Session, user: Asker, public_id: str) -> Tablet:
    """One of `tablets`; 404 when there is none."""
    found = session.scalar(_tablets(user).where(Tablet.public_id == public_id))
    if found is None:
        abort(404)
    return found


Owned = TypeVar("Owned", ApiKey, Webhook)


def find_owned(session: Session, user: Asker, kind: type[Owned], public_id: str) -> Owned:
    """A key or a webhook of a customer whom `user` looks after; 404 when there is none."""
    of_customer = kind.customer_id.in_(_customers(user).with_only_columns(Customer.id))
    return session.scalar(select(kind).where(kind.public_id == public_id, of_customer)) or abort(404)


def find_delivery(session: Session, user: Asker, public_id: str) -> Delivery:
    """What was to be told to such a webhook; 404 when there is none."""
    query = select(Delivery).join(Webhook, Webhook.id == Delivery.webhook_id).where(Delivery.public_id == public_id)
    of_customer = Webhook.customer_id.in_(_customers(user).with_only_columns(Customer.id))
    return session.scalar(query.where(of_customer, Webhook.retired_at.is_(None))) or abort(404)


def home_zone(session: Session, user: Asker) -> ZoneInfo:
    """The time zone of the user's first site; UTC where there is none."""
    first = session.scalar(_visible(user, Site).with_only_columns(Site.timezone).order_by(Site.id).limit(1))
    return ZoneInfo(first or "UTC")


def _colleagues(user: Asker) -> Select[User]:
    query = select(User).where(User.retired_at.is_(None), User.role != Role.OPERATOR)
    return query if user.is_operator else query.where(User.customer_id == user.customer_id)


def _tablets(user: Asker) -> Select[Tablet]:
    query = select(Tablet).where(Tablet.retired_at.is_(None))
    return query if user.is_operator else query.where(Tablet.customer_id == user.customer_id)


def _customers(user: Asker) -> Select[Customer]:
    query = select(Customer).where(Customer.retired_at.is_(None))
    return query if user.is_operator else query.where(Customer.id == user.customer_id)
