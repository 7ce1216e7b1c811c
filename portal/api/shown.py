"""Rows as the API shows them."""

from collections.abc import Sequence

from sqlalchemy import select
from sqlalchemy.orm import Session

from hotspot.place import Site
from portal.api import models
from portal.api.call import Call
from sessions.status import voucher_statuses
from vouchers.passes import passes_by_id
from vouchers.stock import batches_by_id
from vouchers.voucher import Batch, Voucher


def show_vouchers(session: Session, call: Call, found: Sequence[Voucher]) -> list[models.Voucher]:
    """Vouchers with their states; a fixed number of queries."""
    statuses = voucher_statuses(session, call.portal.directory(session), found, call.now)
    batches = batches_by_id(session, {one.batch_id for one in found if one.batch_id})
    sites = _site_names(session, {one.site_id for one in found})
    return [
        models.Voucher(
            id=one.public_id,
            serial=one.serial or "",
            site_id=sites[one.site_id],
            batch_id=batches[one.batch_id].public_id if one.batch_id else None,
            name=one.name,
            state=statuses[one.id].state,
            note=one.note,
            good_from=one.good_from,
            good_until=one.first_use_by,
        )
        for one in found
    ]


def show_batches(session: Session, found: Sequence[Batch]) -> list[models.Batch]:
    """Batches; a fixed number of queries."""
    passes = passes_by_id(session, {one.pass_id for one in found})
    sites = _site_names(session, {one.site_id for one in found})
    return [
        models.Batch(
            id=one.public_id,
            site_id=sites[one.site_id],
            pass_id=passes[one.pass_id].public_id,
            count=one.count,
            issued=one.issued,
            inactive=one.inactive,
            cancelled=one.cancelled_at is not None,
            note=one.note,
            issued_at=one.issued_at,
        )
        for one in found
    ]


def _site_names(session: Session, ids: set[int]) -> dict[int, str]:
    return {row[0]: row[1] for row in session.execute(select(Site.id, Site.public_id).where(Site.id.in_(ids)))}
