"""The vouchers in stock, and how long they will last."""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

from babel.dates import format_date
from flask_babel import gettext as _
from sqlalchemy.orm import Session

from hotspot.place import Site
from portal.languages import language
from portal.staff import wording
from vouchers.forecast import Stock, stocks

# Whoever has enough for longer need not think of it.
_SOON = timedelta(days=60)
_A_WEEK = timedelta(days=6)


@dataclass(frozen=True)
class StockLine:
    """The stock of one pass; `lasts` is empty where there is nothing to say of it."""

    name: str
    unused: int
    lasts: str

    @property
    def is_out(self) -> bool:
        """Whether none is left."""
        return self.unused == 0


def stock_lines(session: Session, sites: Sequence[Site], now: datetime) -> dict[int, list[StockLine]]:
    """What is in stock, by the site's id."""
    zones = {site.id: ZoneInfo(site.timezone) for site in sites}
    lines: dict[int, list[StockLine]] = defaultdict(list)
    for one in stocks(session, list(zones), now):
        lines[one.site_id].append(StockLine(one.name, one.unused, _lasts(one, zones[one.site_id], now)))
    return lines


def _lasts(stock: Stock, zone: ZoneInfo, now: datetime) -> str:
    if stock.unused == 0 or stock.lasts_until is None or stock.lasts_until > now + _SOON:
        return ""
    day = stock.lasts_until.astimezone(zone).date()
    if day == now.astimezone(zone).date():
        return str(_("at this rate until tonight"))
    if stock.lasts_until < now + _A_WEEK:
        return str(_("at this rate until %(day)s", day=format_date(day, "EEEE", locale=language())))
    return str(_("at this rate until %(day)s", day=wording.day(stock.lasts_until, zone)))
