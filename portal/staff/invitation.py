"""Taking an invitation: whoever has the link chooses name and password, and is signed in."""

from flask import render_template, url_for
from flask_babel import lazy_gettext as _l
from flask_wtf import FlaskForm
from werkzeug import Response
from wtforms import EmailField, PasswordField, StringField

from hotspot.errors import NotFound, Refusal
from hotspot.people import User
from hotspot.people.accounts import accept, find_invited
from hotspot.people.passkeys import passkeys_of
from hotspot.people.passwords import hash_new_password
from portal.context import current
from portal.staff import wording
from portal.staff.sign_in import go_on


class InvitationForm(FlaskForm):
    """What the invited person says."""

    name = StringField(_l("Your name"))
    email = EmailField(_l("E-mail address"))
    password = PasswordField(_l("Password"))


# The field that a refusal belongs to.
_FIELDS = {"bad-name": "name", "bad-email": "email", "email-taken": "email"}


def invitation(token: str) -> str | tuple[str, int]:
    """The form behind a link; name and address are filled in as far as they are known."""
    portal = current()
    try:
        with portal.database.read() as session:
            user = find_invited(session, portal.keyring, token, portal.clock())
            return _render(token, InvitationForm(None, name=user.name, email=user.email), user)
    except NotFound:
        return _over()


def accept_invitation(token: str) -> Response | tuple[str, int]:
    """Take the invitation. The password is hashed outside of any transaction, since that takes long."""
    portal, form = current(), InvitationForm()
    name, email = form.name.data or "", form.email.data or ""
    now = portal.clock()
    try:
        with portal.database.read() as session:
            invited = find_invited(session, portal.keyring, token, now)
            invited.customer  # noqa: B018 - loaded while the session is there
        about = (name, email, portal.settings.product_name, invited.customer.name if invited.customer else "")
        with portal.hashing.take():
            chosen = hash_new_password(form.password.data or "", about)
        with portal.database.write() as session:
            user = accept(session, portal.keyring, token, name=name, email=email, password_hash=chosen, now=now)
            has_passkeys = bool(passkeys_of(session, user.id))
    except NotFound:
        return _over()
    except Refusal as refusal:
        field = form[_FIELDS.get(refusal.code, "password")]
        field.errors = [wording.REFUSALS.get(refusal.code, refusal.sentence)]
        return _render(token, form, invited), 400
    # A new password does nothing to these, and one may be of whoever made it necessary.
    return go_on(user, url_for("staff.factor", new_password=1) if has_passkeys else url_for("staff.desk"))


def _render(token: str, form: InvitationForm, user: User) -> str:
    customer = user.customer.name if user.customer else ""
    return render_template(
        "staff/invitation.html", form=form, token=token, customer=customer, role=wording.ROLES[user.role]
    )


def _over() -> tuple[str, int]:
    return render_template("staff/invitation_over.html"), 404
