"""When other systems are told that a pass runs low at a site."""

from dataclasses import dataclass

from flask import flash, redirect, render_template, request, url_for
from flask_babel import gettext as _
from sqlalchemy.orm import Session
from werkzeug import Response

from hotspot.errors import WrongUse
from hotspot.place import Site
from portal import gate
from portal.context import current
from portal.staff import wording
from portal.staff.user import signed_in
from vouchers.passes import Pass, passes_at
from vouchers.stock_alarms import HIGHEST, set_threshold, thresholds_at, unused_at


@dataclass(frozen=True)
class ThresholdLine:
    """A pass, how many of its vouchers are unused, and below how many that is told; 0: never."""

    pass_id: str
    name: str
    unused: int
    below: int


def thresholds(site_id: str) -> str:
    """The page."""
    portal = current()
    with portal.database.read() as session:
        site = gate.find(session, signed_in(), Site, site_id)
        unused = unused_at(session, site, portal.clock())
        known = thresholds_at(session, site)
        lines = [
            ThresholdLine(one.public_id, one.name, unused.get(one.id, 0), known.get(one.id, 0))
            for one in _passes(session, site)
        ]
    return render_template("staff/thresholds.html", site=site.name, site_id=site_id, lines=lines, highest=HIGHEST)


def set_thresholds(site_id: str) -> Response:
    """Set those that the form changes: one that stays as it is has told already, or has not."""
    portal, user = current(), signed_in()
    try:
        with portal.database.write() as session:
            site = gate.find(session, user, Site, site_id)
            known = thresholds_at(session, site)
            for one in _passes(session, site):
                below = _number(one)
                if below not in (None, known.get(one.id, 0)):
                    set_threshold(session, user.actor, site, one, below, portal.clock())
    except WrongUse as error:
        flash(wording.refusal_words(error), "bad")
    else:
        flash(_("Saved."), "good")
    return redirect(url_for("staff.thresholds", site_id=site_id), 303)


def _passes(session: Session, site: Site) -> list[Pass]:
    return [one for one in passes_at(session, site.id, site.customer_id) if not one.free]


def _number(article: Pass) -> int | None:
    """What the form says of a pass, None where it says nothing: the pass was added meanwhile."""
    typed = request.form.get(f"below-{article.public_id}")
    if typed is None:
        return None
    cell = typed.strip() or "0"
    return int(cell) if cell.isascii() and cell.isdecimal() and len(cell) < 10 else -1
