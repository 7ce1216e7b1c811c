"""The captive portal API (RFC 8908), for guests whom their address tells; for all others there is none."""

from typing import Any

from flask import Blueprint, abort, jsonify, redirect, request, url_for
from sqlalchemy.orm import Session
from werkzeug.wrappers import Response

from hotspot.directory import NasRecord
from portal import own
from portal.context import current
from portal.here import Here
from portal.known import known_guest
from sessions.extensions import Chains, extended
from sessions.usage import accounts_by_id
from sessions.visit import Visit
from vouchers.admission import MOST_SECONDS, Granted, limits_of

blueprint = Blueprint("captive", __name__)

MEDIA_TYPE = "application/captive+json"


@blueprint.get("/captive")
def api() -> Response:
    """How this guest stands; a browser, which does not ask for the media type, is led to a page (RFC 8908 §4.1)."""
    with current().database.read() as session:
        found = known_guest(session)
        # The API is for HTTPS alone (RFC 8908 §4).
        if found is None or not current().settings.public_portal_url.startswith("https://"):
            abort(404)
        here, nas, visit = found
        if request.accept_mimetypes.best_match([MEDIA_TYPE, "text/html"]) != MEDIA_TYPE:
            return redirect(_page(here, visit), 303)
        answer = jsonify(_state(session, here, nas, visit))
    answer.mimetype = MEDIA_TYPE
    return answer


def _page(here: Here, visit: Visit | None) -> str:
    """The guest's page: how the visit stands, or the way through the gateway to the sign-in."""
    if visit:
        return url_for("status.own_page")
    return here.again_url or url_for("guest.site_page_of", slug=here.site.slug)


def _state(session: Session, here: Here, nas: NasRecord, visit: Visit | None) -> dict[str, Any]:
    base = here.portal.settings.public_portal_url
    state: dict[str, Any] = {
        "captive": visit is None,
        "user-portal-url": base + url_for("captive.api"),
        "venue-info-url": base + url_for("guest.site_page_of", slug=here.site.slug),
        "can-extend-session": own.lets_extend(here, nas),
    }
    return state | (_left(session, here, visit) if visit else {})


def _left(session: Session, here: Here, visit: Visit) -> dict[str, int]:
    """What is left, as far as it is limited, with the vouchers that follow."""
    account = accounts_by_id(session, {visit.voucher_id or 0}, here.now).get(visit.voucher_id or 0)
    limits = limits_of(account.facts, account.usage, here.site, here.now, least_seconds=1) if account else None
    if not isinstance(limits, Granted):
        return {"seconds-remaining": 0}
    limits = extended(limits, Chains(session, [visit.device], here.now).behind(visit), here.site, here.now)
    left = {}
    if limits.seconds_left < MOST_SECONDS:
        left["seconds-remaining"] = limits.seconds_left
    if limits.octets_left is not None:
        left["bytes-remaining"] = limits.octets_left
    return left
