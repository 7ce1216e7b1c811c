"""How long the vouchers in stock will last at the rate at which they were used lately."""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import case, func, or_, select
from sqlalchemy.orm import Session

from vouchers.voucher import Voucher, in_stock

_LATELY = timedelta(days=14)
# From fewer uses than these nothing can be said, and they would tell of single guests.
_FEWEST_USED = 5


@dataclass(frozen=True)
class Stock:
    """The unused vouchers of one pass at a site; `lasts_until` is None where nothing can be said."""

    site_id: int
    name: str
    unused: int
    lasts_until: datetime | None


def stocks(session: Session, site_ids: Collection[int], now: datetime) -> list[Stock]:
    """What is in stock by site and name of the pass, and what ran out lately; one query."""
    since = now - _LATELY
    is_unused, was_used = in_stock(now), Voucher.first_used_at >= since
    unused, used = (func.sum(case((one, 1), else_=0)) for one in (is_unused, was_used))
    rows = session.execute(
        select(Voucher.site_id, Voucher.name, unused, used)
        .where(Voucher.site_id.in_(site_ids), Voucher.serial.is_not(None), or_(is_unused, was_used))
        .group_by(Voucher.site_id, Voucher.name)
        .order_by(Voucher.site_id, Voucher.name)
    )
    return [Stock(site_id, name, unused, _lasts_until(unused, used, now)) for site_id, name, unused, used in rows]


def _lasts_until(unused: int, used: int, now: datetime) -> datetime | None:
    return now + _LATELY * (unused / used) if used >= _FEWEST_USED else None
