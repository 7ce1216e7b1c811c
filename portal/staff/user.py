"""Who is signed in: the account behind the session cookie, read anew for every request."""

from dataclasses import dataclass
from datetime import datetime
from typing import cast

from flask import session
from flask_login import UserMixin, current_user, login_user, logout_user

from hotspot.audit import Actor
from hotspot.people import Role, User, sign_ins
from hotspot.people.factors import has_factor
from hotspot.people.sign_ins import SEEN_EVERY, TABLET_SEEN_EVERY, Browser, Running, SignIn
from hotspot.people.tablets import Tablet
from hotspot.rights import AT_TABLET, RIGHTS, Right
from portal.context import current


@dataclass(frozen=True)
class StaffUser(UserMixin):
    """A signed-in user, and by which sign-in; an operator belongs to no customer and sees them all."""

    id: int
    public_id: str
    email: str
    name: str
    role: Role
    customer_id: int | None
    has_factor: bool
    has_news: bool
    sign_in: SignIn
    site_id: int | None

    @classmethod
    def of(cls, running: Running) -> "StaffUser":
        """The account as the pages need it."""
        user = running.user
        return cls(
            id=user.id,
            public_id=user.public_id,
            email=user.email or "",
            name=user.name,
            role=user.role,
            customer_id=user.customer_id,
            has_factor=running.has_factor,
            has_news=running.has_news,
            sign_in=running.sign_in,
            site_id=running.site_id,
        )

    @property
    def rights(self) -> frozenset[Right]:
        """What they may do."""
        return AT_TABLET & RIGHTS[self.role] if self.at_tablet else RIGHTS[self.role]

    @property
    def at_tablet(self) -> bool:
        """Whether they are at a shared tablet."""
        return self.sign_in.tablet_id is not None

    @property
    def is_operator(self) -> bool:
        """Whether every customer's places are theirs to see."""
        return self.role is Role.OPERATOR

    @property
    def lacks_factor(self) -> bool:
        """Whether they have to set up a second factor before anything else."""
        return self.is_operator and not self.has_factor

    @property
    def actor(self) -> Actor:
        """Who they are in the audit record."""
        return Actor(self.id)

    def once_key(self, told: str) -> str:
        """The key of a form that is done once: nobody meets what a colleague's form has made. Empty without one."""
        return f"desk {self.id} {told}" if told else ""

    def get_id(self) -> str:
        """What the cookie names the sign-in by."""
        return self.sign_in.public_id


def signed_in() -> StaffUser:
    """The user who is signed in; the blueprint's guard has seen to it that there is one."""
    return cast(StaffUser, current_user._get_current_object())


def start_session(user_id: int, browser: Browser) -> None:
    """Sign somebody in. Whatever the cookie held before goes, so that nobody can have planted a session or a form token."""
    portal = current()
    with portal.database.write() as database:
        user = database.get_one(User, user_id)
        started = sign_ins.start(database, portal.keyring, user, browser, portal.clock())
        staff = StaffUser.of(Running(user, started, has_factor(database, user)))
    _remember(staff)


def start_session_at(tablet: Tablet, user: User) -> None:
    """Sign somebody in at a shared tablet."""
    portal = current()
    with portal.database.write() as database:
        started = sign_ins.start_at_tablet(database, user, tablet, portal.clock())
    _remember(StaffUser.of(Running(user, started, has_factor=False, site_id=tablet.site_id)))


def _remember(staff: StaffUser) -> None:
    session.clear()
    session.permanent = True
    login_user(staff)


def end_session() -> None:
    """Sign out in this browser: the cookie forgets everything, and a copy of it is worth nothing."""
    portal, user = current(), signed_in()
    with portal.database.write() as database:
        sign_ins.end(database, user.id, user.sign_in.public_id, portal.clock())
    logout_user()
    session.clear()


def load_user(sign_in_id: str) -> StaffUser | None:
    """The account behind a cookie, unless it has been retired or the sign-in is over."""
    with current().database.read() as database:
        found = sign_ins.find_running(database, sign_in_id, current().clock())
        return StaffUser.of(found) if found else None


def note_seen(user: StaffUser, now: datetime) -> None:
    """Remember now and then that somebody is still there."""
    if now - user.sign_in.seen_at >= (TABLET_SEEN_EVERY if user.at_tablet else SEEN_EVERY):
        with current().database.write() as database:
            sign_ins.note_seen(database, user.sign_in.id, now)
