"""The own account: name, password, and where one is signed in."""

from dataclasses import dataclass
from datetime import datetime
from zoneinfo import ZoneInfo

from flask import flash, redirect, render_template, request, url_for
from flask_babel import gettext as _
from flask_babel import lazy_gettext as _l
from flask_wtf import FlaskForm
from sqlalchemy.orm import Session
from werkzeug import Response
from wtforms import PasswordField

from hotspot import limits
from hotspot.errors import Refusal
from hotspot.limits import Counted, Limit
from hotspot.people import User, sign_ins
from hotspot.people.accounts import change_password
from hotspot.people.passwords import check_password, hash_new_password
from hotspot.people.sign_ins import SignIn
from portal import formats, gate
from portal.context import current
from portal.languages import link_languages_to
from portal.staff import wording
from portal.staff.user import StaffUser, signed_in

OTHERS = "others"


class PasswordForm(FlaskForm):
    """The old password, and the new one."""

    old = PasswordField(_l("Your password until now"))
    new = PasswordField(_l("New password"))


@dataclass(frozen=True)
class SignInLine:
    """A browser in the list of those that somebody is signed in with."""

    public_id: str
    device: str
    since: str
    seen: str
    this: bool


def account() -> str:
    """The page."""
    return _render(PasswordForm(None))


def change_own_password() -> Response | tuple[str, int]:
    """Choose another password; all other browsers are signed out."""
    portal, user, form = current(), signed_in(), PasswordForm()
    now = portal.clock()
    try:
        require_password(user, form.old.data or "")
    except Refusal as refusal:
        form.old.errors = [wording.REFUSALS[refusal.code]]
        return _render(form), 400
    try:
        with portal.hashing.take():
            chosen = hash_new_password(form.new.data or "", (user.email, user.name, portal.settings.product_name))
    except Refusal as refusal:
        form.new.errors = [wording.REFUSALS[refusal.code]]
        return _render(form), 400
    with portal.database.write() as session:
        found = session.get_one(User, user.id)
        change_password(session, user.actor, found, chosen, now, sign_in=user.sign_in.id)
    flash(_("Your password is changed. All other browsers are signed out."), "good")
    return redirect(url_for("staff.account"), 303)


def end_sign_ins() -> Response:
    """Sign out in one browser, or in all but this one."""
    portal, user, which = current(), signed_in(), request.form.get("sign_in", "")
    now = portal.clock()
    with portal.database.write() as session:
        if which == OTHERS:
            sign_ins.end_all(session, user.id, now, but=user.sign_in.id)
        else:
            sign_ins.end(session, user.id, which, now)
    flash(_("Signed out there."), "good")
    return redirect(url_for("staff.account"), 303)


def confirm_sign_ins() -> Response:
    """Say that the new sign-ins were oneself."""
    with current().database.write() as session:
        sign_ins.confirm_alerts(session, signed_in().sign_in)
    return redirect(url_for("staff.desk"), 303)


def require_password(user: StaffUser, password: str) -> None:
    """Refusal unless this is the user's password; a borrowed browser must not be good for trying many."""
    portal, now = current(), current().clock()
    counted = [Counted(Limit.OWN_PASSWORD, user.public_id)]
    with portal.hashing.take():
        with portal.database.write() as session:
            has_try, found = limits.take_try(session, portal.keyring, counted, now), session.get_one(User, user.id)
        if not has_try:
            raise Refusal("too-many-tries", "Too many wrong passwords.")
        if not check_password(found, password):
            raise Refusal("wrong-password", "This is not the password.")
    with portal.database.write() as session:
        limits.give_back(session, portal.keyring, counted, now)


def alert_lines(session: Session, user: StaffUser, zone: ZoneInfo, now: datetime) -> list[str]:
    """The sign-ins from new browsers, in words."""
    return [
        _("%(device)s, %(moment)s", device=_device(one), moment=formats.moment(one.started_at, zone, now))
        for one in sign_ins.alerts(session, user.sign_in)
    ]


def _render(form: PasswordForm) -> str:
    portal, user = current(), signed_in()
    now = portal.clock()
    link_languages_to("staff.account")
    with portal.database.read() as session:
        zone = gate.home_zone(session, user)
        lines = [_line(one, user.sign_in, zone, now) for one in sign_ins.running(session, user.id, now)]
    return render_template("staff/account.html", form=form, lines=lines, role=wording.ROLES[user.role], others=OTHERS)


def _line(one: SignIn, this: SignIn, zone: ZoneInfo, now: datetime) -> SignInLine:
    since, seen = (formats.moment(moment, zone, now) for moment in (one.started_at, one.seen_at))
    return SignInLine(one.public_id, _device(one), since, seen, one.id == this.id)


def _device(one: SignIn) -> str:
    return one.device or _("unknown browser")
