"""Tablets that a front desk shares: enrolled once, known by a cookie, and good for front-desk work alone."""

import secrets
from datetime import datetime

from sqlalchemy import ForeignKey, LargeBinary, String, select
from sqlalchemy.orm import Mapped, Session, mapped_column

from hotspot import audit
from hotspot.audit import Actor
from hotspot.database import Base, Identified
from hotspot.errors import WrongUse
from hotspot.keys import HASH_OCTETS, Keyring, Purpose
from hotspot.people import Role, User

LONGEST_TABLET_NAME = 60
# Those whose names stand on the tiles.
_AT_DESK = (Role.OWNER, Role.FRONT_DESK)


class Tablet(Identified, Base):
    """A tablet at a customer's desk, or at that of one site; known by the keyed hash of its cookie."""

    __tablename__ = "tablet"

    customer_id: Mapped[int] = mapped_column(ForeignKey("customer.id"), index=True)
    site_id: Mapped[int | None] = mapped_column(ForeignKey("site.id"))
    name: Mapped[str] = mapped_column(String(LONGEST_TABLET_NAME))
    token_hash: Mapped[bytes] = mapped_column(LargeBinary(HASH_OCTETS), unique=True)
    created_at: Mapped[datetime]
    retired_at: Mapped[datetime | None]


def enrol(
    session: Session, actor: Actor, keyring: Keyring, customer_id: int, site_id: int | None, name: str, now: datetime
) -> str:
    """Make a browser a desk tablet; the token for its cookie. WrongUse without a name."""
    name = " ".join(name.split())
    if not name or len(name) > LONGEST_TABLET_NAME or not name.isprintable():
        raise WrongUse("bad-name", f"A tablet's name has 1 to {LONGEST_TABLET_NAME} characters.")
    token = secrets.token_urlsafe(32)
    tablet = Tablet(
        customer_id=customer_id,
        site_id=site_id,
        name=name,
        token_hash=keyring.hash(Purpose.PAGES, "tablet", token),
        created_at=now,
    )
    session.add(tablet)
    session.flush()
    _record(session, actor, "tablet added", tablet, now)
    return token


def find_by_token(session: Session, keyring: Keyring, token: str) -> Tablet | None:
    """The tablet that has this cookie; None when there is none any more."""
    hashes = keyring.hashes(Purpose.PAGES, "tablet", token)
    return session.scalar(select(Tablet).where(Tablet.token_hash.in_(hashes), Tablet.retired_at.is_(None)))


def people_at(session: Session, tablet: Tablet) -> list[User]:
    """Who may come to the tablet: those of its customer who work at the desk and have a PIN."""
    at_desk = (User.customer_id == tablet.customer_id, User.role.in_(_AT_DESK), User.pin_hash.is_not(None))
    return list(session.scalars(select(User).where(*at_desk, User.retired_at.is_(None)).order_by(User.name, User.id)))


def retire_tablet(session: Session, actor: Actor, tablet: Tablet, now: datetime) -> None:
    """Let nobody sign in at this tablet any more; whoever is there is signed out."""
    tablet.retired_at = now
    _record(session, actor, "tablet removed", tablet, now)


def _record(session: Session, actor: Actor, action: str, tablet: Tablet, now: datetime) -> None:
    subject = f"tablet {tablet.public_id}"
    audit.record(session, actor, action, subject, now, customer_id=tablet.customer_id, detail=tablet.name)
