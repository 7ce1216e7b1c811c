"""The staff pages: who may come in, and in which language."""

from types import SimpleNamespace
from typing import Any

from flask import Blueprint, Flask, Response, abort, current_app, redirect, render_template, request, url_for
from flask_babel import lazy_gettext as _l
from flask_login import LoginManager, current_user
from flask_wtf import CSRFProtect
from werkzeug.exceptions import HTTPException
from werkzeug.wrappers import Response as AnyResponse

from hotspot.people.sign_ins import SIGN_IN_LIFE, TABLET_IDLE
from hotspot.rights import Right
from portal.context import current
from portal.errors import database_is_away
from portal.headers import allow_manifest, look_again_after
from portal.languages import COOKIE, STAFF_LANGUAGES, speak_to_staff
from portal.staff import looks, tablet, text_form
from portal.staff.proof import ask_again
from portal.staff.routes import PROOF_NEEDED, ROUTES
from portal.staff.user import StaffUser, load_user, note_seen, signed_in

blueprint = Blueprint("staff", __name__)
csrf = CSRFProtect()

_GUESTS_PAGE = "staff.preview_look"
# The octets of a whole form, and of the texts in it.
_LONG_FORMS = {
    "staff.save_own_page": (looks.LARGEST_FORM_OCTETS, looks.LARGEST_TEXTS_OCTETS),
    "staff.publish_text": (text_form.LARGEST_FORM_OCTETS, text_form.LARGEST_FORM_OCTETS),
}
_LANGUAGE_LIFE = 365 * 86400

for _method, _rule, _right, _view in ROUTES:
    blueprint.add_url_rule(_rule, _view.__name__, _view, methods=[_method])
RIGHTS_NEEDED = {f"{blueprint.name}.{view.__name__}": right for _method, _rule, right, view in ROUTES}
_PROOF_NEEDED = {f"{blueprint.name}.{view.__name__}" for view in PROOF_NEEDED}

# What somebody may do who still has to set up a second factor.
_WITHOUT_FACTOR = {"staff.logout", "staff.new_app", "staff.set_up_app", "staff.new_passkey", "staff.keep_passkey"}

_ERRORS = {
    400: _l("This form was open too long, or something in it was missing. Go back, load the page anew and try again."),
    404: _l("There is nothing here, or it is not yours to see."),
    413: _l("That was too much: a picture may have 5 MB at most. Go back and choose a smaller one."),
    500: _l("Something went wrong on our side. Please try again in a minute."),
}


def init_app(app: Flask) -> None:
    """Make `app` know who is signed in, and check the forms of staff pages against forgery."""
    app.config.update(
        PERMANENT_SESSION_LIFETIME=SIGN_IN_LIFE,
        # Guest forms are bound to their flow token and need no cookie, so the check is the staff blueprint's own.
        WTF_CSRF_CHECK_DEFAULT=False,
        WTF_CSRF_TIME_LIMIT=None,
        # Our pages send no Referer at all; the token and the SameSite cookie are the proof.
        WTF_CSRF_SSL_STRICT=False,
    )
    csrf.init_app(app)
    manager = LoginManager()
    # A phone changes its address between the Wi-Fi and the mobile network: a session is not tied to it.
    manager.session_protection = None
    manager.init_app(app, add_context_processor=False)
    manager.user_loader(load_user)


@blueprint.url_value_preprocessor
def dress_for_staff(endpoint: str | None, _values: dict[str, Any] | None) -> None:
    """Speak the languages of staff, and be installable, except where a page is shown as guests see it."""
    if endpoint != _GUESTS_PAGE:
        speak_to_staff()
        allow_manifest()


@blueprint.url_value_preprocessor
def take_long_forms(endpoint: str | None, _values: dict[str, Any] | None) -> None:
    """Let the forms that take more be longer than others, before anything reads them, and only of those who may send them."""
    if endpoint not in _LONG_FORMS or request.method != "POST" or not current_user.is_authenticated:
        return
    if RIGHTS_NEEDED[endpoint] not in signed_in().rights:
        return
    # Werkzeug counts what it has read ahead of a file as a text too.
    request.max_content_length, request.max_form_memory_size = _LONG_FORMS[endpoint]


@blueprint.before_request
def guard() -> AnyResponse | tuple[str, int] | None:
    """No form without its token, no page without an account, and none that is beyond its right.

    What is beyond somebody's right is not there for them: it is answered before anything is looked up.
    """
    csrf.protect()
    right = RIGHTS_NEEDED[str(request.endpoint)]
    if right is None:
        return None
    if current_user.is_authenticated:
        return _guard_viewer(signed_in(), right)
    if tablet.is_tablet():
        return redirect(url_for("staff.tablet"), 303)
    wanted = request.path if request.method == "GET" and request.path != url_for("staff.desk") else None
    return redirect(url_for("staff.login", next=wanted), 303)


def _guard_viewer(user: StaffUser, right: Right) -> AnyResponse | tuple[str, int] | None:
    if right not in user.rights:
        abort(404)
    note_seen(user, current().clock())
    if user.at_tablet:
        look_again_after(int(TABLET_IDLE.total_seconds()), url_for("staff.tablet"))
        return None
    if user.lacks_factor and request.endpoint not in _WITHOUT_FACTOR:
        return redirect(url_for("staff.new_app"), 303)
    return ask_again() if request.endpoint in _PROOF_NEEDED else None


@blueprint.context_processor
def viewer() -> dict[str, object]:
    """Whose page it is, and what they may do, as `may.issue`; nobody can tell while the database is away."""
    known = not database_is_away() and current_user.is_authenticated
    rights = signed_in().rights if known else frozenset()
    may = SimpleNamespace(**{right.value: right in rights for right in Right})
    return {"viewer": current_user if known else None, "may": may}


@blueprint.after_request
def keep_language(response: Response) -> Response:
    """Staff pages have addresses that carry no language: what was chosen by hand is remembered."""
    if request.args.get("lang") in STAFF_LANGUAGES and request.endpoint != _GUESTS_PAGE:
        response.set_cookie(
            COOKIE,
            request.args["lang"],
            max_age=_LANGUAGE_LIFE,
            httponly=True,
            samesite="Lax",
            secure=current_app.config["SESSION_COOKIE_SECURE"],
        )
    return response


@blueprint.errorhandler(HTTPException)
def error_page(error: HTTPException) -> tuple[str, int]:
    """Errors in the words of these pages."""
    status = error.code or 500
    words = _ERRORS.get(status) or _ERRORS[500 if status >= 500 else 400]
    return render_template("staff/error.html", advice=words), status
