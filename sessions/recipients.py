"""Whose accounting is it? Finds the visit of each record: by our Class, by User-Name, by code or by device."""

from collections.abc import Sequence
from datetime import datetime
from typing import TYPE_CHECKING

from sqlalchemy import select
from sqlalchemy.orm import Session

from hotspot.keys import Keyring
from hotspot.place import LoginWay
from sessions.usage import lock_vouchers, voucher_facts
from sessions.visit import Visit, VisitState, hash_device
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
    handles = {name for record in records for name in (record.handle, record.user_name) if name}
    named = session.scalars(select(Visit).where(Visit.handle.in_(handles), Visit.state != VisitState.ASKED))
    by_handle = {visit.handle: visit for visit in named}
    found = [by_handle.get(record.handle or "") or by_handle.get(record.user_name) for record in records]
    missing = [i for i, visit in enumerate(found) if visit is None and records[i].acct_session_id]
    if missing:
        others = _Others(session, keyring, [records[i] for i in missing], now)
        for i in missing:
            found[i] = others.find(records[i])
    return found


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
            return max(fitting, key=lambda visit: visit.id, default=None) or self._begin(record, voucher, device)
        site_id = record.located.site.id if record.located else None
        here = [
            visit for visit in self.visits.values() if device and (visit.site_id, visit.device) == (site_id, device)
        ]
        return max(here, key=lambda visit: visit.id, default=None)

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
        if voucher.first_used_at is None:
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
