"""Guesses at voucher codes: who has to wait, who is only asked to try once more, and what the operator is told.

A device that has typed too many wrong codes waits, longer each time. An access point, a site and the whole PoP are many people's,
and an address is too, so nobody is locked out for what others do there: while one of them has seen too many wrong codes, each
code is looked up only when it is sent a second time, after a short wait. An honest guest is in with the second try, and who
guesses needs two requests and the wait for every code.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import NamedTuple

from sqlalchemy import BigInteger, Integer, String, cast, delete, func, select
from sqlalchemy.orm import Mapped, Session, mapped_column

from hotspot import limits
from hotspot.bulk import upsert
from hotspot.database import Base, BigId
from hotspot.directory import Located
from hotspot.keys import Keyring
from hotspot.limits import Counted, Limit
from hotspot.traffic import hour_of
from vouchers.admission import Reason, Refused
from vouchers.codes import Code

# What raises an alarm when it is used up.
LIMITS = (Limit.GUESSES_BY_DEVICE, Limit.GUESSES_AT_ACCESS_POINT, Limit.GUESSES_AT_SITE, Limit.GUESSES_IN_ALL)
ALARMS_LIVE = timedelta(days=7)
# How long a guest waits before the second try.
WAIT = timedelta(seconds=20)
# In place of a site or an access point, where the limit is for more than one.
NOWHERE = 0


class GuessAlarm(Base):
    """How often in an hour a limit on guesses was used up at a place; 0 stands for no site or no access point in particular."""

    __tablename__ = "guess_alarm"

    hour: Mapped[datetime] = mapped_column(primary_key=True)
    site_id: Mapped[int] = mapped_column(BigId, primary_key=True)
    access_point_id: Mapped[int] = mapped_column(BigId, primary_key=True)
    limit: Mapped[str] = mapped_column(String(40), primary_key=True)
    count: Mapped[int] = mapped_column(Integer)
    last_at: Mapped[datetime]


@dataclass(frozen=True)
class Alarm:
    """What the operator is told of a place since a moment: how often devices were stopped, and whether the place was guarded."""

    site_id: int
    access_point_id: int
    limit: Limit
    count: int
    last_at: datetime


class Try(NamedTuple):
    """A code that was sent, and whom it is counted for should it be wrong."""

    located: Located
    device: str | None
    code: Code
    counters: tuple[Counted, ...]

    def __repr__(self) -> str:
        """Nothing that could be in a log."""
        return "Try"


def a_try(located: Located, device: str | None, code: Code) -> Try:
    """A code as either door gets it; `device` only where it is known."""
    counted = [Counted(Limit.GUESSES_IN_ALL, "everybody"), Counted(Limit.GUESSES_AT_SITE, str(located.site.id))]
    if located.access_point:
        counted.append(Counted(Limit.GUESSES_AT_ACCESS_POINT, str(located.access_point.id)))
    if device:
        counted.append(Counted(Limit.GUESSES_BY_DEVICE, device))
    return Try(located, device, code, tuple(counted))


def ask_hold_up(
    session: Session, keyring: Keyring, tries: Sequence[Try], now: datetime
) -> Callable[[], list[Refused | None]]:
    """Ask for each try why its code is not looked up, or None; whoever calls what is returned has it.

    One query, and a second one while somebody guesses.
    """
    reached = limits.ask_reached(session, keyring, {one for each in tries for one in each.counters}, now)
    return lambda: _held_up(session, keyring, tries, reached(), now)


def _held_up(
    session: Session, keyring: Keyring, tries: Sequence[Try], reached: Mapping[Counted, datetime], now: datetime
) -> list[Refused | None]:
    if not reached:
        return [None] * len(tries)
    answers = [_stopped(each, reached) for each in tries]
    guarded = {
        index: Counted(Limit.FIRST_TRIES, f"{each.located.site.id} {each.device or ''} {each.code.value}")
        for index, each in enumerate(tries)
        if answers[index] is None and not reached.keys().isdisjoint(each.counters)
    }
    before = limits.reached(session, keyring, set(guarded.values()), now)
    for index, first in guarded.items():
        if first not in before or now < before[first] - first.limit.window + WAIT:
            answers[index] = Refused(Reason.ONCE_MORE)
    limits.hit(session, keyring, set(guarded.values()) - before.keys(), now)
    return answers


def _stopped(one: Try, reached: Mapping[Counted, datetime]) -> Refused | None:
    for counted in one.counters:
        if counted.limit is Limit.GUESSES_BY_DEVICE and counted in reached:
            return Refused(Reason.TOO_MANY_TRIES, moment=reached[counted])
    return None


def count(session: Session, keyring: Keyring, wrong: Sequence[Try], now: datetime) -> None:
    """Count wrong codes, and note for the operator what limits are used up by them."""
    used_up = set(limits.hit(session, keyring, [one for each in wrong for one in each.counters], now))
    places = {one: _place(one, each.located) for each in wrong for one in each.counters if one in used_up}
    # In one order, so that two writers cannot deadlock.
    for (site_id, point_id), limit in sorted((place, one.limit.name) for one, place in places.items()):
        fresh = upsert(session, GuessAlarm).values(
            hour=hour_of(now), site_id=site_id, access_point_id=point_id, limit=limit, count=1, last_at=now
        )
        keys = [GuessAlarm.hour, GuessAlarm.site_id, GuessAlarm.access_point_id, GuessAlarm.limit]
        session.execute(
            fresh.on_conflict_do_update(index_elements=keys, set_={"count": GuessAlarm.count + 1, "last_at": now})
        )


def _place(one: Counted, located: Located) -> tuple[int, int]:
    if one.limit is Limit.GUESSES_IN_ALL:
        return NOWHERE, NOWHERE
    point = located.access_point if one.limit is not Limit.GUESSES_AT_SITE else None
    return located.site.id, point.id if point else NOWHERE


def alarms(session: Session, since: datetime) -> list[Alarm]:
    """What was noted since the hour of `since`, the latest first; one query."""
    latest = func.max(GuessAlarm.last_at)
    total = cast(func.sum(GuessAlarm.count), BigInteger)
    columns = (GuessAlarm.site_id, GuessAlarm.access_point_id, GuessAlarm.limit)
    query = select(*columns, total, latest).where(GuessAlarm.hour >= hour_of(since)).group_by(*columns)
    return [
        Alarm(site_id, point_id, Limit[limit], times, last_at)
        for site_id, point_id, limit, times, last_at in session.execute(query.order_by(latest.desc()))
    ]


def forget_old(session: Session, now: datetime) -> None:
    """Delete what is older than seven days."""
    session.execute(delete(GuessAlarm).where(GuessAlarm.hour < now - ALARMS_LIVE))
