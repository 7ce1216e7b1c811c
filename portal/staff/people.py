"""Colleagues: who may sign in, invited by a link, reset and retired."""

import enum
from dataclasses import dataclass

from flask import abort, flash, redirect, render_template, request, url_for
from flask_babel import lazy_gettext as _l
from flask_wtf import FlaskForm
from sqlalchemy.orm import Session
from werkzeug import Response
from wtforms import EmailField, SelectField, StringField

from hotspot.errors import Refusal
from hotspot.people import Role, User
from hotspot.people.accounts import change_role, invite, reset, retire, sign_out
from hotspot.people.factors import has_factor, remove_factors
from portal import gate, qr
from portal.context import current
from portal.languages import link_languages_to
from portal.staff import wording
from portal.staff.leaving import made_by
from portal.staff.user import signed_in

# An operator's own staff come by the command line.
INVITABLE = (Role.FRONT_DESK, Role.OWNER, Role.READ_ONLY)


class Step(enum.StrEnum):
    """What can be done to a colleague."""

    ROLE = "role"
    RESET = "reset"
    FACTOR = "factor"
    SIGN_OUT = "sign-out"
    RETIRE = "retire"


class InviteForm(FlaskForm):
    """Who is invited; an operator says to which customer."""

    name = StringField(_l("Name"))
    role = SelectField(_l("May do"))
    email = EmailField(_l("E-mail address (may be left out)"))
    customer = SelectField(_l("Customer"))


@dataclass(frozen=True)
class PersonLine:
    """A colleague; `customer` is empty where everybody is of the same."""

    public_id: str
    name: str
    email: str
    role: str
    role_value: str
    customer: str
    invited: bool
    has_factor: bool
    own: bool


def people() -> str:
    """Everybody who may sign in."""
    form = InviteForm(None)
    return _render(form)


def invite_person() -> tuple[str, int]:
    """Invite somebody, and show the link: there is nobody but the asker to pass it on."""
    portal, user, form = current(), signed_in(), InviteForm()
    role = _role_asked()
    try:
        with portal.database.write() as session:
            invited, token = invite(
                session,
                user.actor,
                portal.keyring,
                name=form.name.data or "",
                role=role,
                customer=gate.find_customer(session, user, form.customer.data or ""),
                email=form.email.data or "",
                now=portal.clock(),
            )
    except Refusal as refusal:
        field = form.email if "email" in refusal.code else form.name
        field.errors = [wording.REFUSALS.get(refusal.code, refusal.sentence)]
        return _render(form), 400
    return _show_link(invited, token), 200


def person(person_id: str) -> str:
    """A colleague's page."""
    with current().database.read() as session:
        found = gate.find_person(session, signed_in(), person_id)
        line = _line(found, second_factor=has_factor(session, found))
        made = made_by(session, found, current().clock()).names
    return render_template("staff/person.html", person=line, roles=_roles(), made=made)


def step_person(person_id: str) -> Response | str:
    """Do to a colleague what the form says. Nobody does it to themselves: the own account has a page of its own."""
    portal, user = current(), signed_in()
    with portal.database.write() as session:
        found = gate.find_person(session, user, person_id)
        if found.id == user.id:
            abort(404)
        step = _step_asked()
        token = _take(session, step, found)
    if token:
        return _show_link(found, token)
    flash(str(_DONE[step]), "good")
    return redirect(url_for("staff.people") if step is Step.RETIRE else _page(person_id), 303)


_DONE = {
    Step.ROLE: _l("Saved."),
    Step.FACTOR: _l("The second factor is off."),
    Step.SIGN_OUT: _l("Signed out everywhere."),
    Step.RETIRE: _l("This account is closed."),
}


def _page(person_id: str) -> str:
    return url_for("staff.person", person_id=person_id)


def _step_asked() -> Step:
    try:
        return Step(request.form.get("step", ""))
    except ValueError:
        abort(400)


def _role_asked() -> Role:
    asked = request.form.get("role")
    if asked not in INVITABLE:
        abort(400)
    return Role(asked)


def _roles() -> list[tuple[str, str]]:
    return [(role.value, str(wording.ROLES[role])) for role in INVITABLE]


def _take(session: Session, step: Step, found: User) -> str:
    """The token of a new link, where that was the step."""
    portal, actor = current(), signed_in().actor
    now = portal.clock()
    if step is Step.RESET:
        return reset(session, actor, portal.keyring, found, now)
    if step is Step.ROLE:
        change_role(session, actor, found, _role_asked(), now)
    elif step is Step.FACTOR:
        remove_factors(session, actor, found, now)
    elif step is Step.SIGN_OUT:
        sign_out(session, actor, found, now)
    else:
        if "withdraw" in request.form:
            made_by(session, found, now).withdraw(session, actor, now)
        retire(session, actor, found, now)
    return ""


def _render(form: InviteForm) -> str:
    user = signed_in()
    link_languages_to("staff.people")
    form.role.choices = _roles()
    with current().database.read() as session:
        lines = [_line(one) for one in gate.people(session, user)]
        tablets = [(one.public_id, one.name) for one in gate.tablets(session, user)]
        sites = [] if user.is_operator else [(one.public_id, one.name) for one in gate.sites(session, user)]
        form.customer.choices = [(one.public_id, one.name) for one in gate.customers(session, user)]
    return render_template(
        "staff/people.html", form=form, lines=lines, tablets=tablets, sites=sites, with_customer=user.is_operator
    )


def _show_link(user: User, token: str) -> str:
    link_languages_to("staff.people")
    address = current().settings.public_portal_url + url_for("staff.invitation", token=token)
    return render_template("staff/link.html", name=user.name, address=address, picture=qr.draw(address))


def _line(user: User, *, second_factor: bool = False) -> PersonLine:
    viewer = signed_in()
    return PersonLine(
        public_id=user.public_id,
        name=user.name,
        email=user.email or "",
        role=str(wording.ROLES[user.role]),
        role_value=user.role.value,
        customer=user.customer.name if viewer.is_operator and user.customer else "",
        invited=user.password_hash is None,
        has_factor=second_factor,
        own=user.id == viewer.id,
    )
