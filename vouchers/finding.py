"""Finding vouchers: by code or serial number, listed, counted."""

from collections.abc import Sequence
from datetime import datetime

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from hotspot.errors import NotFound
from hotspot.keys import Keyring, Purpose
from vouchers.codes import Code, Mistyped
from vouchers.voucher import SERIAL_DIGITS, Voucher


def code_hashes(keyring: Keyring, code: Code) -> list[bytes]:
    """What `Voucher.code_hash` may be for this code."""
    return keyring.hashes(Purpose.CODES, code.value)


def find_by_code(session: Session, keyring: Keyring, code: Code) -> Voucher | None:
    """The voucher with this code, or None."""
    return session.scalar(select(Voucher).where(Voucher.code_hash.in_(code_hashes(keyring, code))))


def find_voucher(session: Session, keyring: Keyring, code_or_serial: str) -> Voucher:
    """The voucher with this code or serial number; NotFound tells a mistyped code from an unknown one."""
    wanted = code_or_serial.strip()
    if wanted.isdecimal() and len(wanted) == SERIAL_DIGITS:
        found = session.scalar(select(Voucher).where(Voucher.serial == wanted))
        if found is None:
            raise NotFound("no-voucher", "There is no voucher with this serial number.")
        return found
    try:
        found = find_by_code(session, keyring, Code.parse(wanted))
    except Mistyped as error:
        raise NotFound("mistyped", "This is neither a code nor a serial number: check each character.") from error
    if found is None:
        raise NotFound("no-voucher", "There is no voucher with this code.")
    return found


def list_vouchers(
    session: Session, site_ids: Sequence[int], *, before: int | None = None, limit: int = 50
) -> list[Voucher]:
    """The sites' vouchers with a code, the newest first, a page at a time: those with an id under `before`."""
    query = select(Voucher).where(Voucher.site_id.in_(site_ids), Voucher.serial.is_not(None))
    if before is not None:
        query = query.where(Voucher.id < before)
    return list(session.scalars(query.order_by(Voucher.id.desc()).limit(limit)))


def count_vouchers(session: Session, site_ids: Sequence[int], now: datetime) -> dict[int, int]:
    """How many vouchers are still unused and good to use, by site."""
    rows = session.execute(
        select(Voucher.site_id, func.count())
        .where(
            Voucher.site_id.in_(site_ids),
            Voucher.serial.is_not(None),
            Voucher.first_used_at.is_(None),
            Voucher.revoked_at.is_(None),
            Voucher.good_until > now,
        )
        .group_by(Voucher.site_id)
    )
    return {row[0]: row[1] for row in rows}
