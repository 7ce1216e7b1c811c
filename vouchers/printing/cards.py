"""The vouchers that can be printed: their codes are there only while nobody has used them."""

from collections.abc import Collection
from datetime import datetime

from sqlalchemy import ColumnElement, and_, func, or_, select
from sqlalchemy.orm import Session

from hotspot.keys import Keyring, Purpose
from hotspot.looks import PictureKind, picture_body, released_look
from hotspot.place import Site
from vouchers.codes import Code
from vouchers.printing.card import Card
from vouchers.voucher import Voucher


def is_printable(now: datetime) -> ColumnElement[bool]:
    """Whether a voucher is unused and still good for something."""
    return and_(
        Voucher.code_ciphertext.is_not(None),
        Voucher.first_used_at.is_(None),
        Voucher.revoked_at.is_(None),
        Voucher.good_until > now,
        or_(Voucher.until.is_(None), Voucher.until > now),
    )


def count_printable(session: Session, batch_id: int, now: datetime) -> int:
    """How many vouchers of a batch can be printed."""
    query = select(func.count()).select_from(Voucher).where(Voucher.batch_id == batch_id, is_printable(now))
    return session.scalar(query) or 0


def cards_of_batch(session: Session, keyring: Keyring, portal_url: str, batch_id: int, now: datetime) -> list[Card]:
    """The cards of a batch, in the order of issue; one query."""
    return _cards(session, keyring, portal_url, and_(Voucher.batch_id == batch_id, is_printable(now)))


def cards_of(
    session: Session, keyring: Keyring, portal_url: str, voucher_ids: Collection[int], now: datetime
) -> list[Card]:
    """The cards of these vouchers, in the order of issue; one query."""
    return _cards(session, keyring, portal_url, and_(Voucher.id.in_(voucher_ids), is_printable(now)))


def _cards(session: Session, keyring: Keyring, portal_url: str, which: ColumnElement[bool]) -> list[Card]:
    rows = session.execute(select(Voucher.serial, Voucher.code_ciphertext).where(which).order_by(Voucher.id))
    found = []
    for serial, ciphertext in rows:
        code = Code(keyring.decrypt(Purpose.CODES, ciphertext or b"").decode())
        found.append(Card(serial or "", code.printed, f"{portal_url}/v/{code.value}"))
    return found


def logo_of(session: Session, site: Site) -> bytes | None:
    """The logo that the operator has released for a site's own page."""
    look = released_look(session, site.id) if site.own_page else None
    logo = look.picture(PictureKind.LOGO) if look else None
    return picture_body(session, logo) if logo else None
