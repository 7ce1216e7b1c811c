"""A site's page, and issuing vouchers there."""

from dataclasses import dataclass
from typing import Any
from zoneinfo import ZoneInfo

from flask import abort, flash, redirect, render_template, url_for
from flask_babel import gettext as _
from flask_babel import lazy_gettext as _l
from flask_babel import ngettext
from flask_wtf import FlaskForm
from sqlalchemy.orm import Session
from werkzeug import Response
from wtforms import BooleanField, DateTimeLocalField, HiddenField, IntegerField, SelectField, StringField
from wtforms.validators import InputRequired, Length, NumberRange, Optional

from hotspot.clock import at_wall_clock
from hotspot.database import new_public_id
from hotspot.directory import SiteRecord
from hotspot.errors import Refusal
from hotspot.place import Site
from portal import formats, gate
from portal.context import current
from portal.languages import link_languages_to
from portal.staff import wording
from portal.staff.batch_list import batch_lines
from portal.staff.desk import SiteCard, card
from portal.staff.growing import CHUNKS_A_REQUEST, issue_chunks
from portal.staff.one_tap import Button, buttons_at
from portal.staff.undoing import Undoable, undoable
from portal.staff.user import signed_in
from sessions.occupancy import guests_now
from vouchers.finding import count_vouchers
from vouchers.issuing import CHUNK, LARGEST_BATCH, Order, open_batch
from vouchers.once import Once, once
from vouchers.passes import Pass, passes_at
from vouchers.stock import BatchStock, latest_batches
from vouchers.voucher import Batch

_LOCAL = "%Y-%m-%dT%H:%M"


class IssueForm(FlaskForm):
    """How many vouchers of which pass, and from and until when they are good, by the site's clock."""

    once = HiddenField()

    article = SelectField(_l("Pass"))
    count = IntegerField(
        _l("How many"),
        [
            InputRequired(wording.REFUSALS["bad-count"]),
            NumberRange(1, LARGEST_BATCH, wording.REFUSALS["bad-count"]),
        ],
        render_kw={"min": 1, "max": LARGEST_BATCH, "inputmode": "numeric"},
    )
    note = StringField(_l("Note"), [Length(max=200)], render_kw={"maxlength": 200, "autocomplete": "off"})
    good_from = DateTimeLocalField(_l("Valid from"), [Optional()], format=_LOCAL)
    good_until = DateTimeLocalField(_l("First use by"), [Optional()], format=_LOCAL)
    inactive = BooleanField(_l("Printed stock: switch it on later"))


@dataclass(frozen=True)
class SitePage:
    """What a site's page is made from."""

    card: SiteCard
    record: SiteRecord
    passes: list[Pass]
    batches: list[BatchStock]
    buttons: list[Button]
    undoable: Undoable | None


def site(site_id: str) -> str:
    """The page of a site."""
    with current().database.read() as session:
        page = _load(session, gate.find(session, signed_in(), Site, site_id))
    return _render(page, _form(page, count=10, once=new_public_id()))


def issue_vouchers(site_id: str) -> Response | tuple[str, int]:
    """Issue vouchers, then show their batch."""
    portal, user = current(), signed_in()
    with portal.database.read() as session:
        page = _load(session, gate.find(session, user, Site, site_id))
    form = _form(page)
    if not form.validate():
        return _render(page, form), 400
    try:
        done = _begin(site_id, form)
    except Refusal as refusal:
        form.article.errors = [wording.REFUSALS.get(refusal.code, refusal.sentence)]
        return _render(page, form), 400
    batch_id = done.batch.public_id
    if done.again:
        flash(_("The form was sent twice. These are the vouchers of the first time; no others were issued."), "warn")
    else:
        issue_chunks(portal, user, batch_id, CHUNKS_A_REQUEST - 1)
        if form.count.data <= CHUNK * CHUNKS_A_REQUEST:
            flash(ngettext("%(num)s voucher issued.", "%(num)s vouchers issued.", form.count.data), "good")
    return redirect(url_for("staff.batch", batch_id=batch_id), 303)


def _begin(site_id: str, form: IssueForm) -> Once:
    """Begin the batch that the form asks for, or find the one that it has made before."""
    portal, user = current(), signed_in()
    now = portal.clock()
    with portal.database.write() as session:
        place = gate.find(session, user, Site, site_id)
        offered = {one.public_id: one for one in passes_at(session, place.id, place.customer_id)}
        article = offered.get(form.article.data)
        if article is None:
            abort(404)
        order = _order(form, article, portal.directory(session).sites[place.id].zone)

        def make() -> Batch:
            return open_batch(session, user.actor, portal.keyring, place, order, now)

        asked = (article.public_id, order.count, order.note, order.good_from, order.good_until, order.inactive)
        return once(session, place, user.once_key(form.once.data or ""), asked, make, now)


def _order(form: IssueForm, article: Pass, zone: ZoneInfo) -> Order:
    typed = (form.good_from.data, form.good_until.data)
    good_from, good_until = (at_wall_clock(one, zone) if one else None for one in typed)
    return Order(
        article, form.count.data, form.note.data or "", good_from, good_until, inactive=bool(form.inactive.data)
    )


def _load(session: Session, place: Site) -> SitePage:
    portal = current()
    now = portal.clock()
    occupancy, stock = guests_now(session, [place.id]), count_vouchers(session, [place.id], now)
    return SitePage(
        card=card(place, occupancy, stock.get(place.id, 0), now),
        record=portal.directory(session).sites[place.id],
        passes=[one for one in passes_at(session, place.id, place.customer_id) if not one.free],
        batches=latest_batches(session, place.id, now),
        buttons=buttons_at(session, place),
        undoable=undoable(session),
    )


def _form(page: SitePage, **values: Any) -> IssueForm:
    form = IssueForm(**values)
    form.article.choices = [(one.public_id, _offer(one)) for one in page.passes]
    return form


def _offer(article: Pass) -> str:
    """A pass as short as a select on a phone needs it: "Day pass, 4,90 €"."""
    price = formats.price(article.price_cents, article.currency) if article.price_cents else ""
    return f"{article.name}, {price}" if price else article.name


def _render(page: SitePage, form: IssueForm) -> str:
    link_languages_to("staff.site", site_id=page.card.public_id)
    lines = batch_lines(page.batches, page.record.zone)
    return render_template(
        "staff/site.html", card=page.card, form=form, batches=lines, buttons=page.buttons, undoable=page.undoable
    )
