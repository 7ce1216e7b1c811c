"""The sales ledger as rows for bookkeeping: line by line, or added up by day. A day is the site's, from its hour to its hour."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from zoneinfo import ZoneInfo

from sqlalchemy import Select, select
from sqlalchemy.orm import Session

from hotspot.api_keys import ApiKey
from hotspot.clock import YEARS, site_day, start_of_day
from hotspot.errors import WrongUse
from hotspot.people import User
from hotspot.place import Site
from vouchers.ledger import SalesLine

Cells = tuple[str | int | None, ...]

LINES_HEAD: Cells = (
    *("number", "time", "day", "kind", "pass", "count", "price", "amount", "tax_percent", "tax", "net", "currency"),
    *("person", "reason", "key"),
)
TOTALS_HEAD: Cells = (
    *("day", "kind", "pass", "price", "tax_percent", "currency", "count", "amount", "tax", "net"),
)  # fmt: skip
_A_TIME = 1000


@dataclass(frozen=True)
class Period:
    """The days from `first` on, up to the day before `behind`."""

    first: date
    behind: date

    @classmethod
    def parse(cls, told: str) -> "Period":
        """A day, "2026-11-21", or a month, "2026-11". WrongUse for anything else."""
        is_month = len(told) == len("2026-11")
        try:
            first = date.fromisoformat(f"{told}-01" if is_month else told)
        except ValueError:
            first = date.min
        if first.year not in YEARS:
            raise WrongUse("bad-period", "Name a day as 2026-11-21 or a month as 2026-11.")
        return cls(first, (first + timedelta(days=31)).replace(day=1) if is_month else first + timedelta(days=1))

    def moments(self, site: Site) -> tuple[datetime, datetime]:
        """When it begins and ends at a site."""
        zone = ZoneInfo(site.timezone)
        return start_of_day(self.first, zone, site.day_ends), start_of_day(self.behind, zone, site.day_ends)


def lines(session: Session, site: Site, period: Period) -> Iterator[Cells]:
    """The lines of a period, in their order; a query that is read bit by bit."""
    zone = ZoneInfo(site.timezone)
    for line, person, key in session.execute(_query(site, period)).yield_per(_A_TIME):
        tax = tax_of(line.amount_cents, line.tax_basis_points)
        yield (
            *(line.number, line.at.astimezone(zone).isoformat(timespec="seconds")),
            *(site_day(line.at, zone, site.day_ends).isoformat(), line.kind.value, line.name, line.count),
            *(_money(line.price_cents), _money(line.amount_cents), _percent(line.tax_basis_points)),
            *(_money(tax), _money(line.amount_cents - tax), line.currency, person or "", line.reason, key or ""),
        )


def totals(session: Session, site: Site, period: Period) -> Iterator[Cells]:
    """What each pass brought on each day of a period, by kind of line, price and tax: the sums of its lines as they stand."""
    zone = ZoneInfo(site.timezone)
    added: dict[tuple[str, str, str, int, int, str], tuple[int, int, int]] = {}
    for line, _person, _key in session.execute(_query(site, period)).yield_per(_A_TIME):
        day = site_day(line.at, zone, site.day_ends).isoformat()
        key = (day, line.kind.value, line.name, line.price_cents, line.tax_basis_points, line.currency)
        count, amount, tax = added.get(key, (0, 0, 0))
        # Rounded by line: what is added up line by line comes to the same.
        tax += tax_of(line.amount_cents, line.tax_basis_points)
        added[key] = (count + line.count, amount + line.amount_cents, tax)
    for (day, kind, name, price, basis_points, currency), (count, amount, tax) in sorted(added.items()):
        yield (
            *(day, kind, name, _money(price), _percent(basis_points), currency),
            *(count, _money(amount), _money(tax), _money(amount - tax)),
        )


def tax_of(gross_cents: int, basis_points: int) -> int:
    """The tax in a gross amount, in cents, rounded to the nearest, halves away from nothing."""
    doubled = 2 * abs(gross_cents) * basis_points // (10_000 + basis_points)
    return (1 if gross_cents >= 0 else -1) * ((doubled + 1) // 2)


def _query(site: Site, period: Period) -> Select[SalesLine, str, str]:
    begins, ends = period.moments(site)
    return (
        select(SalesLine, User.name, ApiKey.name)
        .outerjoin(User, User.id == SalesLine.user_id)
        .outerjoin(ApiKey, ApiKey.id == SalesLine.api_key_id)
        .where(SalesLine.site_id == site.id, SalesLine.at >= begins, SalesLine.at < ends)
        .order_by(SalesLine.number)
    )


def _money(cents: int) -> str:
    return f"{'-' if cents < 0 else ''}{abs(cents) // 100}.{abs(cents) % 100:02}"


def _percent(basis_points: int) -> str:
    return f"{basis_points / 100:g}"
