"""The sales ledger of each site: what was issued, sold, cancelled and refunded.

Lines are added, numbered without a gap, and never changed. Amounts are what a line does to the till, in cents and gross:
selling adds, giving money back takes away, issuing does neither.
"""

import enum
from collections import Counter
from collections.abc import Collection, Mapping
from datetime import datetime
from typing import Any, NamedTuple

from sqlalchemy import ColumnElement, ForeignKey, Index, Integer, String, UniqueConstraint, and_, select, update
from sqlalchemy.orm import Mapped, Session, mapped_column

from hotspot.append_only import append_only
from hotspot.audit import Actor
from hotspot.bulk import upsert
from hotspot.database import Base, BigId, enum_column
from hotspot.place import Site
from vouchers.voucher import Batch, Voucher, is_good


class LineKind(enum.StrEnum):
    """What a line tells of passes. Money for a pass that nobody has used comes back as `cancelled`, else as `refunded`."""

    ISSUED = "issued"
    SOLD = "sold"
    CANCELLED = "cancelled"
    REFUNDED = "refunded"


class Article(NamedTuple):
    """What a line is about: a pass as it was at that moment. The price is gross; 1900 basis points are 19 %."""

    pass_id: int
    name: str
    price_cents: int
    tax_basis_points: int
    currency: str


@append_only
class SalesLine(Base):
    """One line: `count` passes of one article, fewer than none where something is undone."""

    __tablename__ = "sales_line"
    __table_args__ = (UniqueConstraint("site_id", "number"), Index("ix_sales_line_site_id_at", "site_id", "at"))

    id: Mapped[int] = mapped_column(BigId, primary_key=True)
    site_id: Mapped[int] = mapped_column(ForeignKey("site.id"))
    number: Mapped[int] = mapped_column(Integer)
    at: Mapped[datetime]
    kind: Mapped[LineKind] = mapped_column(enum_column(LineKind))
    count: Mapped[int] = mapped_column(Integer)
    amount_cents: Mapped[int] = mapped_column(Integer)
    pass_id: Mapped[int] = mapped_column(ForeignKey("pass.id"))
    name: Mapped[str] = mapped_column(String(80))
    price_cents: Mapped[int] = mapped_column(Integer)
    tax_basis_points: Mapped[int] = mapped_column(Integer)
    currency: Mapped[str] = mapped_column(String(3))
    batch_id: Mapped[int | None] = mapped_column(ForeignKey("batch.id"))
    user_id: Mapped[int | None] = mapped_column(ForeignKey("user_account.id"))
    # Of a row of api_key, none of which is ever deleted.
    api_key_id: Mapped[int | None] = mapped_column(BigId)
    reason: Mapped[str] = mapped_column(String(200), default="", server_default="")


class Till(Base):
    """The number of a site's last line: whoever writes lines holds this row, so that numbers have no gap."""

    __tablename__ = "till"

    site_id: Mapped[int] = mapped_column(ForeignKey("site.id"), primary_key=True)
    last_number: Mapped[int] = mapped_column(Integer)


class Entry(NamedTuple):
    """What lines are written of: passes of an article that share kind and batch; `paid` is whether money moves."""

    kind: LineKind
    article: Article
    batch_id: int | None
    paid: bool


def write_lines(
    session: Session, actor: Actor, site_id: int, entries: Mapping[Entry, int], now: datetime, reason: str = ""
) -> None:
    """Write a line for each entry, with how many passes it is about; the last thing that a transaction locks rows for."""
    counted = {entry: count for entry, count in entries.items() if count}
    if not counted:
        return
    number = hold_till(session, site_id, len(counted)) - len(counted)
    session.add_all(
        SalesLine(
            site_id=site_id,
            number=number + place,
            at=now,
            kind=entry.kind,
            count=count,
            amount_cents=count * _moved(entry),
            **entry.article._asdict(),
            batch_id=entry.batch_id,
            user_id=actor.user_id,
            api_key_id=actor.api_key_id,
            reason=reason.strip()[:200],
        )
        for place, (entry, count) in enumerate(counted.items(), 1)
    )
    session.flush()


def hold_till(session: Session, site_id: int, lines: int = 0) -> int:
    """Hold a site's till for the rest of the transaction and count `lines` more; the number of the last line."""
    fresh = upsert(session, Till).values(site_id=site_id, last_number=lines)
    more = {"last_number": Till.last_number + lines}
    held = fresh.on_conflict_do_update(index_elements=[Till.site_id], set_=more).returning(Till.last_number)
    return session.scalars(held).one()


def _moved(entry: Entry) -> int:
    if not entry.paid:
        return 0
    return entry.article.price_cents if entry.kind is LineKind.SOLD else -entry.article.price_cents


def note_issued(
    session: Session, actor: Actor, batch: Batch, terms: Mapping[str, Any], count: int, now: datetime, reason: str = ""
) -> None:
    """Write down that a batch is issued with these terms."""
    about = Article(batch.pass_id, *(terms[name] for name in Article._fields[1:]))
    entry = Entry(LineKind.ISSUED, about, batch.id, paid=False)
    write_lines(session, actor, batch.site_id, {entry: count}, now, reason)


def note_not_issued(session: Session, actor: Actor, batch: Batch, now: datetime) -> None:
    """Write down that the rest of a batch, which has begun, will not be issued."""
    row = session.execute(select(*_ARTICLE).where(Voucher.batch_id == batch.id).limit(1)).one()
    entry = Entry(LineKind.CANCELLED, Article(*row), batch.id, paid=False)
    write_lines(session, actor, batch.site_id, {entry: batch.count - batch.issued}, now)


def sell(session: Session, actor: Actor, site: Site, chosen: ColumnElement[bool], now: datetime) -> int:
    """Write down that vouchers were handed out against money; how many.

    What has been sold before, is revoked, is not switched on or has ended is left as it is.
    """
    for_sale = and_(
        *(chosen, Voucher.site_id == site.id, Voucher.serial.is_not(None), Voucher.sold_at.is_(None)),
        *(Voucher.revoked_at.is_(None), Voucher.inactive.is_(False), is_good(now)),
    )
    # Race: of two who sell one voucher, the second finds it sold. Vouchers are held by id, as everywhere.
    held = session.scalars(
        select(Voucher.id).where(for_sale).order_by(Voucher.id).with_for_update(key_share=True)
    ).all()
    sold = session.execute(
        update(Voucher)
        .where(Voucher.id.in_(held), for_sale)
        .values(sold_at=now)
        .returning(*_ARTICLE, Voucher.batch_id)
        .execution_options(synchronize_session=False)
    )
    entries = Counter(Entry(LineKind.SOLD, Article(*row[:-1]), row[-1], paid=True) for row in sold)
    write_lines(session, actor, site.id, entries, now)
    return entries.total()


_ARTICLE = tuple(getattr(Voucher, name) for name in Article._fields)


def take_back(
    session: Session,
    actor: Actor,
    site: Site,
    ids: Collection[int],
    now: datetime,
    *,
    money_back: bool,
    reason: str = "",
) -> None:
    """Write down that vouchers were revoked, the money given back for those that were sold or not."""
    _write_revoked(session, actor, site, ids, now, money_back=money_back, sign=1, reason=reason)


def give_again(
    session: Session, actor: Actor, site: Site, ids: Collection[int], now: datetime, *, money_back: bool
) -> None:
    """Write down that revoking has been undone, with the money that was given back."""
    _write_revoked(session, actor, site, ids, now, money_back=money_back, sign=-1, reason="")


def _write_revoked(
    session: Session, actor: Actor, site: Site, ids: Collection[int], now: datetime,
    *, money_back: bool, sign: int, reason: str,
) -> None:  # fmt: skip
    entries: Counter[Entry] = Counter()
    standing = select(*_ARTICLE, Voucher.batch_id, Voucher.sold_at, Voucher.first_used_at).where(Voucher.id.in_(ids))
    for *article, batch_id, sold_at, used_at in session.execute(standing):
        paid = money_back and sold_at is not None
        kind = LineKind.REFUNDED if paid and used_at is not None else LineKind.CANCELLED
        entries[Entry(kind, Article(*article), batch_id, paid)] += sign
    write_lines(session, actor, site.id, entries, now, reason)
