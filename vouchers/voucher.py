"""The rows of vouchers and of the batches they are issued in."""

import enum
from datetime import UTC, date, datetime

from sqlalchemy import (
    BigInteger,
    ColumnElement,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    String,
    UniqueConstraint,
    and_,
    false,
    or_,
    text,
)
from sqlalchemy.orm import Mapped, mapped_column

from hotspot import people  # noqa: F401 - the table that issued_by refers to
from hotspot.database import Base, Identified
from hotspot.keys import HASH_OCTETS, Keyring, Purpose
from vouchers.codes import Code
from vouchers.passes import TermsColumns


class VoucherState(enum.StrEnum):
    """What staff are told of a voucher (decision 12)."""

    UNUSED = "unused"
    IN_USE = "in-use"
    OVER = "over"
    REVOKED = "revoked"
    INACTIVE = "inactive"
    NOT_YET_VALID = "not-yet-valid"


# What nobody has used yet, and can be handed out.
USABLE_LATER = (VoucherState.UNUSED, VoucherState.INACTIVE, VoucherState.NOT_YET_VALID)

SERIAL_DIGITS = 9

# `good_until` of stock whose days to be used first have not begun: it does not age, and is in stock as long as this is ahead.
NOT_BEGUN = datetime(2200, 1, 1, tzinfo=UTC)

IN_STOCK = "first_used_at IS NULL AND revoked_at IS NULL AND serial IS NOT NULL"

_is_free = text("free_day IS NOT NULL")


def _some(name: str, *columns: str, where: str, sqlite_where: str = "") -> Index:
    """An index of the few vouchers that a list of one state asks for."""
    return Index(name, *columns, sqlite_where=text(sqlite_where or where), postgresql_where=text(where))


class Batch(Identified, Base):
    """Vouchers issued together: `issued` of `count` so far, and no more once it is cancelled.

    `inactive` stock is not to be used yet, or no more. `good_days` is set where the time to use it first counts from the day
    it is switched on.
    """

    __tablename__ = "batch"

    site_id: Mapped[int] = mapped_column(ForeignKey("site.id"), index=True)
    pass_id: Mapped[int] = mapped_column(ForeignKey("pass.id"))
    count: Mapped[int] = mapped_column(Integer)
    note: Mapped[str] = mapped_column(String(200))
    issued_by: Mapped[int | None] = mapped_column(ForeignKey("user_account.id"))
    issued_at: Mapped[datetime]
    issued: Mapped[int] = mapped_column(Integer, default=0, server_default="0")
    cancelled_at: Mapped[datetime | None]
    inactive: Mapped[bool] = mapped_column(default=False, server_default=false())
    good_days: Mapped[int | None] = mapped_column(Integer)
    activated_at: Mapped[datetime | None]

    @property
    def is_unfinished(self) -> bool:
        """Whether some of its vouchers are still to be issued."""
        return self.issued < self.count and self.cancelled_at is None


class Voucher(Identified, TermsColumns, Base):
    """The right to be online at one site. A free pass is one without a code, per device and day of the site."""

    __tablename__ = "voucher"
    __table_args__ = (
        UniqueConstraint("site_id", "pass_id", "free_device", "free_day", "free_round"),
        Index("ix_voucher_site_id_id", "site_id", "id"),
        Index("ix_voucher_free_day", "free_day", postgresql_where=_is_free, sqlite_where=_is_free),
        _some("ix_voucher_unused", "site_id", "id", "good_until", where=IN_STOCK),
        # What is in stock is counted on it alone, by site or batch.
        _some("ix_voucher_stock", "site_id", "batch_id", "good_until", where=IN_STOCK),
        _some("ix_voucher_later", "site_id", "id", "good_from",
              where=f"good_from IS NOT NULL AND {IN_STOCK}"),
        _some("ix_voucher_used", "site_id", "ends_at", where="first_used_at IS NOT NULL AND serial IS NOT NULL"),
        _some("ix_voucher_revoked", "site_id", "id", where="revoked_at IS NOT NULL"),
        _some("ix_voucher_inactive", "site_id", "id", where="inactive", sqlite_where="inactive = 1"),
        _some("ix_voucher_noted", "site_id", "id", where="note <> ''"),
    )  # fmt: skip

    serial: Mapped[str | None] = mapped_column(String(12), unique=True)
    site_id: Mapped[int] = mapped_column(ForeignKey("site.id"))
    pass_id: Mapped[int] = mapped_column(ForeignKey("pass.id"))
    batch_id: Mapped[int | None] = mapped_column(ForeignKey("batch.id"), index=True)
    code_hash: Mapped[bytes | None] = mapped_column(LargeBinary(HASH_OCTETS), unique=True)
    code_ciphertext: Mapped[bytes | None] = mapped_column(LargeBinary)
    free_device: Mapped[bytes | None] = mapped_column(LargeBinary(HASH_OCTETS))
    free_day: Mapped[date | None]
    # Of a free pass that may be taken again: how often it was taken before on that day.
    free_round: Mapped[int] = mapped_column(Integer, default=0, server_default="0")
    good_from: Mapped[datetime | None]
    good_until: Mapped[datetime]
    first_used_at: Mapped[datetime | None]
    ends_at: Mapped[datetime | None]
    revoked_at: Mapped[datetime | None]
    # When it was handed out against money (vouchers/ledger.py).
    sold_at: Mapped[datetime | None]
    settled_octets: Mapped[int] = mapped_column(BigInteger, default=0)
    settled_seconds: Mapped[int] = mapped_column(BigInteger, default=0)
    note: Mapped[str] = mapped_column(String(200), default="", server_default="")
    inactive: Mapped[bool] = mapped_column(default=False, server_default=false())
    # How often staff have changed it: what was done can be undone as long as this stands where that left it.
    changes: Mapped[int] = mapped_column(Integer, default=0, server_default="0")

    @property
    def first_use_by(self) -> datetime | None:
        """Until when it may be used first; None of stock whose days have not begun."""
        return None if self.good_until == NOT_BEGUN else self.good_until


def in_stock(now: datetime) -> ColumnElement[bool]:
    """Whether nobody has used a voucher yet and it is still good to use; `ix_voucher_stock` is made for these very words."""
    unused = and_(Voucher.first_used_at.is_(None), Voucher.revoked_at.is_(None), Voucher.serial.is_not(None))
    return and_(unused, Voucher.good_until > now)


def is_good(now: datetime) -> ColumnElement[bool]:
    """Whether a voucher can still be used first, or runs: what staff have revoked or switched off is left aside."""
    unused = and_(Voucher.first_used_at.is_(None), Voucher.good_until > now)
    runs = and_(Voucher.first_used_at.is_not(None), or_(Voucher.ends_at.is_(None), Voucher.ends_at > now))
    return or_(unused, runs)


def not_begun(until: datetime | None) -> datetime:
    """What `Voucher.good_until` is of stock whose days have not begun: its end, if one was agreed, comes all the same."""
    return min(NOT_BEGUN, until or NOT_BEGUN)


def clear_code(keyring: Keyring, voucher: Voucher) -> Code | None:
    """The code for reprinting; None once the voucher has been used."""
    if voucher.code_ciphertext is None:
        return None
    return Code(keyring.decrypt(Purpose.CODES, voucher.code_ciphertext).decode())
