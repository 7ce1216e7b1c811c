"""What a gateway that speaks no RADIUS reports: everybody who is online there. The difference to what we know is put right.

Whoever is online without a visit is sent away, be it that the voucher was revoked, that the guest has logged out, or that
a guest has passed himself off as another device. Whoever is gone has left. So no message can be lost: the next report tells.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import ColumnElement, select, update
from sqlalchemy.orm import Session

from hotspot.directory import Directory, NasRecord
from hotspot.keys import Keyring
from hotspot.mac import Mac
from hotspot.place import Nas, announce_change
from sessions.accounting import account
from sessions.held import VISIT, HeldVisit
from sessions.kept import REPORT_SECONDS, TAKEN_WITHIN, Kept, load_kept, with_legs
from sessions.orders import Answer, Order, read_identifiers
from sessions.outbox import settle
from sessions.records import Record, Status
from sessions.visit import LOST_TOUCH, Disconnect, Identifiers, OrderKind, Visit, hash_device

# A report may have been made just before the guest was let in.
REPORT_MAY_BE_OLD = timedelta(seconds=15)
# Where a volume can be used up, as much as this is written down at once.
METERED_OCTETS = 1 << 20


@dataclass(frozen=True, slots=True, repr=False)
class Online:
    """A device that is online behind a gateway, and its octets since it was let in."""

    device: Mac
    octets_from_guest: int
    octets_to_guest: int

    @property
    def octets(self) -> tuple[int, int]:
        """From and to the guest."""
        return self.octets_from_guest, self.octets_to_guest


def take_report(
    session: Session, keyring: Keyring, directory: Directory, nas: NasRecord, online: Sequence[Online], now: datetime
) -> list[Mac]:
    """Account what a gateway reports, in the caller's write transaction; returns the devices that it has to send away."""
    devices = {one.device.value: one for one in online}
    records = [*_of_running(session, keyring, nas, devices, now)]
    running = {kept.told.mac for kept in load_kept(session, keyring, nas)}
    records += _of_lost(session, keyring, nas, [one for mac, one in devices.items() if mac not in running], now)
    if records:
        account(session, keyring, directory, records, now)
    unwanted = _settle_orders(session, keyring, directory, nas, set(devices), now)
    running = {kept.told.mac for kept in load_kept(session, keyring, nas)}
    _note_reports(session, nas, now)
    return [one.device for mac, one in devices.items() if mac in unwanted or mac not in running]


def _note_reports(session: Session, nas: NasRecord, now: datetime) -> None:
    """Remember that a gateway does report: from then on its unsigned words let nobody be taken for let in."""
    if not nas.reports_heard:
        session.execute(
            update(Nas).where(Nas.id == nas.id, Nas.reports_heard_at.is_(None)).values(reports_heard_at=now)
        )
        announce_change(session)


def _of_running(
    session: Session, keyring: Keyring, nas: NasRecord, devices: dict[str, Online], now: datetime
) -> Iterable[Record]:
    """Those who are online, as often as that is worth a record, and those who have left by themselves."""
    ending = set(session.scalars(select(Disconnect.visit_id).where(*_pending(nas))))
    for kept in load_kept(session, keyring, nas):
        if found := devices.get(kept.told.mac):
            if kept.visit.id in ending or _is_worth_a_record(kept, found, now):
                yield kept.record(nas, Status.INTERIM_UPDATE, now, found.octets)
        elif _has_left(kept, nas, now) and kept.visit.id not in ending:
            yield kept.record(nas, Status.STOP, now)


def _has_left(kept: Kept, nas: NasRecord, now: datetime) -> bool:
    """Whether a guest whom the report does not show was in. Who was only acknowledged may still have to be let in."""
    if kept.leg is None or kept.leg.started_at >= now - REPORT_MAY_BE_OLD:
        return False
    return kept.is_let_in(nas) or (kept.visit.accepted_at or now) <= now - TAKEN_WITHIN


def _is_worth_a_record(kept: Kept, found: Online, now: datetime) -> bool:
    """Reports come every few seconds, from all guests at once: most of them say nothing that could not wait."""
    if kept.leg is None or not kept.is_shown or kept.leg.last_heard_at <= now - timedelta(seconds=REPORT_SECONDS / 2):
        return True
    known = kept.leg.octets_from_guest + kept.leg.octets_to_guest
    return kept.visit.is_metered and sum(found.octets) - known >= METERED_OCTETS


def _of_lost(
    session: Session, keyring: Keyring, nas: NasRecord, online: Iterable[Online], now: datetime
) -> list[Record]:
    """Those whose visits were closed for silence only: they were online all the time."""
    by_device = {hash_device(keyring, one.device): one for one in online}
    if not by_device:
        return []
    query = (
        select(*VISIT)
        .where(Visit.site_id == nas.site_id, Visit.device.in_(by_device), Visit.closed_at.is_not(None))
        .order_by(Visit.closed_at)
    )
    newest = {visit.device: visit for visit in (HeldVisit(*row) for row in session.execute(query))}
    lost = [visit for visit in newest.values() if visit.nas_id == nas.id and visit.close_cause in LOST_TOUCH]
    return [
        kept.record(nas, Status.INTERIM_UPDATE, now, by_device[kept.visit.device or b""].octets)
        for kept in with_legs(session, keyring, lost)
    ]


def _settle_orders(
    session: Session, keyring: Keyring, directory: Directory, nas: NasRecord, online: set[str], now: datetime
) -> set[str]:
    """Settle what has come about, and return the devices that still have to go. New limits cannot be told here."""
    query = select(Disconnect, Visit).join(Visit, Visit.id == Disconnect.visit_id).where(*_pending(nas))
    unwanted: set[str] = set()
    answers: list[tuple[Order, Answer]] = []
    for row, visit in session.execute(query).all():
        told = read_identifiers(keyring, visit.identifiers, visit.id) or Identifiers(visit.handle, "", "")
        if row.kind is OrderKind.COA:
            answers.append((_order(row, told), Answer.NOT_TAKEN))
        elif told.mac not in online:
            answers.append((_order(row, told), Answer.ACKNOWLEDGED if visit.runs else Answer.GONE))
        elif visit.runs:
            unwanted.add(told.mac)
    if answers:
        settle(session, keyring, directory, answers, now)
    return unwanted


def _pending(nas: NasRecord) -> tuple[ColumnElement[bool], ...]:
    return Disconnect.nas_id == nas.id, Disconnect.done_at.is_(None)


def _order(row: Disconnect, told: Identifiers) -> Order:
    return Order(
        id=row.id,
        kind=row.kind,
        cause=row.cause,
        visit_id=row.visit_id,
        nas_id=row.nas_id,
        created_at=row.created_at,
        attempts=row.attempts,
        identifiers=told,
        own_name=True,
    )
