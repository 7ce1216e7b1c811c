"""House-keeping: what time alone brings about. The whole retention policy stands in the constants below."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from itertools import pairwise

from sqlalchemy import ColumnElement, and_, delete, exists, false, func, or_, select, update
from sqlalchemy.orm import Session

from hotspot import exclusions, limits, traffic
from hotspot.clock import site_day
from hotspot.directory import Directory
from hotspot.nas_changes import forget_old_secrets
from hotspot.people import sign_ins
from hotspot.place import AccessPoint, Nas
from sessions import connection_log, guessing
from sessions.closing import close
from sessions.connection_log import Journal, LogEntry
from sessions.extending import forget_extensions
from sessions.heartbeat import listening_since
from sessions.held import HeldLeg, HeldVisit, hold_free, legs_of, write_visits
from sessions.reservations import ACCOUNTING_GRACE
from sessions.settling import settle
from sessions.visit import CloseCause, Visit, VisitState, VoucherDevice, is_counted, not_heard_since
from vouchers.changing import forget_deeds
from vouchers.deeds import UNDO_LIVES
from vouchers.once import forget_requests
from vouchers.voucher import Voucher

# What a running visit needs of its guest's identity goes this soon after it closes ...
IDENTIFIERS_LIVE = timedelta(minutes=10)
# ... and the visit itself this soon, when its totals have gone to the voucher.
CLOSED_VISITS_LIVE = timedelta(hours=24)
# A portal promise that nobody took up; its refusal is shown that long.
ASKED_VISITS_LIVE = timedelta(minutes=30)
# A device that may come back without the portal is remembered this long after its last login, or until its voucher ends.
DEVICES_LIVE = timedelta(days=14)
# Late Stops of yesterday still find yesterday's key.
DAY_KEYS_OUTLIVE_DAY = timedelta(hours=1)
# Nobody repeats a request to issue vouchers after so long.
REQUESTS_LIVE = timedelta(days=30)
# This many missed accounting intervals are silence.
SILENT_INTERVALS = 3
# Accounting intervals in seconds; a visit is treated as the next longer one of these.
INTERVAL_CLASSES = (60, 300, 600, 1200, 3600)
# At most this many rows a round, so that no transaction is long.
ROWS_A_ROUND = 500

LISTENER = "radius"
# In place of a site; no slug is spelled so.
EVERYWHERE = "*"


@dataclass(frozen=True)
class Round:
    """What one round of house-keeping did."""

    silent: int
    never_started: int
    erased: int
    settled: int
    nas_without_accounting: frozenset[str]
    beyond_soft_limit: frozenset[str]
    guessed_at: frozenset[str] = frozenset()
    over: int = 0
    moved_on: int = 0

    @property
    def is_full(self) -> bool:
        """Whether something was done as often as a round may, so that there is more to do at once."""
        return max(self.silent, self.never_started, self.erased, self.settled) >= ROWS_A_ROUND


def keep_house(session: Session, directory: Directory, now: datetime) -> Round:
    """Do one round, in the caller's write transaction. Repeating it, or leaving it out for long, does no harm.

    What is over, or goes on with another voucher, is looked for in transactions of their own (`find_over`, `find_due`).
    """
    listening = listening_since(session, LISTENER, now)
    # Vouchers are held before visits, as everywhere.
    settled = settle(session, now - CLOSED_VISITS_LIVE, now, ROWS_A_ROUND)
    _forget_free_passes(session, directory, now)
    done = Round(
        silent=_close_running(session, directory, _is_silent(listening, now), CloseCause.SILENCE, now),
        never_started=_close_running(
            session, directory, _has_not_started(listening, now), CloseCause.NEVER_STARTED, now
        ),
        erased=_erase_identifiers(session, now),
        settled=settled,
        nas_without_accounting=_nas_without_accounting(session, now),
        beyond_soft_limit=_beyond_soft_limit(session),
        guessed_at=_guessed_at(session, directory, now),
    )
    _forget_asked(session, now)
    _forget_devices(session, now)
    _destroy_old_day_keys(session, directory, now)
    limits.forget_expired(session, now)
    sign_ins.forget_old(session, now)
    exclusions.forget_ended(session, now)
    guessing.forget_old(session, now)
    traffic.forget_old(session, now)
    forget_old_secrets(session, now)
    forget_deeds(session, now)
    forget_requests(session, now - REQUESTS_LIVE)
    return done


def _is_silent(listening: datetime, now: datetime) -> ColumnElement[bool]:
    """Unheard for three intervals, all of which somebody listened. Intervals differ, so each class has its own cutoff."""
    cutoffs = [
        and_(
            Visit.interim_seconds > shorter,
            Visit.interim_seconds <= seconds,
            not_heard_since(now - timedelta(seconds=SILENT_INTERVALS * seconds)),
        )
        for shorter, seconds in pairwise((0, *INTERVAL_CLASSES))
        if listening <= now - timedelta(seconds=SILENT_INTERVALS * seconds)
    ]
    return and_(Visit.state == VisitState.OPEN, Visit.runs, or_(false(), *cutoffs))


def _has_not_started(listening: datetime, now: datetime) -> ColumnElement[bool]:
    """Reserved, and no accounting came in time although somebody listened that long."""
    heard_out = [
        Visit.interim_seconds <= seconds
        for seconds in INTERVAL_CLASSES
        if listening <= now - timedelta(seconds=seconds) - ACCOUNTING_GRACE
    ]
    return and_(Visit.state == VisitState.RESERVED, Visit.runs, Visit.reserved_until < now, or_(false(), *heard_out))


def _nas_without_accounting(session: Session, now: datetime) -> frozenset[str]:
    """NAS with guests whose accounting is overdue, and which were never heard to account."""
    overdue = Visit.reserved_at < now - timedelta(seconds=INTERVAL_CLASSES[1]) - ACCOUNTING_GRACE
    query = (
        select(Nas.name)
        .join(Visit, Visit.nas_id == Nas.id)
        .where(Nas.accounting_heard_at.is_(None), Visit.state == VisitState.RESERVED, Visit.runs, overdue)
    )
    return frozenset(session.scalars(query.distinct()))


def _beyond_soft_limit(session: Session) -> frozenset[str]:
    """Access points with a soft limit that have admitted more."""
    query = (
        select(AccessPoint.name)
        .join(Visit, Visit.access_point_id == AccessPoint.id)
        .where(AccessPoint.capacity_is_soft, is_counted())
        .group_by(AccessPoint.id, AccessPoint.name, AccessPoint.capacity)
        .having(func.count() > AccessPoint.capacity)
    )
    return frozenset(session.scalars(query))


def _guessed_at(session: Session, directory: Directory, now: datetime) -> frozenset[str]:
    """Sites at which somebody has used up a limit on guesses within the hour; EVERYWHERE for that of the whole PoP."""
    slugs = {site.id: site.slug for site in directory.sites.values()} | {guessing.NOWHERE: EVERYWHERE}
    return frozenset(slugs[alarm.site_id] for alarm in guessing.alarms(session, now) if alarm.site_id in slugs)


def _close_running(
    session: Session, directory: Directory, condition: ColumnElement[bool], cause: CloseCause, now: datetime
) -> int:
    # In the order of an index of those that run: by their numbers, SQLite would read all visits.
    visits = hold_free(session, condition, order_by=Visit.device, limit=ROWS_A_ROUND)
    legs, journal = legs_of(session, [visit.id for visit in visits]), Journal(session)
    # Race: it was reported on just before it was held, and only its leg says so.
    silent = [visit for visit in visits if not _is_heard(visit, legs[visit.id], now)]
    closing = [visit for visit in silent if visit.site_id in directory.sites]
    for visit in closing:
        close(journal, directory.sites[visit.site_id], visit, legs[visit.id], cause, now)
    write_visits(session, closing)
    journal.write()
    return len(closing)


def _is_heard(visit: HeldVisit, legs: Iterable[HeldLeg], now: datetime) -> bool:
    """Whether accounting has come within the three intervals of the visit's class."""
    interval = next(
        seconds for seconds in (*INTERVAL_CLASSES, visit.interim_seconds) if seconds >= visit.interim_seconds
    )
    since = now - timedelta(seconds=SILENT_INTERVALS * interval)
    return any(leg.stopped_at is None and leg.last_heard_at >= since for leg in legs)


def _erase_identifiers(session: Session, now: datetime) -> int:
    condition = and_(Visit.closed_at < now - IDENTIFIERS_LIVE, Visit.identifiers.is_not(None))
    visits = hold_free(session, condition, order_by=Visit.closed_at, limit=ROWS_A_ROUND)
    for visit in visits:
        visit.identifiers = visit.address = None
    write_visits(session, visits)
    return len(visits)


def _forget_asked(session: Session, now: datetime) -> None:
    session.execute(delete(Visit).where(Visit.reserved_at.is_(None), Visit.asked_at < now - ASKED_VISITS_LIVE))


def _forget_devices(session: Session, now: datetime) -> None:
    """A device is remembered until its voucher ends or is revoked for good, and no longer than a pass may let it return."""
    ended = select(Voucher.id).where(or_(Voucher.ends_at < now, Voucher.revoked_at < now - UNDO_LIVES))
    forget_extensions(session, ended, now - DEVICES_LIVE)
    session.execute(delete(VoucherDevice).where(VoucherDevice.voucher_id.in_(ended)))
    session.execute(delete(VoucherDevice).where(VoucherDevice.last_login_at < now - DEVICES_LIVE))


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
    if days and connection_log.has_day_keys(session, min(days)):
        of_past_days = exists().where(LogEntry.reference == Visit.log_reference, LogEntry.day < min(days))
        session.execute(
            update(Visit).where(Visit.closed_at.is_not(None), of_past_days).values(log_reference=None),
            execution_options={"synchronize_session": False},
        )
        connection_log.destroy_day_keys(session, min(days))
