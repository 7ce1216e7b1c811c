"""Changing vouchers that have been issued, and undoing it for a minute."""

from collections.abc import Callable
from datetime import datetime, timedelta
from functools import partial

from sqlalchemy.orm import Session

from hotspot.audit import Actor
from hotspot.errors import WrongUse
from hotspot.place import Site
from portal import gate
from portal.api import models
from portal.api.call import Call
from portal.api.models import VoucherChange
from portal.api.shown import show_vouchers
from sessions.desk import (
    by_ids,
    cancel_batch,
    extend_vouchers,
    note_vouchers,
    of_batch,
    revoke_vouchers,
    set_good_until,
    switch_off,
    undo,
)
from vouchers.changing import Done
from vouchers.deeds import UNDO_LIVES, Deed
from vouchers.once import change_once
from vouchers.switching import switch_on
from vouchers.voucher import Batch, Voucher


def change_voucher(call: Call, voucher_id: str, body: VoucherChange) -> models.Change:
    """Change one thing of a voucher, so that there is one thing to undo; a request that is repeated changes nothing more."""
    told = body.model_dump(exclude_none=True)
    if len(told) != 1:
        raise WrongUse("one-change", "Name one thing to change.")
    actor = call.caller.actor

    def act(session: Session, site: Site, voucher: Voucher) -> Done:
        chosen = by_ids([voucher.id])
        if body.extend_minutes is not None:
            by = timedelta(minutes=body.extend_minutes)
            return extend_vouchers(session, actor, site, chosen, by, call.now)
        if body.good_until is not None:
            return set_good_until(session, actor, site, chosen, body.good_until, call.now)
        return note_vouchers(session, actor, site, chosen, body.note or "", call.now)

    def act_once(session: Session, site: Site, voucher: Voucher) -> Done:
        asked = ("change", voucher_id, told)
        return change_once(session, site, call.once_key, asked, partial(act, session, site, voucher), call.now)

    return _change_voucher(call, voucher_id, act_once)


def revoke_voucher(call: Call, voucher_id: str) -> models.Change:
    """Make a voucher worthless, and end the visits that run on it."""
    return _change_voucher(
        call,
        voucher_id,
        lambda session, site, one: revoke_vouchers(session, call.caller.actor, site, by_ids([one.id]), call.now),
    )


def switch_batch_on(call: Call, batch_id: str) -> models.Change:
    """Let printed stock be used."""
    return _change_batch(call, batch_id, switch_on)


def switch_batch_off(call: Call, batch_id: str) -> models.Change:
    """Let nobody use a batch, as when it is lost."""
    return _change_batch(call, batch_id, switch_off)


def revoke_batch(call: Call, batch_id: str) -> models.Change:
    """Make all vouchers of a batch worthless; of one that is not whole yet, no more are issued."""

    def act(session: Session, actor: Actor, site: Site, batch: Batch, now: datetime) -> Done:
        if batch.is_unfinished:
            return cancel_batch(session, actor, site, batch, now)
        return revoke_vouchers(session, actor, site, of_batch(batch), now)

    return _change_batch(call, batch_id, act)


def undo_change(call: Call, change_id: str) -> models.Change:
    """Undo what was done less than a minute ago, in all that was neither used nor changed since."""
    with call.portal.database.write() as session:
        deed = gate.find(session, call.caller, Deed, change_id)
        done = undo(session, call.caller.actor, session.get_one(Site, deed.site_id), deed, call.now)
        return _change(done, [])


def _change_voucher(call: Call, voucher_id: str, act: Callable[[Session, Site, Voucher], Done]) -> models.Change:
    with call.portal.database.write() as session:
        voucher = gate.find(session, call.caller, Voucher, voucher_id)
        done = act(session, session.get_one(Site, voucher.site_id), voucher)
        session.refresh(voucher)
        return _change(done, show_vouchers(session, call, [voucher]))


def _change_batch(call: Call, batch_id: str, act: Callable[..., Done]) -> models.Change:
    with call.portal.database.write() as session:
        batch = gate.find(session, call.caller, Batch, batch_id)
        done = act(session, call.caller.actor, session.get_one(Site, batch.site_id), batch, call.now)
        return _change(done, [])


def _change(done: Done, shown: list[models.Voucher]) -> models.Change:
    return models.Change(
        vouchers=shown,
        changed=len(done.ids),
        change_id=done.deed.public_id if done.deed else None,
        undo_until=done.deed.at + UNDO_LIVES if done.deed else None,
    )
