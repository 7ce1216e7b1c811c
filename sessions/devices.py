"""Devices that come in without the portal (MAC authentication): who is remembered for which voucher, and forgetting them."""

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import delete, exists, select, update
from sqlalchemy.orm import Session

from hotspot.bulk import upsert
from hotspot.legal import NOTHING_AGREED, Agreement
from sessions.extensions import Extension
from sessions.usage import lock_vouchers
from sessions.visit import Visit, VisitState, VoucherDevice

_KEY = (VoucherDevice.voucher_id, VoucherDevice.device)


def promise(session: Session, voucher_id: int, device: bytes, accepted: Agreement, now: datetime) -> None:
    """Let a device come in on a voucher that it has not used yet; one that has used it stays as it is."""
    row = {"voucher_id": voucher_id, "device": device, "last_login_at": now, "promised_at": now, **accepted._asdict()}
    session.execute(upsert(session, VoucherDevice).values(row).on_conflict_do_nothing(index_elements=_KEY))


def agreed(session: Session, voucher_id: int, device: bytes | None) -> Agreement:
    """What the guest of a device that is remembered for a voucher has accepted."""
    query = select(VoucherDevice.terms_id, VoucherDevice.prices_id)
    row = session.execute(query.where(VoucherDevice.voucher_id == voucher_id, VoucherDevice.device == device)).first()
    return Agreement(*row) if row else NOTHING_AGREED


def remember(session: Session, voucher_id: int, device: bytes, accepted: Agreement, now: datetime) -> None:
    """Note that a device uses a voucher as of now."""
    row = {"voucher_id": voucher_id, "device": device, "last_login_at": now, **accepted._asdict()}
    fresh = upsert(session, VoucherDevice).values(row)
    latest = {"last_login_at": now, "promised_at": None}
    session.execute(fresh.on_conflict_do_update(index_elements=_KEY, set_=latest))


@dataclass(frozen=True)
class Devices:
    """The devices of a voucher: those that are online, and those that were added and have not come yet."""

    running: frozenset[bytes]
    promised: frozenset[bytes]

    @property
    def all(self) -> frozenset[bytes]:
        """Each counts once against the number that the pass allows."""
        return self.running | self.promised


def devices_of(session: Session, voucher_id: int) -> Devices:
    """The devices that a voucher is taken by."""
    running = select(Visit.device).where(Visit.voucher_id == voucher_id, Visit.runs, Visit.device.is_not(None))
    promised = select(VoucherDevice.device).where(
        VoucherDevice.voucher_id == voucher_id, VoucherDevice.promised_at.is_not(None)
    )
    return Devices(
        frozenset(device for device in session.scalars(running) if device), frozenset(session.scalars(promised))
    )


def add_device(session: Session, voucher_id: int, device: bytes, accepted: Agreement, now: datetime) -> bool:
    """Let a further device come in on a voucher; False where the pass has none left.

    Nobody is told whether the device is known, online or remembered: its address may be a neighbour's.
    """
    # Race: of two that add the last device at once the second sees the first.
    (voucher,) = lock_vouchers(session, {voucher_id})
    devices = devices_of(session, voucher_id).all
    if len(devices | {device}) > voucher.devices:
        return False
    promise(session, voucher_id, device, accepted, now)
    return True


def forget_promised(session: Session, voucher_id: int, own: bytes | None) -> None:
    """Take back the devices that were added to a voucher and have not come yet, but for the guest's `own`."""
    others = VoucherDevice.device != (own or b"")
    promised = VoucherDevice.promised_at.is_not(None)
    session.execute(delete(VoucherDevice).where(VoucherDevice.voucher_id == voucher_id, promised, others))


def forget(session: Session, device: bytes) -> None:
    """Forget a device as far as nothing that still runs needs it: it has to use the portal again.

    What stays, and until when, is with the visit (docs/visits.md): reports of it may still come.
    """
    session.execute(delete(VoucherDevice).where(VoucherDevice.device == device))
    is_online = exists().where(Visit.device == device, Visit.runs)
    session.execute(
        delete(Extension).where(Extension.device == device, ~is_online),
        execution_options={"synchronize_session": False},
    )
    session.execute(
        delete(Visit).where(Visit.device == device, Visit.reserved_at.is_(None), Visit.closed_at.is_(None)),
        execution_options={"synchronize_session": False},
    )
    session.execute(
        update(Visit)
        .where(Visit.device == device, Visit.state == VisitState.CLOSED)
        .values(identifiers=None, address=None),
        execution_options={"synchronize_session": False},
    )
