"""The guest's own pages: going on with another voucher."""

from dataclasses import dataclass, replace

from flask import Blueprint, redirect, render_template, request
from sqlalchemy.orm import Session
from werkzeug.wrappers import Response

from portal import own
from portal.context import current
from portal.here import Here
from portal.transactions import commit
from portal.wording import NO_CODE, NOT_EXTENDED, Words, words_for
from sessions.extending import NotExtended, extend
from sessions.offers import redeem
from sessions.visit import Visit
from vouchers.admission import Refused

blueprint = Blueprint("extension", __name__)

_LONGEST_CODE = 60


@dataclass(frozen=True)
class ExtensionPage:
    """All that the page shows; `seamless` where the guest stays online without any break."""

    site_name: str
    action: str
    back_url: str
    seamless: bool
    code: str = ""
    alert: Words | None = None


@blueprint.get("/s/<token>/extend")
def form(token: str) -> str | Response:
    """Ask for the code of the voucher that is to follow."""
    with current().database.read() as session:
        found = own.running_here(session, token)
        if found is None or not own.can_extend(*found):
            return redirect(own.status_address(token), 303)
        return _show(*found, token)


@blueprint.post("/s/<token>/extend")
def follow(token: str) -> str | Response:
    """Take the code. A wrong one counts as a guess, as everywhere."""
    typed = request.form.get("code", "").strip()[:_LONGEST_CODE]
    found, alert = commit(current().database, lambda session: _follow(session, token, typed))
    if found is None or alert is None:
        return redirect(own.status_address(token), 303)
    return _show(*found, token, typed, alert)


def _follow(session: Session, token: str, typed: str) -> tuple[tuple[Here, Visit] | None, Words | None]:
    """Whose page it is, None where nothing can follow; and what is the matter."""
    found = own.running_here(session, token)
    if found is None or not own.can_extend(*found):
        return None, None
    return found, _take(session, *found, typed) if typed else NO_CODE


def _take(session: Session, here: Here, visit: Visit, typed: str) -> Words | None:
    voucher = redeem(session, here.portal.keyring, here.located, typed, own.mac_of(here, visit), here.now)
    if isinstance(voucher, Refused):
        return words_for(voucher, here.site.zone, here.now)
    match extend(session, here.directory, visit, voucher.id, here.now):
        case Refused() as refused:
            # Nobody else's place is taken from here.
            return words_for(replace(refused, can_swap=False), here.site.zone, here.now)
        case NotExtended() as problem:
            return NOT_EXTENDED[problem]
        case None:
            return None


def _show(here: Here, visit: Visit, token: str, code: str = "", alert: Words | None = None) -> str:
    own.prepare(here, visit, "extension.form", token)
    page = ExtensionPage(
        site_name=here.site.name,
        action=own.address("extension.follow", token),
        back_url=own.status_address(token),
        seamless=own.takes_new_limits(here, own.nas_of(here, visit)),
        code=code,
        alert=alert,
    )
    return render_template("guest/extend.html", page=page)
