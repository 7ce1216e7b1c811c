"""Whose accounting is it? Finds the visit of each record: by our Class, by User-Name, by code or by device."""

from collections.abc import Sequence
from datetime import datetime
from typing import TYPE_CHECKING

from sqlalchemy import select
from sqlalchemy.orm import Session

from hotspot.keys import Keyring, Purpose
from hotspot.place import LoginWay
from sessions.login import is_handle
from sessions.usage import lock_vouchers, voucher_facts
from sessions.visit import Leg, Visit, VisitState, hash_device
from vouchers.admission import end_of_voucher
from vouchers.batches import Voucher, code_hashes
from vouchers.codes import Code, Mistyped

if TYPE_CHECKING:
    from sessions.accounting import Record


def find_recipients(
    session: Session, keyring: Keyring, records: "Sequence[Record]", now: datetime
) -> list[Visit | None]:
    """The visit of each record, None where none is known; a fixed number of queries for a batch of known visits.

    Our Class names the visit. Some NAS do not echo it: then the User-Name is the visit's handle, or a voucher's code that
    the device used, or nothing but the device at its site tells.
    """
    handles = {name for record in records for name in (record.handle, record.user_name) if name and is_handle(name)}
    named = session.scalars(select(Visit).where(Visit.handle.in_(handles), Visit.state != VisitState.ASKED))
    by_handle = {visit.handle: visit for visit in named}
    found = [by_handle.get(record.handle or "") or by_handle.get(record.user_name) for record in records]
    # A handle crosses the air in clear: whoever hears it at one site must not bill it from another.
    found = [
        visit if visit and _comes_from(record, visit) else None for record, visit in zip(records, found, strict=True)
    ]
    missing = [i for i, visit in enumerate(found) if visit is None and records[i].acct_session_id]
    if missing:
        others = _Others(session, keyring, [records[i] for i in missing], now)
        for i in missing:
            found[i] = others.find(records[i])
    return found


def _comes_from(record: "Record", visit: Visit) -> bool:
    """Whether the NAS can have this visit's guest."""
    at_site = record.located is None or record.located.site.id == visit.site_id
    return at_site and record.nas.site_id in (None, visit.site_id)


class _Others:
    """The visits of records that carry no handle."""

    def __init__(self, session: Session, keyring: Keyring, records: "Sequence[Record]", now: datetime) -> None:
        self.session, self.keyring, self.now = session, keyring, now
        self.vouchers = self._vouchers({record.user_name for record in records})
        devices = {hash_device(keyring, record.device) for record in records if record.device}
        of_device = select(Visit).where(Visit.device.in_(devices))
        of_voucher = select(Visit).where(Visit.voucher_id.in_({voucher.id for voucher in self.vouchers.values()}))
        self.visits = {
            visit.id: visit
            for query in (of_device, of_voucher)
            for visit in session.scalars(query.where(Visit.state != VisitState.ASKED).order_by(Visit.id))
        }
        self.sessions = self._sessions(records)

    def _sessions(self, records: "Sequence[Record]") -> dict[tuple[int, bytes], set[int]]:
        """The visits that have a leg of these accounting sessions, by NAS and session."""
        names = {name for one in records for name in self.keyring.hashes(Purpose.SESSIONS, one.acct_session_id)}
        query = select(Leg.nas_id, Leg.session, Leg.visit_id).where(
            Leg.session.in_(names), Leg.visit_id.in_(self.visits)
        )
        found: dict[tuple[int, bytes], set[int]] = {}
        for nas_id, name, visit_id in self.session.execute(query) if self.visits else ():
            found.setdefault((nas_id, name), set()).add(visit_id)
        return found

    def _newest(self, record: "Record", visits: list[Visit]) -> Visit | None:
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

    def find(self, record: "Record") -> Visit | None:
        """The newest visit that fits; for a known code without any, a new visit, since usage must not be lost."""
        voucher = self.vouchers.get(record.user_name)
        device = hash_device(self.keyring, record.device) if record.device else None
        if voucher:
            of_voucher = [visit for visit in self.visits.values() if visit.voucher_id == voucher.id]
            fitting = [visit for visit in of_voucher if device in (None, visit.device)]
            return self._newest(record, fitting) or self._begin(record, voucher, device)
        site_id = record.located.site.id if record.located else None
        here = [
            visit for visit in self.visits.values() if device and (visit.site_id, visit.device) == (site_id, device)
        ]
        return self._newest(record, here)

    def _begin(self, record: "Record", voucher: Voucher, device: bytes | None) -> Visit | None:
        """A NAS let a device in whose Access-Accept we do not know of, as after a failover: account it all the same."""
        if device is None or record.located is None or record.located.site.id != voucher.site_id:
            return None
        elsewhere = (
            one for one in self.visits.values() if one.runs and (one.site_id, one.device) == (voucher.site_id, device)
        )
        if next(elsewhere, None):
            return None
        lock_vouchers(self.session, {voucher.id})
        # An expired or revoked voucher is not revived by it; what it used is counted all the same.
        if voucher.first_used_at is None and voucher.revoked_at is None and self.now < voucher.good_until:
            voucher.first_used_at, voucher.code_ciphertext = self.now, None
            voucher.ends_at = end_of_voucher(voucher_facts(voucher), record.located.site, self.now)
        point = record.located.access_point
        visit = Visit(
            site_id=voucher.site_id,
            access_point_id=point.id if point else None,
            nas_id=record.nas.id,
            pass_id=voucher.pass_id,
            voucher_id=voucher.id,
            way=LoginWay.VOUCHER,
            state=VisitState.RESERVED,
            device=device,
            asked_at=self.now,
            reserved_at=self.now,
            reserved_until=self.now,
        )
        self.session.add(visit)
        self.session.flush()
        self.visits[visit.id] = visit
        return visit
