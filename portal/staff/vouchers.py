"""A site's vouchers page by page, looking one up, and revoking one. Nothing here tells what a guest did with it."""

from dataclasses import dataclass
from datetime import datetime

from flask import flash, redirect, render_template, request, url_for
from flask_babel import gettext as _
from sqlalchemy.orm import Session
from werkzeug import Response

from hotspot.errors import NotFound, Refusal
from hotspot.place import Site
from portal import articles, formats, gate
from portal.context import Portal, current
from portal.languages import link_languages_to
from portal.staff import wording
from portal.staff.history import HistoryLine, history
from portal.staff.undoing import Undoable, undoable
from portal.staff.user import signed_in
from portal.staff.wording import StateWords
from sessions.desk import by_ids, revoke_vouchers
from sessions.replacing import replace_slip
from sessions.status import VoucherStatus, voucher_status, voucher_statuses
from vouchers.finding import Filter, is_serial, list_vouchers, read_scanned
from vouchers.once import once
from vouchers.stock import batches_by_id
from vouchers.voucher import USABLE_LATER, Batch, Voucher, VoucherState

PAGE = 50
_REVOCABLE = tuple(state for state in VoucherState if state not in (VoucherState.OVER, VoucherState.REVOKED))


@dataclass(frozen=True)
class VoucherLine:
    """A voucher in the list."""

    public_id: str
    serial: str
    name: str
    note: str
    batch_id: str | None
    good_until: str
    state: StateWords
    revocable: bool


@dataclass(frozen=True)
class Left:
    """What a voucher still gives: for whoever has handed its code over."""

    time: str
    volume: str


@dataclass(frozen=True)
class VoucherPage:
    """A voucher on its own page; `left` is None unless its code was typed or scanned."""

    line: VoucherLine
    site: str
    site_id: str
    features: str
    good_from: str
    issued: str
    note: str
    devices: int
    history: list[HistoryLine]
    left: Left | None
    undoable: Undoable | None
    printable: bool


def vouchers(site_id: str) -> str:
    """A page of a site's vouchers, the newest first; `before` names the last one of the page before."""
    portal, user = current(), signed_in()
    now, cursor = portal.clock(), request.args.get("before")
    asked = request.args.get("state", ""), request.args.get("note", "")[:200]
    with portal.database.read() as session:
        place = gate.find(session, user, Site, site_id)
        before = gate.find(session, user, Voucher, cursor).id if cursor else None
        wanted = Filter(VoucherState(asked[0]) if asked[0] in wording.STATE_CHOICES else None, note=asked[1])
        found = list_vouchers(session, [place.id], now, wanted=wanted, before=before, limit=PAGE + 1)
        lines = _lines(session, portal, found[:PAGE], now)
        way_back = undoable(session)
    further = lines[-1].public_id if len(found) > PAGE else None
    return render_template(
        "staff/vouchers.html",
        site=place.name,
        site_id=site_id,
        lines=lines,
        further=further,
        first=not cursor,
        asked=asked,
        states=wording.STATE_CHOICES,
        undoable=way_back,
    )


def search() -> Response | str | tuple[str, int]:
    """Look up a voucher by its code or serial number. A POST, so that the code stands in no address, history or log.

    Who has the code is shown what is left, at once: no address leads there.
    """
    portal, wanted = current(), request.form.get("wanted", "")
    try:
        with portal.database.read() as session:
            found = gate.find_voucher(session, signed_in(), portal.keyring, wanted)
    except NotFound as error:
        link_languages_to("staff.desk")
        words = wording.REFUSALS.get(error.code, error.sentence)
        return render_template("staff/search.html", wanted=wanted[:40], error=words), 404
    if is_serial(read_scanned(wanted)):
        return redirect(url_for("staff.voucher", voucher_id=found.public_id), 303)
    link_languages_to("staff.voucher", voucher_id=found.public_id)
    return render_template("staff/voucher.html", page=_page(found.public_id, by_code=True))


def voucher(voucher_id: str) -> str:
    """The page of a voucher."""
    return render_template("staff/voucher.html", page=_page(voucher_id))


def replace(voucher_id: str) -> Response:
    """Replace a lost slip by a new voucher with what remains, and show that."""
    portal, user = current(), signed_in()
    now, key = portal.clock(), f"replace {voucher_id}"
    try:
        with portal.database.write() as session:
            found = gate.find(session, user, Voucher, voucher_id)
            site = session.get_one(Site, found.site_id)
            record = portal.directory(session).sites[site.id]

            def make() -> Batch:
                return replace_slip(session, user.actor, portal.keyring, site, record, found, now)

            batch_id = once(session, site, key, voucher_id, make, now).batch.public_id
    except Refusal as refusal:
        flash(wording.refusal_words(refusal), "bad")
        return redirect(url_for("staff.voucher", voucher_id=voucher_id), 303)
    flash(
        _("This slip takes the place of the lost one, which is worthless now. Who was online with that is cut off."),
        "good",
    )
    return redirect(url_for("staff.slip", batch_id=batch_id), 303)


def confirm_revoke(voucher_id: str) -> str:
    """The question before revoking."""
    return render_template("staff/revoke.html", page=_page(voucher_id))


def revoke_voucher(voucher_id: str) -> Response:
    """Revoke a voucher and have its visits ended, in one transaction."""
    portal, user = current(), signed_in()
    now = portal.clock()
    with portal.database.write() as session:
        found = gate.find(session, user, Voucher, voucher_id)
        serial, place = found.serial, session.get_one(Site, found.site_id)
        money_back = request.form.get("money_back") == "1"
        done = revoke_vouchers(session, user.actor, place, by_ids([found.id]), now, money_back=money_back)
        deed = done.deed.public_id if done.deed else None
    flash(
        _(
            "Voucher %(serial)s is revoked: new sign-ins with it have stopped. Whoever is online with it is disconnected "
            "within seconds where the gateway allows it.",
            serial=serial,
        ),
        "good",
    )
    return redirect(url_for("staff.voucher", voucher_id=voucher_id, done=deed), 303)


def _page(voucher_id: str, *, by_code: bool = False) -> VoucherPage:
    portal = current()
    now = portal.clock()
    with portal.database.read() as session:
        found = gate.find(session, signed_in(), Voucher, voucher_id)
        record = portal.directory(session).sites[found.site_id]
        batch = session.get(Batch, found.batch_id) if found.batch_id else None
        status = voucher_status(session, portal.directory(session), found, now)
        done = history(session, found, batch, record.zone)
        way_back = undoable(session)
    return VoucherPage(
        line=_line(found, batch, status.state, wording.first_use_by(found, record.zone)),
        site=record.name,
        site_id=record.public_id,
        features=" · ".join(articles.features(found.terms, record, now)),
        good_from=wording.day_and_hour(found.good_from, record.zone) if found.good_from else "",
        issued=wording.day_and_hour(batch.issued_at, record.zone) if batch else "",
        note=found.note,
        devices=status.devices if by_code else 0,
        history=done,
        left=_left(status) if by_code else None,
        undoable=way_back,
        printable=found.code_ciphertext is not None and status.state in USABLE_LATER,
    )


def _left(status: VoucherStatus) -> Left:
    return Left(
        time=_("no limit") if status.seconds_left is None else formats.duration(status.seconds_left),
        volume="" if status.octets_left is None else formats.volume(status.octets_left),
    )


def _lines(session: Session, portal: Portal, found: list[Voucher], now: datetime) -> list[VoucherLine]:
    directory = portal.directory(session)
    statuses = voucher_statuses(session, directory, found, now)
    batches = batches_by_id(session, {one.batch_id for one in found if one.batch_id})
    return [
        _line(
            one,
            batches.get(one.batch_id or 0),
            statuses[one.id].state,
            wording.day(one.first_use_by, directory.sites[one.site_id].zone) if one.first_use_by else "–",
        )
        for one in found
    ]


def _line(one: Voucher, batch: Batch | None, state: VoucherState, good_until: str) -> VoucherLine:
    return VoucherLine(
        public_id=one.public_id,
        serial=one.serial or "",
        name=one.name,
        note=" · ".join(filter(None, (one.note, batch.note if batch else ""))),
        batch_id=batch.public_id if batch else None,
        good_until=good_until,
        state=wording.STATES[state],
        revocable=state in _REVOCABLE,
    )
