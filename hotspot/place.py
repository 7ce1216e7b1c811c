"""Customers, their sites, access points with their radios, and the RADIUS clients (NAS): the tables."""

import enum
from datetime import datetime, time

from sqlalchemy import (
    JSON,
    BigInteger,
    CheckConstraint,
    Float,
    ForeignKey,
    ForeignKeyConstraint,
    Index,
    Integer,
    LargeBinary,
    String,
    UniqueConstraint,
    false,
    text,
)
from sqlalchemy.orm import Mapped, Session, mapped_column, relationship

from hotspot.bulk import upsert
from hotspot.database import Base, BigId, Identified, enum_column
from hotspot.mac import Mac


class SiteKind(enum.StrEnum):
    """The variants of R6 and R17."""

    SINGLE = "single"
    MULTI = "multi"
    SINGLE_FOREIGN = "single-foreign"

    @property
    def slots(self) -> int:
        """How many access points such a site may have."""
        return 250 if self is SiteKind.MULTI else 1

    @property
    def capacity(self) -> int:
        """How many visits an access point of such a site takes unless the operator sets otherwise."""
        return 250 if self is SiteKind.MULTI else 100


class Grain(enum.StrEnum):
    """How exactly a NAS can say where a guest is."""

    ACCESS_POINT = "ap"
    SITE = "site"


class MessageAuthenticatorPolicy(enum.StrEnum):
    """Whether a NAS must sign its Access-Requests (CVE-2024-3596); `auto` demands it once a valid one was seen."""

    YES = "yes"
    NO = "no"
    AUTO = "auto"


# They speak no RADIUS: the portal admits their guests and keeps the visits (docs/decisions/0015).
MAKES_WITHOUT_RADIUS = frozenset({"opennds", "opennds-level1"})


class LoginWay(enum.StrEnum):
    """The ways to log in that a NAS may use."""

    TICKET = "ticket"
    VOUCHER = "voucher"
    MAC = "mac"


class Customer(Identified, Base):
    """Who has a contract with the operator, such as a restaurant."""

    __tablename__ = "customer"

    name: Mapped[str] = mapped_column(String(120), unique=True)
    created_at: Mapped[datetime]
    retired_at: Mapped[datetime | None]


class Site(Identified, Base):
    """A publicly accessible place with a hotspot (R1)."""

    __tablename__ = "site"
    __table_args__ = (
        UniqueConstraint("id", "slots"),
        CheckConstraint("(kind = 'multi' AND slots = 250) OR (kind <> 'multi' AND slots = 1)", name="slots_fit_kind"),
    )

    customer_id: Mapped[int] = mapped_column(ForeignKey("customer.id"), index=True)
    slug: Mapped[str] = mapped_column(String(40), unique=True)
    name: Mapped[str] = mapped_column(String(120))
    kind: Mapped[SiteKind] = mapped_column(enum_column(SiteKind))
    slots: Mapped[int] = mapped_column(Integer)
    timezone: Mapped[str] = mapped_column(String(60))
    day_ends: Mapped[time]
    line: Mapped[str | None] = mapped_column(String(40))
    address: Mapped[str | None] = mapped_column(String(200))
    latitude: Mapped[float | None] = mapped_column(Float)
    longitude: Mapped[float | None] = mapped_column(Float)
    privacy_mode: Mapped[bool] = mapped_column(default=False)
    own_page: Mapped[bool] = mapped_column(default=False, server_default=false())
    created_at: Mapped[datetime]
    retired_at: Mapped[datetime | None]

    customer: Mapped[Customer] = relationship()
    ssids: Mapped[list["SiteSsid"]] = relationship(order_by="SiteSsid.id")
    access_points: Mapped[list["AccessPoint"]] = relationship(order_by="AccessPoint.id", overlaps="site")


class SiteSsid(Base):
    """A name of the site's network; the old one stays valid until a date while the name changes."""

    __tablename__ = "site_ssid"
    __table_args__ = (UniqueConstraint("site_id", "ssid"),)

    id: Mapped[int] = mapped_column(BigId, primary_key=True)
    site_id: Mapped[int] = mapped_column(ForeignKey("site.id"))
    ssid: Mapped[str] = mapped_column(String(32))
    valid_until: Mapped[datetime | None]


class AccessPoint(Identified, Base):
    """An access point and the number of visits it takes.

    `slot` numbers the access points of a site from 1; with `slots`, a copy of the site's that the foreign key keeps true,
    the database itself holds a Single site to one access point and a Multi site to 250.
    """

    __tablename__ = "access_point"
    __table_args__ = (
        ForeignKeyConstraint(["site_id", "slots"], ["site.id", "site.slots"], name="fk_access_point_site_slots"),
        CheckConstraint("slot BETWEEN 1 AND slots", name="slot_within_site"),
        CheckConstraint("capacity BETWEEN 1 AND 10000", name="capacity_is_sane"),
        Index("uq_access_point_slot", "site_id", "slot", unique=True, sqlite_where=text("retired_at IS NULL"),
              postgresql_where=text("retired_at IS NULL")),
        Index("uq_access_point_nas_identifier", "nas_identifier", unique=True, sqlite_where=text("retired_at IS NULL"),
              postgresql_where=text("retired_at IS NULL")),
    )  # fmt: skip

    site_id: Mapped[int] = mapped_column(BigId)
    slots: Mapped[int] = mapped_column(Integer)
    slot: Mapped[int] = mapped_column(Integer)
    name: Mapped[str] = mapped_column(String(80))
    nas_identifier: Mapped[str | None] = mapped_column(String(253))
    capacity: Mapped[int] = mapped_column(Integer)
    capacity_is_soft: Mapped[bool] = mapped_column(default=False)
    # Counts up with every place taken (sessions/places.py).
    arrivals: Mapped[int] = mapped_column(BigInteger, default=0, server_default="0")
    outdoor: Mapped[bool] = mapped_column(default=False)
    # Since when nothing is heard of it although guests were on it (sessions/silence.py).
    silent_since: Mapped[datetime | None]
    created_at: Mapped[datetime]
    retired_at: Mapped[datetime | None]

    site: Mapped[Site] = relationship(overlaps="access_points")
    radios: Mapped[list["Radio"]] = relationship(order_by="Radio.id")


class Radio(Base):
    """One BSSID of an access point: every band has its own."""

    __tablename__ = "radio"

    id: Mapped[int] = mapped_column(BigId, primary_key=True)
    access_point_id: Mapped[int] = mapped_column(ForeignKey("access_point.id"), index=True)
    mac: Mapped[Mac] = mapped_column(unique=True)


class Nas(Identified, Base):
    """A RADIUS client: a gateway, controller or access point that asks the PoP."""

    __tablename__ = "nas"

    name: Mapped[str] = mapped_column(String(80), unique=True)
    network: Mapped[str] = mapped_column(String(49), index=True)
    make: Mapped[str] = mapped_column(String(20))
    secret: Mapped[bytes] = mapped_column(LargeBinary)
    uam_secret: Mapped[bytes | None] = mapped_column(LargeBinary)
    # Whether the portal hands it passwords as PAP, for RADIUS servers behind it that need them in clear.
    uam_pap: Mapped[bool] = mapped_column(default=False, server_default=false())
    nas_identifier: Mapped[str | None] = mapped_column(String(253))
    gateway_addresses: Mapped[list[str]] = mapped_column(JSON)
    guest_networks: Mapped[list[str]] = mapped_column(JSON, default=list, server_default="[]")
    message_authenticator: Mapped[MessageAuthenticatorPolicy] = mapped_column(enum_column(MessageAuthenticatorPolicy))
    logins: Mapped[list[str]] = mapped_column(JSON)
    grain: Mapped[Grain] = mapped_column(enum_column(Grain))
    site_id: Mapped[int | None] = mapped_column(ForeignKey("site.id"), index=True)
    coa_port: Mapped[int] = mapped_column(Integer)
    signed_at: Mapped[datetime | None]
    accounting_heard_at: Mapped[datetime | None]
    # When a gateway without RADIUS first reported, signed, who is online: from then on its unsigned words count for less.
    reports_heard_at: Mapped[datetime | None]
    old_secret_used_at: Mapped[datetime | None]
    created_at: Mapped[datetime]
    retired_at: Mapped[datetime | None]

    site: Mapped[Site | None] = relationship()
    old_secrets: Mapped[list["OldSecret"]] = relationship(order_by="OldSecret.id.desc()", cascade="all, delete-orphan")


class OldSecret(Base):
    """A RADIUS secret that was replaced, and until when the PoP still takes it; encrypted as the present one is."""

    __tablename__ = "nas_old_secret"

    id: Mapped[int] = mapped_column(BigId, primary_key=True)
    nas_id: Mapped[int] = mapped_column(ForeignKey("nas.id"), index=True)
    secret: Mapped[bytes] = mapped_column(LargeBinary)
    valid_until: Mapped[datetime]


class Part(enum.IntEnum):
    """What is read again once something of it has changed: the place, or what guests are shown (passes, texts, looks)."""

    PLACE = 1
    SHOWN = 2


class PlaceRevision(Base):
    """A row for each `Part`, counted up by every change of it, so that a door knows when its snapshot is old."""

    __tablename__ = "place_revision"

    id: Mapped[int] = mapped_column(BigId, primary_key=True)
    revision: Mapped[int] = mapped_column(Integer)


def announce_change(session: Session, part: Part = Part.PLACE) -> None:
    """Tell the doors that a part has changed."""
    fresh = upsert(session, PlaceRevision).values(id=part, revision=1)
    counted = {"revision": PlaceRevision.revision + 1}
    session.execute(fresh.on_conflict_do_update(index_elements=[PlaceRevision.id], set_=counted))
