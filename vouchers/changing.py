"""Changing vouchers that have been issued: one, a selection, or a whole batch, and undoing it for a minute."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, NamedTuple, cast

from sqlalchemy import ColumnElement, Table, delete, select
from sqlalchemy.orm import Session

from hotspot import audit, bulk
from hotspot.audit import Actor
from hotspot.errors import Refusal
from hotspot.place import Site
from vouchers.deeds import UNDO_LIVES, Action, Deed, FormerVoucher
from vouchers.passes import Clock
from vouchers.voucher import Batch, Voucher


class Standing(NamedTuple):
    """What of a voucher decides how it can be changed."""

    id: int
    public_id: str
    clock: Clock
    first_used_at: datetime | None
    changes: int
    good_from: datetime | None
    good_until: datetime
    minutes: int | None
    until: datetime | None
    ends_at: datetime | None
    revoked_at: datetime | None
    note: str
    inactive: bool
    code_ciphertext: bytes | None
    sold_at: datetime | None


# What a change may set, and what undoing sets back.
_CHANGEABLE = ("good_until", "minutes", "until", "ends_at", "revoked_at", "note", "inactive", "code_ciphertext")
_STANDING = tuple(getattr(Voucher, name) for name in Standing._fields)

# The new values of a voucher, None where there is nothing to change in it.
Change = Callable[[Standing], Mapping[str, object] | None]


@dataclass(frozen=True)
class Chosen:
    """The vouchers that are to be changed; `batch` where they are all of one, which the record tells in one line."""

    condition: ColumnElement[bool]
    batch: Batch | None = None


@dataclass(frozen=True)
class Done:
    """What a change has come to: the vouchers that were changed, how many were left as they are, and what undoes it.

    `again`: it was done before, by the same request; then `ids` only tells how many there were.
    """

    ids: Sequence[int]
    left: int = 0
    deed: Deed | None = None
    again: bool = False


def change(
    session: Session,
    actor: Actor,
    site: Site,
    chosen: Chosen,
    action: Action,
    new: Change,
    now: datetime,
    *,
    detail: str = "",
    switches: bool = False,
) -> Done:
    """Change the site's chosen vouchers; those without a code are nobody's to change.

    The record has a line for each, or one for a whole batch. What `switches` a batch has to hold it.
    """
    batch = chosen.batch
    standing = _hold(session, chosen.condition, site)
    changed = [(one, new(one)) for one in standing]
    todo = [(one, values) for one, values in changed if values]
    if not todo and not switches:
        return Done((), len(standing))
    deed = Deed(site_id=site.id, action=action, user_id=actor.user_id, at=now, batch_id=batch.id if batch else None)
    if batch and switches:
        deed.was_inactive, deed.was_activated_at = batch.inactive, batch.activated_at
    session.add(deed)
    session.flush()
    _keep(session, deed, [one for one, _values in todo])
    _write(session, [(one, {**one._asdict(), **values}) for one, values in todo])
    _record(session, actor, site, action.entry, batch, [one for one, _values in todo], now, detail)
    return Done([one.id for one, _values in todo], len(standing) - len(todo), deed)


def undo(session: Session, actor: Actor, site: Site, deed: Deed, now: datetime) -> Done:
    """Put back what a deed has changed, in every voucher that has neither been changed nor first used since.

    A batch is switched back as a whole or not at all. Refusal once UNDO_LIVES is over, or when it has been undone.
    """
    session.refresh(deed, with_for_update=True)
    if deed.undone_at or now - deed.at > UNDO_LIVES:
        raise Refusal("too-late", "This can be undone for a minute, and once.")
    # Batches are held before vouchers, and so that rows that refer to one can be written meanwhile.
    batch = session.get_one(Batch, deed.batch_id, with_for_update={"key_share": True}) if deed.batch_id else None
    switches = deed.was_inactive is not None
    former = {
        one.voucher_id: one for one in session.scalars(select(FormerVoucher).where(FormerVoucher.deed_id == deed.id))
    }
    chosen = Voucher.id.in_(select(FormerVoucher.voucher_id).where(FormerVoucher.deed_id == deed.id))
    standing = _hold(session, chosen, site)
    untouched = [one for one in standing if _stands_where_left(one, former[one.id])]
    sold = any(one.sold_at and one.sold_at >= deed.at for one in standing)
    if batch and switches and (_is_switched(batch, deed) or sold or len(untouched) < len(standing)):
        # A batch that is off by its own word and on by some of its vouchers is nothing that anybody could switch again.
        raise Refusal("changed-since", "Something in this batch was used or changed since, or sold.")
    _write(session, [(one, _as_before(one, former[one.id], deed)) for one in untouched])
    if batch and switches:
        batch.inactive, batch.activated_at = bool(deed.was_inactive), deed.was_activated_at
    deed.undone_at = now
    session.execute(delete(FormerVoucher).where(FormerVoucher.deed_id == deed.id))
    _record(session, actor, site, f"undone: {Action(deed.action).entry}", batch, untouched, now)
    return Done([one.id for one in untouched], len(standing) - len(untouched))


def _record(
    session: Session, actor: Actor, site: Site, entry: str, batch: Batch | None, of: Sequence[Standing], now: datetime,
    detail: str = "",
) -> None:  # fmt: skip
    """Ten thousand lines of one press of a button would be no record to read."""
    subjects = [f"batch {batch.public_id}"] if batch else [f"voucher {one.public_id}" for one in of]
    told = f"{len(of)} x {detail}".rstrip() if batch else detail
    audit.record_many(session, actor, entry, subjects, now, customer_id=site.customer_id, detail=told)


def _is_switched(batch: Batch, deed: Deed) -> bool:
    """Whether staff have switched the batch after the deed."""
    return batch.inactive is not (deed.action == Action.SWITCH_OFF)


def _as_before(one: Standing, former: FormerVoucher, deed: Deed) -> Mapping[str, object]:
    kept = {name: getattr(former, name) for name in _CHANGEABLE}
    return kept if deed.action == Action.REVOKE else {**kept, "code_ciphertext": one.code_ciphertext}


def forget_deeds(session: Session, now: datetime) -> None:
    """Forget what can be undone no longer, with the codes that were kept for it."""
    session.execute(delete(Deed).where(Deed.at < now - UNDO_LIVES), execution_options={"synchronize_session": False})


def _hold(session: Session, chosen: ColumnElement[bool], site: Site) -> list[Standing]:
    """The chosen vouchers as they stand; held by id, as everywhere."""
    query = select(*_STANDING).where(chosen, Voucher.site_id == site.id, Voucher.serial.is_not(None))
    return [Standing(*row) for row in session.execute(query.order_by(Voucher.id).with_for_update(key_share=True))]


def _keep(session: Session, deed: Deed, standing: Sequence[Standing]) -> None:
    columns = ("deed_id", "voucher_id", "first_used_at", "changes", *_CHANGEABLE)
    if deed.action != Action.REVOKE:
        # Only revoking takes the code away; else a copy would outlive the voucher's first use.
        standing = [one._replace(code_ciphertext=None) for one in standing]
    rows = [
        (deed.id, one.id, one.first_used_at, one.changes + 1, *(getattr(one, name) for name in _CHANGEABLE))
        for one in standing
    ]
    bulk.insert(session, cast(Table, FormerVoucher.__table__), columns, rows)


def _write(session: Session, values: Sequence[tuple[Standing, Mapping[str, Any]]]) -> None:
    rows = [(one.id, *(told[name] for name in _CHANGEABLE), one.changes + 1) for one, told in values]
    bulk.update(session, cast(Table, Voucher.__table__), ("id", *_CHANGEABLE, "changes"), rows)
    ids = {row[0] for row in rows}
    for known in [one for one in session.identity_map.values() if isinstance(one, Voucher) and one.id in ids]:
        session.expire(known)


def _stands_where_left(one: Standing, former: FormerVoucher) -> bool:
    return (one.changes, one.first_used_at) == (former.changes, former.first_used_at)


def revoked(now: datetime) -> Change:
    """Worthless from now on; revoking twice changes nothing."""
    return lambda one: None if one.revoked_at else {"revoked_at": now, "code_ciphertext": None}


def noted(note: str) -> Change:
    """With another note for staff."""
    text = note.strip()[:200]
    return lambda one: None if one.note == text else {"note": text}


def good_until(moment: datetime, now: datetime) -> Change:
    """To be used first by another moment; only what is unused, and good from before then.

    Refusal for one that is past or twenty years ahead.
    """
    if not now < moment <= now + timedelta(days=7320):
        raise Refusal("bad-dates", "The last day to use it first has to lie in the future.")

    def new(one: Standing) -> Mapping[str, object] | None:
        if one.revoked_at or one.first_used_at or (one.good_from and one.good_from >= moment):
            return None
        return {"good_until": min(moment, one.until or moment)}

    return new
