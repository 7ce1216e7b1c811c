"""Devices that come online by their MAC: the portal notes one, and a Disconnect makes it come back and be let in."""

from dataclasses import replace
from datetime import datetime

from sqlalchemy import select
from sqlalchemy.orm import Session

from hotspot import limits
from hotspot.directory import NasRecord
from hotspot.keys import Keyring
from hotspot.legal import Agreement
from hotspot.limits import Counted, Limit
from hotspot.mac import Mac
from hotspot.place import LoginWay
from sessions.asking import Asked, ask, running_visit
from sessions.offers import Wanted
from sessions.outbox import ask_disconnect_ids
from sessions.visit import Identifiers, Visit, hash_device


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

    Anybody can name a neighbour's device where nothing is proved. So one that is online here is left alone, and nothing
    in the answer says that it is.
    """
    hashed = hash_device(keyring, device)
    free = proved or running_visit(session, wanted.located.site.id, hashed) is None
    promised = replace(wanted, device=hashed if free else None)
    asked = ask(session, keyring, promised, nas.id, agreement, now, LoginWay.MAC)
    if free:
        _call_back(session, keyring, asked, nas, device, now)
    return asked


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
