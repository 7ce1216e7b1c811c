"""Finding vouchers: by code or serial number, listed by what they are, counted."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import ColumnElement, CompoundSelect, and_, func, literal_column, or_, select, union_all
from sqlalchemy.orm import Session, aliased

from hotspot.errors import NotFound
from hotspot.keys import Keyring, Purpose
from vouchers.codes import Code, Mistyped
from vouchers.voucher import SERIAL_DIGITS, Batch, Voucher, VoucherState, in_stock

# More batches than this with one note are not looked through.
_MOST_BATCHES = 1000


def code_hashes(keyring: Keyring, code: Code) -> list[bytes]:
    """What `Voucher.code_hash` may be for this code."""
    return keyring.hashes(Purpose.CODES, code.value)


def find_by_code(session: Session, keyring: Keyring, code: Code) -> Voucher | None:
    """The voucher with this code, or None."""
    return session.scalar(select(Voucher).where(Voucher.code_hash.in_(code_hashes(keyring, code))))


def is_serial(text: str) -> bool:
    """Whether this is a serial number, and no code."""
    return text.isascii() and text.isdecimal() and len(text) == SERIAL_DIGITS


def read_scanned(text: str) -> str:
    """What was typed or scanned: of an address, as a QR code has it, the code at its end."""
    wanted = text.strip()
    return wanted.rstrip("/").rpartition("/")[2] if "://" in wanted else wanted


def find_voucher(session: Session, keyring: Keyring, code_or_serial: str) -> Voucher:
    """The voucher with this code or serial number; NotFound tells a mistyped code from an unknown one."""
    wanted = read_scanned(code_or_serial)
    if is_serial(wanted):
        found = session.scalar(select(Voucher).where(Voucher.serial == wanted))
    else:
        try:
            found = find_by_code(session, keyring, Code.parse(wanted))
        except Mistyped as error:
            raise NotFound("mistyped", "This is neither a code nor a serial number: check each character.") from error
    if found is None:
        raise unknown_voucher()
    return found


def unknown_voucher() -> NotFound:
    """What is said of a voucher that does not exist, and of one that is another customer's: the very same."""
    return NotFound("no-voucher", "There is no such voucher.")


@dataclass(frozen=True)
class Filter:
    """Which vouchers a list is to show: those of a state, of a batch, with a text in their own or their batch's note.

    What volume or minutes online have used up is not known to the database: a list of those in use holds it too.
    """

    state: VoucherState | None = None
    batch_id: int | None = None
    note: str = ""


def list_vouchers(
    session: Session,
    site_ids: Sequence[int],
    now: datetime,
    *,
    wanted: Filter | None = None,
    before: int | None = None,
    limit: int = 50,
) -> list[Voucher]:
    """The sites' vouchers with a code, the newest first, a page at a time: those with an id under `before`."""
    query = select(Voucher).where(Voucher.site_id.in_(site_ids), Voucher.serial.is_not(None))
    if wanted and wanted.state:
        query = query.where(_in_state(wanted.state, site_ids, now))
    if wanted and wanted.batch_id is not None:
        query = query.where(Voucher.batch_id == wanted.batch_id)
    if before is not None:
        query = query.where(Voucher.id < before)
    query = query.order_by(Voucher.id.desc()).limit(limit)
    if not wanted or not wanted.note.strip():
        return list(session.scalars(query))
    # One after the other: joined by OR, neither would go by its index.
    found: dict[int, Voucher] = {}
    for noted in _noted(session, site_ids, wanted.note.strip()):
        found |= {one.id: one for one in session.scalars(query.where(noted))}
    return sorted(found.values(), key=lambda one: one.id, reverse=True)[:limit]


def _noted(session: Session, site_ids: Sequence[int], text: str) -> list[ColumnElement[bool]]:
    """Vouchers with a text in their own note, and those of batches with it in theirs."""
    noted = select(Batch.id).where(Batch.site_id.in_(site_ids), Batch.note.icontains(text, autoescape=True))
    batches = session.scalars(noted.order_by(Batch.id.desc()).limit(_MOST_BATCHES)).all()
    of_its_own = and_(Voucher.note != literal_column("''"), Voucher.note.icontains(text, autoescape=True))
    return [of_its_own, Voucher.batch_id.in_(batches)] if batches else [of_its_own]


def _in_state(state: VoucherState, site_ids: Sequence[int], now: datetime) -> ColumnElement[bool]:
    """The state as far as rows tell it; `ix_voucher_...` are made for these very words."""
    unused = and_(Voucher.first_used_at.is_(None), Voucher.revoked_at.is_(None), ~Voucher.inactive)
    used = and_(Voucher.first_used_at.is_not(None), Voucher.revoked_at.is_(None), ~Voucher.inactive)
    begun = or_(Voucher.good_from.is_(None), Voucher.good_from <= now)
    match state:
        case VoucherState.UNUSED:
            return and_(unused, begun, Voucher.good_until > now)
        case VoucherState.NOT_YET_VALID:
            return and_(unused, Voucher.good_from > now)
        case VoucherState.IN_USE:
            return and_(used, Voucher.id.in_(_running(site_ids, now)))
        case VoucherState.OVER:
            return or_(and_(used, Voucher.ends_at <= now), and_(unused, begun, Voucher.good_until <= now))
        case VoucherState.INACTIVE:
            return and_(Voucher.inactive, Voucher.revoked_at.is_(None))
        case VoucherState.REVOKED:
            return Voucher.revoked_at.is_not(None)


def _running(site_ids: Sequence[int], now: datetime) -> CompoundSelect[int]:
    """The few vouchers whose time runs, or only while they are online. SQLite would look for them among all of the site."""
    one = aliased(Voucher)
    used = select(one.id).where(one.site_id.in_(site_ids), one.first_used_at.is_not(None), one.serial.is_not(None))
    return union_all(used.where(one.ends_at > now), used.where(one.ends_at.is_(None)))


def count_vouchers(session: Session, site_ids: Sequence[int], now: datetime) -> dict[int, int]:
    """How many vouchers are still unused and good to use, by site."""
    rows = session.execute(
        select(Voucher.site_id, func.count())
        .where(Voucher.site_id.in_(site_ids), in_stock(now))
        .group_by(Voucher.site_id)
    )
    return {row[0]: row[1] for row in rows}
