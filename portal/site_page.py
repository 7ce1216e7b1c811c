"""The page a guest signs in on: what is offered, the terms, the form, and what was the matter with the last try."""

from collections.abc import Sequence
from dataclasses import dataclass

from flask import render_template, request
from sqlalchemy.orm import Session

from hotspot.legal import LegalKind, agreement_in_force
from portal import cookies, look
from portal.articles import Article, describe
from portal.here import Here
from portal.legal import LegalPage, legal_page
from portal.wording import Words
from vouchers.passes import Pass, passes_at

VOUCHER = "voucher"
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

    def free_pass(self, offered: list[Pass]) -> Pass | None:
        """The free pass that was chosen, if it is offered."""
        wanted = self.variant.removeprefix(_FREE) if self.variant.startswith(_FREE) else ""
        return next((one for one in offered if one.free and one.public_id == wanted), None)


@dataclass(frozen=True)
class SitePage:
    """All that the page shows."""

    site_name: str
    ssid: str
    free: list[Article]
    sold: list[Article]
    terms: LegalPage | None
    prices: LegalPage | None
    agreement: str
    terms_accepted: bool
    chosen: str
    code: str
    can_swap: bool
    alerts: Sequence[Words]
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
    page = _build(session, here, form or Form(code=cookies.kept_code(here.portal.keyring, here.now)), alerts, swap)
    return render_template(template, page=page, slug=here.site.slug)


def _build(session: Session, here: Here, form: Form, alerts: Sequence[Words], swap: bool) -> SitePage:
    offered = passes_at(session, here.site.id, here.site.customer_id)
    articles = [describe(one, here.site, here.now) for one in offered]
    free = [one for one in articles if one.free]
    agreement = agreement_in_force(session, here.now).name
    chosen = form.variant
    if chosen not in {VOUCHER, *(_FREE + one.public_id for one in free)}:
        chosen = _FREE + free[0].public_id if free and not form.code else VOUCHER
    return SitePage(
        site_name=here.site.name,
        ssid=here.ssid,
        free=free,
        sold=[one for one in articles if not one.free],
        terms=legal_page(session, LegalKind.TERMS, here.now),
        prices=legal_page(session, LegalKind.PRICES, here.now),
        agreement=agreement,
        terms_accepted=form.terms == agreement != "",
        chosen=chosen,
        code=form.code,
        can_swap=swap,
        alerts=alerts,
        about_code=any(alert.about_code for alert in alerts),
        again_url=here.again_url,
    )
