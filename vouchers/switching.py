"""Printed stock: batches that are switched on when they are handed out, and switched off when they are lost."""

from collections.abc import Mapping
from datetime import datetime
from zoneinfo import ZoneInfo

from sqlalchemy import select
from sqlalchemy.orm import Session

from hotspot import audit
from hotspot.audit import Actor
from hotspot.errors import Refusal
from hotspot.place import Site
from vouchers.changing import Chosen, Done, Standing, change
from vouchers.deeds import Action
from vouchers.issuing import last_moment
from vouchers.voucher import Batch, Voucher, is_good, not_begun


def switch_on(session: Session, actor: Actor, site: Site, batch: Batch, now: datetime) -> Done:
    """Let a batch be used. The first time, the days to use it first begin to count; stock does not age in a drawer.

    Where staff have set a day by which to use it, that day stays.

    Refusal for a batch that is switched on already, or not all issued yet, or past its last day as a whole.
    """
    _hold(session, batch)
    if not batch.inactive:
        raise Refusal("switched-on", "This batch is switched on already.")
    good = select(is_good(now)).where(Voucher.batch_id == batch.id, Voucher.revoked_at.is_(None)).distinct()
    if session.scalars(good).all() == [False]:
        raise Refusal("batch-over", "The last day to use these first has passed: set another one before.")
    days = batch.good_days if batch.activated_at is None else None

    def new(one: Standing) -> Mapping[str, object]:
        if days is None or one.good_until != not_begun(one.until):
            return {"inactive": False}
        good_until = last_moment(max(now, one.good_from or now), days, ZoneInfo(site.timezone))
        return {"inactive": False, "good_until": min(good_until, one.until or good_until)}

    done = change(session, actor, site, _all_of(batch), Action.SWITCH_ON, new, now, switches=True)
    batch.inactive, batch.activated_at = False, batch.activated_at or now
    return done


def switch_off(session: Session, actor: Actor, site: Site, batch: Batch, now: datetime) -> Done:
    """Let nobody use a batch; the caller ends its visits. Refusal for a batch that is off already, or not all issued yet."""
    _hold(session, batch)
    if batch.inactive:
        raise Refusal("switched-off", "This batch is switched off already.")
    off = Action.SWITCH_OFF
    done = change(session, actor, site, _all_of(batch), off, lambda _one: {"inactive": True}, now, switches=True)
    batch.inactive = True
    # Its days to be used first have begun to count when it was issued.
    batch.activated_at = batch.activated_at or batch.issued_at
    return done


def stop_issuing(session: Session, actor: Actor, site: Site, batch: Batch, now: datetime) -> None:
    """Issue no more of a batch. Refusal for one that is whole."""
    session.refresh(batch, with_for_update={"key_share": True})
    if not batch.is_unfinished:
        raise Refusal("batch-whole", "This batch has been issued as a whole already.")
    batch.cancelled_at = now
    subject, detail = f"batch {batch.public_id}", f"{batch.issued} of {batch.count}"
    audit.record(session, actor, "batch cancelled", subject, now, customer_id=site.customer_id, detail=detail)


def _all_of(batch: Batch) -> Chosen:
    return Chosen(Voucher.batch_id == batch.id, batch)


def _hold(session: Session, batch: Batch) -> None:
    # Race: of two that switch a batch the second sees what the first has made of it; batches are held before vouchers.
    session.refresh(batch, with_for_update={"key_share": True})
    if batch.is_unfinished:
        raise Refusal("batch-unfinished", "This batch is still being issued.")
