"""Guests whom their address tells: those of a NAS whose guest network reaches the portal without NAT (PROTOCOLS §4).

An address proves less than a token: whoever else gets it sees how a visit stands, and can end or change nothing.
"""

from flask import request
from sqlalchemy import select
from sqlalchemy.orm import Session

from hotspot.directory import NasRecord
from hotspot.keys import Purpose
from portal.context import current
from portal.here import Here
from sessions.visit import Visit


def known_guest(session: Session) -> tuple[Here, NasRecord, Visit | None] | None:
    """Where this request's sender is, with the visit that runs at its address; None for an address that tells nothing."""
    portal = current()
    directory = portal.directory(session)
    try:
        nas = directory.guest_nas_at(request.remote_addr or "")
    except ValueError:
        return None
    site = directory.sites.get(nas.site_id or 0) if nas else None
    if nas is None or site is None:
        return None
    names = portal.keyring.hashes(Purpose.SESSIONS, "address", request.remote_addr or "")
    here_now = select(Visit).where(Visit.address.in_(names), Visit.site_id == site.id, Visit.runs)
    # The address may have passed on to another device before the first one's end was reported.
    visit = session.scalar(here_now.order_by(Visit.accepted_at.desc(), Visit.id.desc()).limit(1))
    return Here(portal, directory, site, portal.clock()), nas, visit
