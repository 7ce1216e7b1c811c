"""House-keeping: what time alone brings about. The whole retention policy stands in the constants below."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta

from sqlalchemy import ColumnElement, and_, delete, exists, false, func, or_, select, update
from sqlalchemy.orm import Session

from hotspot import limits
from hotspot.clock import site_day
from hotspot.directory import Directory
from hotspot.place import AccessPoint, Nas
from sessions import connection_log
from sessions.connection_log import LogEntry
from sessions.heartbeat import listening_since
from sessions.recheck import find_refused, recheck
from sessions.reservations import ACCOUNTING_GRACE
from sessions.usage import lock_vouchers, seconds_covered, time_covered
from sessions.visit import RUNNING, CloseCause, Disconnect, Leg, Visit, VisitState, VoucherDevice, close
from vouchers.batches import Voucher
from vouchers.passes import Clock

# What a running visit needs of its guest's identity goes this soon after it closes ...
IDENTIFIERS_LIVE = timedelta(minutes=10)
# ... and the visit itself this soon, when its totals have gone to the voucher.
CLOSED_VISITS_LIVE = timedelta(hours=24)
# A portal promise that nobody took up; its refusal is shown that long.
ASKED_VISITS_LIVE = timedelta(minutes=30)
# Late Stops of yesterday still find yesterday's key.
DAY_KEYS_OUTLIVE_DAY = timedelta(hours=1)
# This many missed accounting intervals are silence.
SILENT_INTERVALS = 3
# Accounting intervals in seconds; a visit is treated as the next longer one of these.
INTERVAL_CLASSES = (60, 300, 600, 1200, 3600)
# At most this many rows a round, so that no transaction is long.
ROWS_A_ROUND = 500

LISTENER = "radius"


@dataclass(frozen=True)
class Round:
    """What one round of house-keeping did."""

    silent: int
    never_started: int
    over: int
    erased: int
    settled: int
    nas_without_accounting: frozenset[str]
    beyond_soft_limit: frozenset[str]


def keep_house(session: Session, directory: Directory, now: datetime) -> Round:
    """Do one round, in the caller's write transaction. Repeating it, or leaving it out for long, does no harm."""
    listening = listening_since(session, LISTENER, now)
    # Vouchers are held before visits, as everywhere.
    settled = _settle(session, now)
    _forget_free_passes(session, directory, now)
    done = Round(
        silent=_close_running(session, directory, _is_silent(listening, now), CloseCause.SILENCE, now),
        never_started=_close_running(
            session, directory, _has_not_started(listening, now), CloseCause.NEVER_STARTED, now
        ),
        over=_end_what_is_over(session, directory, now),
        erased=_erase_identifiers(session, now),
        settled=settled,
        nas_without_accounting=_nas_without_accounting(session, now),
        beyond_soft_limit=_beyond_soft_limit(session),
    )
    _forget_asked(session, now)
    _forget_devices(session, now)
    _destroy_old_day_keys(session, directory, now)
    limits.forget_expired(session, now)
    return done


def _is_silent(listening: datetime, now: datetime) -> ColumnElement[bool]:
    """Unheard for three intervals, all of which somebody listened. Intervals differ, so each class has its own cutoff."""
    cutoffs = [
        and_(
            Visit.interim_seconds <= seconds, Visit.last_heard_at < now - timedelta(seconds=SILENT_INTERVALS * seconds)
        )
        for seconds in INTERVAL_CLASSES
        if listening <= now - timedelta(seconds=SILENT_INTERVALS * seconds)
    ]
    return and_(Visit.state == VisitState.OPEN, or_(false(), *cutoffs))


def _has_not_started(listening: datetime, now: datetime) -> ColumnElement[bool]:
    """Reserved, and no accounting came in time although somebody listened that long."""
    heard_out = [
        Visit.interim_seconds <= seconds
        for seconds in INTERVAL_CLASSES
        if listening <= now - timedelta(seconds=seconds) - ACCOUNTING_GRACE
    ]
    return and_(Visit.state == VisitState.RESERVED, Visit.reserved_until < now, or_(false(), *heard_out))


def _nas_without_accounting(session: Session, now: datetime) -> frozenset[str]:
    """NAS with guests whose accounting is overdue, and which were never heard to account."""
    overdue = Visit.reserved_at < now - timedelta(seconds=INTERVAL_CLASSES[1]) - ACCOUNTING_GRACE
    query = (
        select(Nas.name)
        .join(Visit, Visit.nas_id == Nas.id)
        .where(Nas.accounting_heard_at.is_(None), Visit.state == VisitState.RESERVED, overdue)
    )
    return frozenset(session.scalars(query.distinct()))


def _beyond_soft_limit(session: Session) -> frozenset[str]:
    """Access points with a soft limit that have admitted more."""
    query = (
        select(AccessPoint.name)
        .join(Visit, Visit.access_point_id == AccessPoint.id)
        .where(AccessPoint.capacity_is_soft, Visit.state.in_(RUNNING))
        .group_by(AccessPoint.id, AccessPoint.name, AccessPoint.capacity)
        .having(func.count() > AccessPoint.capacity)
    )
    return frozenset(session.scalars(query))


def _close_running(
    session: Session, directory: Directory, condition: ColumnElement[bool], cause: CloseCause, now: datetime
) -> int:
    query = select(Visit).where(condition).order_by(Visit.id).limit(ROWS_A_ROUND)
    visits = session.scalars(query.with_for_update(skip_locked=True)).all()
    legs = _legs_of(session, [visit.id for visit in visits])
    for visit in visits:
        if visit.site_id in directory.sites:
            close(session, directory.sites[visit.site_id], visit, legs.get(visit.id, ()), cause, now)
    return len(visits)


def _legs_of(session: Session, visit_ids: list[int]) -> dict[int, list[Leg]]:
    legs: dict[int, list[Leg]] = {}
    for leg in session.scalars(select(Leg).where(Leg.visit_id.in_(visit_ids))) if visit_ids else ():
        legs.setdefault(leg.visit_id, []).append(leg)
    return legs


def _end_what_is_over(session: Session, directory: Directory, now: datetime) -> int:
    """The PoP's own clock is the last word on time, whatever the NAS does with its Session-Timeout."""
    ended = or_(Voucher.ends_at <= now, Voucher.revoked_at.is_not(None), Voucher.clock == Clock.ONLINE)
    told = select(Disconnect.visit_id).where(Disconnect.done_at.is_(None))
    query = (
        select(Visit)
        .join(Voucher, Voucher.id == Visit.voucher_id)
        .where(Visit.state.in_(RUNNING), ended, Visit.id.not_in(told))
        .order_by(Visit.id)
        .limit(ROWS_A_ROUND)
    )
    over = last = 0
    # Nearly all of them run on: those are looked at a page at a time, and not held.
    while visits := session.scalars(query.where(Visit.id > last)).all():
        last = visits[-1].id
        refused = {visit.id for some in find_refused(session, directory, visits, now).values() for visit in some}
        over += recheck(session, directory, _hold(session, Visit.id.in_(refused)), now) if refused else 0
    return over


def _hold(session: Session, condition: ColumnElement[bool]) -> Sequence[Visit]:
    """Hold the visits that nobody else holds, as they stand now."""
    query = select(Visit).where(condition).order_by(Visit.id).with_for_update(skip_locked=True)
    return session.scalars(query, execution_options={"populate_existing": True}).all()


def _erase_identifiers(session: Session, now: datetime) -> int:
    query = select(Visit).where(
        Visit.state == VisitState.CLOSED,
        Visit.closed_at < now - IDENTIFIERS_LIVE,
        Visit.identifiers.is_not(None),
    )
    visits = session.scalars(query.order_by(Visit.id).limit(ROWS_A_ROUND).with_for_update(skip_locked=True)).all()
    for visit in visits:
        visit.identifiers = None
    return len(visits)


def _settle(session: Session, now: datetime) -> int:
    """Give old visits' totals to their vouchers and delete them."""
    old = and_(Visit.state == VisitState.CLOSED, Visit.closed_at < now - CLOSED_VISITS_LIVE)
    due = session.execute(select(Visit.id, Visit.voucher_id).where(old).order_by(Visit.id).limit(ROWS_A_ROUND)).all()
    voucher_ids = {voucher_id for _id, voucher_id in due if voucher_id}
    vouchers = {voucher.id: voucher for voucher in lock_vouchers(session, voucher_ids)}
    # Race: late accounting may have reopened one meanwhile.
    going = {visit.id for visit in _hold(session, and_(old, Visit.id.in_([visit_id for visit_id, _voucher_id in due])))}
    remaining = _times_by_voucher(session, voucher_ids, now)
    for voucher_id, voucher in vouchers.items():
        times = remaining.get(voucher_id, [])
        stays = [interval for visit_id, interval, _octets in times if visit_id not in going]
        everything = [interval for _visit_id, interval, _octets in times]
        # What others that stay were online at the same time is counted with them, so that no minute counts twice.
        voucher.settled_seconds += seconds_covered(everything) - seconds_covered(stays)
        voucher.settled_octets += sum(octets for visit_id, _interval, octets in times if visit_id in going)
    session.flush()
    if going:
        session.execute(delete(Visit).where(Visit.id.in_(going)))
    return len(going)


def _times_by_voucher(
    session: Session, voucher_ids: set[int], now: datetime
) -> dict[int, list[tuple[int, tuple[datetime, datetime], int]]]:
    """For each voucher, of every leg: its visit, the time it covers, and its octets."""
    times: dict[int, list[tuple[int, tuple[datetime, datetime], int]]] = {}
    if not voucher_ids:
        return times
    query = select(Visit, Leg).join(Leg, Leg.visit_id == Visit.id).where(Visit.voucher_id.in_(voucher_ids))
    for visit, leg in session.execute(query):
        covered = time_covered(leg, visit.runs, visit.interim_seconds, now)
        octets = leg.octets_from_guest + leg.octets_to_guest
        times.setdefault(visit.voucher_id or 0, []).append((visit.id, covered, octets))
    return times


def _forget_asked(session: Session, now: datetime) -> None:
    session.execute(delete(Visit).where(Visit.state == VisitState.ASKED, Visit.asked_at < now - ASKED_VISITS_LIVE))


def _forget_devices(session: Session, now: datetime) -> None:
    """A device is remembered until its voucher ends, and no longer than a pass may let it return."""
    ended = select(Voucher.id).where(or_(Voucher.ends_at < now, Voucher.revoked_at.is_not(None)))
    session.execute(delete(VoucherDevice).where(VoucherDevice.voucher_id.in_(ended)))
    session.execute(delete(VoucherDevice).where(VoucherDevice.last_login_at < now - timedelta(days=14)))


def _forget_free_passes(session: Session, directory: Directory, now: datetime) -> None:
    """A free pass's device is forgotten when the site's day is over, and the pass itself once no visit needs it."""
    sites_by_day: dict[date, list[int]] = {}
    for site in directory.sites.values():
        sites_by_day.setdefault(site_day(now, site.zone, site.day_ends), []).append(site.id)
    for day, site_ids in sites_by_day.items():
        past = and_(Voucher.site_id.in_(site_ids), Voucher.free_day < day)
        session.execute(
            update(Voucher).where(past, Voucher.free_device.is_not(None)).values(free_device=None),
            execution_options={"synchronize_session": False},
        )
        needed = or_(
            exists().where(Visit.voucher_id == Voucher.id), exists().where(VoucherDevice.voucher_id == Voucher.id)
        )
        session.execute(delete(Voucher).where(past, ~needed), execution_options={"synchronize_session": False})


def _destroy_old_day_keys(session: Session, directory: Directory, now: datetime) -> None:
    """The key of a day goes once that day is over at every site, and with it all that leads to that day's entries."""
    moment = now - DAY_KEYS_OUTLIVE_DAY
    days = [site_day(moment, site.zone, site.day_ends) for site in directory.sites.values()]
    if days:
        of_past_days = select(LogEntry.reference).where(LogEntry.day < min(days))
        session.execute(
            update(Visit).where(Visit.log_reference.in_(of_past_days)).values(log_reference=None),
            execution_options={"synchronize_session": False},
        )
        connection_log.destroy_day_keys(session, min(days))
