"""Replacing a lost slip: a new voucher with what remains of the old one, which dies."""

from collections.abc import Mapping
from datetime import datetime
from typing import cast

from sqlalchemy import Table, select
from sqlalchemy.orm import Session

from hotspot import audit, bulk
from hotspot.audit import Actor
from hotspot.directory import SiteRecord
from hotspot.errors import Refusal
from hotspot.keys import Keyring
from hotspot.place import Site
from sessions.desk import by_ids, revoke_vouchers
from sessions.usage import accounts_by_id, lock_vouchers
from vouchers.admission import Reason, Refused, limits_of
from vouchers.issuing import FURTHEST, issue_like
from vouchers.ledger import note_issued
from vouchers.passes import Clock
from vouchers.voucher import Batch, Voucher

# What a replacement would not help against.
_GONE = {
    Reason.REVOKED: "This voucher has been revoked: a lost slip is replaced once.",
    Reason.INACTIVE: "This voucher is not switched on: switch its batch on first.",
}


def replace_slip(
    session: Session, actor: Actor, keyring: Keyring, site: Site, record: SiteRecord, voucher: Voucher, now: datetime
) -> Batch:
    """Issue a voucher, as a batch of one, that gives what is left of `voucher`, and revoke that one (docs/decisions/0024).

    Refusal for a voucher that gives nothing more, is revoked, or is not switched on.
    """
    (old,) = lock_vouchers(session, {voucher.id})
    account = accounts_by_id(session, {old.id}, now)[old.id]
    limits = limits_of(account.facts, account.usage, record, max(now, old.good_from or now), least_seconds=1)
    if isinstance(limits, Refused):
        raise Refusal("nothing-left", _GONE.get(limits.reason, "There is nothing left on this voucher."))
    shared = {**old.copied_terms(), **_remaining(old, now)}
    used = account.usage
    batch = issue_like(session, actor, keyring, old, shared, f"#{old.serial}", now)
    new = session.scalars(select(Voucher).where(Voucher.batch_id == batch.id)).one()
    columns, rows = (
        ("id", "settled_octets", "settled_seconds", "sold_at"),
        [(new.id, used.octets, used.seconds, old.sold_at)],
    )
    bulk.update(session, cast(Table, Voucher.__table__), columns, rows)
    session.expire(new)
    revoke_vouchers(session, actor, site, by_ids([old.id]), now, reason=f"replaced by #{new.serial}")
    # The till is held last, as everywhere: after the visits that revoking ends.
    note_issued(session, actor, batch, shared, 1, now, batch.note)
    for one, detail in ((old, f"replaced by {new.serial}"), (new, f"in place of {old.serial}")):
        subject = f"voucher {one.public_id}"
        audit.record(session, actor, "voucher replaced", subject, now, customer_id=site.customer_id, detail=detail)
    return batch


def _remaining(old: Voucher, now: datetime) -> Mapping[str, object]:
    """The clock of a voucher that was used runs on, whoever has found the slip."""
    if old.first_used_at is None:
        return {"good_from": old.good_from, "good_until": old.good_until}
    if old.ends_at is None:
        # Minutes online that were begun have no last day.
        return {"good_from": None, "good_until": now + FURTHEST}
    own = {} if old.clock is Clock.ONLINE else {"clock": Clock.UNTIL, "minutes": None}
    return {**own, "good_from": None, "until": old.ends_at, "good_until": old.ends_at}
