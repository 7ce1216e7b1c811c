"""Passes as a guest reads them: what they give and what they cost."""

from dataclasses import dataclass
from datetime import datetime

from flask_babel import gettext as _
from flask_babel import ngettext

from hotspot.directory import SiteRecord
from portal import formats
from portal.languages import language
from vouchers.offer import Texts
from vouchers.passes import Clock, Pass, Terms


@dataclass(frozen=True)
class Article:
    """A pass on the page; `price` is empty for a free one."""

    public_id: str
    name: str
    features: str
    description: str
    where_to_buy: str
    price: str


def describe(article: Pass, texts: Texts, site: SiteRecord, now: datetime) -> Article:
    """A pass in the guest's words."""
    return Article(
        public_id=article.public_id,
        name=texts.get("name", language()) or article.name,
        features=" · ".join(features(article.terms, site, now)),
        description=texts.get("description", language()),
        where_to_buy=texts.get("where_to_buy", language()),
        price=formats.price(article.price_cents, article.currency) if article.price_cents else "",
    )


def features(terms: Terms, site: SiteRecord, now: datetime) -> list[str]:
    """What a pass gives, the time first."""
    found = [_time(terms, site, now)]
    if terms.octets is not None:
        found.append(formats.volume(terms.octets))
    if terms.down_kbit:
        found.append(_("up to %(rate)s", rate=formats.rate(terms.down_kbit)))
    if terms.devices > 1:
        found.append(ngettext("for %(num)s device", "for %(num)s devices", terms.devices))
    return found


def _time(terms: Terms, site: SiteRecord, now: datetime) -> str:
    length = formats.duration(terms.minutes * 60) if terms.minutes else ""
    if terms.clock is Clock.UNTIL and terms.until:
        return str(_("until %(moment)s", moment=formats.moment(terms.until, site.zone, now)))
    if terms.clock is Clock.END_OF_DAY:
        return str(_("%(length)s, on the day of first use", length=length) if length else _("until the end of the day"))
    if terms.clock is Clock.ONLINE:
        return str(_("%(length)s online, in as many sittings as you like", length=length))
    return str(_("%(length)s from first use", length=length)) if not terms.free else length
