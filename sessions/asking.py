"""The portal's promise: a visit that is asked for, with a ticket for the gateway and a token for the guest's own pages."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import cast

from sqlalchemy import Table, bindparam, select
from sqlalchemy.orm import Session

from hotspot import bulk
from hotspot.database import new_public_id
from hotspot.keys import Keyring, Purpose
from hotspot.legal import Agreement
from hotspot.place import LoginWay
from sessions.offers import Wanted
from sessions.tickets import TICKET_LIFE, make_ticket
from sessions.visit import INTERIM_SECONDS, Visit, VisitState, hash_page_token, new_page_token

# How long a guest who was refused at the gateway is told why.
REFUSAL_IS_FRESH = timedelta(minutes=15)


@dataclass(frozen=True, repr=False)
class Asked:
    """What the guest takes along: user name and password for the gateway, and the token of the guest's own pages."""

    handle: str
    ticket: str
    page_token: str


def ask(
    session: Session,
    keyring: Keyring,
    wanted: Wanted,
    nas_id: int,
    agreement: Agreement,
    now: datetime,
    way: LoginWay = LoginWay.TICKET,
) -> Asked:
    """Note that a guest may come, with a ticket or by the device. The visit holds no place yet: fake posts fill nothing."""
    article_id = wanted.voucher.pass_id if wanted.voucher else wanted.free_pass.id if wanted.free_pass else None
    if article_id is None:
        raise ValueError("neither a voucher nor a free pass is wanted")
    token = new_page_token()
    site_id, expires_at = wanted.located.site.id, (now + TICKET_LIFE).replace(microsecond=0)
    handle = new_public_id()
    row = {
        "handle": handle,
        "site_id": site_id,
        "nas_id": nas_id,
        "pass_id": article_id,
        "voucher_id": wanted.voucher.id if wanted.voucher else None,
        "way": way,
        "state": VisitState.ASKED,
        "device": wanted.device,
        "swaps": wanted.swaps,
        "terms_id": agreement.terms_id,
        "prices_id": agreement.prices_id,
        "ticket_expires_at": expires_at,
        "page_token": hash_page_token(keyring, token),
        "interim_seconds": INTERIM_SECONDS,
        "asked_at": now,
    }
    bulk.insert(session, cast(Table, Visit.__table__), tuple(row), [tuple(row.values())])
    return Asked(handle, make_ticket(keyring, handle, nas_id, site_id, expires_at), token)


def find_by_page_token(session: Session, keyring: Keyring, token: str) -> Visit | None:
    """The visit whose guest holds this token, or None."""
    return session.scalar(select(Visit).where(Visit.page_token.in_(keyring.hashes(Purpose.PAGES, token))))


def find_by_handle(session: Session, handle: str) -> Visit | None:
    """The visit with this handle, or None."""
    return session.scalar(select(Visit).where(Visit.handle == handle))


# Built once: that costs as much as asking it.
_RUNNING = select(Visit).where(Visit.site_id == bindparam("site"), Visit.device == bindparam("guest"), Visit.runs)


def running_visit(session: Session, site_id: int, device: bytes) -> Visit | None:
    """The visit that the device has at the site now; there is at most one."""
    return session.scalar(_RUNNING, {"site": site_id, "guest": device})


def newest_asked(session: Session, site_id: int, device: bytes, now: datetime) -> Visit | None:
    """The visit that the device asked for last at the site, within REFUSAL_IS_FRESH, and has not got."""
    return session.scalar(
        select(Visit)
        .where(
            Visit.site_id == site_id,
            Visit.device == device,
            Visit.reserved_at.is_(None),
            Visit.closed_at.is_(None),
            Visit.asked_at > now - REFUSAL_IS_FRESH,
        )
        .order_by(Visit.id.desc())
        .limit(1)
    )
