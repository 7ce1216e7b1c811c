"""Closing a shift: what the till should hold by the sales ledger, against what was counted."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import ForeignKey, Integer, Row, String, UniqueConstraint, func, select
from sqlalchemy.orm import Mapped, Session, mapped_column

from hotspot import audit
from hotspot.append_only import append_only
from hotspot.audit import Actor
from hotspot.database import Base, Identified
from hotspot.errors import Refusal, WrongUse
from hotspot.people import User
from hotspot.place import Site
from vouchers.ledger import LineKind, SalesLine, hold_till

MOST_CENTS = 100_000_000


@append_only
class ShiftClosing(Identified, Base):
    """A shift of one currency: the lines after `after_number` up to `to_number`, and the money; never changed.

    `carried_cents` were in the till when it began, `kept_cents` stay in it for the next one.
    """

    __tablename__ = "shift_closing"
    __table_args__ = (UniqueConstraint("site_id", "currency", "number"),)

    site_id: Mapped[int] = mapped_column(ForeignKey("site.id"))
    currency: Mapped[str] = mapped_column(String(3))
    number: Mapped[int] = mapped_column(Integer)
    at: Mapped[datetime]
    user_id: Mapped[int | None] = mapped_column(ForeignKey("user_account.id"))
    after_number: Mapped[int] = mapped_column(Integer)
    to_number: Mapped[int] = mapped_column(Integer)
    carried_cents: Mapped[int] = mapped_column(Integer)
    expected_cents: Mapped[int] = mapped_column(Integer)
    counted_cents: Mapped[int] = mapped_column(Integer)
    kept_cents: Mapped[int] = mapped_column(Integer)
    note: Mapped[str] = mapped_column(String(200))

    @property
    def difference_cents(self) -> int:
        """What was counted too much; negative for what is missing."""
        return self.counted_cents - self.expected_cents


@dataclass(frozen=True)
class Turnover:
    """The passes of one name and price that were sold, cancelled or refunded in a shift."""

    kind: LineKind
    name: str
    price_cents: int
    count: int
    amount_cents: int


@dataclass(frozen=True)
class Shift:
    """A shift that runs: its number, the lines it covers so far, and what the till should hold."""

    currency: str
    number: int
    began_at: datetime | None
    after_number: int
    to_number: int
    carried_cents: int
    turnover: Sequence[Turnover]

    @property
    def expected_cents(self) -> int:
        """What the till should hold: what was in it, and what came and went since."""
        return self.carried_cents + sum(one.amount_cents for one in self.turnover)


@dataclass(frozen=True)
class Count:
    """What was counted at the end of a shift, how much of it stays in the till, and what there is to say of a difference."""

    counted_cents: int
    kept_cents: int = 0
    note: str = ""


def running_shift(session: Session, site: Site, currency: str) -> Shift:
    """The shift that runs at a site in one currency: all since the last one was closed. Three queries."""
    last = last_closings(session, site, currency, 1)
    after = last[0].to_number if last else 0
    lines = (SalesLine.site_id == site.id, SalesLine.number > after)
    moved = (SalesLine.kind, SalesLine.name, SalesLine.price_cents)
    rows = session.execute(
        select(*moved, func.sum(SalesLine.count), func.sum(SalesLine.amount_cents))
        .where(*lines, SalesLine.currency == currency, SalesLine.amount_cents != 0)
        .group_by(*moved)
        .order_by(SalesLine.name, SalesLine.price_cents, SalesLine.kind)
    )
    return Shift(
        currency=currency,
        number=last[0].number + 1 if last else 1,
        began_at=last[0].at if last else None,
        after_number=after,
        to_number=session.scalar(select(func.max(SalesLine.number)).where(*lines)) or after,
        carried_cents=last[0].kept_cents if last else 0,
        turnover=tuple(Turnover(*row) for row in rows),
    )


def close_shift(
    session: Session, actor: Actor, site: Site, currency: str, seen: tuple[int, int], count: Count, now: datetime
) -> ShiftClosing:
    """Close the shift that runs; `seen` is its number and what the till should hold, as whoever counted has seen them.

    Refusal where something was sold or the shift was closed meanwhile; WrongUse for amounts that cannot be.
    """
    if not 0 <= count.kept_cents <= count.counted_cents <= MOST_CENTS:
        raise WrongUse("bad-amount", "What stays in the till is part of what was counted.")
    # Race: no line, and no other closing, comes between what is summed up here and the commit.
    hold_till(session, site.id)
    shift = running_shift(session, site, currency)
    if (shift.number, shift.expected_cents) != seen:
        raise Refusal("till-moved", "Something was sold or closed meanwhile: look again.")
    closing = ShiftClosing(
        site_id=site.id,
        currency=currency,
        number=shift.number,
        at=now,
        user_id=actor.user_id,
        after_number=shift.after_number,
        to_number=shift.to_number,
        carried_cents=shift.carried_cents,
        expected_cents=shift.expected_cents,
        counted_cents=count.counted_cents,
        kept_cents=count.kept_cents,
        note=count.note.strip()[:200],
    )
    session.add(closing)
    session.flush()
    subject = f"shift {closing.public_id}"
    audit.record(session, actor, "shift closed", subject, now, customer_id=site.customer_id, detail=str(shift.number))
    return closing


def last_closings(session: Session, site: Site, currency: str, limit: int) -> Sequence[ShiftClosing]:
    """The last closings, the newest first."""
    mine = select(ShiftClosing).where(ShiftClosing.site_id == site.id, ShiftClosing.currency == currency)
    return session.scalars(mine.order_by(ShiftClosing.number.desc()).limit(limit)).all()


def closings(session: Session, site: Site, limit: int) -> Sequence[Row[ShiftClosing, User]]:
    """The last closings of all currencies, the newest first, with who closed them."""
    query = select(ShiftClosing, User).outerjoin(User, User.id == ShiftClosing.user_id)
    return session.execute(
        query.where(ShiftClosing.site_id == site.id).order_by(ShiftClosing.id.desc()).limit(limit)
    ).all()


def currencies(session: Session, site: Site) -> list[str]:
    """The currencies in which something was sold at a site."""
    sold = select(SalesLine.currency).where(SalesLine.site_id == site.id, SalesLine.amount_cents != 0)
    return sorted(session.scalars(sold.distinct()))
