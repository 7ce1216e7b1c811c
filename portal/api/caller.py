"""Who calls: the key behind a request, and how often it has called."""

from collections import Counter
from dataclasses import dataclass
from datetime import datetime

from flask import request
from sqlalchemy.orm import Session

from hotspot import limits
from hotspot.api_keys import ApiKey, Scope, find_key, note_use
from hotspot.audit import Actor
from hotspot.errors import WrongUse
from hotspot.limits import Counted, Limit
from portal.api.problems import Problem
from portal.context import Portal


@dataclass(frozen=True)
class Caller:
    """Another system, by its key: it belongs to one customer and sees that one alone."""

    id: int
    public_id: str
    customer_id: int
    scopes: frozenset[Scope]
    site_id: None = None

    @property
    def is_operator(self) -> bool:
        """A key is one customer's, whoever has made it."""
        return False

    @property
    def actor(self) -> Actor:
        """Who it is in the audit record."""
        return Actor(api_key_id=self.id)


def identify(portal: Portal, now: datetime) -> Caller:
    """The key of this request; Problem where there is none that is good, always the same one."""
    scheme, _, token = request.headers.get("Authorization", "").partition(" ")
    with portal.database.read() as session:
        known = scheme.lower() == "bearer" and token.isascii()
        key = find_key(session, portal.keyring, token.strip(), now) if known and "\0" not in token else None
        if key is None:
            raise Problem(401, headers={"WWW-Authenticate": 'Bearer realm="surfpass"'})
        return _caller(key)


def _caller(key: ApiKey) -> Caller:
    return Caller(key.id, key.public_id, key.customer_id, frozenset(Scope(one) for one in key.scopes))


def count(portal: Portal, caller: Caller, now: datetime) -> dict[str, str]:
    """Count this request. Returns the headers that say how many are left; Problem where there are none."""
    one = Counted(Limit.API_REQUESTS_BY_KEY, caller.public_id)
    with portal.database.write() as session:
        spent = _spend(session, portal, one, ("requests", one.limit.allowed), 1, now)
        note_use(session, session.get_one(ApiKey, caller.id), now)
    if spent.is_too_much:
        raise Problem(429, headers=spent.headers)
    return spent.headers


def count_vouchers(session: Session, portal: Portal, caller: Caller, count: int, now: datetime) -> None:
    """Count vouchers that are about to be issued. Problem where the key may not issue so many within the hour, or ever."""
    allowed = portal.settings.api_vouchers_per_hour
    if count > allowed:
        raise WrongUse("too-many-vouchers", f"A key issues {allowed} vouchers an hour at most.")
    one = Counted(Limit.VOUCHERS_BY_KEY, caller.public_id)
    spent = _spend(session, portal, one, ("vouchers", allowed), count, now)
    if spent.is_too_much:
        detail = f"This key may issue {spent.left} vouchers now: order fewer, or wait as long as Retry-After says."
        raise Problem(429, "too-many-vouchers", detail, headers=spent.headers)


@dataclass(frozen=True)
class _Spent:
    """What is left of what a key may do, as headers say it."""

    is_too_much: bool
    left: int
    headers: dict[str, str]


def _spend(
    session: Session, portal: Portal, one: Counted, policy: tuple[str, int], count: int, now: datetime
) -> _Spent:
    """Count something that the key does so many times; `policy` is its name in headers, and how many are allowed."""
    name, allowed = policy
    limits.hit(session, portal.keyring, Counter({one: count}), now)
    hits, resets_at = limits.standing(session, portal.keyring, one, now)
    is_too_much, seconds = hits > allowed, max(1, round((resets_at - now).total_seconds()))
    # What is too much is refused as a whole, and fewer may be left than that.
    left = max(0, allowed - (hits - count if is_too_much else hits))
    headers = {
        "RateLimit-Policy": f'"{name}";q={allowed};w={round(one.limit.window.total_seconds())}',
        "RateLimit": f'"{name}";r={left};t={seconds}',
    }
    return _Spent(is_too_much, left, headers | ({"Retry-After": str(seconds)} if is_too_much else {}))
