"""Who is signed in: the account behind the session cookie, read anew for every request."""

from dataclasses import dataclass
from datetime import timedelta
from typing import cast

from flask import session
from flask_login import UserMixin, current_user, login_user
from sqlalchemy import select

from hotspot.people import Role, User
from hotspot.rights import RIGHTS, Right
from portal.context import current

SESSION_LIFE = timedelta(hours=12)
_SINCE = "since"


@dataclass(frozen=True)
class StaffUser(UserMixin):
    """A signed-in user; an operator belongs to no customer and sees them all."""

    id: int
    public_id: str
    email: str
    role: Role
    customer_id: int | None

    @classmethod
    def of(cls, user: User) -> "StaffUser":
        """The account as the pages need it."""
        return cls(user.id, user.public_id, user.email, user.role, user.customer_id)

    @property
    def rights(self) -> frozenset[Right]:
        """What they may do."""
        return RIGHTS[self.role]

    @property
    def is_operator(self) -> bool:
        """Whether every customer's places are theirs to see."""
        return self.role is Role.OPERATOR

    def get_id(self) -> str:
        """What the cookie names the account by."""
        return self.public_id


def signed_in() -> StaffUser:
    """The user who is signed in; the blueprint's guard has seen to it that there is one."""
    return cast(StaffUser, current_user._get_current_object())


def start_session(user: StaffUser) -> None:
    """Sign `user` in. Whatever the cookie held before goes, so that nobody can have planted a session or a form token."""
    session.clear()
    session.permanent = True
    session[_SINCE] = int(current().clock().timestamp())
    login_user(user)


def load_user(public_id: str) -> StaffUser | None:
    """The account a cookie names, unless it has been retired or the session is over.

    The cookie is signed, not stored: its age is checked here too, because a copy of it knows no expiry.
    """
    age = current().clock().timestamp() - session.get(_SINCE, 0)
    if not 0 <= age < SESSION_LIFE.total_seconds():
        return None
    with current().database.read() as database:
        user = database.scalar(select(User).where(User.public_id == public_id, User.retired_at.is_(None)))
        return StaffUser.of(user) if user else None
