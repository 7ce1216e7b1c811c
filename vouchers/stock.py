"""Batches as staff look at them: the latest of a site, the vouchers of one."""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import func, or_, select
from sqlalchemy.orm import Session

from vouchers.passes import Pass
from vouchers.voucher import Batch, Voucher, in_stock


@dataclass(frozen=True)
class BatchStock:
    """A batch, the name of its pass, and how many of its vouchers are unused and still good."""

    batch: Batch
    pass_name: str
    unused: int


def latest_batches(
    session: Session, site_id: int, now: datetime, limit: int = 10, *, text: str = "", before: int | None = None
) -> list[BatchStock]:
    """The site's latest batches, the newest first; one query.

    Those with `text` in their note or the name of their pass, and with an id under `before`.
    """
    its_own = Voucher.site_id == Batch.site_id, Voucher.batch_id == Batch.id
    unused = select(func.count()).select_from(Voucher).where(*its_own, in_stock(now)).scalar_subquery()
    query = select(Batch, Pass.name, unused).join(Pass, Pass.id == Batch.pass_id).where(Batch.site_id == site_id)
    if text:
        noted, named = (one.icontains(text, autoescape=True) for one in (Batch.note, Pass.name))
        query = query.where(or_(noted, named))
    if before is not None:
        query = query.where(Batch.id < before)
    rows = session.execute(query.order_by(Batch.id.desc()).limit(limit))
    return [BatchStock(batch, name, unused) for batch, name, unused in rows]


def vouchers_of(session: Session, batch: Batch, *, offset: int, limit: int) -> list[Voucher]:
    """A part of a batch's vouchers, in the order of issue."""
    query = select(Voucher).where(Voucher.batch_id == batch.id).order_by(Voucher.id)
    return list(session.scalars(query.offset(offset).limit(limit)))


def batches_by_id(session: Session, ids: Collection[int]) -> dict[int, Batch]:
    """These batches, by id."""
    return {batch.id: batch for batch in session.scalars(select(Batch).where(Batch.id.in_(ids)))}


def batches_before(session: Session, site_id: int, before: int | None, limit: int) -> list[Batch]:
    """The site's batches, the newest first, a page at a time: those with an id under `before`."""
    query = select(Batch).where(Batch.site_id == site_id)
    if before is not None:
        query = query.where(Batch.id < before)
    return list(session.scalars(query.order_by(Batch.id.desc()).limit(limit)))


def vouchers_after(session: Session, batch: Batch, after: int | None, limit: int) -> list[Voucher]:
    """A batch's vouchers in the order of issue, a page at a time: those with an id over `after`."""
    query = select(Voucher).where(Voucher.batch_id == batch.id, Voucher.id > (after or 0))
    return list(session.scalars(query.order_by(Voucher.id).limit(limit)))
