"""The page a guest signs in on: what is offered, the terms, the form, and what was the matter with the last try."""

from collections.abc import Sequence
from dataclasses import dataclass

from flask import render_template, request
from flask_babel import gettext as _
from sqlalchemy.orm import Session

from hotspot.legal import LegalKind
from portal import bounce, cookies, look
from portal.articles import Article, describe
from portal.here import Here
from portal.languages import language
from portal.legal import LegalPage, legal_page
from portal.remembered import remembered_here
from portal.wording import TERMS_CHANGED, Words
from sessions.offers import Remembered
from vouchers.codes import RANDOM_CHARACTERS
from vouchers.offer import Offer, Texts
from vouchers.passes import Pass

VOUCHER = "voucher"
# The voucher that the device used last, without its code.
SAME = "same"
_FREE = "pass:"
_LONGEST_CODE = 60


@dataclass(frozen=True, repr=False)
class Form:
    """What the guest has sent."""

    variant: str = ""
    code: str = ""
    terms: str = ""
    swaps: bool = False

    @classmethod
    def sent(cls) -> "Form":
        """The form of this request."""
        told = request.form
        code = told.get("code", "").strip()[:_LONGEST_CODE]
        return cls(told.get("variant", ""), code, told.get("terms", ""), told.get("swap") == "1")

    def free_pass(self, offer: Offer) -> Pass | None:
        """The free pass that was chosen, if it is offered."""
        return next((one for one in offer.free if _value(one) == self.variant), None)

    def uses_code(self, offer: Offer) -> bool:
        """Whether a code was chosen, where codes are taken."""
        return self.variant == VOUCHER and offer.takes_codes


@dataclass(frozen=True)
class Choice:
    """A way to go online, as a radio button offers it."""

    value: str
    name: str
    features: str
    description: str
    checked: bool
    price: str = ""

    @property
    def asks_for_code(self) -> bool:
        """Whether the field for a code belongs to it."""
        return self.value == VOUCHER


@dataclass(frozen=True)
class SitePage:
    """All that the page shows."""

    site_name: str
    ssid: str
    choices: tuple[Choice, ...]
    takes_codes: bool
    free: tuple[Article, ...]
    sold: tuple[Article, ...]
    where_to_buy: str
    terms: LegalPage | None
    prices: LegalPage | None
    agreement: str
    terms_accepted: bool
    code: str
    asks_for_end: bool
    can_swap: bool
    alerts: tuple[Words, ...]
    about_code: bool
    again_url: str | None


def show(
    session: Session,
    here: Here,
    template: str,
    form: Form | None = None,
    alerts: Sequence[Words] = (),
    swap: bool = False,
) -> str:
    """The page as HTML, with what the guest had filled in before."""
    look.dress(session, here.site)
    page = _build(session, here, form or Form(code=_scanned_code(here)), alerts, swap)
    if form or page.code or page.alerts:
        return render_template(template, page=page, slug=here.site.slug)
    return here.render(template, page=page, slug=here.site.slug)


def _scanned_code(here: Here) -> str:
    """The code of a voucher scanned just now, where the browser has kept it; of two the one that came through the gateway."""
    kept, scan = cookies.kept_code(here.portal.keyring, here.now), bounce.brought(here.portal, here.flow)
    return kept if scan is None or kept.replace("-", "").startswith(scan.stem) else ""


def _build(session: Session, here: Here, form: Form, alerts: Sequence[Words], swap: bool) -> SitePage:
    shown, known = here.portal.shown(session), remembered_here(session, here)
    offer, agreement = shown.offer(session, here.site), shown.agreement(session, here.now).name
    if known and not known.agrees and not alerts:
        alerts = [TERMS_CHANGED]
    asks_for_end = len(form.code) < RANDOM_CHARACTERS and bounce.takes_end(session, here.portal, here.flow, here.now)
    articles = {one.id: describe(one, offer.texts[one.id], here.site, here.now) for one in offer.passes}
    return SitePage(
        site_name=here.site.name,
        ssid=here.ssid,
        choices=tuple(_choices(offer, articles, form, known, asks_for_end)),
        takes_codes=offer.takes_codes,
        free=tuple(articles[one.id] for one in offer.free),
        sold=tuple(articles[one.id] for one in offer.sold),
        where_to_buy=offer.code.texts.get("where_to_buy", language()),
        terms=legal_page(session, LegalKind.TERMS, here.now),
        prices=legal_page(session, LegalKind.PRICES, here.now),
        agreement=agreement,
        terms_accepted=form.terms == agreement != "",
        code=form.code,
        asks_for_end=asks_for_end,
        can_swap=swap,
        alerts=tuple(alerts),
        about_code=any(alert.about_code for alert in alerts),
        again_url=here.again_url,
    )


def _choices(
    offer: Offer, articles: dict[int, Article], form: Form, known: Remembered | None, scanned: bool
) -> list[Choice]:
    """What there is to choose, in order, after the voucher that the guest has already.

    Checked is what the guest chose, a code that is there or scanned, that voucher, or what the operator has preselected.
    """
    values = [SAME] * bool(known) + [_value(one) for one in offer.choices()]
    preselected = (
        VOUCHER if (form.code or scanned) and offer.takes_codes else SAME if known else _value(offer.preselected())
    )
    checked = form.variant if form.variant in values else preselected
    same = [Choice(SAME, _("Go on as before"), known.voucher.name, "", checked == SAME)] if known else []
    return same + [
        _free_choice(articles[one.id], checked) if one else _code_choice(offer.code.texts, checked)
        for one in offer.choices()
    ]


def _free_choice(article: Article, checked: str) -> Choice:
    value = _FREE + article.public_id
    return Choice(value, article.name, article.features, article.description, value == checked, price=_("free"))


def _code_choice(texts: Texts, checked: str) -> Choice:
    name, description = (texts.get(one, language()) for one in ("name", "description"))
    return Choice(
        VOUCHER, name or _("With a voucher"), _("Enter the code of your voucher"), description, checked == VOUCHER
    )


def _value(choice: Pass | None) -> str:
    return _FREE + choice.public_id if choice else VOUCHER
