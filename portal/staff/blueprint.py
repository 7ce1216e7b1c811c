"""The staff pages: who may come in, and every address they have."""

from collections.abc import Callable
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
from portal.staff import (
    account,
    acts,
    batches,
    csv_in,
    csv_out,
    desk,
    factors,
    growing,
    home_screen,
    hooks,
    invitation,
    issue,
    look_steps,
    looks,
    offer,
    one_tap,
    people,
    presets,
    printers,
    prints,
    record,
    sales,
    second_step,
    sign_in,
    signs,
    slips,
    systems,
    tablet,
    text_form,
    texts,
    till,
    use,
    vouchers,
)
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

# Method, address, the right that it needs (None: whoever comes), view.
_ROUTES: tuple[tuple[str, str, Right | None, Callable[..., Any]], ...] = (
    ("GET", "/login", None, sign_in.login),
    ("POST", "/login", None, sign_in.sign_in),
    ("POST", "/logout", Right.LOOK_UP, sign_in.logout),
    ("GET", "/desk/manifest.webmanifest", None, home_screen.manifest),
    ("GET", "/login/second", None, second_step.second_step),
    ("POST", "/login/second", None, second_step.take_second_step),
    ("POST", "/login/passkey", None, second_step.sign_in_by_passkey),
    ("GET", "/login/tablet", None, tablet.tablet),
    ("GET", "/login/tablet/<person_id>", None, tablet.tablet_pin),
    ("POST", "/login/tablet/<person_id>", None, tablet.enter_pin),
    ("GET", "/login/invitation/<token>", None, invitation.invitation),
    ("POST", "/login/invitation/<token>", None, invitation.accept_invitation),
    ("GET", "/desk/account", Right.ACCOUNT, account.account),
    ("POST", "/desk/account/password", Right.ACCOUNT, account.change_own_password),
    ("POST", "/desk/account/sign-ins", Right.ACCOUNT, account.end_sign_ins),
    ("POST", "/desk/account/pin", Right.ACCOUNT, tablet.change_own_pin),
    ("POST", "/desk/account/alerts", Right.ACCOUNT, account.confirm_sign_ins),
    ("GET", "/desk/account/factor", Right.ACCOUNT, factors.factor),
    ("POST", "/desk/account/factor/remove", Right.ACCOUNT, factors.remove_factor),
    ("POST", "/desk/account/factor/codes", Right.ACCOUNT, factors.make_recovery_codes),
    ("GET", "/desk/account/factor/app", Right.ACCOUNT, factors.new_app),
    ("POST", "/desk/account/factor/app", Right.ACCOUNT, factors.set_up_app),
    ("GET", "/desk/account/factor/passkey", Right.ACCOUNT, factors.new_passkey),
    ("POST", "/desk/account/factor/passkey", Right.ACCOUNT, factors.keep_passkey),
    ("POST", "/desk/account/factor/passkey/drop", Right.ACCOUNT, factors.drop_passkey),
    ("GET", "/desk/record", Right.AUDIT, record.record),
    ("GET", "/desk/record.csv", Right.AUDIT, record.record_csv),
    ("GET", "/desk/systems", Right.API, systems.systems),
    ("POST", "/desk/systems/keys", Right.API, systems.make_key),
    ("POST", "/desk/systems/keys/<key_id>", Right.API, systems.end_key),
    ("POST", "/desk/systems/webhooks", Right.API, hooks.make_webhook),
    ("POST", "/desk/systems/webhooks/<webhook_id>", Right.API, hooks.step_webhook),
    ("GET", "/desk/systems/log", Right.API, hooks.webhook_log),
    ("POST", "/desk/systems/log/<delivery_id>", Right.API, hooks.send_delivery_again),
    ("GET", "/desk/people", Right.PEOPLE, people.people),
    ("POST", "/desk/people", Right.PEOPLE, people.invite_person),
    ("POST", "/desk/tablets", Right.PEOPLE, tablet.enrol_tablet),
    ("POST", "/desk/tablets/<tablet_id>", Right.PEOPLE, tablet.drop_tablet),
    ("GET", "/desk/people/<person_id>", Right.PEOPLE, people.person),
    ("POST", "/desk/people/<person_id>", Right.PEOPLE, people.step_person),
    ("GET", "/desk", Right.LOOK_UP, desk.desk),
    ("GET", "/desk/sites/<site_id>", Right.LOOK_UP, issue.site),
    ("POST", "/desk/sites/<site_id>", Right.ISSUE, issue.issue_vouchers),
    ("GET", "/desk/sites/<site_id>/till", Right.TILL, till.till),
    ("POST", "/desk/sites/<site_id>/till/sold", Right.TILL, till.sell_voucher),
    ("POST", "/desk/sites/<site_id>/till/closed", Right.TILL, till.close_till),
    ("GET", "/desk/sites/<site_id>/sales", Right.SEE_SALES, sales.sales),
    ("GET", "/desk/sites/<site_id>/sales.csv", Right.SEE_SALES, sales.sales_csv),
    ("GET", "/desk/sites/<site_id>/use", Right.SEE_USE, use.use),
    ("POST", "/desk/sites/<site_id>/one", Right.ISSUE, one_tap.issue_one),
    ("POST", "/desk/sites/<site_id>/change", Right.CHANGE, acts.change_vouchers),
    ("POST", "/desk/sites/<site_id>/credit", Right.CHANGE, acts.credit),
    ("POST", "/desk/deeds/<deed_id>/undo", Right.CHANGE, acts.undo_deed),
    ("POST", "/desk/vouchers/<voucher_id>/replace", Right.CHANGE, vouchers.replace),
    ("GET", "/desk/sites/<site_id>/presets", Right.CHANGE, presets.presets),
    ("POST", "/desk/sites/<site_id>/presets", Right.CHANGE, presets.new_preset),
    ("POST", "/desk/presets/<preset_id>", Right.CHANGE, presets.edit_preset),
    ("GET", "/desk/sites/<site_id>/offer", Right.OPERATE, offer.offer),
    ("GET", "/desk/sites/<site_id>/import", Right.ISSUE, csv_in.import_page),
    ("POST", "/desk/sites/<site_id>/import", Right.ISSUE, csv_in.import_vouchers),
    ("GET", "/desk/sites/<site_id>/signs", Right.PRINT, signs.signs),
    ("GET", "/desk/sites/<site_id>/signs/<format>.pdf", Right.PRINT, signs.sign_pdf),
    ("GET", "/desk/sites/<site_id>/vouchers", Right.LOOK_UP, vouchers.vouchers),
    ("GET", "/desk/sites/<site_id>/page", Right.OWN_PAGE, looks.own_page),
    ("POST", "/desk/sites/<site_id>/page", Right.OWN_PAGE, looks.save_own_page),
    ("POST", "/desk/sites/<site_id>/page/switch", Right.OPERATE, look_steps.switch_own_page),
    ("POST", "/desk/looks/<look_id>", Right.OWN_PAGE, look_steps.step_look),
    ("GET", "/desk/looks/<look_id>/preview", Right.OWN_PAGE, look_steps.preview_look),
    ("GET", "/desk/looks/<look_id>/look.css", Right.OWN_PAGE, look_steps.look_sheet),
    ("GET", "/desk/looks/<look_id>/logo.webp", Right.OWN_PAGE, look_steps.look_logo),
    ("GET", "/desk/texts", Right.OPERATE, texts.texts),
    ("GET", "/desk/texts/<kind>", Right.OPERATE, text_form.text),
    ("POST", "/desk/texts/<kind>", Right.OPERATE, text_form.publish_text),
    ("GET", "/desk/batches/<batch_id>", Right.LOOK_UP, batches.batch),
    ("GET", "/desk/batches/<batch_id>/slip", Right.ISSUE, one_tap.slip),
    ("POST", "/desk/batches/<batch_id>/more", Right.ISSUE, growing.go_on),
    ("POST", "/desk/batches/<batch_id>/cancel", Right.ISSUE, growing.cancel),
    ("POST", "/desk/batches/<batch_id>/switch", Right.CHANGE, growing.switch),
    ("GET", "/desk/batches/<batch_id>/print", Right.PRINT, batches.print_batch),
    ("GET", "/desk/batches/<batch_id>/vouchers.csv", Right.LOOK_UP, csv_out.batch_csv),
    ("GET", "/desk/batches/<batch_id>/printing", Right.PRINT, prints.printing),
    ("POST", "/desk/batches/<batch_id>/printing", Right.PRINT, prints.print_pdf),
    ("POST", "/desk/batches/<batch_id>/slips", Right.PRINT, slips.print_slips),
    ("GET", "/desk/vouchers/<voucher_id>/slip", Right.PRINT, slips.slip_page),
    ("POST", "/desk/vouchers/<voucher_id>/slip", Right.PRINT, slips.print_slip),
    ("GET", "/desk/sites/<site_id>/printers", Right.PRINT, printers.site_printers),
    ("POST", "/desk/sites/<site_id>/printers", Right.PRINTERS, printers.add_printer),
    ("POST", "/desk/printers/<printer_id>/test", Right.PRINT, printers.test_printer),
    ("POST", "/desk/printers/<printer_id>/again", Right.PRINT, printers.print_again),
    ("POST", "/desk/printers/<printer_id>/taps", Right.PRINTERS, printers.print_taps),
    ("POST", "/desk/printers/<printer_id>/remove", Right.PRINTERS, printers.remove_printer),
    ("GET", "/desk/prints/<file_id>", Right.PRINT, prints.print_file),
    ("GET", "/desk/prints/<file_id>/vouchers.pdf", Right.PRINT, prints.fetch_print_file),
    ("POST", "/desk/prints/<file_id>/cancel", Right.PRINT, prints.cancel_print_file),
    ("POST", "/desk/vouchers", Right.LOOK_UP, vouchers.search),
    ("GET", "/desk/vouchers/<voucher_id>", Right.LOOK_UP, vouchers.voucher),
    ("GET", "/desk/vouchers/<voucher_id>/revoke", Right.CHANGE, vouchers.confirm_revoke),
    ("POST", "/desk/vouchers/<voucher_id>/revoke", Right.CHANGE, vouchers.revoke_voucher),
)
for _method, _rule, _right, _view in _ROUTES:
    blueprint.add_url_rule(_rule, _view.__name__, _view, methods=[_method])
RIGHTS_NEEDED = {f"{blueprint.name}.{view.__name__}": right for _method, _rule, right, view in _ROUTES}

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
def guard() -> AnyResponse | None:
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


def _guard_viewer(user: StaffUser, right: Right) -> AnyResponse | None:
    if right not in user.rights:
        abort(404)
    note_seen(user, current().clock())
    if user.at_tablet:
        look_again_after(int(TABLET_IDLE.total_seconds()), url_for("staff.tablet"))
        return None
    setting_up = request.endpoint in _WITHOUT_FACTOR
    return redirect(url_for("staff.new_app"), 303) if user.lacks_factor and not setting_up else None


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
