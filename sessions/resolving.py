"""From what a door was told to whom it means."""

from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from hotspot.keys import Keyring
from hotspot.legal import Agreement, agreement_in_force
from hotspot.mac import Mac
from hotspot.place import LoginWay
from hotspot.questions import Query
from sessions.by_code import read_codes
from sessions.by_device import resolve_devices
from sessions.login import Login, Wish, is_handle
from sessions.tickets import possible_tickets
from sessions.visit import Visit, hash_device
from vouchers.admission import Reason, Refused
from vouchers.passes import passes_by_id

_SHORTEST_MAC = 12


def resolve(session: Session, keyring: Keyring, logins: Sequence[Login], now: datetime) -> list[Wish]:
    """Find out whom `logins` mean; a fixed number of queries for all. Codes are left to `prove_codes`."""
    wishes = [_classify(keyring, login) for login in logins]
    _resolve_tickets(session, keyring, _of(wishes, LoginWay.TICKET), now)
    codes, devices = _of(wishes, LoginWay.VOUCHER), _of(wishes, LoginWay.MAC)
    read_codes(keyring, codes)
    if devices:
        resolve_devices(session, keyring, devices, agreement_in_force(session, now), now)
    return wishes


def _of(wishes: Iterable[Wish], way: LoginWay) -> list[Wish]:
    return [wish for wish in wishes if wish.way is way and not wish.refused]


def _classify(keyring: Keyring, login: Login) -> Wish:
    way = _way(login)
    if way not in login.nas.logins:
        return Wish(login, way, refused=Refused(Reason.WAY_NOT_ALLOWED))
    if login.device is None:
        return Wish(login, way, refused=Refused(Reason.NO_DEVICE))
    return Wish(login, way, device=hash_device(keyring, login.device))


def _way(login: Login) -> LoginWay:
    if is_handle(login.user_name):
        return LoginWay.TICKET
    if len(login.user_name) < _SHORTEST_MAC:
        return LoginWay.VOUCHER
    try:
        return LoginWay.MAC if Mac.parse(login.user_name) == login.device else LoginWay.VOUCHER
    except ValueError:
        return LoginWay.VOUCHER


_TICKETS = Query(
    lambda is_in: select(
        Visit.handle,
        Visit.id,
        Visit.site_id,
        Visit.ticket_expires_at,
        Visit.voucher_id,
        Visit.swaps,
        Visit.terms_id,
        Visit.prices_id,
        Visit.pass_id,
    ).where(is_in(Visit.handle, "handles"))
)


def _resolve_tickets(session: Session, keyring: Keyring, wishes: list[Wish], now: datetime) -> None:
    if not wishes:
        return
    found = _TICKETS.rows(session, handles={wish.login.user_name for wish in wishes})
    by_handle = {handle: tuple(promise) for handle, *promise in found}
    articles = passes_by_id(session, {pass_id for *_, voucher_id, _, _, _, pass_id in found if voucher_id is None})
    for wish in wishes:
        promise = by_handle.get(wish.login.user_name)
        visit_id, site_id, expires_at, voucher_id, swaps, terms_id, prices_id, pass_id = promise or _NO_PROMISE
        if expires_at is None or not _ticket_is_right(keyring, wish, site_id, expires_at):
            wish.refused = Refused(Reason.BAD_TICKET)
        elif site_id != wish.site.id:
            wish.refused = Refused(Reason.OTHER_SITE)
        elif now >= expires_at:
            wish.refused = Refused(Reason.STALE_TICKET)
        else:
            wish.visit_id, wish.voucher_id, wish.swaps = visit_id, voucher_id, swaps
            wish.accepted = Agreement(terms_id, prices_id)
            wish.free_pass = articles.get(pass_id) if voucher_id is None else None


_NO_PROMISE: tuple[Any, ...] = (None,) * 8


def _ticket_is_right(keyring: Keyring, wish: Wish, site_id: int, expires_at: datetime) -> bool:
    tickets = possible_tickets(keyring, wish.login.user_name, wish.login.nas.id, site_id, expires_at)
    return any(wish.login.proof.matches(ticket) for ticket in tickets)
