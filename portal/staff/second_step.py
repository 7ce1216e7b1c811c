"""The second step of signing in, for those who have a second factor, and signing in with a passkey, which needs no second."""

from flask import redirect, render_template, request, session, url_for
from flask_babel import lazy_gettext as _l
from flask_wtf import FlaskForm
from sqlalchemy import select
from werkzeug import Response
from wtforms import StringField

from hotspot import limits
from hotspot.errors import Refusal
from hotspot.limits import Counted, Limit
from hotspot.people import User, sign_ins
from hotspot.people.factors import take_code
from hotspot.people.passkeys import sign_in_options, take_passkey
from portal.context import Portal, current
from portal.headers import allow_own_scripts
from portal.languages import link_languages_to
from portal.staff import challenge, device, wording
from portal.staff.user import start_session

_KEPT_AS = "half"
_SECONDS = 600


class CodeForm(FlaskForm):
    """A code of the app, or a recovery code."""

    code = StringField(_l("Code"))


def ask_second_step(user: User, wanted: str) -> Response:
    """Remember in the browser that the password was right, and ask for the second factor."""
    session.clear()
    session[_KEPT_AS] = [user.public_id, int(current().clock().timestamp()), wanted]
    return redirect(url_for("staff.second_step"), 303)


def second_step() -> str | Response:
    """The form for the code."""
    return _render(CodeForm(None)) if _half() else redirect(url_for("staff.login"), 303)


def take_second_step() -> Response | tuple[str, int]:
    """The form, filled in."""
    half, form = _half(), CodeForm()
    if half is None:
        return redirect(url_for("staff.login"), 303)
    public_id, wanted = half
    outcome = _check(current(), public_id, form.code.data or "")
    if isinstance(outcome, Refusal):
        form.code.errors = [wording.REFUSALS[outcome.code]]
        link_languages_to("staff.second_step")
        return _render(form), 429 if outcome.code == "too-many-tries" else 403
    return enter(outcome, wanted)


def sign_in_by_passkey() -> Response:
    """Sign in with the passkey that the browser has found; the page's script sends its answer."""
    portal, party = current(), challenge.party()
    half = _half()
    try:
        if party is None:
            raise Refusal("bad-passkey", "There are no passkeys here.")
        asked = challenge.take_challenge()
        with portal.database.write() as database:
            user = take_passkey(database, party, request.form.get("answer", ""), asked, portal.clock())
    except Refusal:
        return redirect(url_for("staff.login", passkey="unknown"), 303)
    return enter(user, half[1] if half else url_for("staff.desk"))


def enter(user: User, wanted: str) -> Response:
    """Sign somebody in who has proved everything, and lead on to what was wanted."""
    browser = device.this_browser()
    start_session(user.id, browser)
    response = redirect(wanted, 303)
    device.keep(response, browser)
    return response


def passkey_options() -> str:
    """What the script of a page needs to ask for a passkey; empty where there are none."""
    party = challenge.party()
    if party is None:
        return ""
    allow_own_scripts()
    return sign_in_options(party, challenge.new_challenge())


def _half() -> tuple[str, str] | None:
    """Whose password was right just now, and where they wanted to go."""
    public_id, since, wanted = session.get(_KEPT_AS, ("", 0, ""))
    fresh = 0 <= current().clock().timestamp() - since < _SECONDS
    return (public_id, wanted) if public_id and fresh else None


def _check(portal: Portal, public_id: str, code: str) -> User | Refusal:
    """Only failures stay counted; in a browser that the account knows, apart from all others."""
    now, token = portal.clock(), device.known_token()
    with portal.database.write() as database:
        user = database.scalar(select(User).where(User.public_id == public_id, User.retired_at.is_(None)))
        if user is None:
            return Refusal("wrong-code", "There is no such account any more.")
        known = sign_ins.is_known(database, portal.keyring, user.id, token)
        limit = Limit.SECOND_STEPS_BY_KNOWN_DEVICE if known else Limit.SECOND_STEPS
        counted = [Counted(limit, f"{public_id} {token}" if known else public_id)]
        if not limits.take_try(database, portal.keyring, counted, now):
            return Refusal("too-many-tries", "Too many wrong codes.")
        if take_code(database, portal.keyring, user, code[:40], now):
            limits.give_back(database, portal.keyring, counted, now)
            return user
    return Refusal("wrong-code", "This is not the code.")


def _render(form: CodeForm) -> str:
    return render_template("staff/second_step.html", form=form, passkey=passkey_options())
