"""How vouchers stand: what staff and guests are shown of their state, what they used and what is left."""

from collections.abc import Collection, Iterable
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import select
from sqlalchemy.orm import Session

from hotspot.directory import Directory
from hotspot.questions import Asked, Query, nothing_asked
from sessions.usage import Account, load_accounts
from vouchers.admission import MOST_SECONDS, Granted, VoucherFacts, limits_of
from vouchers.voucher import Voucher, VoucherState


@dataclass(frozen=True)
class VoucherStatus:
    """A voucher at one moment. What is left is None where nothing limits it, and 0 once the voucher gives nothing more.

    An unused voucher's `seconds_left` is what it would give if it were first used now, or as soon as it is valid.
    `devices` have a running visit.
    """

    state: VoucherState
    octets_used: int
    octets_left: int | None
    seconds_used: int
    seconds_left: int | None
    devices: int


_NAMES = Query(lambda is_in: select(Voucher.id, Voucher.name).where(is_in(Voucher.id, "ids")))


def ask_names(session: Session, ids: Collection[int]) -> Asked:
    """Ask what these vouchers are called: rows of id and name."""
    return _NAMES.ask(session, ids=ids) if ids else nothing_asked()


def voucher_status(session: Session, directory: Directory, voucher: Voucher, now: datetime) -> VoucherStatus:
    """How one voucher stands at `now`."""
    return voucher_statuses(session, directory, [voucher], now)[voucher.id]


def voucher_statuses(
    session: Session, directory: Directory, vouchers: Iterable[Voucher], now: datetime
) -> dict[int, VoucherStatus]:
    """How these vouchers stand at `now`, by voucher id; one query for all."""
    accounts = load_accounts(session, vouchers, now)
    return {id_: status_of(directory, account, now) for id_, account in accounts.items()}


def status_of(directory: Directory, account: Account, now: datetime) -> VoucherStatus:
    """How a voucher stands at `now` whose account is known; no query."""
    facts, usage = account.facts, account.usage
    site = directory.sites.get(facts.site_id)
    when = max(now, facts.good_from or now)
    limits = limits_of(facts, usage, site, when, least_seconds=1) if site else None
    gives = limits if isinstance(limits, Granted) else None
    return VoucherStatus(
        state=_state(facts, gives, now),
        octets_used=usage.octets,
        octets_left=gives.octets_left if gives else 0,
        seconds_used=usage.seconds,
        seconds_left=_limited(gives.seconds_left) if gives else 0,
        devices=len(usage.running),
    )


def _state(voucher: VoucherFacts, gives: Granted | None, now: datetime) -> VoucherState:
    if voucher.revoked:
        return VoucherState.REVOKED
    if voucher.inactive:
        return VoucherState.INACTIVE
    if gives is None:
        return VoucherState.OVER
    if voucher.first_used_at:
        return VoucherState.IN_USE
    return VoucherState.NOT_YET_VALID if voucher.good_from and now < voucher.good_from else VoucherState.UNUSED


def _limited(seconds: int) -> int | None:
    return None if seconds >= MOST_SECONDS else seconds
