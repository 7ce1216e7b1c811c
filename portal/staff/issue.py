"""A site's page, and issuing vouchers there."""

from dataclasses import dataclass
from typing import Any

from flask import abort, flash, redirect, render_template, url_for
from flask_babel import lazy_gettext as _l
from flask_babel import ngettext
from flask_wtf import FlaskForm
from sqlalchemy.orm import Session
from werkzeug import Response
from wtforms import IntegerField, SelectField, StringField
from wtforms.validators import InputRequired, Length, NumberRange

from hotspot.audit import Actor
from hotspot.directory import SiteRecord
from hotspot.errors import Refusal
from hotspot.place import Site
from portal import formats, gate
from portal.context import current
from portal.languages import link_languages_to
from portal.staff import wording
from portal.staff.desk import SiteCard, card
from portal.staff.user import signed_in
from sessions.occupancy import guests_now
from vouchers.finding import count_vouchers
from vouchers.issuing import Order, issue
from vouchers.passes import Pass, passes_at
from vouchers.stock import BatchStock, latest_batches
from vouchers.voucher import Batch

MOST_AT_ONCE = 500


class IssueForm(FlaskForm):
    """How many vouchers of which pass."""

    article = SelectField(_l("Pass"))
    count = IntegerField(
        _l("How many"),
        [
            InputRequired(wording.REFUSALS["bad-count"]),
            NumberRange(1, MOST_AT_ONCE, wording.REFUSALS["bad-count"]),
        ],
        render_kw={"min": 1, "max": MOST_AT_ONCE, "inputmode": "numeric"},
    )
    note = StringField(_l("Note"), [Length(max=200)], render_kw={"maxlength": 200, "autocomplete": "off"})


@dataclass(frozen=True)
class BatchLine:
    """A batch in a list."""

    public_id: str
    issued: str
    name: str
    note: str
    count: int
    unused: int


@dataclass(frozen=True)
class SitePage:
    """What a site's page is made from."""

    card: SiteCard
    record: SiteRecord
    passes: list[Pass]
    batches: list[BatchStock]


def site(site_id: str) -> str:
    """The page of a site."""
    with current().database.read() as session:
        page = _load(session, gate.find(session, signed_in(), Site, site_id))
    return _render(page, _form(page, count=10))


def issue_vouchers(site_id: str) -> Response | tuple[str, int]:
    """Issue vouchers, then show their batch."""
    portal, user = current(), signed_in()
    with portal.database.read() as session:
        page = _load(session, gate.find(session, user, Site, site_id))
    form = _form(page)
    if not form.validate():
        return _render(page, form), 400
    try:
        batch_id = _issue(site_id, form)
    except Refusal as refusal:
        form.article.errors = [wording.REFUSALS.get(refusal.code, refusal.sentence)]
        return _render(page, form), 400
    count = form.count.data
    flash(ngettext("%(num)s voucher issued.", "%(num)s vouchers issued.", count), "good")
    return redirect(url_for("staff.batch", batch_id=batch_id), 303)


def _issue(site_id: str, form: IssueForm) -> str:
    """Issue what the form says; the public id of the batch."""
    portal, user = current(), signed_in()
    with portal.database.write() as session:
        place = gate.find(session, user, Site, site_id)
        offered = {one.public_id: one for one in passes_at(session, place.id, place.customer_id)}
        article = offered.get(form.article.data)
        if article is None:
            abort(404)
        actor, note = Actor(user.id), form.note.data or ""
        issued = issue(session, actor, portal.keyring, place, Order(article, form.count.data, note), portal.clock())
        return session.get_one(Batch, issued[0].voucher.batch_id).public_id


def _load(session: Session, place: Site) -> SitePage:
    portal = current()
    now = portal.clock()
    occupancy, stock = guests_now(session, [place.id]), count_vouchers(session, [place.id], now)
    return SitePage(
        card=card(place, occupancy, stock.get(place.id, 0), now),
        record=portal.directory(session).sites[place.id],
        passes=[one for one in passes_at(session, place.id, place.customer_id) if not one.free],
        batches=latest_batches(session, place.id, now),
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
    zone = page.record.zone
    lines = [
        BatchLine(
            public_id=one.batch.public_id,
            issued=wording.day_and_hour(one.batch.issued_at, zone),
            name=one.pass_name,
            note=one.batch.note,
            count=one.batch.count,
            unused=one.unused,
        )
        for one in page.batches
    ]
    return render_template("staff/site.html", card=page.card, form=form, batches=lines)
