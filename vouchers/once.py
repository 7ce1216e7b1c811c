"""Doing a thing once: a form that is sent twice, or a request that is repeated, gets what the first one made."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from hashlib import sha256

from sqlalchemy import ForeignKey, Integer, String, UniqueConstraint, delete, select, update
from sqlalchemy.orm import Mapped, Session, mapped_column

from hotspot.bulk import upsert
from hotspot.database import Base, BigId
from hotspot.errors import Refusal, WrongUse
from hotspot.place import Site
from vouchers.changing import Done
from vouchers.deeds import Deed
from vouchers.voucher import Batch

LONGEST_KEY = 255


class IssueRequest(Base):
    """A request that has issued a batch, or changed vouchers: its key at a site, and a digest of what it asked for.

    `deed` is the public id of what undoes the change: that row is gone after a minute. Once it is undone, neither is set.
    """

    __tablename__ = "issue_request"
    __table_args__ = (UniqueConstraint("site_id", "key"),)

    id: Mapped[int] = mapped_column(BigId, primary_key=True)
    site_id: Mapped[int] = mapped_column(ForeignKey("site.id"))
    key: Mapped[str] = mapped_column(String(64))
    asked: Mapped[str] = mapped_column(String(64))
    batch_id: Mapped[int | None] = mapped_column(ForeignKey("batch.id"))
    changed: Mapped[int | None] = mapped_column(Integer)
    deed: Mapped[str | None] = mapped_column(String(16))
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
    request, again = _request(session, site, key, asked, now)
    if again:
        return Once(session.get_one(Batch, request.batch_id), again=True)
    batch = make()
    request.batch_id = batch.id
    return Once(batch, again=False)


def change_once(session: Session, site: Site, key: str, asked: object, act: Callable[[], Done], now: datetime) -> Done:
    """Do something to vouchers unless a request with this key has done it before; refusals as for `once`.

    The second time it tells how many were changed then, and what undoes it, for that minute.
    """
    request, again = _request(session, site, key, asked, now)
    if again and request.changed is not None:
        deed = session.scalar(select(Deed).where(Deed.public_id == request.deed, Deed.undone_at.is_(None)))
        return Done(range(request.changed), deed=deed, again=True)
    done = act()
    request.changed, request.deed = len(done.ids), done.deed.public_id if done.deed else None
    return done


def may_do_again(session: Session, deed: Deed) -> None:
    """Let the form that has done a deed do it once more, now that it is undone: whoever goes back to it and sends it means it.

    A request that another system repeats stays a repeat.
    """
    if deed.user_id is not None:
        made = IssueRequest.site_id == deed.site_id, IssueRequest.deed == deed.public_id
        session.execute(update(IssueRequest).where(*made).values(changed=None, deed=None))


def _request(session: Session, site: Site, key: str, asked: object, now: datetime) -> tuple[IssueRequest, bool]:
    """The request with a key, and whether it was made before."""
    if not 1 <= len(key) <= LONGEST_KEY:
        raise WrongUse("bad-key", f"A key has 1 to {LONGEST_KEY} characters.")
    hashed, digest = _digest(key), _digest(repr(asked))
    fresh = upsert(session, IssueRequest).values(site_id=site.id, key=hashed, asked=digest, created_at=now)
    # Race: of two at once the second waits here until the first has done its work, or has failed.
    number = session.scalar(fresh.on_conflict_do_nothing().returning(IssueRequest.id))
    mine = select(IssueRequest).where(IssueRequest.site_id == site.id, IssueRequest.key == hashed)
    # Race: of two that may do a thing again the second finds it done.
    request = session.scalars(mine.with_for_update()).one()
    if request.asked != digest:
        raise Refusal("key-used", "This key was used for another request already.")
    return request, number is None


def forget_requests(session: Session, created_before: datetime) -> None:
    """Forget the keys of requests that nobody will repeat any more."""
    session.execute(delete(IssueRequest).where(IssueRequest.created_at < created_before))


def _digest(text: str) -> str:
    return sha256(text.encode()).hexdigest()
