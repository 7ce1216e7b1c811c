"""Batches as a whole: issuing the rest of a large one, cancelling it, switching stock on and off."""

from collections.abc import Callable

from flask import abort, flash, redirect, render_template, request, url_for
from flask_babel import gettext as _
from flask_babel import lazy_gettext as _l
from sqlalchemy.orm import Session
from werkzeug import Response

from hotspot.errors import Refusal
from hotspot.place import Site
from portal import gate
from portal.context import Portal, current
from portal.headers import allow_own_scripts
from portal.staff import wording
from portal.staff.user import StaffUser, signed_in
from sessions.desk import cancel_batch, switch_off
from vouchers.changing import Done
from vouchers.issuing import issue_more
from vouchers.passes import Pass
from vouchers.switching import switch_on
from vouchers.voucher import Batch

# Transactions a request: what they take together nobody notices, and between two requests it can be cancelled.
CHUNKS_A_REQUEST = 4


_SWITCHES: dict[str, tuple[Callable[..., Done], str]] = {
    "on": (switch_on, _l("Switched on: these vouchers can be used now.")),
    "off": (switch_off, _l("Switched off: nobody gets in with these vouchers, and who is online with one is cut off.")),
}


def issue_chunks(portal: Portal, user: StaffUser, batch_id: str, most: int = CHUNKS_A_REQUEST) -> None:
    """Issue the next chunks of a batch, each in a transaction of its own: logins come in between."""
    for _chunk in range(most):
        with portal.database.write() as session:
            if not issue_more(session, portal.keyring, gate.find(session, user, Batch, batch_id)):
                return


def growing_page(batch: Batch, site: Site, article: Pass) -> str:
    """A batch that is being issued: how far it is, and the way on or out."""
    allow_own_scripts()
    return render_template(
        "staff/growing.html",
        batch_id=batch.public_id,
        issued=batch.issued,
        count=batch.count,
        name=article.name,
        site=site.name,
        site_id=site.public_id,
    )


def go_on(batch_id: str) -> Response:
    """Issue more of a batch."""
    issue_chunks(current(), signed_in(), batch_id)
    return redirect(url_for("staff.batch", batch_id=batch_id), 303)


def cancel(batch_id: str) -> Response:
    """Issue no more of a batch, and revoke what there is of it."""
    if _do(batch_id, cancel_batch):
        flash(_("Cancelled: no more are issued, and those that were are revoked."), "good")
    return redirect(url_for("staff.batch", batch_id=batch_id), 303)


def switch(batch_id: str) -> Response:
    """Switch a batch on or off."""
    act, words = _SWITCHES.get(request.form.get("to", "")) or abort(404)
    done = _do(batch_id, act)
    if done:
        flash(str(words), "good")
    deed = done.deed.public_id if done and done.deed else None
    return redirect(url_for("staff.batch", batch_id=batch_id, done=deed), 303)


def _do(batch_id: str, act: Callable[..., Done]) -> Done | None:
    """Do something to a batch; None where it was refused, which is said on the next page."""
    portal, user = current(), signed_in()
    try:
        with portal.database.write() as session:
            batch, site = _find(session, user, batch_id)
            return act(session, user.actor, site, batch, portal.clock())
    except Refusal as refusal:
        flash(wording.refusal_words(refusal), "bad")
        return None


def _find(session: Session, user: StaffUser, batch_id: str) -> tuple[Batch, Site]:
    batch = gate.find(session, user, Batch, batch_id)
    return batch, session.get_one(Site, batch.site_id)
