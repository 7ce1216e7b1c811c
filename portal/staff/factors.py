"""The own second factor: set up with an app, recovery codes, passkeys."""

from dataclasses import dataclass
from datetime import datetime
from zoneinfo import ZoneInfo

from flask import flash, redirect, render_template, request, session, url_for
from flask_babel import gettext as _
from flask_babel import lazy_gettext as _l
from flask_wtf import FlaskForm
from werkzeug import Response
from wtforms import PasswordField, StringField

from hotspot.errors import Refusal
from hotspot.people import User, factors
from hotspot.people.passkeys import Passkey, add_passkey, passkeys_of, registration_options, remove_passkey
from portal import formats, gate, qr
from portal.context import current
from portal.headers import allow_own_scripts
from portal.languages import link_languages_to
from portal.staff import challenge, wording
from portal.staff.account import require_password
from portal.staff.user import signed_in

_KEPT_AS = "new_totp"


class AppForm(FlaskForm):
    """The app's code shows that it has the secret, the password that nobody else sits here."""

    code = StringField(_l("Code that the app shows"))
    password = PasswordField(_l("Your password"))


@dataclass(frozen=True)
class PasskeyLine:
    """A passkey: since when there is it, and when it was last used, if it was."""

    public_id: str
    name: str
    since: str
    used: str


def factor() -> str:
    """What there is: app, recovery codes, passkeys."""
    portal, user = current(), signed_in()
    now = portal.clock()
    with portal.database.read() as database:
        left, zone = factors.codes_left(database, user.id), gate.home_zone(database, user)
        passkeys = [_line(one, zone, now) for one in passkeys_of(database, user.id)]
    return render_template(
        "staff/factor.html",
        left=left,
        passkeys=passkeys,
        can_have_passkeys=challenge.party() is not None,
        has_new_password="new_password" in request.args,
    )


def new_app() -> str:
    """The QR code for the app; another one each time, for somebody else may have seen the last."""
    session.pop(_KEPT_AS, None)
    return _render_app(AppForm(None))


def set_up_app() -> str | tuple[str, int]:
    """Take the app's first code; the recovery codes are shown now and never again."""
    portal, user, form = current(), signed_in(), AppForm()
    try:
        require_password(user, form.password.data or "")
        with portal.database.write() as database:
            own, code = database.get_one(User, user.id), "".join((form.code.data or "").split())
            codes = factors.set_up_totp(database, user.actor, portal.keyring, own, _secret(), code, portal.clock())
    except Refusal as refusal:
        field = form.code if refusal.code == "wrong-code" else form.password
        field.errors = [wording.REFUSALS[refusal.code]]
        return _render_app(form), 400
    session.pop(_KEPT_AS, None)
    return _show_codes(codes)


def make_recovery_codes() -> str | Response:
    """New recovery codes in place of the old ones."""
    portal, user = current(), signed_in()
    if not _is_owner_here():
        return redirect(url_for("staff.factor"), 303)
    with portal.database.write() as database:
        own = database.get_one(User, user.id)
        codes = factors.new_recovery_codes(database, user.actor, portal.keyring, own, portal.clock())
    return _show_codes(codes)


def remove_factor() -> Response:
    """Let the password alone be enough again."""
    portal, user = current(), signed_in()
    if _is_owner_here():
        with portal.database.write() as database:
            factors.remove_factors(database, user.actor, database.get_one(User, user.id), portal.clock())
        flash(_("The second factor is off."), "good")
    return redirect(url_for("staff.factor"), 303)


def new_passkey() -> str | Response:
    """The page whose script makes a passkey."""
    party, user = challenge.party(), signed_in()
    if party is None:
        return redirect(url_for("staff.factor"), 303)
    allow_own_scripts()
    with current().database.read() as database:
        own = database.get_one(User, user.id)
        options = registration_options(database, party, own, challenge.new_challenge())
    return render_template("staff/passkey.html", options=options)


def keep_passkey() -> Response | str:
    """Keep the passkey that the browser has made; the first second factor brings recovery codes along."""
    portal, party, user = current(), challenge.party(), signed_in()
    if party is None or not _is_owner_here():
        return redirect(url_for("staff.new_passkey"), 303)
    name, answer = request.form.get("name", ""), request.form.get("answer", "")
    try:
        asked = challenge.take_challenge()
        with portal.database.write() as database:
            own, now = database.get_one(User, user.id), portal.clock()
            first = not factors.codes_left(database, user.id)
            name = name or user.sign_in.device or _("Passkey")
            add_passkey(database, user.actor, party, own, name, answer, asked, now)
            codes = factors.new_recovery_codes(database, user.actor, portal.keyring, own, now) if first else []
    except Refusal as refusal:
        flash(str(wording.REFUSALS[refusal.code]), "bad")
        return redirect(url_for("staff.new_passkey"), 303)
    if codes:
        return _show_codes(codes)
    flash(_("The passkey is kept."), "good")
    return redirect(url_for("staff.factor"), 303)


def drop_passkey() -> Response:
    """Take a passkey away."""
    portal, user = current(), signed_in()
    if _is_owner_here():
        with portal.database.write() as database:
            own, which = database.get_one(User, user.id), request.form.get("passkey", "")
            remove_passkey(database, user.actor, own, which, portal.clock())
        flash(_("The passkey is gone."), "good")
    return redirect(url_for("staff.factor"), 303)


def _line(one: Passkey, zone: ZoneInfo, now: datetime) -> PasskeyLine:
    used = formats.moment(one.used_at, zone, now) if one.used_at else ""
    return PasskeyLine(one.public_id, one.name, formats.moment(one.created_at, zone, now), used)


def _is_owner_here() -> bool:
    """Whether the form's password is the user's; says so if not."""
    try:
        require_password(signed_in(), request.form.get("password", ""))
    except Refusal as refusal:
        flash(str(wording.REFUSALS[refusal.code]), "bad")
        return False
    return True


def _secret() -> str:
    """The secret that this browser is being shown, until its app has shown that it has it."""
    secret: str = session.setdefault(_KEPT_AS, factors.new_secret())
    return secret


def _render_app(form: AppForm) -> str:
    user, secret = signed_in(), _secret()
    link_languages_to("staff.new_app")
    address = factors.app_address(secret, user.email, current().settings.product_name)
    groups = " ".join(secret[start : start + 4] for start in range(0, len(secret), 4))
    return render_template(
        "staff/app.html", form=form, picture=qr.draw(address), secret=groups, required=user.lacks_factor
    )


def _show_codes(codes: list[str]) -> str:
    link_languages_to("staff.factor")
    return render_template("staff/recovery_codes.html", codes=codes)
