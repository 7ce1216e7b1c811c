"""Visits, their legs and the disconnect outbox: the tables, and the hashes and secrets in them.

A visit is one device on one voucher at one site. A leg is one accounting session of it. See docs/visits.md.
"""

import enum
import json
import secrets
from dataclasses import dataclass
from datetime import datetime
from json.encoder import encode_basestring_ascii

from sqlalchemy import (
    BigInteger,
    ColumnElement,
    Computed,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    String,
    UniqueConstraint,
    and_,
    exists,
    false,
    literal_column,
    or_,
    text,
)
from sqlalchemy.orm import Mapped, mapped_column

from hotspot.database import Base, BigId, enum_column, new_public_id
from hotspot.directory import NasRecord
from hotspot.keys import HASH_OCTETS, Keyring, Purpose
from hotspot.mac import Mac
from hotspot.place import LoginWay


class VisitState(enum.StrEnum):
    """`asked` holds no place; `reserved` and `open` do."""

    ASKED = "asked"
    RESERVED = "reserved"
    OPEN = "open"
    CLOSED = "closed"


RUNNING = (VisitState.RESERVED, VisitState.OPEN)


class CloseCause(enum.StrEnum):
    """Why a visit ended."""

    STOPPED = "stopped"
    SILENCE = "silence"
    NEVER_STARTED = "never-started"
    NAS_RESTART = "nas-restart"
    SUPERSEDED = "superseded"
    REPLACED = "replaced"
    LOGGED_OUT = "logged-out"
    REVOKED = "revoked"
    OVER = "over"


# The guest did not leave and nobody sent it away: accounting that comes later proves that the visit goes on.
LOST_TOUCH = (CloseCause.SILENCE, CloseCause.NEVER_STARTED, CloseCause.NAS_RESTART)
# As by a power failure, whose guests all come back.
CUT_OFF = (CloseCause.SILENCE, CloseCause.NAS_RESTART)


class OrderKind(enum.StrEnum):
    """What a NAS is told of a visit: to end it, or its new limits (RFC 5176)."""

    DISCONNECT = "disconnect"
    COA = "coa"


class Outcome(enum.StrEnum):
    """What became of an order to a NAS."""

    ACKNOWLEDGED = "acknowledged"
    ALREADY_GONE = "already-gone"
    REFUSED = "refused"
    NOT_TAKEN = "not-taken"
    MOOT = "moot"
    GIVEN_UP = "given-up"


_is_pending = text("done_at IS NULL")


# What the indexes for counting say besides. A planner that believes in a handful of running visits, as after a quiet night,
# would otherwise read one of them from end to end to find a device; only those who count repeat these words.
COUNTED = "runs AND nas_id > 0"


def _index(name: str, *columns: str, where: str, unique: bool = False) -> Index:
    # SQLite has no booleans, and takes a partial index only for the words it was made with.
    sqlite_where = text(where.replace("runs", "runs = 1"))
    return Index(name, *columns, unique=unique, sqlite_where=sqlite_where, postgresql_where=text(where))


# Until an Access-Accept says how often to account.
INTERIM_SECONDS = 300


class Visit(Base):
    """One device on one voucher at one site.

    It refers to rows that are never deleted while it is there, so no foreign key watches over them (docs/decisions/0008).
    """

    __tablename__ = "visit"
    __table_args__ = (
        _index("uq_visit_running_device", "device", "site_id", where="runs", unique=True),
        _index("ix_visit_running_access_point", "access_point_id", where=COUNTED),
        _index("ix_visit_running_site", "site_id", where=COUNTED),
        _index("ix_visit_closed_device", "device", "site_id", where="closed_at IS NOT NULL"),
        _index("ix_visit_closed_at", "closed_at", where="closed_at IS NOT NULL"),
        _index("ix_visit_asked_device", "device", "site_id", where="reserved_at IS NULL"),
        _index("ix_visit_asked_at", "asked_at", where="reserved_at IS NULL"),
        _index("ix_visit_address", "address", where="address IS NOT NULL"),
        _index("uq_visit_page_token", "page_token", where="page_token IS NOT NULL", unique=True),
    )

    id: Mapped[int] = mapped_column(BigId, primary_key=True)
    handle: Mapped[str] = mapped_column(String(16), unique=True, default=new_public_id)
    site_id: Mapped[int] = mapped_column(BigId)
    access_point_id: Mapped[int | None] = mapped_column(BigId)
    nas_id: Mapped[int] = mapped_column(BigId)
    pass_id: Mapped[int] = mapped_column(BigId)
    voucher_id: Mapped[int | None] = mapped_column(BigId, index=True)
    way: Mapped[LoginWay] = mapped_column(enum_column(LoginWay))
    state: Mapped[VisitState] = mapped_column(enum_column(VisitState))
    # Whether it holds a place. The indexes go by this and not by `state`: none has to change when a reserved visit opens.
    runs: Mapped[bool] = mapped_column(Computed("state IN ('reserved', 'open')", persisted=True))
    device: Mapped[bytes | None] = mapped_column(LargeBinary(HASH_OCTETS))
    swaps: Mapped[bool] = mapped_column(default=False)
    # What its guest has accepted on the portal page; None for a visit that came without it.
    terms_id: Mapped[int | None] = mapped_column(BigId)
    prices_id: Mapped[int | None] = mapped_column(BigId)
    ticket_expires_at: Mapped[datetime | None]
    page_token: Mapped[bytes | None] = mapped_column(LargeBinary(HASH_OCTETS))
    refusal: Mapped[str | None] = mapped_column(String(32))
    interim_seconds: Mapped[int] = mapped_column(Integer, default=INTERIM_SECONDS)
    # Whether its voucher can be used up, so that each report has to be weighed.
    is_metered: Mapped[bool] = mapped_column(default=False, server_default=false())
    asked_at: Mapped[datetime]
    accepted_at: Mapped[datetime | None]
    reserved_at: Mapped[datetime | None]
    reserved_until: Mapped[datetime | None]
    opened_at: Mapped[datetime | None]
    closed_at: Mapped[datetime | None]
    close_cause: Mapped[CloseCause | None] = mapped_column(enum_column(CloseCause))
    log_reference: Mapped[str | None] = mapped_column(String(16))
    identifiers: Mapped[bytes | None] = mapped_column(LargeBinary)
    # Only where a NAS's guests reach the portal without NAT; it goes with the identifiers.
    address: Mapped[bytes | None] = mapped_column(LargeBinary(HASH_OCTETS))


class Leg(Base):
    """One accounting session of a visit; its counters only grow. NAS reuse session ids after a reboot: `ordinal` counts."""

    __tablename__ = "leg"
    __table_args__ = (UniqueConstraint("visit_id", "nas_id", "session", "ordinal"),)

    id: Mapped[int] = mapped_column(BigId, primary_key=True)
    visit_id: Mapped[int] = mapped_column(ForeignKey("visit.id", ondelete="CASCADE"))
    nas_id: Mapped[int] = mapped_column(BigId)
    access_point_id: Mapped[int | None] = mapped_column(BigId)
    session: Mapped[bytes] = mapped_column(LargeBinary(HASH_OCTETS))
    ordinal: Mapped[int] = mapped_column(Integer)
    started_at: Mapped[datetime]
    last_heard_at: Mapped[datetime]
    stopped_at: Mapped[datetime | None]
    seconds: Mapped[int] = mapped_column(BigInteger, default=0)
    octets_from_guest: Mapped[int] = mapped_column(BigInteger, default=0)
    octets_to_guest: Mapped[int] = mapped_column(BigInteger, default=0)
    terminate_cause: Mapped[int | None] = mapped_column(Integer)


def is_counted() -> ColumnElement[bool]:
    """The running visits, for those who count them."""
    return and_(Visit.runs, Visit.nas_id > literal_column("0"))


def not_heard_since(moment: datetime) -> ColumnElement[bool]:
    """The visits that were neither let in nor, in a session that goes on, reported on since `moment`."""
    heard = exists().where(Leg.visit_id == Visit.id, Leg.stopped_at.is_(None), Leg.last_heard_at >= moment)
    accepted_before = or_(Visit.accepted_at.is_(None), Visit.accepted_at < moment)
    return and_(accepted_before, ~heard)


class VoucherDevice(Base):
    """A device that may come in on a voucher without the portal: it has used it, or its guest has said that it will.

    `promised_at` is set as long as the device has not come itself (decision 8).
    """

    __tablename__ = "voucher_device"
    __table_args__ = (Index("ix_voucher_device_device", "device"),)

    voucher_id: Mapped[int] = mapped_column(ForeignKey("voucher.id"), primary_key=True)
    device: Mapped[bytes] = mapped_column(LargeBinary(HASH_OCTETS), primary_key=True)
    last_login_at: Mapped[datetime]
    promised_at: Mapped[datetime | None]
    # What was accepted when the device last came by a page; it does not return past a version that is newer.
    terms_id: Mapped[int | None] = mapped_column(BigId)
    prices_id: Mapped[int | None] = mapped_column(BigId)


class Disconnect(Base):
    """The outbox: what a NAS still has to be told of a visit. `due_at` is when to try, or when a sender's lease ends."""

    __tablename__ = "disconnect"
    __table_args__ = (
        Index(
            "uq_disconnect_pending",
            "visit_id",
            "kind",
            unique=True,
            sqlite_where=_is_pending,
            postgresql_where=_is_pending,
        ),
        Index("ix_disconnect_due", "due_at", sqlite_where=_is_pending, postgresql_where=_is_pending),
    )

    id: Mapped[int] = mapped_column(BigId, primary_key=True)
    visit_id: Mapped[int] = mapped_column(ForeignKey("visit.id", ondelete="CASCADE"))
    nas_id: Mapped[int] = mapped_column(ForeignKey("nas.id"))
    kind: Mapped[OrderKind] = mapped_column(enum_column(OrderKind), default=OrderKind.DISCONNECT)
    cause: Mapped[CloseCause | None] = mapped_column(enum_column(CloseCause))
    created_at: Mapped[datetime]
    due_at: Mapped[datetime]
    attempts: Mapped[int] = mapped_column(Integer, default=0)
    done_at: Mapped[datetime | None]
    outcome: Mapped[Outcome | None] = mapped_column(enum_column(Outcome))


@dataclass(frozen=True)
class Identifiers:
    """What a Disconnect-Request needs to name a session at its NAS; kept encrypted, erased after the visit."""

    user_name: str
    mac: str
    nas_address: str
    acct_session_id: str | None = None
    framed_address: str | None = None

    def seal(self, keyring: Keyring) -> bytes:
        """Encrypted for the database."""
        fields = ", ".join([f'"{name}": {_quoted(value)}' for name, value in self.__dict__.items()])
        return keyring.encrypt(Purpose.SESSIONS, f"{{{fields}}}")

    @classmethod
    def unseal(cls, keyring: Keyring, sealed: bytes) -> "Identifiers":
        """Undo `seal`; ValueError for a foreign ciphertext."""
        return cls(**json.loads(keyring.decrypt(Purpose.SESSIONS, sealed)))


def _quoted(text: str | None) -> str:
    """A text as JSON spells it: json.dumps would cost more than the encryption."""
    return "null" if text is None else encode_basestring_ascii(text)


def hash_device(keyring: Keyring, mac: Mac) -> bytes:
    """The keyed hash that stands for a device."""
    return keyring.hash(Purpose.DEVICES, mac.value)


def hash_address(keyring: Keyring, address: str) -> bytes:
    """The keyed hash of a guest's IP address."""
    return keyring.hash(Purpose.SESSIONS, "address", address)


def seen_address(keyring: Keyring, nas: NasRecord, address: str | None) -> bytes | None:
    """The hash of the address that the portal sees a guest of `nas` come from; None where a NAT hides it."""
    return hash_address(keyring, address) if address and nas.sees(address) else None


def new_page_token() -> str:
    """The secret in the URL of a guest's own pages: 160 bits, 27 characters."""
    return secrets.token_urlsafe(20)


def hash_page_token(keyring: Keyring, token: str) -> bytes:
    """How a page token is stored."""
    return keyring.hash(Purpose.PAGES, token)
