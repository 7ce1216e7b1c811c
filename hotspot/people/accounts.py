"""Accounts: added, invited by a link that works once, changed, retired."""

import re
import secrets
from collections.abc import Callable, Collection, Iterable
from datetime import datetime, timedelta
from typing import TypeVar

from sqlalchemy import func, select, update
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from hotspot import audit
from hotspot.audit import Actor
from hotspot.errors import NotFound, Refusal, WrongUse
from hotspot.keys import Keyring, Purpose
from hotspot.people import LONGEST_NAME, Role, User
from hotspot.people.factors import has_factor, remove_factors
from hotspot.people.passwords import hash_new_password
from hotspot.people.sign_ins import end_all
from hotspot.place import Customer

INVITATION_LIFE = timedelta(days=3)
# A customer's tiles have to fit on a tablet, and nobody may fill the table.
MOST_PEOPLE = 200

Result = TypeVar("Result")


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
    about: Iterable[str] = (),
) -> User:
    """Add an account that can be used at once; without a name it is called by its address.

    `about` is what the password must not be made of, beside address and name. Refusal when the address is taken or
    unusable, the password unfit, or the customer does not fit.
    """
    email = _usable_email(session, email)
    name = usable_name(name or email[:LONGEST_NAME])
    user = _new(role, customer, name, now)
    user.email, user.password_hash = email, hash_new_password(password, (email, name, *about))
    _add(session, user)
    _record(session, actor, "user added", user, now)
    return user


def invite(
    session: Session,
    actor: Actor,
    keyring: Keyring,
    *,
    name: str,
    role: Role,
    customer: Customer | None,
    email: str,
    now: datetime,
) -> tuple[User, str]:
    """Add an account for somebody who chooses the password by a link; returns the link's token too.

    `email` may be empty: then the invited person says it. Refusal when name or address are unusable or the customer does
    not fit.
    """
    user = _new(role, customer, usable_name(name), now)
    user.email = _usable_email(session, email) if email.strip() else None
    if customer and _count(session, customer) >= MOST_PEOPLE:
        raise Refusal("too-many-people", f"A customer has {MOST_PEOPLE} people at most.")
    _add(session, user)
    _record(session, actor, "user invited", user, now)
    return user, _new_link(keyring, user, now)


def reset(session: Session, actor: Actor, keyring: Keyring, user: User, now: datetime) -> str:
    """A new link for somebody who lost password or link; the token. The old password is good until the link is used."""
    _record(session, actor, "user link made", user, now)
    return _new_link(keyring, user, now)


def find_invited(session: Session, keyring: Keyring, token: str, now: datetime) -> User:
    """Whose link this is. NotFound when it has been used, replaced, or is too old."""
    hashes = keyring.hashes(Purpose.PAGES, "invitation", token)
    found = session.scalar(
        select(User).where(User.invitation_hash.in_(hashes), User.invitation_ends_at > now, User.retired_at.is_(None))
    )
    if found is None:
        raise NotFound("no-invitation", "This link has been used already, or is too old.")
    return found


def accept(
    session: Session, keyring: Keyring, token: str, *, name: str, email: str, password_hash: str, now: datetime
) -> User:
    """Take an invitation: name, address and password are the person's from now on, and all old sign-ins are over.

    Refusal as of `find_invited`, or when name or address are unusable.
    """
    user = find_invited(session, keyring, token, now)
    name = usable_name(name)
    if user.email is None or user.email != email.strip().lower():
        email = _usable_email(session, email, user)
    # Races: the link is opened twice, and one of the two is late; and another invitation has had this one's address freed.
    statement = (
        update(User)
        .where(User.id == user.id, User.invitation_hash == user.invitation_hash)
        .values(
            name=name, email=email.strip().lower(), password_hash=password_hash,
            invitation_hash=None, invitation_ends_at=None,
        )
    )  # fmt: skip
    if _unless_taken(lambda: session.execute(statement)).rowcount != 1:  # type: ignore[attr-defined]
        raise NotFound("no-invitation", "This link has been used already, or is too old.")
    end_all(session, user.id, now)
    _record(session, Actor(user.id), "password chosen", user, now)
    return user


def change_password(
    session: Session, actor: Actor, user: User, password_hash: str, now: datetime, *, sign_in: int | None
) -> None:
    """Give somebody another password; all their sign-ins but `sign_in` are over, and so is a link that is still open."""
    user.password_hash = password_hash
    user.invitation_hash = user.invitation_ends_at = None
    end_all(session, user.id, now, but=sign_in)
    _record(session, actor, "password changed", user, now)


def change_role(session: Session, actor: Actor, user: User, role: Role, now: datetime) -> None:
    """Let somebody of a customer do more or less. WrongUse when the role does not fit."""
    _require_fit(role, user.customer_id is not None)
    if user.role is not role:
        user.role = role
        _record(session, actor, "role changed", user, now, role.value)


def change_pin(session: Session, actor: Actor, user: User, pin_hash: str | None, now: datetime) -> None:
    """Set the PIN for tablets, or take it away."""
    user.pin_hash = pin_hash
    _record(session, actor, "PIN changed" if pin_hash else "PIN removed", user, now)


def sign_out(session: Session, actor: Actor, user: User, now: datetime) -> None:
    """Sign somebody out everywhere, such as when a telephone is lost; a link that is still open is good for nothing, too."""
    if user.password_hash:
        user.invitation_hash = user.invitation_ends_at = None
    end_all(session, user.id, now)
    _record(session, actor, "signed out", user, now)


def retire(session: Session, actor: Actor, user: User, now: datetime) -> None:
    """Let nobody sign in to this account any more; the address is free again, and the name stays in the record."""
    user.retired_at, user.email, user.password_hash, user.pin_hash = now, None, None, None
    user.invitation_hash = user.invitation_ends_at = None
    if has_factor(session, user):
        remove_factors(session, actor, user, now)
    end_all(session, user.id, now)
    _record(session, actor, "user retired", user, now)


def find_user(session: Session, email: str) -> User:
    """The account with this address; NotFound when there is none."""
    found = session.scalar(select(User).where(User.email == email.strip().lower(), User.retired_at.is_(None)))
    if found is None:
        raise NotFound("no-user", f"There is no account for {email[:60]!r}.")
    return found


def users_by_id(session: Session, ids: Collection[int]) -> dict[int, User]:
    """These accounts, the closed ones too."""
    return {one.id: one for one in session.scalars(select(User).where(User.id.in_(ids)))}


def usable_name(name: str) -> str:
    """A person's name without spaces around it; WrongUse when nothing is left, or when it is too long."""
    name = " ".join(name.split())
    if not name or len(name) > LONGEST_NAME or not name.isprintable():
        raise WrongUse("bad-name", f"A name has 1 to {LONGEST_NAME} characters.")
    return name


def _count(session: Session, customer: Customer) -> int:
    mine = select(func.count(User.id)).where(User.customer_id == customer.id, User.retired_at.is_(None))
    return session.scalar(mine) or 0


def _new(role: Role, customer: Customer | None, name: str, now: datetime) -> User:
    _require_fit(role, customer is not None)
    return User(name=name, role=role, customer=customer, created_at=now)


def _require_fit(role: Role, of_customer: bool) -> None:
    if (role is not Role.OPERATOR) != of_customer:
        raise WrongUse("bad-role", "An operator belongs to no customer, everybody else to one.")


def _usable_email(session: Session, email: str, user: User | None = None) -> str:
    email = email.strip().lower()
    if not re.fullmatch(r"[^@\s]{1,64}@[^@\s]{1,189}", email):
        raise WrongUse("bad-email", f"{email[:60]!r} is not an e-mail address.")
    holder = session.scalar(select(User).where(User.email == email))
    if holder and holder is not user:
        if holder.password_hash:
            raise Refusal("email-taken", f"There is an account for {email} already.")
        # Nobody has taken that invitation yet: whoever made it has no claim to the address.
        free = update(User).where(User.id == holder.id, User.password_hash.is_(None)).values(email=None)
        if session.execute(free).rowcount != 1:  # type: ignore[attr-defined]
            raise Refusal("email-taken", f"There is an account for {email} already.")
    return email


def _new_link(keyring: Keyring, user: User, now: datetime) -> str:
    token = secrets.token_urlsafe(24)
    user.invitation_hash = keyring.hash(Purpose.PAGES, "invitation", token)
    user.invitation_ends_at = now + INVITATION_LIFE
    return token


def _add(session: Session, user: User) -> None:
    session.add(user)
    _unless_taken(session.flush)


def _unless_taken(write: Callable[[], Result]) -> Result:
    try:
        return write()
    except IntegrityError as error:  # Race: another has just taken the address.
        raise Refusal("email-taken", "There is an account for this address already.") from error


def _record(session: Session, actor: Actor, action: str, user: User, now: datetime, role: str = "") -> None:
    subject, detail = f"user {user.public_id}", f"{user.name}: {role}" if role else user.name
    audit.record(session, actor, action, subject, now, customer_id=user.customer_id, detail=detail)
