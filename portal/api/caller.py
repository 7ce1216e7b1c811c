"""Who calls: the key behind a request, and how often it has called."""

from dataclasses import dataclass
from datetime import datetime

from flask import request

from hotspot import limits
from hotspot.api_keys import ApiKey, Scope, find_key, note_use
from hotspot.audit import Actor
from hotspot.limits import Counted, Limit
from portal.api.problems import Problem
from portal.context import Portal

_POLICY = Limit.API_REQUESTS_BY_KEY


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
    one = Counted(_POLICY, caller.public_id)
    with portal.database.write() as session:
        limits.hit(session, portal.keyring, [one], now)
        hits, resets_at = limits.standing(session, portal.keyring, one, now)
        note_use(session, session.get_one(ApiKey, caller.id), now)
    seconds = max(1, round((resets_at - now).total_seconds()))
    headers = {
        "RateLimit-Policy": f'"requests";q={_POLICY.allowed};w={round(_POLICY.window.total_seconds())}',
        "RateLimit": f'"requests";r={max(0, _POLICY.allowed - hits)};t={seconds}',
    }
    if hits > _POLICY.allowed:
        raise Problem(429, headers={**headers, "Retry-After": str(seconds)})
    return headers
