"""Signing in and out."""

import enum
import ipaddress
from typing import Any

from flask import redirect, render_template, request, url_for
from flask_babel import lazy_gettext as _l
from flask_login import current_user
from flask_wtf import FlaskForm
from sqlalchemy import select
from sqlalchemy.orm import Session
from werkzeug import Response
from wtforms import EmailField, HiddenField, PasswordField

from hotspot import limits
from hotspot.limits import Counted, Limit
from hotspot.people import User, sign_ins
from hotspot.people.factors import has_factor
from hotspot.people.passwords import check_password
from portal.context import Portal, current
from portal.languages import link_languages_to
from portal.staff import device
from portal.staff.second_step import ask_second_step, enter, passkey_options
from portal.staff.user import end_session, signed_in


class SignInForm(FlaskForm):
    """Address and password, and where the user wanted to go."""

    email = EmailField(_l("E-mail address"))
    password = PasswordField(_l("Password"))
    next = HiddenField()


class Failed(enum.Enum):
    """Why nobody is signed in: the HTTP status and the words, the same for an unknown address and a wrong password."""

    WRONG = (403, _l("E-mail address or password is wrong."))
    TOO_MANY = (429, _l("Too many failed tries. Please wait 15 minutes, then try again."))


def login() -> str | Response:
    """The form."""
    if current_user.is_authenticated:
        return redirect(url_for("staff.desk"), 303)
    words = _l("This passkey is not known here, or the page was open too long.") if "passkey" in request.args else None
    return _render(SignInForm(None, next=request.args.get("next")), words)


def sign_in() -> Response | tuple[str, int]:
    """The form, filled in."""
    form = SignInForm()
    outcome = check_sign_in(current(), form.email.data or "", form.password.data or "", request.remote_addr or "")
    if isinstance(outcome, Failed):
        link_languages_to("staff.login")
        status, words = outcome.value
        return _render(form, words), status
    return go_on(outcome, local_target(form.next.data))


def logout() -> Response:
    """Sign out."""
    at_tablet = signed_in().at_tablet
    end_session()
    return redirect(url_for("staff.tablet" if at_tablet else "staff.login"), 303)


def go_on(user: User, wanted: str) -> Response:
    """Let somebody in whose password is right, or ask for the second factor."""
    with current().database.read() as database:
        second = has_factor(database, user)
    return ask_second_step(user, wanted) if second else enter(user, wanted)


def _render(form: SignInForm, words: str | None) -> str:
    return render_template("staff/login.html", form=form, error=words, passkey=passkey_options())


def check_sign_in(portal: Portal, email: str, password: str, address: str) -> User | Failed:
    """Whose account this is; only failures stay counted. Hashing takes long: it is outside of any transaction."""
    email, now = email.strip().lower(), portal.clock()
    with portal.database.read() as database:
        user = database.scalar(select(User).where(User.email == email)) if email else None
        counted = _counted(database, portal, user, email, address)
        # Who has no try left takes nobody's turn, and no lock.
        if limits.reached(database, portal.keyring, counted, now):
            return Failed.TOO_MANY
    with portal.hashing.take():
        with portal.database.write() as database:
            has_try = limits.take_try(database, portal.keyring, counted, now)
        if not has_try:
            return Failed.TOO_MANY
        if not check_password(user, password) or user is None:
            return Failed.WRONG
    with portal.database.write() as database:
        limits.give_back(database, portal.keyring, counted, now)
    return user


def _counted(database: Session, portal: Portal, user: User | None, email: str, address: str) -> list[Counted]:
    """What a failure counts for. In a browser that the account knows, nothing that others do can be in the way."""
    token = device.known_token()
    if user and sign_ins.is_known(database, portal.keyring, user.id, token):
        return [Counted(Limit.SIGN_INS_BY_KNOWN_DEVICE, f"{user.public_id} {token}")]
    subject = network(address)
    return [
        Counted(Limit.SIGN_INS_BY_ACCOUNT_AND_ADDRESS, f"{email} {subject}"),
        Counted(Limit.SIGN_INS_BY_ADDRESS, subject),
    ]


def network(address: str) -> str:
    """Whom tries are counted for: an IPv4 address, or the /64 that one IPv6 subscriber can choose addresses from."""
    try:
        parsed: Any = ipaddress.ip_address(address)
    except ValueError:
        return address
    return str(ipaddress.ip_network(f"{parsed}/64", strict=False)) if parsed.version == 6 else str(parsed)


def local_target(wanted: str | None) -> str:
    """Where to go after signing in: a staff page that was asked for, else the overview; never another host."""
    desk = url_for("staff.desk")
    if wanted and wanted.startswith(f"{desk}/") and wanted.isascii() and wanted.isprintable() and "\\" not in wanted:
        return wanted
    return desk
