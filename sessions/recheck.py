"""Running visits asked again: whoever's voucher has ended or is revoked is put in the disconnect outbox."""

from collections.abc import Iterable
from datetime import datetime

from sqlalchemy import select
from sqlalchemy.orm import Session

from hotspot.directory import Directory
from sessions.usage import load_accounts
from sessions.visit import CloseCause, Visit, ask_disconnect
from vouchers.admission import DeviceFacts, PlaceFacts, Reason, Refused, decide
from vouchers.batches import Voucher


def recheck(session: Session, directory: Directory, visits: Iterable[Visit], now: datetime) -> int:
    """Ask the one decision again for running visits; those refused are to be disconnected. Returns how many.

    The caller holds the visits' rows.
    """
    refused = find_refused(session, directory, visits, now)
    for cause, ended in refused.items():
        ask_disconnect(session, ended, cause, now)
    return sum(map(len, refused.values()))


def find_refused(
    session: Session, directory: Directory, visits: Iterable[Visit], now: datetime
) -> dict[CloseCause, list[Visit]]:
    """The running visits that would be refused now, by the cause they have to end for.

    A visit with less left than a login is worth runs on: its NAS has the Session-Timeout. It has to end once nothing is left.
    """
    running = [visit for visit in visits if visit.runs and visit.voucher_id and visit.device]
    ids = {visit.voucher_id for visit in running}
    vouchers = session.scalars(select(Voucher).where(Voucher.id.in_(ids))) if ids else ()
    accounts = load_accounts(session, vouchers, now)
    refused: dict[CloseCause, list[Visit]] = {}
    for visit in running:
        site = directory.sites.get(visit.site_id)
        account = accounts.get(visit.voucher_id or 0)
        if site is None or account is None or visit.device is None:
            continue
        place = PlaceFacts(site=site, capacity=0, occupied=0)
        device = DeviceFacts(visit.device, returns=True)
        decision = decide(account.facts, account.usage, device, place, now, least_seconds=1)
        if isinstance(decision, Refused) and decision.reason is not Reason.IN_USE:
            cause = CloseCause.REVOKED if decision.reason is Reason.REVOKED else CloseCause.OVER
            refused.setdefault(cause, []).append(visit)
    return refused
