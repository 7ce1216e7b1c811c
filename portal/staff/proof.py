"""Asking once more who it is, before what a browser that was left open must not be good for."""

from datetime import timedelta

from flask import render_template, request, session

from hotspot.errors import Refusal
from hotspot.people.passkeys import take_passkey
from portal.context import current
from portal.languages import link_languages_nowhere
from portal.staff import challenge, wording
from portal.staff.account import require_password
from portal.staff.second_step import passkey_options
from portal.staff.user import StaffUser, signed_in

# So long after signing in, or after the last proof, nobody is asked.
FRESH = timedelta(minutes=10)
_KEPT_AS = "proved"
# What the page that asks adds to the form that it asks for.
_PASSWORD, _ANSWER = "proof", "answer"


def ask_again() -> tuple[str, int] | None:
    """The page that asks for a proof and sends this form once more; None when the last proof is fresh, or comes with the form."""
    user, now = signed_in(), current().clock()
    proved = max(user.sign_in.started_at.timestamp(), session.get(_KEPT_AS, 0))
    if now.timestamp() - proved < FRESH.total_seconds():
        return None
    if _PASSWORD not in request.form and _ANSWER not in request.form:
        return _page(user), 403
    try:
        _require_proof(user)
    except Refusal as refusal:
        return _page(user, str(wording.REFUSALS[refusal.code])), 429 if refusal.code == "too-many-tries" else 403
    session[_KEPT_AS] = now.timestamp()
    return None


def _require_proof(user: StaffUser) -> None:
    if _ANSWER not in request.form:
        require_password(user, request.form[_PASSWORD])
        return
    portal, party = current(), challenge.party()
    asked = challenge.take_challenge()
    with portal.database.write() as database:
        if party is None or take_passkey(database, party, request.form[_ANSWER], asked, portal.clock()).id != user.id:
            raise Refusal("bad-passkey", "This is somebody else's passkey.")


def _page(user: StaffUser, error: str = "") -> str:
    link_languages_nowhere()
    own = {"csrf_token", _PASSWORD, _ANSWER}
    return render_template(
        "staff/proof.html",
        action=request.path,
        filled=[(name, value) for name, value in request.form.items(multi=True) if name not in own],
        passkey=passkey_options() if user.has_factor else "",
        error=error,
    )
