"""Extending a visit by another voucher: asking for it, telling the NAS, and moving on once the first gives nothing more."""

import enum
from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Select, and_, delete, exists, select, update
from sqlalchemy.orm import Session

from hotspot.directory import Directory, SiteRecord
from hotspot.place import LoginWay
from sessions.devices import agreed, promise, remember
from sessions.extensions import SPENT, Chains, Extension, extended, turn
from sessions.held import VISIT, HeldVisit, hold_ids, write_visits
from sessions.outbox import change_limits
from sessions.reservations import VOLUME_INTERIM_SECONDS
from sessions.settling import times_by_voucher
from sessions.usage import Account, accounts_by_id, lock_vouchers, seconds_covered
from sessions.visit import Visit, VisitState
from vouchers.admission import DeviceFacts, Granted, PlaceFacts, Refused, decide, limits_of
from vouchers.voucher import Voucher

MOST_FOLLOWERS = 5
_RUNS_ON_ITS_VOUCHER = and_(Visit.voucher_id == Extension.voucher_id, Visit.device == Extension.device, Visit.runs)


class NotExtended(enum.Enum):
    """Why a voucher that is good cannot follow."""

    USED_HERE = "used-here"
    ENDS_BEFORE = "ends-before"
    TOO_MANY = "too-many"


def extend(
    session: Session, directory: Directory, visit: Visit, voucher_id: int, now: datetime
) -> Refused | NotExtended | None:
    """Let a voucher follow the one that a visit runs on, and have the NAS told; None when that is done.

    Nothing of the first is lost, and the clock of the second starts with its turn.
    """
    site = directory.sites.get(visit.site_id)
    if site is None or visit.voucher_id is None or visit.device is None or not visit.runs:
        raise ValueError("only a visit that runs can be extended")
    # Race: of two that extend one visit at once the second sees the first.
    lock_vouchers(session, {visit.voucher_id, voucher_id})
    chains = Chains(session, [visit.device], now)
    behind = chains.ids_behind(visit.voucher_id, visit.device)
    if voucher_id in (visit.voucher_id, *behind):
        return NotExtended.USED_HERE
    if len(behind) >= MOST_FOLLOWERS:
        return NotExtended.TOO_MANY
    accounts = accounts_by_id(session, {visit.voucher_id, voucher_id}, now)
    fresh, own = accounts[voucher_id], accounts[visit.voucher_id]
    limits = limits_of(own.facts, own.usage, site, now, least_seconds=1)
    begins = turn(extended(limits, chains.behind(visit), site, now), now) if isinstance(limits, Granted) else now
    if isinstance(_decide(fresh, visit.device, site, begins), Refused):
        answer = _decide(fresh, visit.device, site, now)
        return answer if isinstance(answer, Refused) else NotExtended.ENDS_BEFORE
    last = (visit.voucher_id, *behind)[-1]
    session.add(Extension(voucher_id=last, device=visit.device, next_voucher_id=voucher_id, asked_at=now, told_at=now))
    session.flush()
    if _comes_by_mac(directory, visit.nas_id):
        promise(session, voucher_id, visit.device, agreed(session, visit.voucher_id, visit.device), now)
    change_limits(session, visit.voucher_id, now)
    return None


def _decide(account: Account, device: bytes, site: SiteRecord, now: datetime) -> Granted | Refused:
    """The one decision for a device that has its place already."""
    place = PlaceFacts(site=site, capacity=0, occupied=0)
    return decide(account.facts, account.usage, DeviceFacts(device, returns=True), place, now)


def _comes_by_mac(directory: Directory, nas_id: int) -> bool:
    return any(nas.id == nas_id and LoginWay.MAC in nas.logins for nas in directory.nas)


@dataclass(frozen=True)
class Due:
    """The extended visits whose turn it is to move on, and those whose NAS has not been told since it let them in."""

    to_move: tuple[int, ...]
    to_tell: tuple[tuple[int, bytes], ...]


def find_due(session: Session, directory: Directory, now: datetime) -> Due:
    """Look at the extended visits that run: few, and only read."""
    rows = session.execute(_extended().add_columns(Extension.told_at)).all()
    visits = [(HeldVisit(*row[:-1]), row[-1]) for row in rows]
    accounts = accounts_by_id(session, {visit.voucher_id for visit, _told in visits if visit.voucher_id}, now)
    return Due(
        to_move=tuple(visit.id for visit, _told in visits if _is_spent(visit, accounts, directory, now)),
        to_tell=tuple(
            (visit.voucher_id, visit.device)
            for visit, told_at in visits
            if visit.voucher_id and visit.device and _is_new_to_its_nas(visit, told_at)
        ),
    )


def _extended() -> Select[*tuple[Any, ...]]:
    return select(*VISIT).join(Extension, _RUNS_ON_ITS_VOUCHER)


def _is_new_to_its_nas(visit: HeldVisit, told_at: datetime) -> bool:
    """Whether an Access-Accept, which knows the first voucher only, came after the NAS was told."""
    return visit.state is VisitState.OPEN and visit.accepted_at is not None and visit.accepted_at > told_at


def _is_spent(visit: HeldVisit, accounts: dict[int, Account], directory: Directory, now: datetime) -> bool:
    site, account = directory.sites.get(visit.site_id), accounts.get(visit.voucher_id or 0)
    if site is None or account is None:
        return False
    limits = limits_of(account.facts, account.usage, site, now, least_seconds=1)
    return isinstance(limits, Refused) and limits.reason in SPENT


def tell(session: Session, to_tell: Collection[tuple[int, bytes]], now: datetime) -> None:
    """Have the NAS told the limits of extended visits that it has let in anew."""
    for voucher_id, device in to_tell:
        these = and_(Extension.voucher_id == voucher_id, Extension.device == device)
        session.execute(update(Extension).where(these).values(told_at=now))
        change_limits(session, voucher_id, now)


def move_on(session: Session, directory: Directory, visit_ids: Collection[int], now: datetime) -> int:
    """Move visits on to the vouchers that follow their own, in the caller's write transaction; returns how many have moved.

    A visit whose followers all refuse has none any more, and ends like any other.
    """
    found = [HeldVisit(*row) for row in session.execute(_extended().where(Visit.id.in_(visit_ids)))]
    chains = Chains(session, [visit.device for visit in found], now)
    ids = {one for visit in found for one in chains.ids_behind(visit.voucher_id, visit.device)}
    # Vouchers are held before visits, as everywhere; what was found may have changed meanwhile.
    vouchers = {one.id: one for one in lock_vouchers(session, ids | {v.voucher_id for v in found if v.voucher_id})}
    moved = 0
    for visit in hold_ids(session, [visit.id for visit in found]):
        accounts = accounts_by_id(session, {visit.voucher_id or 0} & vouchers.keys(), now)
        if visit.runs and _is_spent(visit, accounts, directory, now):
            moved += _move(session, directory, visit, vouchers, now)
    return moved


def _move(
    session: Session, directory: Directory, visit: HeldVisit, vouchers: dict[int, Voucher], now: datetime
) -> bool:
    site, device, before = directory.sites[visit.site_id], visit.device or b"", visit.voucher_id or 0
    passed = [before]
    for account in Chains(session, [device], now).behind(visit):
        if account.id not in vouchers:
            # Race: it was added after we had chosen whom to hold. The next round holds it too.
            return False
        granted = _decide(account, device, site, now)
        if isinstance(granted, Granted):
            break
        passed.append(account.id)
    else:
        account, granted = None, None
    session.execute(delete(Extension).where(Extension.device == device, Extension.voucher_id.in_(passed)))
    if account is None or granted is None:
        return False
    _hand_over(session, visit, vouchers[before], vouchers[account.id], now)
    _begin(session, visit, vouchers[account.id], granted, now)
    if _comes_by_mac(directory, visit.nas_id):
        remember(session, account.id, device, agreed(session, before, device), now)
    change_limits(session, account.id, now)
    return True


def _hand_over(session: Session, visit: HeldVisit, before: Voucher, after: Voucher, now: datetime) -> None:
    """What the visit has used so far stays with the first voucher, although its counters go on (docs/decisions/0012)."""
    times = times_by_voucher(session, {before.id, after.id}, now)
    of_visit = [(interval, octets) for id_, interval, octets in times.get(before.id, []) if id_ == visit.id]
    its_own = [interval for interval, _octets in of_visit]
    octets = sum(octets for _interval, octets in of_visit)
    others_before = [interval for id_, interval, _octets in times.get(before.id, []) if id_ != visit.id]
    others_after = [interval for _id, interval, _octets in times.get(after.id, [])]
    before.settled_octets += octets
    after.settled_octets -= octets
    before.settled_seconds += seconds_covered(others_before + its_own) - seconds_covered(others_before)
    after.settled_seconds -= seconds_covered(others_after + its_own) - seconds_covered(others_after)


def _begin(session: Session, visit: HeldVisit, voucher: Voucher, granted: Granted, now: datetime) -> None:
    if voucher.first_used_at is None:
        voucher.first_used_at, voucher.ends_at, voucher.code_ciphertext = now, granted.ends_at, None
    session.flush()
    visit.voucher_id, visit.pass_id = voucher.id, voucher.pass_id
    visit.is_metered = voucher.terms.is_metered
    if voucher.megabytes is not None:
        visit.interim_seconds = VOLUME_INTERIM_SECONDS
    write_visits(session, [visit])


def forget_extensions(session: Session, ended: Select[int], asked_before: datetime) -> None:
    """Forget what was to follow `ended` vouchers, unless the device is online and may move on, and what was asked long ago."""
    past = and_(Extension.voucher_id.in_(ended), ~exists().where(Visit.device == Extension.device, Visit.runs))
    session.execute(delete(Extension).where(past), execution_options={"synchronize_session": False})
    session.execute(delete(Extension).where(Extension.asked_at < asked_before))
