"""A site's batches page by page, sifted by a word in their note or the name of their pass."""

from collections.abc import Sequence
from dataclasses import dataclass
from zoneinfo import ZoneInfo

from flask import render_template, request

from hotspot.place import Site
from portal import gate
from portal.context import current
from portal.staff import wording
from portal.staff.user import signed_in
from vouchers.stock import BatchStock, latest_batches
from vouchers.voucher import Batch

PAGE = 50


@dataclass(frozen=True)
class BatchLine:
    """A batch in a list."""

    public_id: str
    issued: str
    name: str
    note: str
    count: int
    unused: int


def batch_lines(found: Sequence[BatchStock], zone: ZoneInfo) -> list[BatchLine]:
    """Batches as lists show them."""
    return [
        BatchLine(
            public_id=one.batch.public_id,
            issued=wording.day_and_hour(one.batch.issued_at, zone),
            name=one.pass_name,
            note=one.batch.note,
            count=one.batch.count,
            unused=one.unused,
        )
        for one in found
    ]


def batches(site_id: str) -> str:
    """A page of a site's batches, the newest first; `before` names the last one of the page before."""
    portal, user = current(), signed_in()
    cursor, word = request.args.get("before"), request.args.get("word", "").strip()[:200]
    with portal.database.read() as session:
        site = gate.find(session, user, Site, site_id)
        before = gate.find(session, user, Batch, cursor).id if cursor else None
        found = latest_batches(session, site.id, portal.clock(), PAGE + 1, text=word, before=before)
        lines = batch_lines(found[:PAGE], ZoneInfo(site.timezone))
    further = lines[-1].public_id if len(found) > PAGE else None
    return render_template(
        "staff/batches.html",
        site=site.name,
        site_id=site_id,
        batches=lines,
        word=word,
        first=not cursor,
        further=further,
    )
