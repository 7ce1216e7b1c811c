"""Issuing vouchers and replacing lost slips: what answers with codes, and is done once however often it is asked for."""

from sqlalchemy.orm import Session

from hotspot.place import Site
from portal import gate
from portal.api import models
from portal.api.call import Call
from portal.api.caller import count_vouchers
from portal.api.models import IssueOrder, PageQuery
from portal.api.places import issuable
from portal.api.shown import show_batches
from sessions.replacing import replace_slip
from vouchers.issuing import Order, issue_more, open_batch
from vouchers.once import once
from vouchers.printing.files import SHOWN, record_print
from vouchers.stock import vouchers_after
from vouchers.voucher import Batch, Voucher, clear_code


def issue_vouchers(call: Call, site_id: str, body: IssueOrder) -> models.Issued:
    """Issue a batch; a request that is repeated goes on where the first one was cut off."""
    portal = call.portal
    with portal.database.write() as session:
        site = gate.find(session, call.caller, Site, site_id)

        def make() -> Batch:
            # Whoever repeats a request has the answer to it, though the pass be withdrawn or the hour's vouchers used up since.
            count_vouchers(session, portal, call.caller, body.count, call.now)
            return open_batch(session, call.caller.actor, portal.keyring, site, _order(session, site, body), call.now)

        # What is left out is what it would be by default, also where a later version knows more of them.
        asked = "issue", body.model_dump_json(exclude_defaults=True)
        batch_id = once(session, site, call.once_key, asked, make, call.now).batch.public_id
    _issue_rest(call, batch_id)
    with portal.database.read() as session:
        batch = gate.find(session, call.caller, Batch, batch_id)
        vouchers = _codes(call, vouchers_after(session, batch, None, batch.count))
        return models.Issued(batch=show_batches(session, [batch])[0], vouchers=vouchers)


def replace_voucher(call: Call, voucher_id: str) -> models.Replaced:
    """Give a lost slip's remains a new code; the old one is worthless from then on."""
    portal = call.portal
    with portal.database.write() as session:
        old = gate.find(session, call.caller, Voucher, voucher_id)
        site = session.get_one(Site, old.site_id)
        record = portal.directory(session).sites[site.id]

        def make() -> Batch:
            count_vouchers(session, portal, call.caller, 1, call.now)
            return replace_slip(session, call.caller.actor, portal.keyring, site, record, old, call.now)

        batch = once(session, site, call.once_key, ("replace", voucher_id), make, call.now).batch
        (voucher,) = _codes(call, vouchers_after(session, batch, None, 1))
        return models.Replaced(batch=show_batches(session, [batch])[0], voucher=voucher)


def list_codes(call: Call, batch_id: str, query: PageQuery) -> models.CodePage:
    """The codes of a batch once more, of those that nobody has used yet."""
    portal = call.portal
    with portal.database.read() as session:
        batch = gate.find(session, call.caller, Batch, batch_id)
        site = session.get_one(Site, batch.site_id)
        after = gate.find(session, call.caller, Voucher, query.after).id if query.after else None
        found = vouchers_after(session, batch, after, query.limit + 1)
    shown = _codes(call, found[: query.limit])
    if count := sum(one.code is not None for one in shown):
        with portal.database.write() as session:
            record_print(session, call.caller.actor, site, batch, count, call.now, SHOWN)
    return models.CodePage(items=shown, next=shown[-1].id if len(found) > query.limit else None)


def _order(session: Session, site: Site, body: IssueOrder) -> Order:
    return Order(
        issuable(session, site, body.pass_id),
        body.count,
        body.note,
        good_from=body.good_from,
        good_until=body.good_until,
        until=body.until,
        inactive=body.inactive,
    )


def _issue_rest(call: Call, batch_id: str) -> None:
    """Each part in a transaction of its own: logins come in between."""
    more = True
    while more:
        with call.portal.database.write() as session:
            batch = gate.find(session, call.caller, Batch, batch_id)
            more = batch.is_unfinished and issue_more(session, call.portal.keyring, batch) > 0


def _codes(call: Call, found: list[Voucher]) -> list[models.VoucherCode]:
    return [
        models.VoucherCode(
            id=one.public_id,
            serial=one.serial or "",
            code=code.printed if (code := clear_code(call.portal.keyring, one)) else None,
            good_from=one.good_from,
            good_until=one.first_use_by,
        )
        for one in found
    ]
