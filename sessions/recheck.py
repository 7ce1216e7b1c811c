"""Running visits asked again: whoever may not be online any more is put in the disconnect outbox.

A voucher has ended or is revoked, the site has closed, or the operator has excluded the device.
"""

from collections.abc import Collection, Iterable
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import and_, or_, select, tuple_
from sqlalchemy.orm import Session

from hotspot.directory import Directory
from sessions.extensions import SPENT, extended_of
from sessions.held import VISIT, HeldVisit, hold_free, write_visits
from sessions.outbox import ask_disconnect_ids
from sessions.usage import accounts_by_id
from sessions.visit import CloseCause, Disconnect, OrderKind, Visit
from vouchers.admission import DeviceFacts, PlaceFacts, Reason, Refused, decide, shut_out
from vouchers.passes import Clock
from vouchers.voucher import Voucher

PAGE = 500
# The device and the site of a running visit: its unique index, and the order in which all are looked at.
Key = tuple[bytes, int]
FIRST: Key = (b"", 0)
# Staff have taken the voucher back.
_WITHDRAWN = (Reason.REVOKED, Reason.INACTIVE)


@dataclass(frozen=True)
class Over:
    """A page of running visits: those of them whose time is over, and what the next page comes after; None at the end."""

    visit_ids: frozenset[int]
    behind: Key | None


def recheck(session: Session, directory: Directory, visits: Iterable[HeldVisit], now: datetime) -> int:
    """Ask the one decision again for running visits; those refused are to be disconnected. Returns how many.

    The caller holds the visits' rows.
    """
    refused = find_refused(session, directory, visits, now)
    _note_shut_out(session, directory, refused.get(CloseCause.OVER, ()), now)
    for cause, ended in refused.items():
        ask_disconnect_ids(session, [(visit.id, visit.nas_id) for visit in ended], cause, now)
    return sum(map(len, refused.values()))


def _note_shut_out(session: Session, directory: Directory, ended: Iterable[HeldVisit], now: datetime) -> None:
    """Note at visits that end although their vouchers go on why: by the time the guest looks, the site may be open again."""
    noted = []
    for visit in ended:
        if refused := shut_out(directory.sites[visit.site_id], visit.device or b"", now):
            visit.refusal = refused.note
            noted.append(visit)
    write_visits(session, noted)


def find_refused(
    session: Session, directory: Directory, visits: Iterable[HeldVisit], now: datetime
) -> dict[CloseCause, list[HeldVisit]]:
    """The running visits that would be refused now, by the cause they have to end for.

    A visit with less left than a login is worth runs on: its NAS has the Session-Timeout. It has to end once nothing is left,
    unless another voucher follows (sessions/extending.py).
    """
    running = [visit for visit in visits if visit.runs and visit.voucher_id and visit.device]
    accounts = accounts_by_id(session, {visit.voucher_id for visit in running if visit.voucher_id}, now)
    refused: dict[CloseCause, list[HeldVisit]] = {}
    spent: list[HeldVisit] = []
    for visit in running:
        site = directory.sites.get(visit.site_id)
        account = accounts.get(visit.voucher_id or 0)
        if site is None or account is None or visit.device is None:
            continue
        place = PlaceFacts(site=site, capacity=0, occupied=0)
        device = DeviceFacts(visit.device, returns=True)
        decision = decide(account.facts, account.usage, device, place, now, least_seconds=1)
        if isinstance(decision, Refused) and decision.reason is not Reason.IN_USE:
            cause = CloseCause.REVOKED if decision.reason in _WITHDRAWN else CloseCause.OVER
            (spent if decision.reason in SPENT else refused.setdefault(cause, [])).append(visit)
    goes_on = extended_of(session, spent)
    if over := [visit for visit in spent if (visit.voucher_id, visit.device) not in goes_on]:
        refused.setdefault(CloseCause.OVER, []).extend(over)
    return refused


def find_over(session: Session, directory: Directory, after: Key, now: datetime) -> Over:
    """Look at the page of running visits behind `after`. The PoP's own clock is the last word on time, whatever the NAS does.

    Nearly all of them run on, so that they are only read; `end_over` is for the others.
    """
    ended = or_(
        *(Voucher.ends_at <= now, Voucher.revoked_at.is_not(None), Voucher.inactive, Voucher.clock == Clock.ONLINE),
        Visit.site_id.in_(directory.closed_sites(now)),
        Visit.device.in_(directory.excluded_devices),
    )
    pending = and_(Disconnect.kind == OrderKind.DISCONNECT, Disconnect.done_at.is_(None))
    told = select(Disconnect.visit_id).where(pending)
    key = (Visit.device, Visit.site_id)
    query = (
        select(*VISIT)
        .join(Voucher, Voucher.id == Visit.voucher_id)
        .where(Visit.runs, ended, Visit.id.not_in(told), tuple_(*key) > tuple_(*after))
        .order_by(*key)
        .limit(PAGE)
    )
    visits = [HeldVisit(*row) for row in session.execute(query)]
    refused = find_refused(session, directory, visits, now).values()
    behind = (visits[-1].device or b"", visits[-1].site_id) if len(visits) == PAGE else None
    return Over(frozenset(visit.id for some in refused for visit in some), behind)


def end_over(session: Session, directory: Directory, visit_ids: Collection[int], now: datetime) -> int:
    """Have what `find_over` has found disconnected, if it is still over."""
    return recheck(session, directory, hold_free(session, Visit.id.in_(visit_ids), order_by=Visit.id), now)
