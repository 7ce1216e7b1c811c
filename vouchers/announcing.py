"""What webhooks are told of vouchers; never a code, and nothing about use."""

from collections.abc import Sequence
from datetime import datetime

from sqlalchemy import select
from sqlalchemy.orm import Session

from hotspot.place import Site
from hotspot.webhooks import Event, listeners, tell
from vouchers.voucher import Batch, Voucher

# Of a large batch, several messages.
_MOST_IN_A_MESSAGE = 500


def announce_issued(session: Session, batch: Batch, name: str) -> None:
    """Tell that a batch is whole."""
    if told := listeners(session, batch.site_id):
        site = session.get_one(Site, batch.site_id)
        data = {"site_id": site.public_id, "batch_id": batch.public_id, "name": name, "count": batch.count}
        tell(session, told, Event.ISSUED, data, batch.issued_at)


def announce(session: Session, event: Event, site_id: int, ids: Sequence[int], now: datetime) -> None:
    """Tell of vouchers of a site that something has happened to them."""
    if not ids or not (told := listeners(session, site_id)):
        return
    site = session.get_one(Site, site_id)
    for start in range(0, len(ids), _MOST_IN_A_MESSAGE):
        chosen = Voucher.id.in_(ids[start : start + _MOST_IN_A_MESSAGE])
        query = select(Voucher.public_id, Voucher.serial).where(chosen).order_by(Voucher.id)
        vouchers = [{"id": public_id, "serial": serial} for public_id, serial in session.execute(query)]
        tell(session, told, event, {"site_id": site.public_id, "vouchers": vouchers}, now)
