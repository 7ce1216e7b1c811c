"""Whose accounting is it? Finds the visit of each record: by our Class, by User-Name, by code or by device."""

from collections.abc import Sequence
from datetime import datetime

from sqlalchemy import and_, or_, select
from sqlalchemy.orm import Session

from hotspot.database import new_public_id
from hotspot.keys import Keyring, Purpose
from hotspot.place import LoginWay
from sessions.held import HeldVisit, held_query, hold_by, hold_ids, write_visits
from sessions.login import is_handle
from sessions.records import Record
from sessions.usage import lock_vouchers, voucher_facts
from sessions.visit import Leg, Visit, VisitState, hash_device
from vouchers.admission import end_of_voucher
from vouchers.codes import Code, Mistyped
from vouchers.finding import code_hashes
from vouchers.voucher import Voucher

_NAMED = held_query(lambda is_in: and_(is_in(Visit.handle, "handles"), Visit.reserved_at.is_not(None)))
_NAMED_OR_KNOWN = held_query(
    lambda is_in: and_(or_(is_in(Visit.handle, "handles"), is_in(Visit.id, "ids")), Visit.reserved_at.is_not(None))
)


def find_recipients(
    session: Session, keyring: Keyring, records: Sequence[Record], now: datetime
) -> list[HeldVisit | None]:
    """The visit of each record, held; None where none is known. A fixed number of queries for a batch of known visits.

    Our Class names the visit. Some NAS do not echo it: then the User-Name is the visit's handle, or a voucher's code that
    the device used, or nothing but the device at its site tells.
    """
    handles = {name for record in records for name in (record.handle, record.user_name) if name and is_handle(name)}
    # Whom no handle names is looked for first: vouchers are held before visits.
    nameless = [i for i, record in enumerate(records) if not {record.handle, record.user_name} & handles]
    ids = _look_up(session, keyring, records, nameless, now)
    held = _hold(session, handles, set(ids.values()))
    by_handle = {visit.handle: visit for visit in held}
    by_id = {visit.id: visit for visit in held}
    found: list[HeldVisit | None] = []
    for i, record in enumerate(records):
        visit = by_handle.get(record.handle or "") or by_handle.get(record.user_name) or by_id.get(ids.get(i, 0))
        # A handle crosses the air in clear: whoever hears it at one site must not bill it from another.
        found.append(visit if visit and _comes_from(record, visit) else None)
    # A handle that nobody knows, as of a visit that is long forgotten.
    missing = [i for i, visit in enumerate(found) if visit is None and i not in nameless]
    late = _look_up(session, keyring, records, missing, now)
    by_id |= {visit.id: visit for visit in hold_ids(session, set(late.values()) - by_id.keys())}
    for i, visit_id in late.items():
        found[i] = by_id.get(visit_id)
    return found


def _look_up(
    session: Session, keyring: Keyring, records: Sequence[Record], positions: Sequence[int], now: datetime
) -> dict[int, int]:
    """The visits of the records at these positions, as far as there are any, by position."""
    some = {i: records[i] for i in positions if records[i].acct_session_id}
    if not some:
        return {}
    others = _Others(session, keyring, list(some.values()), now)
    found = {i: others.find(record) for i, record in some.items()}
    return {i: visit_id for i, visit_id in found.items() if visit_id}


def _hold(session: Session, handles: set[str], ids: set[int]) -> list[HeldVisit]:
    if ids:
        return hold_by(session, _NAMED_OR_KNOWN, handles=handles, ids=ids)
    return hold_by(session, _NAMED, handles=handles) if handles else []


def _comes_from(record: Record, visit: HeldVisit) -> bool:
    """Whether the NAS can have this visit's guest."""
    at_site = record.located is None or record.located.site.id == visit.site_id
    return at_site and record.nas.site_id in (None, visit.site_id)


class _Others:
    """The visits of records that carry no handle."""

    def __init__(self, session: Session, keyring: Keyring, records: Sequence[Record], now: datetime) -> None:
        self.session, self.keyring, self.now = session, keyring, now
        self.vouchers = self._vouchers({record.user_name for record in records})
        devices = {hash_device(keyring, record.device) for record in records if record.device}
        of_device = select(Visit).where(Visit.device.in_(devices))
        of_voucher = select(Visit).where(Visit.voucher_id.in_({voucher.id for voucher in self.vouchers.values()}))
        self.visits = {
            visit.id: visit
            for query in (of_device, of_voucher)
            for visit in session.scalars(query.where(Visit.reserved_at.is_not(None)).order_by(Visit.id))
        }
        self.sessions = self._sessions(records)
        beginning = (self.vouchers[one.user_name].id for one in records if self._begins(one))
        lock_vouchers(session, set(beginning))

    def _begins(self, record: Record) -> bool:
        """Whether a record with a code has no visit yet."""
        voucher = self.vouchers.get(record.user_name)
        return voucher is not None and not self._fitting(record, voucher)

    def _fitting(self, record: Record, voucher: Voucher) -> list[Visit]:
        device = hash_device(self.keyring, record.device) if record.device else None
        of_voucher = (visit for visit in self.visits.values() if visit.voucher_id == voucher.id)
        return [visit for visit in of_voucher if device in (None, visit.device)]

    def _sessions(self, records: Sequence[Record]) -> dict[tuple[int, bytes], set[int]]:
        """The visits that have a leg of these accounting sessions, by NAS and session."""
        names = {name for one in records for name in self.keyring.hashes(Purpose.SESSIONS, one.acct_session_id)}
        query = select(Leg.nas_id, Leg.session, Leg.visit_id).where(
            Leg.session.in_(names), Leg.visit_id.in_(self.visits)
        )
        found: dict[tuple[int, bytes], set[int]] = {}
        for nas_id, name, visit_id in self.session.execute(query) if self.visits else ():
            found.setdefault((nas_id, name), set()).add(visit_id)
        return found

    def _newest(self, record: Record, visits: list[Visit]) -> Visit | None:
        """The visit that has this accounting session already; for a new session the newest."""
        names = self.keyring.hashes(Purpose.SESSIONS, record.acct_session_id)
        known = set[int]().union(*(self.sessions.get((record.nas.id, name), set()) for name in names))
        return max([v for v in visits if v.id in known] or visits, key=lambda visit: visit.id, default=None)

    def _vouchers(self, user_names: set[str]) -> dict[str, Voucher]:
        """The vouchers whose codes are these User-Names."""
        names: dict[bytes, list[str]] = {}
        for user_name in user_names:
            try:
                for one in code_hashes(self.keyring, Code.parse(user_name)):
                    names.setdefault(one, []).append(user_name)
            except Mistyped:
                continue
        if not names:
            return {}
        rows = self.session.scalars(select(Voucher).where(Voucher.code_hash.in_(names)))
        return {name: voucher for voucher in rows for name in names[voucher.code_hash or b""]}

    def find(self, record: Record) -> int | None:
        """The newest visit that fits, by id; for a known code without any, a new visit, since usage must not be lost."""
        voucher = self.vouchers.get(record.user_name)
        device = hash_device(self.keyring, record.device) if record.device else None
        if voucher:
            newest = self._newest(record, self._fitting(record, voucher))
            return newest.id if newest else self._begin(record, voucher, device)
        site_id = record.located.site.id if record.located else None
        here = [
            visit for visit in self.visits.values() if device and (visit.site_id, visit.device) == (site_id, device)
        ]
        newest = self._newest(record, here)
        return newest.id if newest else None

    def _begin(self, record: Record, voucher: Voucher, device: bytes | None) -> int | None:
        """A NAS let a device in whose Access-Accept we do not know of, as after a failover: account it all the same."""
        if device is None or record.located is None or record.located.site.id != voucher.site_id:
            return None
        elsewhere = (
            one for one in self.visits.values() if one.runs and (one.site_id, one.device) == (voucher.site_id, device)
        )
        if next(elsewhere, None):
            return None
        # An expired, revoked or switched-off voucher is not revived by it; what it used is counted all the same.
        good_from = voucher.good_from or self.now
        usable = not (voucher.first_used_at or voucher.revoked_at or voucher.inactive)
        if usable and good_from <= self.now < voucher.good_until:
            voucher.first_used_at, voucher.code_ciphertext = self.now, None
            voucher.ends_at = end_of_voucher(voucher_facts(voucher), record.located.site, self.now)
            self.session.flush()
        visit = self._new_visit(record, voucher, device)
        write_visits(self.session, [visit])
        stored = self.session.scalars(select(Visit).where(Visit.handle == visit.handle)).one()
        self.visits[stored.id] = stored
        return stored.id

    def _new_visit(self, record: Record, voucher: Voucher, device: bytes) -> HeldVisit:
        point = record.located.access_point if record.located else None
        return HeldVisit(
            id=0,
            handle=new_public_id(),
            site_id=voucher.site_id,
            access_point_id=point.id if point else None,
            nas_id=record.nas.id,
            pass_id=voucher.pass_id,
            voucher_id=voucher.id,
            way=LoginWay.VOUCHER,
            state=VisitState.RESERVED,
            device=device,
            swaps=False,
            refusal=None,
            interim_seconds=300,
            is_metered=voucher.terms.is_metered,
            asked_at=self.now,
            reserved_at=self.now,
            reserved_until=self.now,
        )
