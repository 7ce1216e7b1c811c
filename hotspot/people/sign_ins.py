"""Where people are signed in: their browsers, since when, and which of them are new."""

import secrets
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import (
    ColumnElement,
    ForeignKey,
    Index,
    LargeBinary,
    String,
    UniqueConstraint,
    delete,
    exists,
    or_,
    select,
    update,
)
from sqlalchemy.orm import Mapped, Session, aliased, mapped_column

from hotspot.database import Base, BigId, Identified
from hotspot.keys import HASH_OCTETS, Keyring, Purpose
from hotspot.people import User
from hotspot.people.passkeys import Passkey
from hotspot.people.tablets import Tablet

SIGN_IN_LIFE = timedelta(hours=12)
# How exactly `seen_at` is kept: not every page has to write.
SEEN_EVERY = timedelta(minutes=5)
# A tablet locks by itself, so it is looked at more exactly.
TABLET_IDLE = timedelta(minutes=5)
TABLET_SEEN_EVERY = timedelta(seconds=30)
KEPT = timedelta(days=30)
DEVICE_LIFE = timedelta(days=365)


class SignIn(Identified, Base):
    """A browser in which somebody is signed in, or was; `device` is such as "Firefox, Windows".

    `device_since`: since when the account knows this browser. `alert`: it was new, and that has not been confirmed yet.
    """

    __tablename__ = "sign_in"
    __table_args__ = (Index("ix_sign_in_user_id_started_at", "user_id", "started_at"),)

    user_id: Mapped[int] = mapped_column(ForeignKey("user_account.id"))
    tablet_id: Mapped[int | None] = mapped_column(ForeignKey("tablet.id"), index=True)
    device: Mapped[str] = mapped_column(String(60))
    started_at: Mapped[datetime] = mapped_column(index=True)
    seen_at: Mapped[datetime]
    ended_at: Mapped[datetime | None]
    device_since: Mapped[datetime]
    alert: Mapped[bool]


class KnownDevice(Base):
    """A browser in which somebody has signed in before, by the keyed hash of a cookie."""

    __tablename__ = "known_device"
    __table_args__ = (UniqueConstraint("user_id", "token_hash"),)

    id: Mapped[int] = mapped_column(BigId, primary_key=True)
    user_id: Mapped[int] = mapped_column(ForeignKey("user_account.id"))
    token_hash: Mapped[bytes] = mapped_column(LargeBinary(HASH_OCTETS))
    since: Mapped[datetime]
    used_at: Mapped[datetime] = mapped_column(index=True)


@dataclass(frozen=True)
class Browser:
    """The browser that somebody signs in with: in words, and the token of its cookie."""

    words: str
    token: str


def is_known(session: Session, keyring: Keyring, user_id: int, token: str) -> bool:
    """Whether this account has been signed in to with this browser before."""
    hashes = keyring.hashes(Purpose.PAGES, "device", token)
    known = exists().where(KnownDevice.user_id == user_id, KnownDevice.token_hash.in_(hashes))
    return bool(token) and bool(session.scalar(select(known)))


def start(session: Session, keyring: Keyring, user: User, browser: Browser, now: datetime) -> SignIn:
    """Sign somebody in. The very first browser of an account is no news."""
    first = not session.scalar(select(exists().where(KnownDevice.user_id == user.id)))
    hashes = keyring.hashes(Purpose.PAGES, "device", browser.token)
    of_browser = (KnownDevice.user_id == user.id, KnownDevice.token_hash.in_(hashes))
    device = session.scalar(select(KnownDevice).where(*of_browser))
    if device is None:
        device = KnownDevice(user_id=user.id, token_hash=hashes[0], since=now)
        session.add(device)
    device.used_at = now
    started = SignIn(
        user_id=user.id,
        device=browser.words,
        started_at=now,
        seen_at=now,
        device_since=device.since,
        alert=device.since == now and not first,
    )
    session.add(started)
    session.flush()
    return started


def start_at_tablet(session: Session, user: User, tablet: Tablet, now: datetime) -> SignIn:
    """Sign somebody in at a shared tablet; whoever was there before is signed out of it."""
    before = update(SignIn).where(SignIn.tablet_id == tablet.id, SignIn.ended_at.is_(None))
    session.execute(before.values(ended_at=now))
    started = SignIn(
        user_id=user.id,
        tablet_id=tablet.id,
        device=tablet.name,
        started_at=now,
        seen_at=now,
        device_since=now,
        alert=False,
    )
    session.add(started)
    session.flush()
    return started


@dataclass(frozen=True)
class Running:
    """Who is signed in, and by what.

    `has_factor`: not by the password alone the next time; `has_news`: there are `alerts` to tell here; `site_id`: what
    is beyond this site is out of sight, since its tablet stands there.
    """

    user: User
    sign_in: SignIn
    has_factor: bool
    has_news: bool = False
    site_id: int | None = None


def find_running(session: Session, public_id: str, now: datetime) -> Running | None:
    """Who is signed in by this; None when it has been ended, is too old, or the account is retired. One query."""
    has_passkey, new = exists().where(Passkey.user_id == User.id), aliased(SignIn)
    has_news = SignIn.tablet_id.is_(None) & exists().where(
        new.user_id == User.id, new.alert.is_(True), new.started_at > SignIn.device_since
    )
    found = session.execute(
        select(User, SignIn, or_(User.totp_secret.is_not(None), has_passkey), has_news, Tablet.site_id)
        .join(SignIn, SignIn.user_id == User.id)
        .outerjoin(Tablet, Tablet.id == SignIn.tablet_id)
        .where(
            SignIn.public_id == public_id,
            SignIn.ended_at.is_(None),
            SignIn.started_at > now - SIGN_IN_LIFE,
            or_(SignIn.tablet_id.is_(None), (SignIn.seen_at > now - TABLET_IDLE) & Tablet.retired_at.is_(None)),
            User.retired_at.is_(None),
        )
    ).first()
    return Running(*found) if found else None


def running(session: Session, user_id: int, now: datetime) -> list[SignIn]:
    """Where somebody is signed in, the latest first."""
    of_user = (SignIn.user_id == user_id, SignIn.ended_at.is_(None), SignIn.started_at > now - SIGN_IN_LIFE)
    return list(session.scalars(select(SignIn).where(*of_user).order_by(SignIn.started_at.desc()).limit(100)))


def note_seen(session: Session, sign_in_id: int, now: datetime) -> None:
    """Somebody has opened a page."""
    session.execute(update(SignIn).where(SignIn.id == sign_in_id, SignIn.seen_at < now).values(seen_at=now))


def end(session: Session, user_id: int, public_id: str, now: datetime) -> None:
    """Sign somebody out in one browser; nothing when that is not theirs, or has ended."""
    of_user = (SignIn.user_id == user_id, SignIn.public_id == public_id, SignIn.ended_at.is_(None))
    session.execute(update(SignIn).where(*of_user).values(ended_at=now))


def end_all(session: Session, user_id: int, now: datetime, *, but: int | None = None) -> None:
    """Sign somebody out everywhere, and know none of their browsers any more, except in the sign-in `but` and its browser."""
    statement = update(SignIn).where(SignIn.user_id == user_id, SignIn.ended_at.is_(None))
    session.execute((statement if but is None else statement.where(SignIn.id != but)).values(ended_at=now))
    _forget_browsers(session, user_id, now, session.get(SignIn, but) if but else None)


def _forget_browsers(session: Session, user_id: int, now: datetime, but: SignIn | None) -> None:
    statement = delete(KnownDevice).where(KnownDevice.user_id == user_id)
    statement = statement.where(KnownDevice.since != but.device_since) if but else statement
    if session.execute(statement).rowcount:  # type: ignore[attr-defined]
        # One that is nobody's takes their place: else the next browser would be the account's first, which is no news.
        nobodys = secrets.token_bytes(HASH_OCTETS)
        session.add(KnownDevice(user_id=user_id, token_hash=nobodys, since=now, used_at=now))


def alerts(session: Session, asker: SignIn) -> list[SignIn]:
    """The sign-ins from new browsers that nobody has confirmed yet, the latest first.

    Only browsers that the account knew before are told, and may confirm: else whoever has stolen a password could confirm
    their own.
    """
    return list(session.scalars(select(SignIn).where(*_news_to(asker)).order_by(SignIn.started_at.desc()).limit(10)))


def confirm_alerts(session: Session, asker: SignIn) -> None:
    """Somebody says that those were themselves."""
    session.execute(update(SignIn).where(*_news_to(asker)).values(alert=False))


def _news_to(asker: SignIn) -> tuple[ColumnElement[bool], ...]:
    return (SignIn.user_id == asker.user_id, SignIn.alert.is_(True), SignIn.started_at > asker.device_since)


def forget_old(session: Session, now: datetime) -> None:
    """Remove sign-ins that ended long ago, and browsers that were long not used."""
    session.execute(delete(SignIn).where(SignIn.started_at < now - KEPT))
    session.execute(delete(KnownDevice).where(KnownDevice.used_at < now - DEVICE_LIFE))
