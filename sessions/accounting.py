"""Accounting: what NAS report of sessions, taken as a batch. Idempotent: late, repeated and reordered packets do no harm."""

from collections import Counter
from collections.abc import Iterable, Sequence
from datetime import datetime

from sqlalchemy import ColumnElement, and_, select, update
from sqlalchemy.orm import Session

from hotspot.directory import Directory
from hotspot.keys import Keyring, Purpose
from hotspot.place import Nas, announce_change
from hotspot.questions import Query
from sessions.closing import close, reopen
from sessions.connection_log import Journal
from sessions.held import HeldLeg, HeldVisit, hold, legs_of, write_legs, write_visits
from sessions.legs import begins_again, count, current_leg, started_at, survived_restart
from sessions.places import note_arrivals
from sessions.recheck import recheck
from sessions.recipients import find_recipients
from sessions.records import Record, Report, Status
from sessions.visit import LOST_TOUCH, CloseCause, Identifiers, Visit, VisitState, not_heard_since, seen_address


def account(
    session: Session, keyring: Keyring, directory: Directory, records: Sequence[Record], now: datetime
) -> Report:
    """Take `records` in their order; works inside the caller's write transaction, and is never refused for lack of place."""
    batch = _Batch(session, keyring, directory, now)
    report = batch.take(records)
    _note_accounting(session, records, now)
    return report


_RUNNING = Query(
    lambda is_in: select(Visit.site_id, Visit.device, Visit.id).where(is_in(Visit.device, "devices"), Visit.runs)
)


class _Batch:
    """The visits that a batch reports on, held, with their legs; what changes is written at the end."""

    def __init__(self, session: Session, keyring: Keyring, directory: Directory, now: datetime) -> None:
        self.session, self.keyring, self.directory, self.now = session, keyring, directory, now
        self.journal = Journal(session)
        self.visits: dict[int, HeldVisit] = {}
        self.legs: dict[int, list[HeldLeg]] = {}
        self.changed_visits: dict[int, HeldVisit] = {}
        self.changed_legs: dict[int, HeldLeg] = {}
        self.reopened: set[int] = set()
        self.to_weigh: dict[int, HeldVisit] = {}
        self.arrivals: Counter[int] = Counter()
        # Where the devices of closed visits have a running one.
        self.running_at: dict[tuple[int, bytes | None], int] = {}

    def take(self, records: Sequence[Record]) -> Report:
        recipients = find_recipients(self.session, self.keyring, records, self.now)
        self._hold(visit for visit in recipients if visit)
        orphans = 0
        for record, visit in zip(records, recipients, strict=True):
            if record.status in (Status.ACCOUNTING_ON, Status.ACCOUNTING_OFF):
                self._restart(record)
            elif visit is None:
                orphans += 1
            else:
                self._apply(record, self.visits[visit.id])
        self._write()
        note_arrivals(self.session, self.arrivals)
        recheck(self.session, self.directory, self.to_weigh.values(), self.now)
        return Report(taken=len(records) - orphans, orphans=orphans)

    def _hold(self, visits: Iterable[HeldVisit]) -> None:
        """Take over visits that are held, and load their legs."""
        new = {visit.id: visit for visit in visits if visit.id not in self.visits}
        self.visits |= new
        self.legs |= legs_of(self.session, new)
        for visit in new.values():
            if visit.opened_at is None and visit.accepted_at is None:
                self._arrive(visit)  # it has begun with this accounting
        devices = {visit.device for visit in new.values() if visit.device and not visit.runs}
        if devices:
            for site_id, device, visit_id in _RUNNING.rows(self.session, devices=devices):
                self.running_at.setdefault((site_id, device), visit_id)

    def _arrive(self, visit: HeldVisit) -> None:
        """Count a guest who takes a place without a login; in a site's pool its first access point bears it."""
        site = self.directory.sites.get(visit.site_id)
        pool = site.access_point_ids[:1] if site else ()
        self.arrivals.update((visit.access_point_id,) if visit.access_point_id is not None else pool)

    def _write(self) -> None:
        # A device has one running visit, and the index says so at every row: those that come back are written last.
        back = self.changed_visits.keys() & self.reopened
        write_visits(self.session, [visit for visit in self.changed_visits.values() if visit.id not in back])
        write_visits(self.session, [visit for visit in self.changed_visits.values() if visit.id in back])
        write_legs(self.session, self.changed_legs.values())
        self.journal.write()
        self.changed_visits, self.changed_legs, self.reopened = {}, {}, set()

    def _apply(self, record: Record, visit: HeldVisit) -> None:
        leg = self._leg(record, visit)
        if survived_restart(record, visit, leg):
            leg.stopped_at = None
        was_stopped = leg.stopped_at is not None
        count(record, leg)
        leg.last_heard_at = max(leg.last_heard_at, record.arrived or self.now)
        self.changed_legs[id(leg)] = leg
        self._note_address(record, visit, leg)
        if record.status is Status.STOP:
            self._stop(record, visit, leg)
        elif not was_stopped:
            self._keep_open(record, visit, leg)

    def _leg(self, record: Record, visit: HeldVisit) -> HeldLeg:
        """The leg of a record; a Start later than the recorded Stop begins a new one, for NAS reuse session ids."""
        names = self.keyring.hashes(Purpose.SESSIONS, record.acct_session_id)
        known = [leg for leg in self.legs[visit.id] if leg.nas_id == record.nas.id and leg.session in names]
        begun = [leg for leg in known if leg.started_at <= record.at] or known[:1]
        latest = max(begun, key=lambda leg: leg.ordinal, default=None)
        if latest and not begins_again(record, latest):
            return latest
        leg = HeldLeg(
            id=0,
            visit_id=visit.id,
            nas_id=record.nas.id,
            access_point_id=_access_point_id(record, visit),
            session=names[0],
            ordinal=len(known),
            started_at=record.at if record.status is Status.START else started_at(record),
            last_heard_at=record.arrived or self.now,
        )
        current = current_leg(self.legs[visit.id])
        self.legs[visit.id].append(leg)
        if current is None or current.started_at <= leg.started_at:
            self._make_current(visit, leg, record)
        return leg

    def _make_current(self, visit: HeldVisit, leg: HeldLeg, record: Record) -> None:
        """The leg that began last is where the guest is now; a late Start of the old access point changes nothing."""
        visit.identifiers = _identifiers(record).seal(self.keyring)
        if visit.nas_id != record.nas.id:
            visit.address = None
        if record.located and record.located.site.id == visit.site_id:
            if visit.runs and leg.access_point_id not in (None, visit.access_point_id):
                self.arrivals[leg.access_point_id or 0] += 1
            visit.access_point_id = leg.access_point_id
            visit.nas_id = record.nas.id
        self.changed_visits[visit.id] = visit

    def _note_address(self, record: Record, visit: HeldVisit, leg: HeldLeg) -> None:
        """A device may get its address after its session has begun, and another one later; a report without any says nothing."""
        if record.framed_address and record.nas.guest_networks and current_leg(self.legs[visit.id]) is leg:
            address = seen_address(self.keyring, record.nas, record.framed_address)
            if address != visit.address:
                visit.address = address
                self.changed_visits[visit.id] = visit

    def _stop(self, record: Record, visit: HeldVisit, leg: HeldLeg) -> None:
        leg.stopped_at = leg.stopped_at or record.at
        leg.terminate_cause = record.terminate_cause
        if visit.opened_at is None:
            visit.opened_at = leg.started_at
            self.changed_visits[visit.id] = visit
        if visit.runs and current_leg(self.legs[visit.id]) is leg:
            self._close(visit, CloseCause.STOPPED)

    def _keep_open(self, record: Record, visit: HeldVisit, leg: HeldLeg) -> None:
        if visit.state is VisitState.RESERVED:
            visit.state = VisitState.OPEN
            self.changed_visits[visit.id] = visit
        elif visit.state is VisitState.CLOSED and self._goes_on(visit, leg) and self._place_is_its_own(visit):
            self._reopen(record, visit)
        if visit.opened_at is None:
            visit.opened_at = leg.started_at
            self.changed_visits[visit.id] = visit
        if visit.runs and visit.is_metered:
            self.to_weigh[visit.id] = visit

    def _reopen(self, record: Record, visit: HeldVisit) -> None:
        reopen(self.journal, visit)
        self.reopened.add(visit.id)
        visit.identifiers = visit.identifiers or _identifiers(record).seal(self.keyring)
        visit.address = visit.address or seen_address(self.keyring, record.nas, record.framed_address)
        self.running_at[visit.site_id, visit.device] = visit.id
        self._arrive(visit)
        self.changed_visits[visit.id] = visit

    def _goes_on(self, visit: HeldVisit, leg: HeldLeg) -> bool:
        """Accounting after closing: the NAS was out of touch, or the guest began a new leg after its Stop."""
        begun_again = visit.close_cause is CloseCause.STOPPED and current_leg(self.legs[visit.id]) is leg
        return begun_again or visit.close_cause in LOST_TOUCH

    def _place_is_its_own(self, visit: HeldVisit) -> bool:
        """Whether the device has not come back on another visit meanwhile."""
        other = self.running_at.get((visit.site_id, visit.device))
        return other is None or (other in self.visits and not self.visits[other].runs)

    def _close(self, visit: HeldVisit, cause: CloseCause) -> None:
        site = self.directory.sites.get(visit.site_id)
        if site:
            close(self.journal, site, visit, self.legs[visit.id], cause, self.now)
            self.changed_visits[visit.id] = visit
        self.to_weigh.pop(visit.id, None)

    def _restart(self, record: Record) -> None:
        """Accounting-On or -Off: whatever this NAS, or the access point it names, was last heard of before is over."""
        new = {leg.visit_id for leg in self.changed_legs.values() if not leg.id}
        self._write()
        self.legs |= legs_of(self.session, new)  # now they have numbers
        ended = hold(self.session, and_(*_served_by(record), Visit.runs, not_heard_since(record.at)))
        self._hold(ended)
        for visit in (self.visits[one.id] for one in ended):
            # Race: it was reported on while we waited for it, and only its leg says so.
            if any(leg.stopped_at is None and leg.last_heard_at >= record.at for leg in self.legs[visit.id]):
                continue
            for leg in self.legs[visit.id]:
                leg.stopped_at = leg.stopped_at or record.at
                self.changed_legs[id(leg)] = leg
            self._close(visit, CloseCause.NAS_RESTART)


def _served_by(record: Record) -> list[ColumnElement[bool]]:
    here = [Visit.nas_id == record.nas.id]
    if record.located:
        here.append(Visit.site_id == record.located.site.id)
        if record.located.access_point:
            here.append(Visit.access_point_id == record.located.access_point.id)
    return here


def _access_point_id(record: Record, visit: HeldVisit) -> int | None:
    point = record.located.access_point if record.located else None
    return point.id if point else visit.access_point_id


def _identifiers(record: Record) -> Identifiers:
    return Identifiers(
        user_name=record.user_name,
        mac=record.device.value if record.device else "",
        nas_address=record.nas_address,
        acct_session_id=record.acct_session_id,
        framed_address=record.framed_address,
    )


def _note_accounting(session: Session, records: Iterable[Record], now: datetime) -> None:
    """Remember that a NAS does account; until then its guests' places are held to Session-Timeout."""
    silent = {record.nas.id for record in records if not record.nas.accounting_heard}
    if silent:
        session.execute(
            update(Nas).where(Nas.id.in_(silent), Nas.accounting_heard_at.is_(None)).values(accounting_heard_at=now)
        )
        announce_change(session)
