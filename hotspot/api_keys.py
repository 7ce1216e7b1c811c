"""Keys by which a customer's other systems (tills, hotel and campsite software) use the API."""

import enum
import hmac
import secrets
from collections.abc import Collection
from dataclasses import dataclass
from datetime import date, datetime, timedelta

from sqlalchemy import JSON, ColumnElement, ForeignKey, LargeBinary, String, and_, func, or_, select, update
from sqlalchemy.orm import Mapped, Session, mapped_column

from hotspot import audit
from hotspot.audit import Actor
from hotspot.database import Base, Identified, new_public_id
from hotspot.errors import Refusal, WrongUse
from hotspot.keys import HASH_OCTETS, Keyring, Purpose
from hotspot.place import Customer

LONGEST_NAME = 80
LONGEST_LIFE = timedelta(days=731)
MOST_KEYS = 50
# So that a key is known for one wherever it turns up, and scanners for leaked secrets can look for it.
_MARK = "spk"


class Scope(enum.StrEnum):
    """What a key opens."""

    SITES_READ = "sites:read"
    VOUCHERS_READ = "vouchers:read"
    VOUCHERS_ISSUE = "vouchers:issue"
    # The codes of vouchers that nobody has used yet.
    VOUCHERS_PRINT = "vouchers:print"
    VOUCHERS_CHANGE = "vouchers:change"


class ApiKey(Identified, Base):
    """A key; `prefix` is how people recognise it, the rest is there as a keyed hash alone."""

    __tablename__ = "api_key"

    customer_id: Mapped[int] = mapped_column(ForeignKey("customer.id"), index=True)
    name: Mapped[str] = mapped_column(String(LONGEST_NAME))
    prefix: Mapped[str] = mapped_column(String(24), unique=True)
    key_hash: Mapped[bytes] = mapped_column(LargeBinary(HASH_OCTETS))
    scopes: Mapped[list[str]] = mapped_column(JSON)
    created_by: Mapped[int | None] = mapped_column(ForeignKey("user_account.id"))
    created_at: Mapped[datetime]
    expires_at: Mapped[datetime]
    last_used_on: Mapped[date | None]
    retired_at: Mapped[datetime | None]

    def state(self, now: datetime) -> str:
        """How it stands: good, expired, or retired."""
        return "retired" if self.retired_at else "expired" if self.expires_at <= now else "good"


@dataclass(frozen=True)
class NewKey:
    """What is told of a key that is to be made."""

    name: str
    scopes: Collection[Scope]
    expires_at: datetime


@dataclass(frozen=True, repr=False)
class MadeKey:
    """A key just made, with what its owner has to keep: `token` is shown once and stored nowhere."""

    key: ApiKey
    token: str


def add_key(
    session: Session, actor: Actor, keyring: Keyring, customer: Customer, new: NewKey, now: datetime
) -> MadeKey:
    """Make a key for a customer.

    WrongUse for a name, scopes or an end that make no sense; Refusal when the customer has MOST_KEYS already.
    """
    if not 1 <= len(new.name.strip()) <= LONGEST_NAME:
        raise WrongUse("bad-name", f"A key needs a name of 1 to {LONGEST_NAME} characters.")
    if not new.scopes:
        raise WrongUse("no-scopes", "A key that opens nothing is of no use: give it a scope.")
    if not now < new.expires_at <= now + LONGEST_LIFE:
        raise WrongUse("bad-expiry", "A key ends in the future, and after two years at the latest.")
    count = select(func.count()).where(ApiKey.customer_id == customer.id, _is_good(now))
    if (session.scalar(count) or 0) >= MOST_KEYS:
        raise Refusal("too-many-keys", f"A customer has at most {MOST_KEYS} keys: retire one first.")
    prefix, secret = f"{_MARK}_{new_public_id()[:10]}", secrets.token_hex(20)
    key = ApiKey(
        customer_id=customer.id,
        name=new.name.strip(),
        prefix=prefix,
        key_hash=keyring.hash(Purpose.PAGES, "api key", prefix, secret),
        scopes=sorted(set(new.scopes)),
        created_by=actor.user_id,
        created_at=now,
        expires_at=new.expires_at,
    )
    session.add(key)
    session.flush()
    _record(session, actor, "api key added", key, now, f"{prefix} {' '.join(key.scopes)}")
    return MadeKey(key, f"{prefix}_{secret}")


def retire_key(session: Session, actor: Actor, key: ApiKey, now: datetime) -> None:
    """End a key at once. Refusal when it has ended so already."""
    session.refresh(key, with_for_update=True)
    if key.retired_at:
        raise Refusal("key-retired", "This key has been retired already.")
    key.retired_at = now
    _record(session, actor, "api key retired", key, now, key.prefix)


def keys_of(session: Session, customer_ids: Collection[int]) -> list[ApiKey]:
    """The customers' keys, the newest first; those that are retired or expired too."""
    query = select(ApiKey).where(ApiKey.customer_id.in_(customer_ids)).order_by(ApiKey.id.desc()).limit(1000)
    return list(session.scalars(query))


def keys_made_by(session: Session, user_id: int, now: datetime) -> list[ApiKey]:
    """The keys that somebody has made and that are good, the newest first."""
    query = select(ApiKey).where(ApiKey.created_by == user_id, _is_good(now))
    return list(session.scalars(query.order_by(ApiKey.id.desc())))


def find_key(session: Session, keyring: Keyring, token: str, now: datetime) -> ApiKey | None:
    """The key that this is, if it is good; None for what is unknown, retired, expired or of a customer who is."""
    prefix, _, secret = token.rpartition("_")
    found = session.scalar(
        select(ApiKey)
        .join(Customer, Customer.id == ApiKey.customer_id)
        .where(ApiKey.prefix == prefix[:24], Customer.retired_at.is_(None))
    )
    stored = found.key_hash if found else b""
    # A hash is made and compared whether there is such a key or not: the time taken tells nobody which.
    fits = [hmac.compare_digest(stored, one) for one in keyring.hashes(Purpose.PAGES, "api key", prefix, secret)]
    return found if found and any(fits) and found.retired_at is None and now < found.expires_at else None


def note_use(session: Session, key: ApiKey, now: datetime) -> None:
    """Remember the day on which a key was used last; at most one write a day."""
    stale = or_(ApiKey.last_used_on.is_(None), ApiKey.last_used_on < now.date())
    session.execute(update(ApiKey).where(ApiKey.id == key.id, stale).values(last_used_on=now.date()))


def _is_good(now: datetime) -> ColumnElement[bool]:
    return and_(ApiKey.retired_at.is_(None), ApiKey.expires_at > now)


def _record(session: Session, actor: Actor, action: str, key: ApiKey, now: datetime, detail: str) -> None:
    subject = f"api-key {key.public_id}"
    audit.record(session, actor, action, subject, now, customer_id=key.customer_id, detail=detail)
