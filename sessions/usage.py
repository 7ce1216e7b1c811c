"""What vouchers have used, and who runs on them: loaded for many vouchers at once."""

from collections.abc import Callable, Collection, Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from functools import lru_cache
from typing import Any

from sqlalchemy import ColumnElement, or_, select
from sqlalchemy.orm import Session

from hotspot.directory import SiteRecord
from hotspot.questions import Asked, IsIn, Query, nothing_asked
from sessions.visit import Leg, Visit
from vouchers.admission import Refused, Usage, VoucherFacts, limits_of
from vouchers.passes import Terms
from vouchers.voucher import Voucher

Interval = tuple[datetime, datetime]


@dataclass(slots=True)
class Account:
    """A voucher with what its visits have used; the batch that holds it keeps it up to date.

    `fresh` is the row of a free pass that is taken with this very login; it has no id yet.
    """

    id: int
    pass_id: int
    facts: VoucherFacts
    settled_octets: int = 0
    settled_seconds: int = 0
    octets: int = 0
    intervals: list[Interval] = field(default_factory=list)
    running: set[bytes] = field(default_factory=set)
    heard: dict[int, datetime] = field(default_factory=dict)
    fresh: Voucher | None = None

    @property
    def usage(self) -> Usage:
        """The usage as the decision sees it: what settled visits used and what those still stored use."""
        return Usage(
            octets=self.settled_octets + self.octets,
            seconds=self.settled_seconds + seconds_covered(self.intervals),
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
        good_from=voucher.good_from,
        inactive=voucher.inactive,
    )


def account_of(voucher: Voucher) -> Account:
    """The account of a voucher row, without its visits."""
    return Account(
        voucher.id or 0, voucher.pass_id, voucher_facts(voucher), voucher.settled_octets, voucher.settled_seconds
    )


def is_spent(account: Account, site: SiteRecord, now: datetime) -> bool:
    """Whether a voucher gives nothing any more."""
    return isinstance(limits_of(account.facts, account.usage, site, now), Refused)


# Rows are held FOR NO KEY UPDATE: whoever writes a row that refers to one of them need not wait, and so cannot deadlock.


def lock_vouchers(session: Session, ids: Collection[int]) -> list[Voucher]:
    """Hold these vouchers' rows, by id: the first rows that any transaction takes, so that none can deadlock."""
    query = select(Voucher).where(Voucher.id.in_(ids)).order_by(Voucher.id).with_for_update(key_share=True)
    return list(session.scalars(query, execution_options={"populate_existing": True})) if ids else []


_TERMS = ("clock", "minutes", "until", "megabytes", "down_kbit", "up_kbit", "devices", "replace", "free")
_FACTS = (
    *("site_id", "good_from", "good_until", "first_used_at", "ends_at", "revoked_at"),
    *("settled_octets", "settled_seconds", "inactive"),
)
_VOUCHER = (Voucher.id, Voucher.code_hash, Voucher.pass_id, *(getattr(Voucher, name) for name in (*_FACTS, *_TERMS)))
_BY_ID = Query(lambda is_in: select(*_VOUCHER).where(is_in(Voucher.id, "ids")))
_BY_CODE = Query(lambda is_in: select(*_VOUCHER).where(is_in(Voucher.code_hash, "hashes")))


def _held(build: Callable[[IsIn], ColumnElement[bool]]) -> Query:
    return Query(
        lambda is_in: select(*_VOUCHER).where(build(is_in)).order_by(Voucher.id).with_for_update(key_share=True)
    )


_HELD_BY_ID = _held(lambda is_in: is_in(Voucher.id, "ids"))
_HELD_BY_CODE = _held(lambda is_in: is_in(Voucher.code_hash, "hashes"))
_HELD_BY_EITHER = _held(lambda is_in: or_(is_in(Voucher.id, "ids"), is_in(Voucher.code_hash, "hashes")))


def ask_to_hold(session: Session, ids: Collection[int], hashes: Collection[bytes]) -> Asked:
    """Hold the vouchers with these ids or code hashes, in one statement, by id, as `lock_vouchers` does."""
    if ids and hashes:
        return _HELD_BY_EITHER.ask(session, ids=ids, hashes=hashes)
    if hashes:
        return _HELD_BY_CODE.ask(session, hashes=hashes)
    return _HELD_BY_ID.ask(session, ids=ids) if ids else nothing_asked()


def ask_by_code(session: Session, hashes: Collection[bytes]) -> Asked:
    """Ask for the voucher with one of these code hashes, without holding it."""
    return _BY_CODE.ask(session, hashes=hashes)


def accounts_of(session: Session, asked: Asked, now: datetime) -> list[Account]:
    """The accounts of the vouchers that were asked for; one further query where any of them was ever used."""
    return list(_accounts(session, asked.rows(), now).values())


def held_accounts(session: Session, held: Asked, now: datetime) -> tuple[dict[int, Account], dict[bytes, int]]:
    """The accounts of the vouchers that were held, by id, and the ids by code hash."""
    rows = held.rows()
    return _accounts(session, rows, now), {row[1]: row[0] for row in rows}


def accounts_by_id(session: Session, ids: Collection[int], now: datetime) -> dict[int, Account]:
    """The accounts of these vouchers, by voucher id; two queries for all."""
    return _accounts(session, _BY_ID.rows(session, ids=ids) if ids else [], now)


def load_accounts(session: Session, vouchers: Iterable[Voucher], now: datetime) -> dict[int, Account]:
    """The accounts of these voucher rows, by voucher id; one query for all."""
    accounts = {voucher.id: account_of(voucher) for voucher in vouchers}
    _add_visits(session, accounts, now)
    return accounts


def _accounts(session: Session, rows: Iterable[tuple[Any, ...]], now: datetime) -> dict[int, Account]:
    accounts = {}
    for row in rows:
        voucher_id, _hash, pass_id, site_id, good_from, good_until, first_used_at, ends_at, *rest = row[:12]
        revoked_at, octets, seconds, inactive = rest
        revoked = revoked_at is not None
        terms = _terms(*row[12:])
        facts = VoucherFacts(site_id, terms, good_until, first_used_at, ends_at, revoked, good_from, inactive)
        accounts[voucher_id] = Account(voucher_id, pass_id, facts, octets, seconds)
    # Whatever was never used has no visits that count.
    _add_visits(session, {id: one for id, one in accounts.items() if one.facts.first_used_at}, now)
    return accounts


@lru_cache(maxsize=1000)
def _terms(*values: object) -> Terms:
    """All vouchers of a pass share one object."""
    return Terms(**dict(zip(_TERMS, values, strict=True)))  # type: ignore[arg-type]


_VISITS_OF = Query(
    lambda is_in: (
        select(
            Visit.id,
            Visit.voucher_id,
            Visit.device,
            Visit.interim_seconds,
            Visit.runs,
            Visit.accepted_at,
            Leg.started_at,
            Leg.last_heard_at,
            Leg.stopped_at,
            Leg.seconds,
            Leg.octets_from_guest + Leg.octets_to_guest,
        )
        .outerjoin(Leg, Leg.visit_id == Visit.id)
        .where(is_in(Visit.voucher_id, "vouchers"))
    )
)


def _add_visits(session: Session, accounts: dict[int, Account], now: datetime) -> None:
    if not accounts:
        return
    for row in _VISITS_OF.rows(session, vouchers=accounts):
        visit_id, voucher_id, device, interim_seconds, runs, accepted_at, started_at, heard_at, *rest = row
        account = accounts[voucher_id]
        if runs and device:
            account.running.add(device)
            known = [moment for moment in (accepted_at, heard_at, account.heard.get(visit_id)) if moment]
            account.heard[visit_id] = max(known, default=now)
        if started_at is not None:
            stopped_at, seconds, octets = rest
            account.octets += octets
            went_on = runs and stopped_at is None
            account.intervals.append(time_covered(started_at, heard_at, seconds, went_on, interim_seconds, now))


def time_covered(
    started_at: datetime, last_heard_at: datetime, seconds: int, went_on: bool, interim_seconds: int, now: datetime
) -> Interval:
    """The time a leg has been online: what its NAS reported, and what has passed since while it goes on."""
    end = started_at + timedelta(seconds=seconds)
    unreported = now - last_heard_at
    if went_on and timedelta(0) < unreported < timedelta(seconds=3 * interim_seconds):
        end += unreported
    return started_at, max(started_at, end)


def seconds_covered(intervals: Sequence[Interval]) -> int:
    """The length of the union of intervals, in seconds: a minute that two devices are online counts once."""
    total = timedelta(0)
    reached: datetime | None = None
    for start, end in sorted(intervals):
        if reached is None or end > reached:
            total += end - (start if reached is None else max(start, reached))
            reached = end
    return int(total.total_seconds())
