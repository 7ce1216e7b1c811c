"""The guest's own pages: how much is left, and logging out. They hang on a token in their address (decision 6)."""

from flask import Blueprint, abort, redirect, render_template, url_for
from sqlalchemy.orm import Session
from werkzeug.wrappers import Response

from portal import cookies, own, own_device, status_page
from portal.context import current
from portal.handoffs import HANDOFFS
from portal.here import Here
from portal.known import known_guest
from portal.languages import asked_language
from portal.status_page import Ways
from portal.transactions import commit
from sessions.asking import find_by_page_token
from sessions.endings import log_out
from sessions.visit import Visit

blueprint = Blueprint("status", __name__)


@blueprint.get("/s")
def own_page() -> str | Response:
    """A short address to come back to, for browsers that have kept the cookie and guests whom their address tells."""
    portal, token = current(), cookies.visit_token()
    with portal.database.read() as session:
        if token and find_by_page_token(session, portal.keyring, token):
            return redirect(url_for("status.page", token=token), 303)
        here, _nas, visit = known_guest(session) or (None, None, None)
        if here is None or visit is None:
            return render_template("guest/no_status.html", again_url=here.again_url if here else None)
        extend_url = own.address("extension.form", own.HERE) if own.can_extend(here, visit) else None
        return status_page.show(session, here, visit, Ways(extend_url=extend_url))


@blueprint.get("/s/<token>")
def page(token: str) -> str | tuple[str, int]:
    """How a visit stands."""
    with current().database.read() as session:
        found = own.find(session, token)
        if found is None:
            return render_template("guest/no_status.html", again_url=None), 404
        here, visit = found
        own.prepare(here, visit, "status.page", token)
        return status_page.show(session, here, visit, _ways(session, here, visit, token))


def _ways(session: Session, here: Here, visit: Visit, token: str) -> Ways:
    """Where the page leads, as far as this visit allows it."""
    return Ways(
        logout_form=url_for("status.leave", token=token, lang=asked_language()),
        extend_url=own.address("extension.form", token) if own.can_extend(here, visit) else None,
        device_url=own.address("device.form", token) if own_device.can_add(session, here, visit) else None,
        data_url=own.address("data.page", token),
        short_address=_short_address() if cookies.visit_token() == token else None,
    )


@blueprint.post("/s/<token>/logout")
def leave(token: str) -> Response:
    """Log out: the place is free at once, and the gateway, where it is certain which, closes the connection now."""
    here, visit, was_running = commit(current().database, lambda session: _log_out(session, token))
    gateways, nas = own.gateways(here, visit), own.nas_of(here, visit)
    if was_running and nas and len(gateways) == 1 and (url := HANDOFFS[nas.make].logout(gateways[0])):
        return redirect(url, 303)
    return redirect(url_for("status.page", token=token, lang=asked_language()), 303)


def _log_out(session: Session, token: str) -> tuple[Here, Visit, bool]:
    """The visit that ends, and whether it was running."""
    here, visit = own.find(session, token) or abort(404)
    if was_running := visit.runs:
        log_out(session, here.site, visit, here.now)
    return here, visit, was_running


def _short_address() -> str:
    return current().settings.public_portal_url.partition("://")[2] + "/s"
