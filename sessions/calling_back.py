"""Devices that come online by their MAC: the portal notes one, and a Disconnect makes it come back and be let in."""

from dataclasses import replace
from datetime import datetime

from sqlalchemy import and_, func, or_, select, update
from sqlalchemy.orm import Session

from hotspot import limits
from hotspot.directory import NasRecord
from hotspot.keys import Keyring
from hotspot.legal import Agreement
from hotspot.limits import Counted, Limit
from hotspot.mac import Mac
from hotspot.place import LoginWay
from sessions.asking import Asked, ask
from sessions.offers import Wanted
from sessions.outbox import ask_disconnect_ids
from sessions.visit import Identifiers, Visit, hash_device

# Each that does not hold is tried at each login of the device: whoever names a neighbour's must not have many tried.
MOST_NOTES = 5


def ask_for_device(
    session: Session,
    keyring: Keyring,
    wanted: Wanted,
    nas: NasRecord,
    device: Mac,
    agreement: Agreement,
    now: datetime,
    *,
    proved: bool,
) -> Asked:
    """Note that `device` may come by its MAC, and have the NAS send it away, so that it comes back at once.

    Anybody can name a neighbour's device where nothing is proved. So one that is online at this NAS is left alone, and
    one that is noted for much already, and nothing in the answer says so.
    """
    hashed = hash_device(keyring, device)
    others = _note_anew(session, wanted, hashed, now)
    free = proved or (others < MOST_NOTES and not _is_online(session, wanted, nas, hashed))
    promised = replace(wanted, device=hashed if free else None)
    asked = ask(session, keyring, promised, nas.id, agreement, now, LoginWay.MAC)
    if free:
        _call_back(session, keyring, asked, nas, device, now)
    return asked


def _is_online(session: Session, wanted: Wanted, nas: NasRecord, device: bytes) -> bool:
    """Whether the device has a visit here, or at another site of the NAS, which would send it away there too."""
    here = or_(Visit.site_id == wanted.located.site.id, Visit.nas_id == nas.id)
    return session.scalar(select(Visit.id).where(Visit.device == device, Visit.runs, here).limit(1)) is not None


def _note_anew(session: Session, wanted: Wanted, device: bytes, now: datetime) -> int:
    """What the device was noted for before counts no more where it is the same; returns how much else it is noted for."""
    notes = (
        Visit.device == device,
        Visit.site_id == wanted.located.site.id,
        Visit.way == LoginWay.MAC,
        Visit.reserved_at.is_(None),
        Visit.closed_at.is_(None),
        Visit.ticket_expires_at > now,
    )
    same = (
        Visit.voucher_id == wanted.voucher.id
        if wanted.voucher
        else and_(Visit.voucher_id.is_(None), Visit.pass_id == (wanted.free_pass.id if wanted.free_pass else None))
    )
    anew = update(Visit).where(*notes, same).values(device=None)
    session.execute(anew, execution_options={"synchronize_session": False})
    return session.scalar(select(func.count()).select_from(Visit).where(*notes)) or 0


def _call_back(session: Session, keyring: Keyring, asked: Asked, nas: NasRecord, device: Mac, now: datetime) -> None:
    """An order without a cause: it makes the device come back and ends no visit.

    Where the NAS is a whole network nobody knows at which of its addresses the device is: then the guest has to rejoin.
    """
    counted = [Counted(Limit.CALLS_BACK_OF_DEVICE, device.value), Counted(Limit.CALLS_BACK_AT_NAS, str(nas.id))]
    if nas.network.num_addresses > 1 or limits.reached(session, keyring, counted, now):
        return
    limits.hit(session, keyring, counted, now)
    visit = session.scalars(select(Visit).where(Visit.handle == asked.handle)).one()
    known = Identifiers(user_name=device.value, mac=device.value, nas_address=str(nas.network.network_address))
    visit.identifiers = known.seal(keyring)
    ask_disconnect_ids(session, [(visit.id, nas.id)], None, now)
