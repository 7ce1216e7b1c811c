"""What is printed of a batch in words: the texts of cards and slips in both languages."""

from datetime import UTC, datetime
from zoneinfo import ZoneInfo

from flask_babel import force_locale, ngettext
from flask_babel import gettext as _
from sqlalchemy.orm import Session

from hotspot.colours import BLACK
from hotspot.directory import SiteRecord
from hotspot.looks import released_look
from hotspot.place import Site
from portal import articles, formats
from portal.context import Portal
from portal.staff import wording
from portal.staff.desk import ssid_of
from vouchers.passes import TO_THIRD_YEAR, Clock, Terms
from vouchers.printing.card import Face, Words
from vouchers.voucher import Batch, Voucher, not_begun

# What is printed large is largest in the first one.
CARD_LANGUAGES = ("de", "en")
# Paper outlives the day: measured from then, no date is written as "today" or "tomorrow".
_LONG_AGO = datetime(2000, 1, 1, tzinfo=UTC)


def face_of(session: Session, portal: Portal, site: Site, voucher: Voucher) -> Face:
    """The texts for all vouchers of the batch that this one is of."""
    record = portal.directory(session).sites[site.id]
    batch = session.get(Batch, voucher.batch_id) if voucher.batch_id else None
    look = released_look(session, site.id) if site.own_page else None
    return Face(
        site=site.name,
        operator=portal.settings.operator_name,
        ssid=ssid_of(site),
        name=voucher.name,
        words=tuple(words_of(voucher, batch, record, language) for language in CARD_LANGUAGES),
        accent=look.palette.light.accent if look else BLACK,
    )


def words_of(voucher: Voucher, batch: Batch | None, record: SiteRecord, language: str) -> Words:
    """A card's texts in one language."""
    with force_locale(language):
        return Words(
            language=language,
            large=_large(voucher.terms, record),
            price=formats.price(voucher.price_cents, voucher.currency) if voucher.price_cents else "",
            gives=" · ".join(articles.features(voucher.terms, record, _LONG_AGO)),
            good_until=_good_until(voucher, batch, record.zone),
            how=_("Join the Wi-Fi, then scan the QR code or type the code."),
        )


def _large(terms: Terms, record: SiteRecord) -> str:
    """How long a pass lasts, as short as can be read from afar."""
    if terms.minutes:
        return formats.duration(terms.minutes * 60).replace("\u00a0", " ")
    if terms.clock is Clock.UNTIL and terms.until:
        return str(_("until %(moment)s", moment=wording.day(terms.until, record.zone)))
    return str(_("One day"))


def _good_until(voucher: Voucher, batch: Batch | None, zone: ZoneInfo) -> str:
    """Until when it may be used first. Of stock nobody knows that yet: its days count from when it is switched on."""
    begins_later = batch and batch.activated_at is None and voucher.good_until == not_begun(voucher.until)
    days = batch.good_days if batch and begins_later else None
    if days == TO_THIRD_YEAR:
        return str(_("Good to the end of the third year after it is sold"))
    if days:
        return str(ngettext("Good for %(num)s day after it is sold", "Good for %(num)s days after it is sold", days))
    last = wording.day_and_hour(voucher.good_until, zone)
    if voucher.good_from is None:
        return str(_("Use it first by %(moment)s", moment=last))
    first = wording.day_and_hour(voucher.good_from, zone)
    return str(_("Valid from %(first)s; use it first by %(last)s", first=first, last=last))
