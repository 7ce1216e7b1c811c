"""The shared tablet at the desk: a tile for each person, a PIN, and nothing but front-desk work."""

from datetime import timedelta

from flask import abort, flash, redirect, render_template, request, url_for
from flask_babel import gettext as _
from werkzeug import Response

from hotspot import limits
from hotspot.errors import Refusal
from hotspot.limits import Counted, Limit
from hotspot.people import User
from hotspot.people.accounts import change_pin
from hotspot.people.passwords import check_pin, hash_new_pin
from hotspot.people.tablets import enrol, find_by_token, people_at, retire_tablet
from hotspot.place import Site
from portal import gate
from portal.context import current
from portal.headers import allow_own_scripts
from portal.languages import link_languages_to
from portal.staff import device, wording
from portal.staff.account import require_password
from portal.staff.user import end_session, signed_in, start_session_at

COOKIE = "surfpass_tablet"
_LIFE = timedelta(days=400)
_LONGEST_TOKEN = 60


def is_tablet() -> bool:
    """Whether this browser says that it is a desk tablet."""
    return bool(_token())


def tablet() -> str | Response:
    """The tiles."""
    portal = current()
    with portal.database.read() as database:
        found = find_by_token(database, portal.keyring, _token())
        people = people_at(database, found) if found else []
    if found is None:
        return _no_tablet()
    tiles = [(one.public_id, one.name) for one in people]
    return render_template("staff/tablet.html", name=found.name, tiles=tiles)


def tablet_pin(person_id: str) -> str | Response:
    """The field for the PIN."""
    portal = current()
    with portal.database.read() as database:
        found = find_by_token(database, portal.keyring, _token())
        person = _person(people_at(database, found), person_id) if found else None
    return _no_tablet() if person is None else _render(person)


def enter_pin(person_id: str) -> Response | tuple[str, int]:
    """The PIN, typed."""
    portal, now = current(), current().clock()
    with portal.hashing.take():
        with portal.database.write() as database:
            found = find_by_token(database, portal.keyring, _token())
            if found is None:
                return _no_tablet()
            person = _person(people_at(database, found), person_id)
            counted = [Counted(Limit.PINS_AT_TABLET, f"{found.public_id} {person.public_id}")]
            has_try = limits.take_try(database, portal.keyring, counted, now)
        if not has_try:
            return _render(person, str(wording.REFUSALS["too-many-pins"])), 429
        if not check_pin(person, request.form.get("pin", "")):
            return _render(person, str(wording.REFUSALS["wrong-pin"])), 403
    with portal.database.write() as database:
        limits.give_back(database, portal.keyring, counted, now)
    start_session_at(found, person)
    return redirect(url_for("staff.desk"), 303)


def enrol_tablet() -> Response:
    """Make this browser a desk tablet, and sign its owner out of it."""
    portal, user = current(), signed_in()
    if user.customer_id is None:
        abort(404)
    site_id, name = request.form.get("site", ""), request.form.get("name", "")
    try:
        with portal.database.write() as database:
            site = gate.find(database, user, Site, site_id).id if site_id else None
            token = enrol(database, user.actor, portal.keyring, user.customer_id, site, name, portal.clock())
    except Refusal as refusal:
        flash(str(wording.REFUSALS[refusal.code]), "bad")
        return redirect(url_for("staff.people"), 303)
    end_session()
    response = redirect(url_for("staff.tablet"), 303)
    secure = portal.settings.public_portal_url.startswith("https://")
    # The owner's browser is the venue's tablet now: it is not one that the owner is known by.
    response.delete_cookie(device.COOKIE, path=device.PATH)
    response.set_cookie(COOKIE, token, max_age=_LIFE, httponly=True, samesite="Lax", secure=secure)
    return response


def drop_tablet(tablet_id: str) -> Response:
    """Let nobody sign in at a tablet any more."""
    portal, user = current(), signed_in()
    with portal.database.write() as database:
        retire_tablet(database, user.actor, gate.find_tablet(database, user, tablet_id), portal.clock())
    flash(_("The tablet is no longer good for anything."), "good")
    return redirect(url_for("staff.people"), 303)


def change_own_pin() -> Response:
    """Choose a PIN for tablets, or have none any more."""
    portal, user, pin = current(), signed_in(), request.form.get("pin", "")
    try:
        require_password(user, request.form.get("password", ""))
        with portal.hashing.take():
            hashed = hash_new_pin(pin) if pin else None
    except Refusal as refusal:
        flash(str(wording.REFUSALS[refusal.code]), "bad")
    else:
        with portal.database.write() as database:
            change_pin(database, user.actor, database.get_one(User, user.id), hashed, portal.clock())
        flash(_("Your PIN is set.") if hashed else _("You have no PIN any more."), "good")
    return redirect(url_for("staff.account"), 303)


def _token() -> str:
    token = request.cookies.get(COOKIE, "")
    return token if len(token) <= _LONGEST_TOKEN else ""


def _person(people: list[User], public_id: str) -> User:
    found = next((one for one in people if one.public_id == public_id), None)
    if found is None:
        abort(404)
    return found


def _no_tablet() -> Response:
    """Its cookie goes, so that the browser is an ordinary one again. Whoever is signed in stays so: a link must not end that."""
    response = redirect(url_for("staff.login"), 303)
    response.delete_cookie(COOKIE)
    return response


def _render(person: User, error: str = "") -> str:
    link_languages_to("staff.tablet")
    allow_own_scripts()
    return render_template("staff/tablet_pin.html", person_id=person.public_id, name=person.name, error=error)
