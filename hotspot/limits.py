"""Limits on how often something may happen: counters in the database, shared by both doors and all processes."""

import enum
from collections.abc import Callable, Collection
from datetime import datetime, timedelta
from typing import NamedTuple

from sqlalchemy import Integer, LargeBinary, bindparam, case, delete, select
from sqlalchemy.orm import Mapped, Session, mapped_column

from hotspot.bulk import Query, nothing_asked, upsert
from hotspot.database import Base, UtcDateTime
from hotspot.keys import HASH_OCTETS, Keyring, Purpose


class LimitCounter(Base):
    """How often a subject did something in the window that is running; the subject is a keyed hash."""

    __tablename__ = "limit_counter"

    subject: Mapped[bytes] = mapped_column(LargeBinary(HASH_OCTETS), primary_key=True)
    hits: Mapped[int] = mapped_column(Integer)
    expires_at: Mapped[datetime] = mapped_column(index=True)


class Limit(enum.Enum):
    """Each limit: how many in which time."""

    GUESSES_BY_DEVICE = (10, timedelta(minutes=10))
    # 50-bit codes leave a whole crowd of guessers no chance; a low limit would only let one lock out a site's guests.
    GUESSES_AT_SITE = (3000, timedelta(minutes=10))
    GUESSES_BY_QR = (100, timedelta(minutes=10))
    # Fake posts to the portal must not make the PoP flood a gateway with Disconnect-Requests, nor keep a device away.
    CALLS_BACK_OF_DEVICE = (3, timedelta(minutes=5))
    CALLS_BACK_AT_NAS = (120, timedelta(minutes=1))
    DEVICES_BY_VOUCHER = (10, timedelta(hours=1))
    SIGN_INS_BY_ACCOUNT_AND_ADDRESS = (10, timedelta(minutes=15))
    SIGN_INS_BY_ADDRESS = (50, timedelta(minutes=15))

    @property
    def allowed(self) -> int:
        """Hits after which the subject has to wait."""
        return self.value[0]

    @property
    def window(self) -> timedelta:
        """How long hits are remembered after the first."""
        return self.value[1]


class Counted(NamedTuple):
    """One thing that is counted: a limit and whom it is counted for."""

    limit: Limit
    subject: str


def reached(session: Session, keyring: Keyring, counted: Collection[Counted], now: datetime) -> set[Counted]:
    """Those of `counted` whose limit is used up; one query for all."""
    return ask_reached(session, keyring, counted, now)()


def ask_reached(
    session: Session, keyring: Keyring, counted: Collection[Counted], now: datetime
) -> Callable[[], set[Counted]]:
    """Ask what `reached` returns; whoever calls what is returned has it."""
    by_hash = {_hash(keyring, one): one for one in counted}
    asked = _RUNNING.ask(session, subjects=by_hash, now=now) if by_hash else nothing_asked()
    return lambda: {by_hash[subject] for subject, hits in asked.rows() if hits >= by_hash[subject].limit.allowed}


_RUNNING = Query(
    lambda is_in: select(LimitCounter.subject, LimitCounter.hits).where(
        is_in(LimitCounter.subject, "subjects"), LimitCounter.expires_at > bindparam("now", type_=UtcDateTime())
    )
)


def hit(session: Session, keyring: Keyring, counted: Collection[Counted], now: datetime) -> None:
    """Count each of `counted` once more. Rows are taken in the order of their hashes, so that two writers cannot deadlock."""
    for subject, one in sorted(((_hash(keyring, one), one) for one in counted), key=lambda pair: pair[0]):
        fresh = upsert(session, LimitCounter).values(subject=subject, hits=1, expires_at=now + one.limit.window)
        over = LimitCounter.expires_at <= now
        session.execute(
            fresh.on_conflict_do_update(
                index_elements=[LimitCounter.subject],
                set_={
                    "hits": case((over, 1), else_=LimitCounter.hits + 1),
                    "expires_at": case((over, fresh.excluded.expires_at), else_=LimitCounter.expires_at),
                },
            )
        )


def forget_expired(session: Session, now: datetime) -> None:
    """Remove counters whose window is over."""
    session.execute(delete(LimitCounter).where(LimitCounter.expires_at <= now))


def _hash(keyring: Keyring, one: Counted) -> bytes:
    return keyring.hash(Purpose.LIMITS, one.limit.name, one.subject)
