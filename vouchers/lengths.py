"""Giving a voucher more time, or less."""

from collections.abc import Mapping
from datetime import datetime, timedelta

from hotspot.errors import WrongUse
from vouchers.changing import Change, Standing
from vouchers.passes import Clock

FURTHEST = timedelta(days=366)
MOST_MINUTES = 5_256_000


def longer(by: timedelta, now: datetime) -> Change:
    """More time, or less where `by` is negative: what is left where it runs, what it will give where it is unused.

    One that is over runs again, from now. No voucher ends before now, nor gives less than a minute. WrongUse for less than a
    minute or more than FURTHEST either way.
    """
    if not timedelta(minutes=1) <= abs(by) <= FURTHEST:
        raise WrongUse("bad-length", "That is from one minute to a year.")
    return lambda one: None if one.revoked_at else _longer(one, by, now)


def credited(by: timedelta, now: datetime) -> Change:
    """More time to what time runs away from; minutes online have not run, even where an end beside them came nearer."""
    extend = longer(by, now)

    def new(one: Standing) -> Mapping[str, object] | None:
        ends = {name: value for name, value in (extend(one) or {}).items() if name != "minutes"}
        return ends or None

    return new


def _longer(one: Standing, by: timedelta, now: datetime) -> Mapping[str, object] | None:
    values: dict[str, object] = {}
    counts_minutes = one.clock is Clock.ONLINE or one.first_used_at is None
    if one.minutes is not None and counts_minutes:
        values["minutes"] = min(MOST_MINUTES, max(1, one.minutes + int(by.total_seconds()) // 60))
    if one.first_used_at is None:
        values |= _until(one, by, now)
    elif one.ends_at is not None and (by > timedelta(0) or one.ends_at > now):
        values["ends_at"] = max(now, max(one.ends_at, now) + by)
    return values or None


def _until(one: Standing, by: timedelta, now: datetime) -> Mapping[str, object]:
    """An end that was agreed beforehand; the time to use it first goes along where it was the same."""
    if one.until is None:
        return {}
    until = max(now, max(one.until, now) + by)
    return {"until": until, "good_until": until if one.good_until == one.until else min(one.good_until, until)}
