"""Pages outside a sign-in: the portal's front door, the legal texts, and what a voucher's QR code opens."""

from dataclasses import dataclass

from flask import Blueprint, make_response, render_template, request, url_for
from sqlalchemy.orm import Session
from werkzeug.wrappers import Response

from hotspot import limits
from hotspot.legal import LegalKind
from hotspot.limits import Counted, Limit
from portal import bounce, cookies, flow
from portal.context import current
from portal.here import Here
from portal.languages import asked_language
from portal.legal import NAMES, legal_page
from portal.transactions import commit
from portal.wording import REFUSALS
from vouchers.admission import Reason
from vouchers.codes import Code, Mistyped
from vouchers.finding import find_by_code

blueprint = Blueprint("pages", __name__)

_QR_GUESSES = Counted(Limit.GUESSES_BY_QR, "everybody")


@blueprint.get("/")
def home() -> str:
    """For those who have typed the portal's address."""
    return render_template("guest/home.html")


@blueprint.get(f"/<any({', '.join(repr(str(kind)) for kind in LegalKind)}):kind>")
def legal(kind: str) -> str:
    """A legal text in its current version."""
    portal = current()
    with portal.database.read() as session:
        text = legal_page(session, LegalKind(kind), portal.clock())
        return render_template("guest/legal.html", name=NAMES[LegalKind(kind)], text=text, back_url=_back_url(session))


def _back_url(session: Session) -> str | None:
    """The way back to the sign-in that the guest came from."""
    portal, token = current(), request.args.get("flow", "")
    came_from = flow.unseal(portal.keyring, token)
    site = portal.directory(session).sites.get(came_from.site_id) if came_from else None
    return url_for("guest.site_page_of", slug=site.slug, flow=token, lang=asked_language()) if site else None


@dataclass(frozen=True, repr=False)
class ScannedPage:
    """All that the page of a scanned voucher shows. `onward_url` brings a phone on the Wi-Fi to the sign-in page."""

    code: str
    ssid: str | None
    onward_url: str | None


@blueprint.get("/v/<text>")
def scanned(text: str) -> Response | tuple[str, int]:
    """What the QR code of a voucher opens, mostly over mobile data: the code, and how to come to the Wi-Fi."""
    portal, now = current(), current().clock()
    try:
        code = Code.parse(text)
    except Mistyped:
        return render_template("guest/no_code.html", words=REFUSALS[Reason.MISTYPED]), 404
    known, here = commit(portal.database, lambda session: _look_up(session, code))
    if not known:
        return render_template("guest/no_code.html", words=REFUSALS[Reason.UNKNOWN_CODE]), 404
    bounce_url = bounce.address(portal, code, here.site.id if here else None, now)
    page = ScannedPage(code.printed, here.ssid if here else None, bounce_url or (here.again_url if here else None))
    response = make_response(render_template("guest/scanned.html", page=page))
    cookies.keep_code(response, portal.keyring, code, now)
    return response


@blueprint.get("/b/<token>")
def bounced(token: str) -> str:
    """Who sees this has come past no gateway: is not on the Wi-Fi yet, or online already."""
    portal, now = current(), current().clock()
    found = bounce.unseal(portal, token, now)
    with portal.database.read() as session:
        directory = portal.directory(session)
    site = directory.sites.get(found.site_id or 0) if found else None
    ssid = Here(portal, directory, site, now).ssid if site else None
    return render_template("guest/not_on_wifi.html", ssid=ssid, again_url=request.path if found else None)


def _look_up(session: Session, code: Code) -> tuple[bool, Here | None]:
    """Whether to go on, and where the voucher is for.

    Nobody is told whether a code exists more often than the limit allows; past it every code gets the same page, which
    then names no network.
    """
    portal, now = current(), current().clock()
    if limits.reached(session, portal.keyring, [_QR_GUESSES], now):
        return True, None
    voucher = find_by_code(session, portal.keyring, code)
    if voucher is None:
        limits.hit(session, portal.keyring, [_QR_GUESSES], now)
        return False, None
    directory = portal.directory(session)
    site = directory.sites.get(voucher.site_id)
    return True, Here(portal, directory, site, now) if site else None
