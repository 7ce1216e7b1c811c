"""Doing a thing once: a form that is sent twice, or a request that is repeated, gets what the first one made."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from hashlib import sha256

from sqlalchemy import ForeignKey, String, UniqueConstraint, delete, select, update
from sqlalchemy.orm import Mapped, Session, mapped_column

from hotspot.bulk import upsert
from hotspot.database import Base, BigId
from hotspot.errors import Refusal, WrongUse
from hotspot.place import Site
from vouchers.voucher import Batch

LONGEST_KEY = 255


class IssueRequest(Base):
    """A request that has issued a batch: its key at a site, and a digest of what it asked for."""

    __tablename__ = "issue_request"
    __table_args__ = (UniqueConstraint("site_id", "key"),)

    id: Mapped[int] = mapped_column(BigId, primary_key=True)
    site_id: Mapped[int] = mapped_column(ForeignKey("site.id"))
    key: Mapped[str] = mapped_column(String(64))
    asked: Mapped[str] = mapped_column(String(64))
    batch_id: Mapped[int | None] = mapped_column(ForeignKey("batch.id"))
    created_at: Mapped[datetime] = mapped_column(index=True)


@dataclass(frozen=True)
class Once:
    """The batch that a request has come to; `again` where another one with its key had made it before."""

    batch: Batch
    again: bool


def once(session: Session, site: Site, key: str, asked: object, make: Callable[[], Batch], now: datetime) -> Once:
    """`make` a batch unless a request with this key has made one at the site before.

    `asked` is what tells one request from another by its repr. Refusal where the key stood for another request; WrongUse
    for a key that is empty or longer than LONGEST_KEY characters. When `make` raises, the caller's transaction takes the key
    back.
    """
    if not 1 <= len(key) <= LONGEST_KEY:
        raise WrongUse("bad-key", f"A key has 1 to {LONGEST_KEY} characters.")
    hashed, digest = _digest(key), _digest(repr(asked))
    fresh = upsert(session, IssueRequest).values(site_id=site.id, key=hashed, asked=digest, created_at=now)
    # Race: of two at once the second waits here until the first has made its batch, or has failed.
    number = session.scalar(fresh.on_conflict_do_nothing().returning(IssueRequest.id))
    if number is None:
        return _made_before(session, site, hashed, digest)
    batch = make()
    session.execute(update(IssueRequest).where(IssueRequest.id == number).values(batch_id=batch.id))
    return Once(batch, again=False)


def _made_before(session: Session, site: Site, key: str, digest: str) -> Once:
    before = select(IssueRequest.asked, Batch).join(Batch, Batch.id == IssueRequest.batch_id)
    asked, batch = session.execute(before.where(IssueRequest.site_id == site.id, IssueRequest.key == key)).one()
    if asked != digest:
        raise Refusal("key-used", "This key was used for another request already.")
    return Once(batch, again=True)


def forget_requests(session: Session, created_before: datetime) -> None:
    """Forget the keys of requests that nobody will repeat any more."""
    session.execute(delete(IssueRequest).where(IssueRequest.created_at < created_before))


def _digest(text: str) -> str:
    return sha256(text.encode()).hexdigest()
