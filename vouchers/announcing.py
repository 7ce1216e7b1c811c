"""What webhooks are told of vouchers; never a code, and nothing about use."""

from collections.abc import Sequence
from datetime import datetime

from sqlalchemy import select
from sqlalchemy.orm import Session

from hotspot.webhooks import Event, listeners, tell
from vouchers.voucher import Batch, Voucher

# Of a large batch, several messages.
_MOST_IN_A_MESSAGE = 500


def announce_issued(session: Session, batch: Batch, name: str) -> None:
    """Tell that a batch is whole."""
    for webhook_id, site_id in listeners(session, batch.site_id):
        data = {"site_id": site_id, "batch_id": batch.public_id, "name": name, "count": batch.count}
        tell(session, [webhook_id], Event.ISSUED, data, batch.issued_at)


def announce(session: Session, event: Event, site_id: int, ids: Sequence[int], now: datetime) -> None:
    """Tell of vouchers of a site that something has happened to them."""
    told = listeners(session, site_id) if ids else []
    for start in range(0, len(ids) if told else 0, _MOST_IN_A_MESSAGE):
        chosen = Voucher.id.in_(ids[start : start + _MOST_IN_A_MESSAGE])
        query = select(Voucher.public_id, Voucher.serial).where(chosen).order_by(Voucher.id)
        vouchers = [{"id": public_id, "serial": serial} for public_id, serial in session.execute(query)]
        for webhook_id, public_id in told:
            tell(session, [webhook_id], event, {"site_id": public_id, "vouchers": vouchers}, now)
