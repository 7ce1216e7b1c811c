"""What vouchers have used, and who runs on them: loaded for many vouchers at once."""

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from sqlalchemy import select
from sqlalchemy.orm import Session

from hotspot.place import AccessPoint
from sessions.visit import RUNNING, Leg, Visit
from vouchers.admission import Usage, VoucherFacts
from vouchers.batches import Voucher

Interval = tuple[datetime, datetime]


@dataclass
class Account:
    """A voucher with what its visits have used; the batch that holds it keeps it up to date."""

    voucher: Voucher
    octets: int = 0
    intervals: list[Interval] = field(default_factory=list)
    running: set[bytes] = field(default_factory=set)

    @property
    def facts(self) -> VoucherFacts:
        """The voucher as the decision sees it."""
        return voucher_facts(self.voucher)

    @property
    def usage(self) -> Usage:
        """The usage as the decision sees it: what settled visits used and what those still stored use."""
        return Usage(
            octets=self.voucher.settled_octets + self.octets,
            seconds=self.voucher.settled_seconds + seconds_covered(self.intervals),
            running=frozenset(self.running),
        )


def voucher_facts(voucher: Voucher) -> VoucherFacts:
    """A voucher row as the frozen facts of the decision."""
    return VoucherFacts(
        site_id=voucher.site_id,
        terms=voucher.terms,
        good_until=voucher.good_until,
        first_used_at=voucher.first_used_at,
        ends_at=voucher.ends_at,
        revoked=voucher.revoked_at is not None,
    )


# Rows are held FOR NO KEY UPDATE: whoever writes a row that refers to one of them need not wait, and so cannot deadlock.


def lock_vouchers(session: Session, ids: Collection[int]) -> list[Voucher]:
    """Hold these vouchers' rows, by id: the first rows that any transaction takes, so that none can deadlock."""
    query = select(Voucher).where(Voucher.id.in_(ids)).order_by(Voucher.id).with_for_update(key_share=True)
    return list(session.scalars(query, execution_options={"populate_existing": True})) if ids else []


def lock_access_points(session: Session, ids: Collection[int]) -> list[AccessPoint]:
    """Hold these access points' rows, by id, after the vouchers': who has them may count and take places."""
    query = select(AccessPoint).where(AccessPoint.id.in_(ids)).order_by(AccessPoint.id).with_for_update(key_share=True)
    return list(session.scalars(query, execution_options={"populate_existing": True})) if ids else []


def load_accounts(session: Session, vouchers: Iterable[Voucher], now: datetime) -> dict[int, Account]:
    """The accounts of these vouchers, by voucher id; one query for all."""
    accounts = {voucher.id: Account(voucher) for voucher in vouchers}
    if not accounts:
        return accounts
    rows = session.execute(
        select(Visit.voucher_id, Visit.state, Visit.device, Visit.interim_seconds, Leg)
        .outerjoin(Leg, Leg.visit_id == Visit.id)
        .where(Visit.voucher_id.in_(accounts))
    )
    for voucher_id, state, device, interim_seconds, leg in rows:
        account = accounts[voucher_id or 0]
        if state in RUNNING and device:
            account.running.add(device)
        if leg is not None:
            account.octets += leg.octets_from_guest + leg.octets_to_guest
            account.intervals.append(time_covered(leg, state in RUNNING, interim_seconds, now))
    return accounts


def time_covered(leg: Leg, visit_runs: bool, interim_seconds: int, now: datetime) -> Interval:
    """The time a leg has been online: what its NAS reported, and what has passed since while its visit runs."""
    end = leg.started_at + timedelta(seconds=leg.seconds)
    unreported = now - leg.last_heard_at
    if visit_runs and leg.stopped_at is None and timedelta(0) < unreported < timedelta(seconds=3 * interim_seconds):
        end += unreported
    return leg.started_at, max(leg.started_at, end)


def seconds_covered(intervals: Sequence[Interval]) -> int:
    """The length of the union of intervals, in seconds: a minute that two devices are online counts once."""
    total = timedelta(0)
    reached: datetime | None = None
    for start, end in sorted(intervals):
        if reached is None or end > reached:
            total += end - (start if reached is None else max(start, reached))
            reached = end
    return int(total.total_seconds())
