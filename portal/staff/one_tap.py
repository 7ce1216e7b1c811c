"""One tap, one voucher: the buttons of a site's desk, and the page that shows the voucher and is ready for the next."""

from dataclasses import dataclass
from datetime import datetime, timedelta

from flask import abort, flash, redirect, render_template, request, url_for
from flask_babel import gettext as _
from sqlalchemy.orm import Session
from werkzeug import Response

from hotspot.clock import at_wall_clock
from hotspot.database import new_public_id
from hotspot.directory import SiteRecord
from hotspot.errors import Refusal
from hotspot.place import Site
from portal import articles, formats, gate, qr
from portal.context import current
from portal.staff import wording
from portal.staff.desk import ssid_of
from portal.staff.slips import print_at_once
from portal.staff.user import signed_in
from sessions.status import voucher_status
from vouchers.issuing import Order, open_batch
from vouchers.ledger import sell
from vouchers.once import once
from vouchers.passes import passes_at
from vouchers.presets import presets_at
from vouchers.printing.files import SHOWN, record_print
from vouchers.stock import vouchers_of
from vouchers.voucher import USABLE_LATER, Batch, Voucher, clear_code

_TAP_LASTS = timedelta(minutes=1)


@dataclass(frozen=True)
class Button:
    """A button of the desk: a preset, or where a site has none, a pass.

    `once` makes a second tap show the voucher of the first.
    """

    choice: str
    name: str
    price: str
    asks_until: bool
    once: str


@dataclass(frozen=True)
class _Choice:
    name: str
    order: Order
    asks_until: bool


@dataclass(frozen=True, repr=False)
class Slip:
    """A voucher as it is handed over; without a code once somebody has used it."""

    batch_id: str
    voucher_id: str
    serial: str
    name: str
    price: str
    features: str
    good_until: str
    ssid: str
    code: str
    picture: qr.QrPicture | None
    inactive: bool


def buttons_at(session: Session, site: Site) -> list[Button]:
    """What can be issued at the site with one tap."""
    return [
        Button(
            public_id,
            one.name,
            formats.price(one.order.article.price_cents, one.order.article.currency)
            if one.order.article.price_cents
            else "",
            one.asks_until,
            new_public_id(),
        )
        for public_id, one in _choices(session, site).items()
    ]


def issue_one(site_id: str) -> Response:
    """Issue the voucher of a button, once however often it is sent, then show it."""
    portal, user = current(), signed_in()
    now, key = portal.clock(), user.once_key(request.form.get("once", ""))
    try:
        with portal.database.write() as session:
            site = gate.find(session, user, Site, site_id)
            choice = _choices(session, site).get(request.form.get("choice", ""))
            if choice is None:
                abort(404)
            order = _order(choice, portal.directory(session).sites[site.id], request.form.get("until", ""))

            def make() -> Batch:
                batch = open_batch(session, user.actor, portal.keyring, site, order, now)
                # It is handed over at once, and paid for.
                sell(session, user.actor, site, Voucher.batch_id == batch.id, now)
                print_at_once(session, site, vouchers_of(session, batch, offset=0, limit=1)[0])
                return batch

            asked = (request.form["choice"], order.until)
            done = once(session, site, key, asked, make, now)
            batch_id = done.batch.public_id
    except Refusal as refusal:
        flash(wording.refusal_words(refusal), "bad")
        return redirect(url_for("staff.site", site_id=site_id), 303)
    if done.again:
        flash(_("The button was sent twice. This is the voucher of the first time; no second one was issued."), "warn")
    return redirect(url_for("staff.slip", batch_id=batch_id), 303)


def slip(batch_id: str) -> str:
    """The one voucher of a batch, large; the buttons for the next stand below."""
    portal, now = current(), current().clock()
    with portal.database.read() as session:
        batch = gate.find(session, signed_in(), Batch, batch_id)
        if batch.count != 1:
            abort(404)
        (voucher,) = vouchers_of(session, batch, offset=0, limit=1)
        directory, site = portal.directory(session), session.get_one(Site, batch.site_id)
        usable = voucher_status(session, directory, voucher, now).state in USABLE_LATER
        shown = _slip(batch, voucher, site, directory.sites[site.id], usable, now)
        buttons = buttons_at(session, site)
    if shown.code and not _follows_own_tap(batch, now):
        with portal.database.write() as session:
            record_print(session, signed_in().actor, site, batch, 1, now, SHOWN)
    return render_template("staff/slip.html", slip=shown, site=site.name, site_id=site.public_id, buttons=buttons)


def _follows_own_tap(batch: Batch, now: datetime) -> bool:
    """Whether the look belongs to issuing, which the record has already; each later one, or by another, is one of its own."""
    return batch.issued_by == signed_in().id and now - batch.issued_at <= _TAP_LASTS


def _slip(batch: Batch, voucher: Voucher, site: Site, record: SiteRecord, usable: bool, now: datetime) -> Slip:
    portal = current()
    code = clear_code(portal.keyring, voucher) if usable else None
    return Slip(
        batch_id=batch.public_id,
        voucher_id=voucher.public_id,
        serial=voucher.serial or "",
        name=voucher.name,
        price=formats.price(voucher.price_cents, voucher.currency) if voucher.price_cents else "",
        features=" · ".join(articles.features(voucher.terms, record, now)),
        good_until=wording.first_use_by(voucher, record.zone),
        ssid=ssid_of(site),
        code=code.printed if code else "",
        picture=qr.draw(f"{portal.settings.public_portal_url}/v/{code.value}") if code else None,
        inactive=voucher.inactive,
    )


def _choices(session: Session, site: Site) -> dict[str, _Choice]:
    """The site's presets; without any, its passes."""
    presets = presets_at(session, site.id)
    if presets:
        return {
            preset.public_id: _Choice(preset.name, Order(article, note=preset.note), preset.asks_until)
            for preset, article in presets
        }
    passes = passes_at(session, site.id, site.customer_id)
    return {one.public_id: _Choice(one.name, Order(one), asks_until=False) for one in passes if not one.free}


def _order(choice: _Choice, record: SiteRecord, typed: str) -> Order:
    """What is to be issued. Refusal for an end that cannot be read."""
    if not choice.asks_until:
        return choice.order
    try:
        until = at_wall_clock(datetime.fromisoformat(typed[:32]), record.zone)
    except ValueError as error:
        raise Refusal("no-until", "Say until when the guest stays.") from error
    return Order(choice.order.article, note=choice.order.note, until=until)
