"""Accounting: what NAS report of sessions, taken as a batch. Idempotent: late, repeated and reordered packets do no harm."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import IntEnum

from sqlalchemy import and_, or_, select, update
from sqlalchemy.orm import Session

from hotspot.directory import Directory, Located, NasRecord
from hotspot.keys import Keyring, Purpose
from hotspot.mac import Mac
from hotspot.place import Nas, announce_change
from sessions.recheck import recheck
from sessions.recipients import find_recipients
from sessions.visit import (
    LOST_TOUCH,
    RUNNING,
    CloseCause,
    Identifiers,
    Leg,
    Visit,
    VisitState,
    close,
    reopen,
)


class Status(IntEnum):
    """Acct-Status-Type (RFC 2866 §5.1)."""

    START = 1
    STOP = 2
    INTERIM_UPDATE = 3
    ACCOUNTING_ON = 7
    ACCOUNTING_OFF = 8


@dataclass(frozen=True, repr=False)
class Record:
    """An Accounting-Request; `at` is when it happened, octets are seen from the guest, seconds are Acct-Session-Time."""

    nas: NasRecord
    status: Status
    at: datetime
    acct_session_id: str = ""
    handle: str | None = None
    user_name: str = ""
    device: Mac | None = None
    located: Located | None = None
    nas_address: str = ""
    framed_address: str | None = None
    seconds: int = 0
    octets_from_guest: int = 0
    octets_to_guest: int = 0
    terminate_cause: int | None = None


@dataclass(frozen=True)
class Report:
    """What became of a batch: how many records found their visit, and how many belong to nobody we know."""

    taken: int
    orphans: int


def account(
    session: Session, keyring: Keyring, directory: Directory, records: Sequence[Record], now: datetime
) -> Report:
    """Take `records` in their order; works inside the caller's write transaction, and is never refused for lack of place."""
    batch = _Batch(session, keyring, directory, now)
    report = batch.take(records)
    _note_accounting(session, records, now)
    return report


class _Batch:
    def __init__(self, session: Session, keyring: Keyring, directory: Directory, now: datetime) -> None:
        self.session, self.keyring, self.directory, self.now = session, keyring, directory, now
        self.visits: dict[int, Visit] = {}
        self.legs: dict[int, list[Leg]] = {}
        self.touched: dict[int, Visit] = {}
        self.newest: dict[int, Leg] = {}

    def take(self, records: Sequence[Record]) -> Report:
        visits = find_recipients(self.session, self.keyring, records, self.now)
        self._hold({visit.id for visit in visits if visit})
        orphans = 0
        for record, visit in zip(records, visits, strict=True):
            if record.status in (Status.ACCOUNTING_ON, Status.ACCOUNTING_OFF):
                self._restart(record)
            elif visit is None:
                orphans += 1
            else:
                self._apply(record, visit)
        self.session.flush()
        for visit_id, leg in self.newest.items():
            self.visits[visit_id].current_leg_id = leg.id
        self.session.flush()
        recheck(self.session, self.directory, self.touched.values(), self.now)
        return Report(taken=len(records) - orphans, orphans=orphans)

    def _hold(self, visit_ids: set[int]) -> None:
        """Hold the visits' rows, by id, and load their legs."""
        if not visit_ids:
            return
        query = select(Visit).where(Visit.id.in_(visit_ids)).order_by(Visit.id).with_for_update()
        held = self.session.scalars(query, execution_options={"populate_existing": True}).all()
        for visit in held:
            self.visits[visit.id] = visit
            self.legs[visit.id] = []
        legs = select(Leg).where(Leg.visit_id.in_(visit_ids)).order_by(Leg.id)
        for leg in self.session.scalars(legs, execution_options={"populate_existing": True}):
            self.legs[leg.visit_id].append(leg)

    def _apply(self, record: Record, visit: Visit) -> None:
        leg = self._leg(record, visit)
        was_stopped = leg.stopped_at is not None
        leg.seconds = max(leg.seconds, record.seconds)
        leg.octets_from_guest = max(leg.octets_from_guest, record.octets_from_guest)
        leg.octets_to_guest = max(leg.octets_to_guest, record.octets_to_guest)
        leg.last_heard_at = max(leg.last_heard_at, self.now)
        if record.status is Status.STOP:
            self._stop(record, visit, leg)
        elif not was_stopped:
            self._keep_open(record, visit, leg)

    def _leg(self, record: Record, visit: Visit) -> Leg:
        """The leg of a record; a Start later than the recorded Stop begins a new one, for NAS reuse session ids."""
        name = self.keyring.hash(Purpose.SESSIONS, record.acct_session_id)
        names = set(self.keyring.hashes(Purpose.SESSIONS, record.acct_session_id))
        known = [leg for leg in self.legs[visit.id] if leg.nas_id == record.nas.id and leg.session in names]
        begun = [leg for leg in known if leg.started_at <= record.at] or known[:1]
        latest = max(begun, key=lambda leg: leg.ordinal, default=None)
        if latest and not _begins_again(record, latest):
            return latest
        leg = Leg(
            visit_id=visit.id,
            nas_id=record.nas.id,
            access_point_id=self._access_point_id(record, visit),
            session=name,
            ordinal=len(known),
            started_at=record.at if record.status is Status.START else self._started(record),
            last_heard_at=self.now,
            seconds=0,
            octets_from_guest=0,
            octets_to_guest=0,
        )
        self.session.add(leg)
        self.legs[visit.id].append(leg)
        self._make_current(visit, leg, record)
        return leg

    @staticmethod
    def _access_point_id(record: Record, visit: Visit) -> int | None:
        point = record.located.access_point if record.located else None
        return point.id if point else visit.access_point_id

    @staticmethod
    def _started(record: Record) -> datetime:
        """When a session began whose Start was lost."""
        return datetime.fromtimestamp(record.at.timestamp() - record.seconds, record.at.tzinfo)

    def _make_current(self, visit: Visit, leg: Leg, record: Record) -> None:
        """The leg that began last is where the guest is now; a late Start of the old access point changes nothing."""
        current = self._current(visit)
        if current and current.started_at > leg.started_at:
            return
        self.newest[visit.id] = leg
        visit.identifiers = _identifiers(record).seal(self.keyring)
        if record.located and record.located.site.id == visit.site_id:
            visit.access_point_id = leg.access_point_id
            visit.nas_id = record.nas.id

    def _current(self, visit: Visit) -> Leg | None:
        """The leg the guest is on: one of this batch has no number yet."""
        stored = (leg for leg in self.legs[visit.id] if leg.id is not None and leg.id == visit.current_leg_id)
        return self.newest.get(visit.id) or next(stored, None)

    def _stop(self, record: Record, visit: Visit, leg: Leg) -> None:
        leg.stopped_at = leg.stopped_at or record.at
        leg.terminate_cause = record.terminate_cause
        visit.opened_at = visit.opened_at or leg.started_at
        if visit.runs and self._current(visit) is leg:
            self._close(visit, CloseCause.STOPPED)

    def _keep_open(self, record: Record, visit: Visit, leg: Leg) -> None:
        visit.opened_at = visit.opened_at or leg.started_at
        visit.last_heard_at = self.now
        if visit.state is VisitState.RESERVED:
            visit.state = VisitState.OPEN
        elif visit.state is VisitState.CLOSED and self._goes_on(visit, leg) and self._place_is_its_own(visit):
            reopen(self.session, visit)
            visit.identifiers = visit.identifiers or _identifiers(record).seal(self.keyring)
        if visit.runs:
            self.touched[visit.id] = visit

    def _goes_on(self, visit: Visit, leg: Leg) -> bool:
        """Accounting after closing: the NAS was out of touch, or the guest began a new leg after its Stop."""
        begun_again = visit.close_cause is CloseCause.STOPPED and self._current(visit) is leg
        return begun_again or visit.close_cause in LOST_TOUCH

    def _place_is_its_own(self, visit: Visit) -> bool:
        """Whether the device has not come back on another visit meanwhile."""
        other = select(Visit.id).where(
            Visit.site_id == visit.site_id, Visit.device == visit.device, Visit.state.in_(RUNNING), Visit.id != visit.id
        )
        return self.session.scalar(other) is None

    def _close(self, visit: Visit, cause: CloseCause) -> None:
        site = self.directory.sites.get(visit.site_id)
        if site:
            close(self.session, site, visit, self.legs.get(visit.id, ()), cause, self.now)
        self.touched.pop(visit.id, None)

    def _restart(self, record: Record) -> None:
        """Accounting-On or -Off: whatever this NAS, or the access point it names, was last heard of before is over."""
        here = [Visit.nas_id == record.nas.id]
        if record.located:
            here.append(Visit.site_id == record.located.site.id)
            if record.located.access_point:
                here.append(Visit.access_point_id == record.located.access_point.id)
        self.session.flush()
        before = or_(
            Visit.last_heard_at < record.at, and_(Visit.last_heard_at.is_(None), Visit.reserved_at < record.at)
        )
        running = select(Visit.id).where(*here, Visit.state.in_(RUNNING), before)
        ended = set(self.session.scalars(running))
        self._hold(ended - self.legs.keys())
        for visit in self.session.scalars(select(Visit).where(Visit.id.in_(ended)).order_by(Visit.id)):
            if not visit.runs:
                continue
            for leg in self.legs[visit.id]:
                leg.stopped_at = leg.stopped_at or record.at
            self._close(visit, CloseCause.NAS_RESTART)


def _begins_again(record: Record, leg: Leg) -> bool:
    """Whether a Start reuses a session's id: after its Stop, or after reports of a session that a power cut ended."""
    ended = leg.stopped_at or (leg.last_heard_at if leg.seconds else None)
    return record.status is Status.START and ended is not None and record.at > ended


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
