"""What staff do to vouchers that are there: one, those that are ticked, or a whole batch; and undoing it for a minute."""

from collections.abc import Callable, Collection
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import partial
from hashlib import sha256

from flask import abort, flash, redirect, request, url_for
from flask_babel import gettext as _
from flask_babel import ngettext
from sqlalchemy.orm import Session
from werkzeug import Response

from hotspot.audit import Actor
from hotspot.clock import at_wall_clock
from hotspot.directory import SiteRecord
from hotspot.errors import Refusal, WrongUse
from hotspot.place import Site
from portal import gate
from portal.context import current
from portal.staff import wording
from portal.staff.user import signed_in
from sessions.desk import (
    by_ids,
    credit_outage,
    extend_vouchers,
    free_devices,
    note_vouchers,
    of_batch,
    revoke_vouchers,
    set_good_until,
    undo,
)
from vouchers.changing import Chosen, Done
from vouchers.deeds import Deed
from vouchers.ledger import sell
from vouchers.once import change_once
from vouchers.voucher import Batch, Voucher

_UNITS = {"minutes": timedelta(minutes=1), "hours": timedelta(hours=1), "days": timedelta(days=1)}
# As many as a page shows and a form can name.
MOST_TICKED = 500


@dataclass(frozen=True)
class _Wish:
    """An act on vouchers of a site."""

    session: Session
    actor: Actor
    site: Site
    record: SiteRecord
    chosen: Chosen
    ids: Collection[int]
    now: datetime


def change_vouchers(site_id: str) -> Response:
    """Do to the chosen vouchers what the form says, then show them again, with a way back for a minute."""
    portal, user = current(), signed_in()
    act = _ACTS.get(request.form.get("act", "")) or abort(404)
    deed = None
    try:
        with portal.database.write() as session:
            site = gate.find(session, user, Site, site_id)
            chosen, ids = _chosen(session, site)
            record = portal.directory(session).sites[site.id]
            wish = _Wish(session, user.actor, site, record, chosen, ids, portal.clock())
            done = _once(session, site, partial(act, wish), wish.now)
            deed = done.deed.public_id if done.deed else None
    except Refusal as refusal:
        flash(wording.refusal_words(refusal), "bad")
    else:
        _say(done)
    return redirect(_back(site_id, deed), 303)


def credit(site_id: str) -> Response:
    """Credit an outage to all passes that run at the site."""
    portal, user = current(), signed_in()
    deed = None
    try:
        with portal.database.write() as session:
            site, now = gate.find(session, user, Site, site_id), portal.clock()
            since = now - timedelta(hours=_whole("ended", 0, 720)) if request.form.get("ended") else None
            by = timedelta(hours=_whole("hours", 1, 720))
            done = _once(session, site, partial(credit_outage, session, user.actor, site, by, now, since), now)
            deed = done.deed.public_id if done.deed else None
    except Refusal as refusal:
        flash(wording.refusal_words(refusal), "bad")
    else:
        _say(done)
    return redirect(url_for("staff.site", site_id=site_id, done=deed), 303)


def _once(session: Session, site: Site, act: Callable[[], Done], now: datetime) -> Done:
    """Do it unless the very same form was sent before: each that is shown has a key of its own."""
    asked = sorted((name, value) for name, value in request.form.items(multi=True) if name != "csrf_token")
    # A form that is gone back to, and filled in otherwise, is another one.
    key = sha256(repr(asked).encode()).hexdigest() if request.form.get("once") else ""
    return change_once(session, site, signed_in().once_key(key), asked, act, now)


def undo_deed(deed_id: str) -> Response:
    """Undo a deed of the last minute."""
    portal, user = current(), signed_in()
    try:
        with portal.database.write() as session:
            deed = gate.find(session, user, Deed, deed_id)
            site = session.get_one(Site, deed.site_id)
            site_id = site.public_id
            done = undo(session, user.actor, site, deed, portal.clock())
    except Refusal as refusal:
        flash(wording.refusal_words(refusal), "bad")
    else:
        flash(ngettext("Undone for %(num)s voucher.", "Undone for %(num)s vouchers.", len(done.ids)), "good")
        if done.left:
            words = ngettext(
                "%(num)s voucher was used or changed meanwhile and stays as it is.",
                "%(num)s vouchers were used or changed meanwhile and stay as they are.",
                done.left,
            )
            flash(words, "warn")
    return redirect(_back(site_id, None), 303)


def _revoke(wish: _Wish) -> Done:
    money_back = request.form.get("money_back") == "1"
    return revoke_vouchers(wish.session, wish.actor, wish.site, wish.chosen, wish.now, money_back=money_back)


def _sell(wish: _Wish) -> Done:
    return Done(range(sell(wish.session, wish.actor, wish.site, wish.chosen.condition, wish.now)))


def _extend(wish: _Wish) -> Done:
    by = _whole("amount", 1, 10_000) * (_UNITS.get(request.form.get("unit", "")) or abort(404))
    if request.form.get("less"):
        by = -by
    return extend_vouchers(wish.session, wish.actor, wish.site, wish.chosen, by, wish.now)


def _note(wish: _Wish) -> Done:
    return note_vouchers(wish.session, wish.actor, wish.site, wish.chosen, request.form.get("note", ""), wish.now)


def _good_until(wish: _Wish) -> Done:
    try:
        typed = datetime.fromisoformat(request.form.get("good_until", "")[:32])
    except ValueError as error:
        raise WrongUse("bad-dates", "This is no date and time.") from error
    moment = at_wall_clock(typed, wish.record.zone)
    return set_good_until(wish.session, wish.actor, wish.site, wish.chosen, moment, wish.now)


def _free(wish: _Wish) -> Done:
    freed = free_devices(wish.session, wish.actor, wish.site, wish.record, wish.ids, wish.now)
    return Done(range(freed))


_ACTS: dict[str, Callable[[_Wish], Done]] = {
    "revoke": _revoke,
    "sell": _sell,
    "extend": _extend,
    "note": _note,
    "good-until": _good_until,
    "free": _free,
}


def _chosen(session: Session, site: Site) -> tuple[Chosen, Collection[int]]:
    """A whole batch, or the vouchers that are ticked; 404 where one of them is not the user's at this site."""
    if batch_id := request.form.get("batch"):
        batch = gate.find(session, signed_in(), Batch, batch_id)
        if batch.site_id != site.id or batch.is_unfinished or request.form.get("act") == "free":
            abort(404)
        return of_batch(batch), ()
    ticked = list(dict.fromkeys(request.form.getlist("voucher")))[:MOST_TICKED]
    if not ticked:
        raise Refusal("none-chosen", "Nothing was chosen.")
    ids = [one.id for one in gate.find_all(session, signed_in(), Voucher, ticked) if one.site_id == site.id]
    if len(ids) < len(ticked):
        abort(404)
    return by_ids(ids), ids


def _whole(name: str, least: int, most: int) -> int:
    number = request.form.get(name, type=int)
    if number is None or not least <= number <= most:
        raise WrongUse("bad-length", "That is no number that fits.")
    return number


def _say(done: Done) -> None:
    if done.again:
        flash(_("The form was sent twice; it was done once."), "warn")
    if done.ids:
        flash(ngettext("Done for %(num)s voucher.", "Done for %(num)s vouchers.", len(done.ids)), "good")
    else:
        flash(_("There was nothing to change."), "warn")
    if done.ids and done.left:
        flash(ngettext("%(num)s was left as it is.", "%(num)s were left as they are.", done.left), "warn")


def _back(site_id: str, deed: str | None) -> str:
    """The page that the form stood on: a voucher's, a batch's, or else the site's list."""
    if voucher_id := request.form.get("back_to_voucher"):
        return url_for("staff.voucher", voucher_id=voucher_id, done=deed)
    if batch_id := request.form.get("back_to_batch"):
        return url_for("staff.batch", batch_id=batch_id, done=deed)
    return url_for("staff.vouchers", site_id=site_id, done=deed)
