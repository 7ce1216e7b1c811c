"""The people who sign in: operator staff, and those of a customer, who see their own customer alone."""

import enum
import re
from datetime import datetime

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError
from sqlalchemy import CheckConstraint, ForeignKey, String, select
from sqlalchemy.orm import Mapped, Session, mapped_column, relationship

from hotspot import audit
from hotspot.audit import Actor
from hotspot.database import Base, Identified, enum_column
from hotspot.errors import Refusal, WrongUse
from hotspot.place import Customer

SHORTEST_PASSWORD = 12
LONGEST_PASSWORD = 200
LONGEST_NAME = 80

_hasher = PasswordHasher()


class Role(enum.StrEnum):
    """What a user is: hotspot/rights.py says what each may do."""

    OPERATOR = "operator"
    OWNER = "owner"
    FRONT_DESK = "front-desk"
    READ_ONLY = "read-only"


class User(Identified, Base):
    """One person, one account."""

    __tablename__ = "user_account"
    __table_args__ = (CheckConstraint("(role = 'operator') = (customer_id IS NULL)", name="only_operators_have_none"),)

    email: Mapped[str] = mapped_column(String(254), unique=True)
    name: Mapped[str] = mapped_column(String(80))
    role: Mapped[Role] = mapped_column(enum_column(Role))
    customer_id: Mapped[int | None] = mapped_column(ForeignKey("customer.id"), index=True)
    password_hash: Mapped[str] = mapped_column(String(200))
    created_at: Mapped[datetime]
    retired_at: Mapped[datetime | None]

    customer: Mapped[Customer | None] = relationship()


def add_user(
    session: Session,
    actor: Actor,
    *,
    email: str,
    role: Role,
    customer: Customer | None,
    password: str,
    now: datetime,
    name: str = "",
) -> User:
    """Add an account; without a name it is called by its address.

    Refusal when the address is taken or unusable, the password too short, or the customer does not fit.
    """
    email = email.strip().lower()
    if not re.fullmatch(r"[^@\s]{1,64}@[^@\s]{1,189}", email):
        raise WrongUse("bad-email", f"{email[:60]!r} is not an e-mail address.")
    if (role is Role.OPERATOR) != (customer is None):
        raise WrongUse("bad-role", "An operator belongs to no customer, everybody else to one.")
    if not SHORTEST_PASSWORD <= len(password) <= LONGEST_PASSWORD:
        raise Refusal("bad-password", f"A password needs {SHORTEST_PASSWORD} to {LONGEST_PASSWORD} characters.")
    if session.scalar(select(User.id).where(User.email == email)):
        raise Refusal("email-taken", f"There is an account for {email} already.")
    user = User(
        email=email,
        name=name.strip()[:LONGEST_NAME] or email[:LONGEST_NAME],
        role=role,
        customer=customer,
        password_hash=_hasher.hash(password),
        created_at=now,
    )
    session.add(user)
    session.flush()
    audit.record(session, actor, "user added", f"user {user.public_id}", now, customer_id=user.customer_id)
    return user


def check_password(user: User | None, password: str) -> bool:
    """Whether this is the user's password; takes as long for an account that does not exist."""
    stored = user.password_hash if user and not user.retired_at else _hash_of_nobody()
    try:
        correct = len(password) <= LONGEST_PASSWORD and _hasher.verify(stored, password)
    except (VerificationError, InvalidHashError):
        return False
    return bool(correct) and user is not None and user.retired_at is None


_nobody: list[str] = []


def _hash_of_nobody() -> str:
    if not _nobody:
        _nobody.append(_hasher.hash("nobody has this password"))
    return _nobody[0]
