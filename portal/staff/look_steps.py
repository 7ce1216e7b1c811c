"""A version of a site's own page on its way to guests: previewed, submitted, returned, released."""

from flask import Response, abort, flash, redirect, request, url_for
from flask_babel import gettext as _
from werkzeug.wrappers import Response as AnyResponse

from hotspot.errors import Refusal
from hotspot.look_changes import OPERATORS_STEPS, Step, allow_own_page, take_step
from hotspot.looks import Look, PictureKind, picture_body
from hotspot.place import Site
from hotspot.rights import Right
from portal import gate, look, site_page
from portal.context import current
from portal.headers import allow_framing
from portal.here import Here
from portal.languages import link_languages_to
from portal.staff import look_words
from portal.staff.user import signed_in


def switch_own_page(site_id: str) -> AnyResponse:
    """Switch a site's own page on or off."""
    portal, user = current(), signed_in()
    allowed = request.form.get("allowed") == "1"
    with portal.database.write() as session:
        allow_own_page(session, user.actor, gate.find(session, user, Site, site_id), allowed, portal.clock())
    flash(_("The own page is on.") if allowed else _("The own page is off: guests get the standard page."), "good")
    return redirect(url_for("staff.own_page", site_id=site_id), 303)


def step_look(look_id: str) -> AnyResponse:
    """Take the step that the form says; releasing and returning are the operator's."""
    portal, user = current(), signed_in()
    with portal.database.read() as session:
        site_id = gate.find(session, user, Look, look_id).site.public_id
    step = _step_asked()
    if step in OPERATORS_STEPS and Right.OPERATE not in user.rights:
        abort(404)
    seen, note = request.form.get("edits", -1, type=int), request.form.get("note", "")
    try:
        with portal.database.write() as session:
            found = gate.find(session, user, Look, look_id)
            take_step(session, user.actor, found, step, seen, portal.clock(), note)
    except Refusal as refusal:
        flash(look_words.refusal_words(refusal), "bad")
    else:
        flash(str(look_words.DONE[step]), "good")
    return redirect(url_for("staff.own_page", site_id=site_id), 303)


def _step_asked() -> Step:
    try:
        return Step(request.form.get("step", ""))
    except ValueError:
        abort(400)


def preview_look(look_id: str) -> str:
    """The site's page as guests would see it; framed by the editor, and nothing on it leads to a gateway."""
    portal = current()
    link_languages_to("staff.preview_look", look_id=look_id)
    allow_framing()
    with portal.database.read() as session:
        found = gate.find(session, signed_in(), Look, look_id)
        directory = portal.directory(session)
        sheet_url = url_for("staff.look_sheet", look_id=look_id, v=found.edits)
        look.wear(found, sheet_url, url_for("staff.look_logo", look_id=look_id, v=found.edits))
        return site_page.show(
            session, Here(portal, directory, directory.sites[found.site_id], portal.clock()), "guest/site.html"
        )


def look_sheet(look_id: str) -> Response:
    """The style sheet of any version, for its preview."""
    with current().database.read() as session:
        found = gate.find(session, signed_in(), Look, look_id)
        return Response(look.style_sheet(session, found), mimetype="text/css")


def look_logo(look_id: str) -> Response:
    """The logo of any version, for its preview."""
    with current().database.read() as session:
        logo = gate.find(session, signed_in(), Look, look_id).picture(PictureKind.LOGO)
        if logo is None:
            abort(404)
        return Response(picture_body(session, logo), mimetype="image/webp")
