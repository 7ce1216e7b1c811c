"""The guest's own pages hang on a token in their address (decision 6): whose they are, and what the visit allows."""

from typing import Any

from flask import abort, request, url_for
from sqlalchemy.orm import Session

from hotspot.directory import NasRecord
from hotspot.mac import Mac
from hotspot.place import LoginWay
from portal import flow, look
from portal.context import current
from portal.handoffs import HANDOFFS, Admission, gateways_of
from portal.handoffs.opennds import OpenNdsLevel1
from portal.headers import allow_forms_to
from portal.here import Here
from portal.known import known_guest
from portal.languages import asked_language, link_languages_to
from sessions.asking import find_by_page_token
from sessions.orders import read_identifiers
from sessions.visit import Visit

# No page token is that short.
HERE = "here"


def find(session: Session, token: str) -> tuple[Here, Visit] | None:
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


def running(session: Session, token: str) -> tuple[Here, Visit] | None:
    """The same, where the visit runs; None once it is over. 404 where there is none."""
    here, visit = find(session, token) or abort(404)
    look.dress(session, here.site)
    return (here, visit) if visit.runs else None


def running_here(session: Session, token: str) -> tuple[Here, Visit] | None:
    """The same, where HERE in place of a token means the visit at the address that asks: for what harms nobody."""
    if token != HERE:
        return running(session, token)
    here, _nas, visit = known_guest(session) or abort(404)
    look.dress(session, here.site)
    return (here, visit) if visit else None


def address(endpoint: str, token: str, **more: str | None) -> str:
    """The address of another page of the same guest, with the way back to where the guest was going."""
    values: dict[str, Any] = {"token": token, "lang": asked_language(), "flow": request.args.get("flow"), **more}
    return url_for(endpoint, **values)


def status_address(token: str) -> str:
    """The address of the page that says how the guest's visit stands."""
    return address("status.page", token) if token != HERE else url_for("status.own_page", lang=asked_language())


def prepare(here: Here, visit: Visit, endpoint: str, token: str) -> None:
    """Let the page's language links keep its address, and its forms end at the visit's gateway."""
    targets = gateways(here, visit)
    if len(targets) == 1:  # only then the log-out goes on to it; hundreds would burst the header
        allow_forms_to(targets)
    came_through = request.args.get("flow")
    link_languages_to(endpoint, token=token, **({"flow": came_through} if came_through else {}))


def nas_of(here: Here, visit: Visit) -> NasRecord | None:
    """The NAS that the visit runs at."""
    return next((nas for nas in here.directory.nas if nas.id == visit.nas_id), None)


def is_own_device(here: Here, visit: Visit) -> bool:
    """Whether the visit's device is surely that of the guest who holds the token: RADIUS has bound it to the ticket, or the
    gateway has signed which it is. Elsewhere anybody could have named a neighbour's.
    """
    nas = nas_of(here, visit)
    if nas is None or visit.accepted_at is None:
        return False
    if nas.make not in HANDOFFS or HANDOFFS[nas.make].admission is Admission.BY_TICKET:
        return True
    return bool(nas.uam_secret) and nas.make != OpenNdsLevel1.make


def gateways(here: Here, visit: Visit) -> tuple[str, ...]:
    """Where the visit's guest may be sent back to."""
    nas = nas_of(here, visit)
    return gateways_of(nas) if nas else ()


def mac_of(here: Here, visit: Visit) -> Mac | None:
    """The device of a running visit."""
    told = read_identifiers(here.portal.keyring, visit.identifiers, visit.id)
    return Mac.parse(told.mac) if told and told.mac else None


def returns_by_mac(here: Here, visit: Visit) -> bool:
    """Whether devices come in at the visit's NAS without the portal."""
    nas = nas_of(here, visit)
    return nas is not None and LoginWay.MAC in nas.logins


def takes_new_limits(here: Here, nas: NasRecord | None) -> bool:
    """Whether a NAS changes the limits of a session that runs."""
    return nas is not None and nas.make in here.portal.coa_makes


def lets_extend(here: Here, nas: NasRecord | None) -> bool:
    """Whether a visit can go on with another voucher: without a break, or with a short one where devices come back by MAC."""
    return nas is not None and (takes_new_limits(here, nas) or LoginWay.MAC in nas.logins)


def can_extend(here: Here, visit: Visit) -> bool:
    """Whether this visit can go on with another voucher."""
    return visit.runs and visit.device is not None and lets_extend(here, nas_of(here, visit))
