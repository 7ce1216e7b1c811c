"""What a site's page offers, as the operator has arranged it."""

from dataclasses import dataclass

from flask import render_template
from flask_babel import gettext as _

from hotspot.place import Site
from portal import articles, formats, gate
from portal.context import current
from portal.languages import language
from portal.staff.user import signed_in
from vouchers.offer import Offer, Texts, offer_at
from vouchers.passes import Pass, passes_at


@dataclass(frozen=True)
class OfferLine:
    """An article on the page, or one that is kept off it; `slug` is empty for the field for a code."""

    name: str
    slug: str
    about: str
    price: str
    preselected: bool
    where_to_buy: str


@dataclass(frozen=True)
class OfferPage:
    """A site's articles in order: to choose from, to buy, and hidden."""

    site_id: str
    site: str
    slug: str
    choices: list[OfferLine]
    sold: list[OfferLine]
    hidden: list[OfferLine]


def offer(site_id: str) -> str:
    """The page; prices and wording are the operator's."""
    portal, user = current(), signed_in()
    with portal.database.read() as session:
        site = gate.find(session, user, Site, site_id)
        record, now = portal.directory(session).sites[site.id], portal.clock()
        offered = offer_at(session, site.id, site.customer_id)
        hidden = [one for one in passes_at(session, site.id, site.customer_id) if not one.shown]

        def line(article: Pass | None) -> OfferLine:
            if article is None:
                return _code_line(offered)
            texts = offered.texts.get(article.id, Texts())
            about = " · ".join(articles.features(article.terms, record, now))
            return _pass_line(article, texts, about, preselected=article is offered.preselected())

        page = OfferPage(
            site_id=site.public_id,
            site=site.name,
            slug=site.slug,
            choices=[line(one) for one in offered.choices()],
            sold=[line(one) for one in offered.sold],
            hidden=[line(one) for one in hidden],
        )
    return render_template("staff/offer.html", page=page)


def _pass_line(article: Pass, texts: Texts, about: str, *, preselected: bool) -> OfferLine:
    return OfferLine(
        name=texts.get("name", language()) or article.name,
        slug=article.slug,
        about=about,
        price=formats.price(article.price_cents, article.currency) if article.price_cents else _("free"),
        preselected=preselected,
        where_to_buy=texts.get("where_to_buy", language()),
    )


def _code_line(offered: Offer) -> OfferLine:
    texts = offered.code.texts
    return OfferLine(
        name=texts.get("name", language()) or _("With a voucher"),
        slug="",
        about=_("Enter the code of your voucher"),
        price="",
        preselected=offered.preselected() is None,
        where_to_buy=texts.get("where_to_buy", language()),
    )
