"""Slips for receipt printers: by the browser's own print, as ESC/POS to download, or by a printer that fetches its jobs."""

from collections.abc import Sequence
from dataclasses import dataclass

from flask import abort, flash, redirect, render_template, request, url_for
from flask_babel import gettext as _
from flask_babel import ngettext
from sqlalchemy import select
from sqlalchemy.orm import Session
from werkzeug import Response

from hotspot import audit
from hotspot.place import Site
from portal import gate, qr
from portal.context import current
from portal.staff import faces
from portal.staff.user import signed_in
from vouchers.printing import cards, escpos, printers
from vouchers.printing.card import Card, Face
from vouchers.printing.printers import MOST_SLIPS, WIDTHS, Printer
from vouchers.printing.slip import NO_RECEIPT, slip
from vouchers.voucher import Batch, Voucher


@dataclass(frozen=True)
class SlipView:
    """A slip on the page."""

    serial: str
    code: str
    picture: qr.QrPicture


@dataclass(frozen=True)
class _Slips:
    """What is to be printed."""

    site: Site
    ids: Sequence[int]
    cards: Sequence[Card]
    face: Face


@dataclass(frozen=True)
class SlipPage:
    """A voucher that can be printed on a slip, and the printers of its site."""

    voucher_id: str
    serial: str
    printers: list[Printer]


def slip_page(voucher_id: str) -> str:
    """The page to choose on what to print one voucher."""
    with current().database.read() as session:
        found = gate.find(session, signed_in(), Voucher, voucher_id)
        here = printers.printers_at(session, found.site_id)
    return render_template("staff/slip_page.html", page=SlipPage(voucher_id, found.serial or "", here))


def print_slips(batch_id: str) -> Response | str:
    """Slips of a batch's vouchers, from the first that is unused."""
    portal, user = current(), signed_in()
    with portal.database.write() as session:
        batch = gate.find(session, user, Batch, batch_id)
        unused = select(Voucher).where(Voucher.batch_id == batch.id, cards.is_printable(portal.clock()))
        found = list(session.scalars(unused.order_by(Voucher.id).limit(MOST_SLIPS)))
        return _print(session, found, url_for("staff.printing", batch_id=batch_id))


def print_slip(voucher_id: str) -> Response | str:
    """The slip of one voucher."""
    with current().database.write() as session:
        found = gate.find(session, signed_in(), Voucher, voucher_id)
        return _print(session, [found], url_for("staff.voucher", voucher_id=voucher_id))


def print_at_once(session: Session, site: Site, voucher: Voucher) -> None:
    """Have the slip of a voucher that one tap has just issued printed where the site wants that."""
    here = [one for one in printers.printers_at(session, site.id) if one.prints_taps]
    if here:
        slips = _slips(session, [voucher])
        _record(session, slips, [voucher])
        for printer in here:
            printers.send(session, signed_in().actor, printer, slips.ids, slips.face, current().clock())


def _print(session: Session, vouchers: Sequence[Voucher], back: str) -> Response | str:
    """As the form says: `width` of the paper, and `how`: "browser", "escpos" or a printer's public id."""
    how, width = request.form.get("how", ""), request.form.get("width", WIDTHS[-1], type=int)
    if width not in WIDTHS:
        abort(400)
    slips = _slips(session, vouchers) if vouchers else None
    if slips is None or not slips.cards:
        flash(_("None of these can be printed any more: a code is kept only until its first use."), "bad")
        return redirect(back, 303)
    printer = None if how in ("browser", "escpos") else gate.find(session, signed_in(), Printer, how)
    if printer and (printer.site_id != slips.site.id or printer.retired_at):
        abort(404)
    _record(session, slips, vouchers)
    if printer:
        return _send(session, printer, slips, back)
    if how == "escpos":
        return _download(slips, width)
    views = [SlipView(card.serial, card.code, qr.draw(card.address)) for card in slips.cards]
    return render_template(
        "staff/slips.html", slips=views, face=slips.face, width=width, back=back, no_receipt=NO_RECEIPT
    )


def _slips(session: Session, vouchers: Sequence[Voucher]) -> _Slips:
    portal = current()
    site = session.get_one(Site, vouchers[0].site_id)
    ids = [one.id for one in vouchers]
    found = cards.cards_of(session, portal.keyring, portal.settings.public_portal_url, ids, portal.clock())
    return _Slips(site, ids, found, faces.face_of(session, portal, site, vouchers[0]))


def _record(session: Session, slips: _Slips, vouchers: Sequence[Voucher]) -> None:
    """Each slip stands in the audit record by its voucher's name."""
    actor, now = signed_in().actor, current().clock()
    for one in vouchers:
        subject = f"voucher {one.public_id}"
        audit.record(session, actor, "voucher printed", subject, now, customer_id=slips.site.customer_id)


def _send(session: Session, printer: Printer, slips: _Slips, back: str) -> Response:
    """A job for each, so that the paper is cut between them."""
    for voucher_id in slips.ids:
        printers.send(session, signed_in().actor, printer, [voucher_id], slips.face, current().clock())
    count = len(slips.ids)
    flash(
        ngettext("%(num)s slip waits for %(name)s.", "%(num)s slips wait for %(name)s.", count, name=printer.name),
        "good",
    )
    return redirect(back, 303)


def _download(slips: _Slips, width: int) -> Response:
    body = escpos.encode([slip(slips.face, card, width) for card in slips.cards], width)
    headers = {"Content-Disposition": 'attachment; filename="slips.escpos"'}
    return Response(body, mimetype="application/octet-stream", headers=headers)
