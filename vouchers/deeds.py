"""What was done to vouchers, kept for a minute so that it can be undone. What is kept for good is the audit record."""

import enum
from datetime import datetime, timedelta

from sqlalchemy import ForeignKey, Integer, LargeBinary, String, false
from sqlalchemy.orm import Mapped, mapped_column

from hotspot.database import Base, Identified

UNDO_LIVES = timedelta(seconds=60)


class Action(enum.StrEnum):
    """What can be done to vouchers; the record says `entry`."""

    REVOKE = "revoke"
    NOTE = "note"
    GOOD_UNTIL = "good-until"
    EXTEND = "extend"
    CREDIT = "credit"
    SWITCH_ON = "switch-on"
    SWITCH_OFF = "switch-off"

    @property
    def entry(self) -> str:
        """How the audit record calls it."""
        return _ENTRIES[self]


_ENTRIES = {
    Action.REVOKE: "voucher revoked",
    Action.NOTE: "voucher noted",
    Action.GOOD_UNTIL: "voucher good until",
    Action.EXTEND: "voucher time changed",
    Action.CREDIT: "outage credited",
    Action.SWITCH_ON: "vouchers switched on",
    Action.SWITCH_OFF: "vouchers switched off",
}


class Deed(Identified, Base):
    """One change of one or many vouchers of a site; of a whole batch, with how that was before."""

    __tablename__ = "deed"

    site_id: Mapped[int] = mapped_column(ForeignKey("site.id"))
    action: Mapped[str] = mapped_column(String(20))
    user_id: Mapped[int | None] = mapped_column(ForeignKey("user_account.id"))
    at: Mapped[datetime] = mapped_column(index=True)
    undone_at: Mapped[datetime | None]
    batch_id: Mapped[int | None] = mapped_column(ForeignKey("batch.id"))
    was_inactive: Mapped[bool | None]
    was_activated_at: Mapped[datetime | None]
    # Whether the price of what was revoked was given back.
    money_back: Mapped[bool] = mapped_column(default=False, server_default=false())


class FormerVoucher(Base):
    """A voucher as it was before a deed, with what tells whether it stands where the deed has left it.

    A code that was taken away by it is in here, encrypted, until the minute is over.
    """

    __tablename__ = "former_voucher"

    deed_id: Mapped[int] = mapped_column(ForeignKey("deed.id", ondelete="CASCADE"), primary_key=True)
    voucher_id: Mapped[int] = mapped_column(ForeignKey("voucher.id", ondelete="CASCADE"), primary_key=True)
    good_until: Mapped[datetime]
    minutes: Mapped[int | None] = mapped_column(Integer)
    until: Mapped[datetime | None]
    ends_at: Mapped[datetime | None]
    revoked_at: Mapped[datetime | None]
    note: Mapped[str] = mapped_column(String(200))
    inactive: Mapped[bool]
    code_ciphertext: Mapped[bytes | None] = mapped_column(LargeBinary)
    first_used_at: Mapped[datetime | None]
    changes: Mapped[int] = mapped_column(Integer)
