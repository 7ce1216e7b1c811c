"""The people who sign in: operator staff, and those of a customer, who see their own customer alone."""

import enum
from datetime import datetime

from sqlalchemy import BigInteger, CheckConstraint, ForeignKey, LargeBinary, String
from sqlalchemy.orm import Mapped, mapped_column, relationship

from hotspot.database import Base, Identified, enum_column
from hotspot.keys import HASH_OCTETS
from hotspot.place import Customer

LONGEST_NAME = 80


class Role(enum.StrEnum):
    """What a user is: hotspot/rights.py says what each may do."""

    OPERATOR = "operator"
    OWNER = "owner"
    FRONT_DESK = "front-desk"
    READ_ONLY = "read-only"


class User(Identified, Base):
    """One person, one account; without a password until the first invitation is accepted.

    `invitation_hash` is of the link's token, as long as it is open. `totp_secret` is encrypted, `totp_step` is the latest
    time step of which a code was taken. `pin_hash` is for tablets at the desk.
    """

    __tablename__ = "user_account"
    __table_args__ = (CheckConstraint("(role = 'operator') = (customer_id IS NULL)", name="only_operators_have_none"),)

    email: Mapped[str | None] = mapped_column(String(254), unique=True)
    name: Mapped[str] = mapped_column(String(LONGEST_NAME))
    role: Mapped[Role] = mapped_column(enum_column(Role))
    customer_id: Mapped[int | None] = mapped_column(ForeignKey("customer.id"), index=True)
    password_hash: Mapped[str | None] = mapped_column(String(200))
    pin_hash: Mapped[str | None] = mapped_column(String(200))
    invitation_hash: Mapped[bytes | None] = mapped_column(LargeBinary(HASH_OCTETS), unique=True)
    invitation_ends_at: Mapped[datetime | None]
    totp_secret: Mapped[bytes | None] = mapped_column(LargeBinary)
    totp_step: Mapped[int | None] = mapped_column(BigInteger)
    created_at: Mapped[datetime]
    retired_at: Mapped[datetime | None]

    customer: Mapped[Customer | None] = relationship()
