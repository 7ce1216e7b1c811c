"""Looking at vouchers and batches."""

from collections.abc import Sequence

from sqlalchemy.orm import Session

from hotspot.place import Site
from portal import gate
from portal.api import models
from portal.api.call import Call
from portal.api.models import PageQuery, Search, VoucherQuery
from portal.api.shown import show_batches, show_vouchers
from vouchers.finding import Filter, list_vouchers
from vouchers.stock import batches_before, vouchers_after
from vouchers.voucher import Batch, Voucher


def list_batches(call: Call, site_id: str, query: PageQuery) -> models.BatchPage:
    """A page of a site's batches."""
    with call.portal.database.read() as session:
        site = gate.find(session, call.caller, Site, site_id)
        before = gate.find(session, call.caller, Batch, query.after).id if query.after else None
        found = batches_before(session, site.id, before, query.limit + 1)
        shown = show_batches(session, found[: query.limit])
    return models.BatchPage(items=shown, next=_next(found, query))


def list_site_vouchers(call: Call, site_id: str, query: VoucherQuery) -> models.VoucherPage:
    """A page of a site's vouchers."""
    with call.portal.database.read() as session:
        site = gate.find(session, call.caller, Site, site_id)
        before, wanted = _cursor(session, call, query), Filter(query.state, note=query.note)
        found = list_vouchers(session, [site.id], call.now, wanted=wanted, before=before, limit=query.limit + 1)
        return _page(session, call, found, query)


def get_batch(call: Call, batch_id: str) -> models.Batch:
    """One batch."""
    with call.portal.database.read() as session:
        return show_batches(session, [gate.find(session, call.caller, Batch, batch_id)])[0]


def list_batch_vouchers(call: Call, batch_id: str, query: PageQuery) -> models.VoucherPage:
    """A page of a batch's vouchers."""
    with call.portal.database.read() as session:
        batch = gate.find(session, call.caller, Batch, batch_id)
        found = vouchers_after(session, batch, _cursor(session, call, query), query.limit + 1)
        return _page(session, call, found, query)


def get_voucher(call: Call, voucher_id: str) -> models.Voucher:
    """One voucher."""
    with call.portal.database.read() as session:
        return show_vouchers(session, call, [gate.find(session, call.caller, Voucher, voucher_id)])[0]


def find_voucher(call: Call, body: Search) -> models.Voucher:
    """The voucher that a guest shows, or whose slip is at hand."""
    with call.portal.database.read() as session:
        found = gate.find_voucher(session, call.caller, call.portal.keyring, body.code_or_serial)
        return show_vouchers(session, call, [found])[0]


def _cursor(session: Session, call: Call, query: PageQuery) -> int | None:
    return gate.find(session, call.caller, Voucher, query.after).id if query.after else None


def _page(session: Session, call: Call, found: Sequence[Voucher], query: PageQuery) -> models.VoucherPage:
    shown = show_vouchers(session, call, found[: query.limit])
    return models.VoucherPage(items=shown, next=_next(found, query))


def _next(found: Sequence[Voucher] | Sequence[Batch], query: PageQuery) -> str | None:
    return found[query.limit - 1].public_id if len(found) > query.limit else None
