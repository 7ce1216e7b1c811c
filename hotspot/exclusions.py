"""Devices that the operator has excluded from the service (R13): at a site, at all sites of a customer, or everywhere."""

from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime

from sqlalchemy import CheckConstraint, ColumnElement, ForeignKey, LargeBinary, String, delete, or_, select
from sqlalchemy.orm import Mapped, Session, mapped_column

from hotspot import audit
from hotspot.audit import Actor
from hotspot.database import Base, Identified
from hotspot.errors import NotFound, WrongUse
from hotspot.keys import HASH_OCTETS, Keyring, Purpose
from hotspot.mac import Mac
from hotspot.place import Customer, Site, announce_change


class ExcludedDevice(Identified, Base):
    """A device, as a keyed hash, that may not be online; `until` None for good, everywhere without site and customer."""

    __tablename__ = "excluded_device"
    __table_args__ = (CheckConstraint("site_id IS NULL OR customer_id IS NULL", name="one_scope"),)

    device: Mapped[bytes] = mapped_column(LargeBinary(HASH_OCTETS), index=True)
    site_id: Mapped[int | None] = mapped_column(ForeignKey("site.id"), index=True)
    customer_id: Mapped[int | None] = mapped_column(ForeignKey("customer.id"), index=True)
    until: Mapped[datetime | None]
    note: Mapped[str] = mapped_column(String(200))
    created_at: Mapped[datetime]


@dataclass(frozen=True)
class Exclusion:
    """That a device is excluded, and until when; None for good."""

    until: datetime | None

    def holds(self, now: datetime) -> bool:
        """Whether it is in force."""
        return self.until is None or now < self.until


# By device.
Exclusions = Mapping[bytes, Exclusion]


@dataclass(frozen=True)
class ExclusionList:
    """All exclusions, by where they hold. Sites share the parts, so that a list for all is kept once."""

    everywhere: Exclusions = field(default_factory=dict)
    at_customers: Mapping[int, Exclusions] = field(default_factory=dict)
    at_sites: Mapping[int, Exclusions] = field(default_factory=dict)

    @property
    def devices(self) -> frozenset[bytes]:
        """All of them, wherever they are excluded."""
        return frozenset().union(self.everywhere, *self.at_customers.values(), *self.at_sites.values())

    def at(self, site_id: int, customer_id: int) -> tuple[Exclusions, ...]:
        """What holds at a site: the parts that are not empty."""
        parts = (self.everywhere, self.at_customers.get(customer_id, {}), self.at_sites.get(site_id, {}))
        return tuple(part for part in parts if part)


def load_exclusions(session: Session) -> ExclusionList:
    """All exclusions; one query."""
    everywhere: dict[bytes, Exclusion] = {}
    at_customers: dict[int, dict[bytes, Exclusion]] = defaultdict(dict)
    at_sites: dict[int, dict[bytes, Exclusion]] = defaultdict(dict)
    # The one that holds longest counts, so it comes last.
    lasting = (ExcludedDevice.until.is_(None), ExcludedDevice.until, ExcludedDevice.id)
    for row in session.scalars(select(ExcludedDevice).order_by(*lasting)):
        part = (
            at_sites[row.site_id] if row.site_id else at_customers[row.customer_id] if row.customer_id else everywhere
        )
        part[row.device] = Exclusion(row.until)
    return ExclusionList(everywhere, dict(at_customers), dict(at_sites))


@dataclass(frozen=True)
class NewExclusion:
    """What is told of an exclusion; without site and customer it holds everywhere."""

    site: Site | None = None
    customer: Customer | None = None
    until: datetime | None = None
    note: str = ""


def exclude(
    session: Session, actor: Actor, keyring: Keyring, mac: Mac, new: NewExclusion, now: datetime
) -> ExcludedDevice:
    """Exclude a device; whoever of its visits runs is ended by house-keeping. WrongUse for no device's MAC or a moment past."""
    if not mac.names_a_device:
        raise WrongUse("bad-mac", f"{mac} is no device's own address.")
    if new.site and new.customer:
        raise WrongUse("two-scopes", "Exclude a device at a site or at a customer's sites, not both.")
    if new.until and new.until <= now:
        raise WrongUse("past", "This moment is past already.")
    customer_id = new.site.customer_id if new.site else new.customer.id if new.customer else None
    added = ExcludedDevice(
        device=keyring.hash(Purpose.DEVICES, mac.value),
        site_id=new.site.id if new.site else None,
        customer_id=new.customer.id if new.customer else None,
        until=new.until,
        note=new.note.strip()[:200],
        created_at=now,
    )
    session.add(added)
    session.flush()
    announce_change(session)
    subject = f"exclusion {added.public_id}"
    audit.record(session, actor, "device excluded", subject, now, customer_id=customer_id)
    return added


def readmit(session: Session, actor: Actor, keyring: Keyring, mac_or_id: Mac | str, now: datetime) -> int:
    """Take back all exclusions of a device, or the one with this id; returns how many. NotFound when there is none."""
    if isinstance(mac_or_id, Mac):
        wanted: ColumnElement[bool] = ExcludedDevice.device.in_(keyring.hashes(Purpose.DEVICES, mac_or_id.value))
    else:
        wanted = ExcludedDevice.public_id == mac_or_id
    found = session.scalars(select(ExcludedDevice).where(wanted)).all()
    if not found:
        raise NotFound("no-exclusion", "No such device is excluded.")
    for one in found:
        audit.record(session, actor, "device readmitted", f"exclusion {one.public_id}", now)
        session.delete(one)
    session.flush()
    announce_change(session)
    return len(found)


def exclusions_in_force(session: Session, now: datetime) -> list[ExcludedDevice]:
    """What `surfpass device list` shows, the newest first."""
    holds = or_(ExcludedDevice.until.is_(None), ExcludedDevice.until > now)
    return list(session.scalars(select(ExcludedDevice).where(holds).order_by(ExcludedDevice.id.desc())))


def forget_ended(session: Session, now: datetime) -> None:
    """Delete exclusions that are over, and the device's hash with them; snapshots know themselves that these are over."""
    session.execute(delete(ExcludedDevice).where(ExcludedDevice.until <= now))
