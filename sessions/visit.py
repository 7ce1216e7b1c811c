"""Visits, their legs and the disconnect outbox: the tables, and how a visit closes.

A visit is one device on one voucher at one site. A leg is one accounting session of it. See docs/visits.md.
"""

import enum
import json
import secrets
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from datetime import datetime

from sqlalchemy import BigInteger, ForeignKey, Index, Integer, LargeBinary, String, UniqueConstraint, select, text
from sqlalchemy.orm import Mapped, Session, mapped_column

from hotspot import legal  # noqa: F401 - the table that terms_id refers to
from hotspot.database import Base, BigId, enum_column, new_public_id
from hotspot.directory import SiteRecord
from hotspot.keys import HASH_OCTETS, Keyring, Purpose
from hotspot.mac import Mac
from hotspot.place import LoginWay
from sessions import connection_log


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

_is_running = text("state IN ('reserved', 'open')")
_is_pending = text("done_at IS NULL")


class Visit(Base):
    """One device on one voucher at one site."""

    __tablename__ = "visit"
    __table_args__ = (
        Index(
            "uq_visit_running_device",
            "site_id",
            "device",
            unique=True,
            sqlite_where=_is_running,
            postgresql_where=_is_running,
        ),
        Index(
            "ix_visit_running_access_point", "access_point_id", sqlite_where=_is_running, postgresql_where=_is_running
        ),
        Index("ix_visit_site_device", "site_id", "device"),
        Index("ix_visit_state", "state", "closed_at"),
    )

    id: Mapped[int] = mapped_column(BigId, primary_key=True)
    handle: Mapped[str] = mapped_column(String(16), unique=True, default=new_public_id)
    site_id: Mapped[int] = mapped_column(ForeignKey("site.id"), index=True)
    access_point_id: Mapped[int | None] = mapped_column(ForeignKey("access_point.id"))
    nas_id: Mapped[int] = mapped_column(ForeignKey("nas.id"))
    pass_id: Mapped[int] = mapped_column(ForeignKey("pass.id"))
    voucher_id: Mapped[int | None] = mapped_column(ForeignKey("voucher.id"), index=True)
    way: Mapped[LoginWay] = mapped_column(enum_column(LoginWay))
    state: Mapped[VisitState] = mapped_column(enum_column(VisitState))
    device: Mapped[bytes | None] = mapped_column(LargeBinary(HASH_OCTETS))
    swaps: Mapped[bool] = mapped_column(default=False)
    terms_id: Mapped[int | None] = mapped_column(ForeignKey("legal_version.id"))
    ticket_expires_at: Mapped[datetime | None]
    page_token: Mapped[bytes | None] = mapped_column(LargeBinary(HASH_OCTETS), unique=True)
    refusal: Mapped[str | None] = mapped_column(String(32))
    interim_seconds: Mapped[int] = mapped_column(Integer, default=300)
    asked_at: Mapped[datetime]
    reserved_at: Mapped[datetime | None]
    reserved_until: Mapped[datetime | None]
    opened_at: Mapped[datetime | None]
    last_heard_at: Mapped[datetime | None]
    closed_at: Mapped[datetime | None]
    close_cause: Mapped[CloseCause | None] = mapped_column(enum_column(CloseCause))
    current_leg_id: Mapped[int | None] = mapped_column(BigId)
    log_reference: Mapped[str | None] = mapped_column(String(16))
    identifiers: Mapped[bytes | None] = mapped_column(LargeBinary)

    @property
    def runs(self) -> bool:
        """Whether it holds a place."""
        return self.state in RUNNING


class Leg(Base):
    """One accounting session of a visit; its counters only grow. NAS reuse session ids after a reboot: `ordinal` counts."""

    __tablename__ = "leg"
    __table_args__ = (UniqueConstraint("visit_id", "nas_id", "session", "ordinal"),)

    id: Mapped[int] = mapped_column(BigId, primary_key=True)
    visit_id: Mapped[int] = mapped_column(ForeignKey("visit.id", ondelete="CASCADE"))
    nas_id: Mapped[int] = mapped_column(ForeignKey("nas.id"), index=True)
    access_point_id: Mapped[int | None] = mapped_column(ForeignKey("access_point.id"))
    session: Mapped[bytes] = mapped_column(LargeBinary(HASH_OCTETS))
    ordinal: Mapped[int] = mapped_column(Integer)
    started_at: Mapped[datetime]
    last_heard_at: Mapped[datetime]
    stopped_at: Mapped[datetime | None]
    seconds: Mapped[int] = mapped_column(BigInteger, default=0)
    octets_from_guest: Mapped[int] = mapped_column(BigInteger, default=0)
    octets_to_guest: Mapped[int] = mapped_column(BigInteger, default=0)
    terminate_cause: Mapped[int | None] = mapped_column(Integer)


class VoucherDevice(Base):
    """A device that has used a voucher, so that it can come back without the portal (decision 8)."""

    __tablename__ = "voucher_device"
    __table_args__ = (Index("ix_voucher_device_device", "device"),)

    voucher_id: Mapped[int] = mapped_column(ForeignKey("voucher.id"), primary_key=True)
    device: Mapped[bytes] = mapped_column(LargeBinary(HASH_OCTETS), primary_key=True)
    last_login_at: Mapped[datetime]


class Disconnect(Base):
    """A visit that a NAS still has to be told to end; the RADIUS door sends these (RFC 5176)."""

    __tablename__ = "disconnect"
    __table_args__ = (
        Index("uq_disconnect_pending", "visit_id", unique=True, sqlite_where=_is_pending, postgresql_where=_is_pending),
        Index("ix_disconnect_due", "due_at", sqlite_where=_is_pending, postgresql_where=_is_pending),
    )

    id: Mapped[int] = mapped_column(BigId, primary_key=True)
    visit_id: Mapped[int] = mapped_column(ForeignKey("visit.id", ondelete="CASCADE"))
    nas_id: Mapped[int] = mapped_column(ForeignKey("nas.id"))
    cause: Mapped[CloseCause] = mapped_column(enum_column(CloseCause))
    created_at: Mapped[datetime]
    due_at: Mapped[datetime]
    attempts: Mapped[int] = mapped_column(Integer, default=0)
    done_at: Mapped[datetime | None]


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
        return keyring.encrypt(Purpose.SESSIONS, json.dumps(asdict(self)))

    @classmethod
    def unseal(cls, keyring: Keyring, sealed: bytes) -> "Identifiers":
        """Undo `seal`; ValueError for a foreign ciphertext."""
        return cls(**json.loads(keyring.decrypt(Purpose.SESSIONS, sealed)))


def hash_device(keyring: Keyring, mac: Mac) -> bytes:
    """The keyed hash that stands for a device."""
    return keyring.hash(Purpose.DEVICES, mac.value)


def new_page_token() -> str:
    """The secret in the URL of a guest's own pages: 160 bits, 27 characters."""
    return secrets.token_urlsafe(20)


def hash_page_token(keyring: Keyring, token: str) -> bytes:
    """How a page token is stored."""
    return keyring.hash(Purpose.PAGES, token)


def close(
    session: Session, site: SiteRecord, visit: Visit, legs: Iterable[Leg], cause: CloseCause, now: datetime
) -> None:
    """Close a visit, free its place and write its entry in the connection log."""
    visit.state = VisitState.CLOSED
    visit.closed_at = now
    visit.close_cause = cause
    if visit.opened_at is None or visit.device is None:
        return
    legs = list(legs)
    visit.log_reference = connection_log.record(
        session,
        site,
        connection_log.Connection(
            access_point_id=visit.access_point_id,
            device=visit.device,
            started_at=visit.opened_at,
            seconds=sum(leg.seconds for leg in legs),
            octets=sum(leg.octets_from_guest + leg.octets_to_guest for leg in legs),
        ),
        now,
    )


def reopen(session: Session, visit: Visit) -> None:
    """Take back the closing of a visit whose NAS was out of touch, with its entry in the connection log."""
    visit.state = VisitState.OPEN
    visit.closed_at = visit.close_cause = None
    connection_log.withdraw(session, visit.log_reference)
    visit.log_reference = None


def ask_disconnect(session: Session, visits: Iterable[Visit], cause: CloseCause, now: datetime) -> None:
    """Put visits in the disconnect outbox, each once. The caller holds the visits' rows, so nobody else adds the same."""
    by_id = {visit.id: visit for visit in visits}
    if not by_id:
        return
    pending = session.scalars(
        select(Disconnect.visit_id).where(Disconnect.visit_id.in_(by_id), Disconnect.done_at.is_(None))
    )
    for visit_id in by_id.keys() - set(pending):
        session.add(
            Disconnect(visit_id=visit_id, nas_id=by_id[visit_id].nas_id, cause=cause, created_at=now, due_at=now)
        )
