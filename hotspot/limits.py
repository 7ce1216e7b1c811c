"""Limits on how often something may happen: counters in the database, shared by both doors and all processes."""

import enum
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from datetime import datetime, timedelta
from typing import NamedTuple

from sqlalchemy import (
    ColumnElement,
    Integer,
    LargeBinary,
    and_,
    bindparam,
    case,
    delete,
    false,
    literal,
    or_,
    select,
    update,
)
from sqlalchemy.orm import Mapped, Session, mapped_column

from hotspot.bulk import upsert
from hotspot.database import Base, UtcDateTime
from hotspot.keys import HASH_OCTETS, Keyring, Purpose
from hotspot.questions import Query, nothing_asked


class LimitCounter(Base):
    """How often a subject did something in the window that is running; the subject is a keyed hash.

    `step` counts how often it has used its limit up: each time it waits longer.
    """

    __tablename__ = "limit_counter"

    subject: Mapped[bytes] = mapped_column(LargeBinary(HASH_OCTETS), primary_key=True)
    hits: Mapped[int] = mapped_column(Integer)
    step: Mapped[int] = mapped_column(Integer, default=0, server_default="0")
    expires_at: Mapped[datetime] = mapped_column(index=True)


# Who has used a limit up waits as long as its window, then twice, four times ... as long.
MOST_STEPS = 4
# Whoever was quiet for so long begins anew.
STEPS_LIVE = timedelta(hours=24)


class _Bound(NamedTuple):
    allowed: int
    window: timedelta
    backs_off: bool = False


class Limit(enum.Enum):
    """Each limit: how many in which time, and whether whoever uses it up waits from then on, longer each time."""

    GUESSES_BY_DEVICE = _Bound(10, timedelta(minutes=10), backs_off=True)
    # 50-bit codes leave a whole crowd of guessers no chance: sessions/guessing.py says what becomes of these.
    GUESSES_AT_ACCESS_POINT = _Bound(3000, timedelta(minutes=10), backs_off=True)
    GUESSES_AT_SITE = _Bound(6000, timedelta(minutes=10), backs_off=True)
    GUESSES_IN_ALL = _Bound(60_000, timedelta(minutes=10), backs_off=True)
    # A code that is sent once more while somebody guesses.
    FIRST_TRIES = _Bound(1, timedelta(minutes=10))
    GUESSES_BY_QR = _Bound(100, timedelta(minutes=10))
    # Longer than such an address and the sign-in after it live; a guess at four characters is right once in a million.
    ENDS_OF_SCANNED_CODE = _Bound(10, timedelta(hours=2))
    # Fake posts to the portal must not make the PoP flood a gateway with Disconnect-Requests, nor keep a device away.
    CALLS_BACK_OF_DEVICE = _Bound(3, timedelta(minutes=5))
    CALLS_BACK_AT_NAS = _Bound(120, timedelta(minutes=1))
    # Each holds a place until a report shows that it was a lie: a minute's fill no access point.
    UNSIGNED_AT_NAS = _Bound(20, timedelta(minutes=1))
    DEVICES_BY_VOUCHER = _Bound(10, timedelta(hours=1))
    # A printer that prints one slip after the other asks three times for each.
    ASKS_OF_PRINTER = _Bound(240, timedelta(minutes=1))
    SIGN_INS_BY_ACCOUNT_AND_ADDRESS = _Bound(10, timedelta(minutes=15))
    SIGN_INS_BY_ADDRESS = _Bound(50, timedelta(minutes=15))
    # In a browser that the account knows: what others try from elsewhere does not touch it.
    SIGN_INS_BY_KNOWN_DEVICE = _Bound(12, timedelta(minutes=15))
    # Only those come so far who know the password: the account as a whole may be closed to them, and longer each time.
    SECOND_STEPS = _Bound(20, timedelta(minutes=15), backs_off=True)
    SECOND_STEPS_BY_KNOWN_DEVICE = _Bound(15, timedelta(minutes=15))
    # A challenge for passkeys is answered once.
    CHALLENGE = _Bound(1, timedelta(minutes=5))
    # At one tablet, for one person: nobody is locked out anywhere else by it.
    PINS_AT_TABLET = _Bound(5, timedelta(minutes=15), backs_off=True)
    # Asked again of somebody who is signed in already.
    OWN_PASSWORD = _Bound(5, timedelta(minutes=15))
    API_REQUESTS_BY_KEY = _Bound(600, timedelta(minutes=1))
    # How many is for the settings to say; this is what they say by default.
    VOUCHERS_BY_KEY = _Bound(20_000, timedelta(hours=1))
    # Tests, and what is sent once more, of one webhook.
    MESSAGES_BY_HAND = _Bound(20, timedelta(minutes=10))

    @property
    def allowed(self) -> int:
        """Hits after which the subject has to wait."""
        return self.value.allowed

    @property
    def window(self) -> timedelta:
        """How long hits are remembered after the first."""
        return self.value.window

    @property
    def backs_off(self) -> bool:
        """Whether each further time that it is used up costs a longer wait."""
        return self.value.backs_off


class Counted(NamedTuple):
    """One thing that is counted: a limit and whom it is counted for."""

    limit: Limit
    subject: str


def reached(session: Session, keyring: Keyring, counted: Iterable[Counted], now: datetime) -> dict[Counted, datetime]:
    """Those of `counted` whose limit is used up, and until when; one query for all."""
    return ask_reached(session, keyring, counted, now)()


def ask_reached(
    session: Session, keyring: Keyring, counted: Iterable[Counted], now: datetime
) -> Callable[[], dict[Counted, datetime]]:
    """Ask what `reached` returns; whoever calls what is returned has it."""
    by_hash = {_hash(keyring, one): one for one in counted}
    asked = _RUNNING.ask(session, subjects=by_hash, now=now) if by_hash else nothing_asked()
    return lambda: {
        by_hash[subject]: until for subject, hits, until in asked.rows() if hits >= by_hash[subject].limit.allowed
    }


_RUNNING = Query(
    lambda is_in: select(LimitCounter.subject, LimitCounter.hits, LimitCounter.expires_at).where(
        is_in(LimitCounter.subject, "subjects"), LimitCounter.expires_at > bindparam("now", type_=UtcDateTime())
    )
)


def standing(session: Session, keyring: Keyring, one: Counted, now: datetime) -> tuple[int, datetime]:
    """How often one thing was counted in the window that runs, and when that ends; from now on where none runs."""
    rows = _RUNNING.rows(session, subjects=[_hash(keyring, one)], now=now)
    return (rows[0][1], rows[0][2]) if rows else (0, now + one.limit.window)


def hit(session: Session, keyring: Keyring, counted: Iterable[Counted], now: datetime) -> list[Counted]:
    """Count each of `counted`, as often as it is in it. Returns those whose limit is used up by this."""
    return [
        one for one, times, hits in _count(session, keyring, counted, now) if hits - times < one.limit.allowed <= hits
    ]


def take_try(session: Session, keyring: Keyring, counted: Sequence[Counted], now: datetime) -> bool:
    """Count a try before it is checked, so that many at once are no more than one after the other; whether one was left."""
    if reached(session, keyring, counted, now):
        return False
    # Race: others who saw the limit as far from used up as this one did, may have been faster.
    return all(hits <= one.limit.allowed for one, _times, hits in _count(session, keyring, counted, now))


def give_back(session: Session, keyring: Keyring, counted: Iterable[Counted], now: datetime) -> None:
    """A try has turned out to be right: it is not counted, and those of others are."""
    for subject, one in sorted((_hash(keyring, one), one) for one in counted):
        statement = update(LimitCounter).where(LimitCounter.subject == subject, LimitCounter.hits > 0)
        values: dict[str, object] = {"hits": LimitCounter.hits - 1}
        if one.limit.backs_off:
            # With this try the limit was used up, and the wait for that was begun.
            was_last = LimitCounter.hits == one.limit.allowed
            values["step"] = case((was_last, LimitCounter.step - 1), else_=LimitCounter.step)
            values["expires_at"] = case((was_last, _moment(now + one.limit.window)), else_=LimitCounter.expires_at)
        session.execute(statement.values(values))


def _count(
    session: Session, keyring: Keyring, counted: Iterable[Counted], now: datetime
) -> list[tuple[Counted, int, int]]:
    """Each of `counted` with how often it was counted now, and in all in the window that runs.

    Rows are taken in the order of their hashes, so that two writers cannot deadlock.
    """
    by_hash = sorted((_hash(keyring, one), one, times) for one, times in Counter(counted).items())
    return [(one, times, _count_one(session, subject, one.limit, times, now)) for subject, one, times in by_hash]


def _count_one(session: Session, subject: bytes, limit: Limit, times: int, now: datetime) -> int:
    is_new = LimitCounter.expires_at <= now
    hits = case((is_new, times), else_=LimitCounter.hits + times)
    # Races: another may have used it up before, and only one is to wait longer for it.
    used_up_now = and_(hits >= limit.allowed, or_(is_new, LimitCounter.hits < limit.allowed))
    crosses = used_up_now if limit.backs_off else false()
    step = case((LimitCounter.expires_at <= now - STEPS_LIVE, 0), else_=LimitCounter.step)
    fresh = upsert(session, LimitCounter).values(
        subject=subject,
        hits=times,
        step=int(limit.backs_off and times >= limit.allowed),
        expires_at=now + limit.window,
    )
    statement = fresh.on_conflict_do_update(
        index_elements=[LimitCounter.subject],
        set_={
            "hits": hits,
            "step": case((crosses, step + 1), else_=step),
            "expires_at": case(
                (crosses, _end_of_wait(step, limit.window, now)),
                (is_new, fresh.excluded.expires_at),
                else_=LimitCounter.expires_at,
            ),
        },
    )
    return session.scalar(statement.returning(LimitCounter.hits)) or 0


def _end_of_wait(step: ColumnElement[int], window: timedelta, now: datetime) -> ColumnElement[datetime]:
    """When somebody may go on who used the limit up `step` times before."""
    ends = [(step == number, _moment(now + window * 2**number)) for number in range(MOST_STEPS)]
    return case(*ends, else_=_moment(now + window * 2**MOST_STEPS))


def _moment(value: datetime) -> ColumnElement[datetime]:
    return literal(value, UtcDateTime())


def forget_expired(session: Session, now: datetime) -> None:
    """Remove counters whose window is over, and those that remember how often it was used up when that is long ago."""
    over = and_(LimitCounter.expires_at <= now, LimitCounter.step == 0)
    session.execute(delete(LimitCounter).where(or_(over, LimitCounter.expires_at <= now - STEPS_LIVE)))


def _hash(keyring: Keyring, one: Counted) -> bytes:
    return keyring.hash(Purpose.LIMITS, one.limit.name, one.subject)
