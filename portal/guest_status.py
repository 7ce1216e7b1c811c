"""The guest's own pages: how much is left, and logging out. They hang on a token in their address (decision 6)."""

from flask import Blueprint, abort, redirect, render_template, request, url_for
from sqlalchemy.orm import Session
from werkzeug.wrappers import Response

from portal import cookies, flow, status_page
from portal.context import current
from portal.handoffs import HANDOFFS, gateways_of
from portal.headers import allow_forms_to
from portal.here import Here
from portal.languages import asked_language, link_languages_to
from sessions.asking import find_by_page_token
from sessions.endings import log_out
from sessions.visit import Visit

blueprint = Blueprint("status", __name__)


@blueprint.get("/s")
def own_page() -> str | Response:
    """A short address to come back to, for browsers that have kept the cookie."""
    portal, token = current(), cookies.visit_token()
    with portal.database.read() as session:
        if token and find_by_page_token(session, portal.keyring, token):
            return redirect(url_for("status.page", token=token), 303)
    return render_template("guest/no_status.html")


@blueprint.get("/s/<token>")
def page(token: str) -> str | tuple[str, int]:
    """How a visit stands."""
    portal = current()
    with portal.database.read() as session:
        found = _find(session, token)
        if found is None:
            return render_template("guest/no_status.html"), 404
        here, visit = found
        gateways = _gateways(here, visit)
        if len(gateways) == 1:  # only then the log-out goes on to it; hundreds would burst the header
            allow_forms_to(gateways)
        flow_token = request.args.get("flow")
        link_languages_to("status.page", token=token, **({"flow": flow_token} if flow_token else {}))
        return status_page.show(
            session,
            here,
            visit,
            logout_form=url_for("status.leave", token=token, lang=asked_language()),
            short_address=_short_address() if cookies.visit_token() == token else None,
        )


@blueprint.post("/s/<token>/logout")
def leave(token: str) -> Response:
    """Log out: the place is free at once, and the gateway, where it is certain which, closes the connection now."""
    portal, now = current(), current().clock()
    with portal.database.write() as session:
        found = _find(session, token)
        if found is None:
            abort(404)
        here, visit = found
        if was_running := visit.runs:
            log_out(session, here.site, visit, now)
    gateways = _gateways(here, visit)
    if was_running and len(gateways) == 1:
        nas = next(nas for nas in here.directory.nas if nas.id == visit.nas_id)
        if url := HANDOFFS[nas.make].logout(gateways[0]):
            return redirect(url, 303)
    return redirect(url_for("status.page", token=token, lang=asked_language()), 303)


def _find(session: Session, token: str) -> tuple[Here, Visit] | None:
    """The visit behind the token; its flow, when the page was reached through one, says where the guest was going."""
    portal = current()
    visit = find_by_page_token(session, portal.keyring, token)
    directory = portal.directory(session)
    site = directory.sites.get(visit.site_id) if visit else None
    if visit is None or site is None:
        return None
    arrived = flow.unseal(portal.keyring, request.args.get("flow", ""))
    if arrived and arrived.site_id != site.id:
        arrived = None
    return Here(portal, directory, site, portal.clock(), arrived), visit


def _gateways(here: Here, visit: Visit) -> tuple[str, ...]:
    for nas in here.directory.nas:
        if nas.id == visit.nas_id:
            return gateways_of(nas)
    return ()


def _short_address() -> str:
    return current().settings.public_portal_url.partition("://")[2] + "/s"
