"""Changing vouchers that have been issued."""

from datetime import datetime

from sqlalchemy.orm import Session

from hotspot import audit
from hotspot.audit import Actor
from vouchers.voucher import Voucher


def revoke(session: Session, actor: Actor, voucher: Voucher, customer_id: int, now: datetime) -> None:
    """Make a voucher worthless; the entry point ends its visits in the same transaction. Revoking twice changes nothing."""
    session.refresh(voucher, with_for_update=True)
    if voucher.revoked_at:
        return
    voucher.revoked_at = now
    voucher.code_ciphertext = None
    audit.record(session, actor, "voucher revoked", f"voucher {voucher.public_id}", now, customer_id=customer_id)
