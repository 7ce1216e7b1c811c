"""Logins: from what a door was told to whom it means. Tickets, voucher codes and returning devices end in one wish."""

import re
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Protocol

from sqlalchemy import or_, select
from sqlalchemy.orm import Session

from hotspot import limits
from hotspot.directory import Located, NasRecord, SiteRecord
from hotspot.keys import Keyring, Purpose
from hotspot.limits import Counted, Limit
from hotspot.mac import Mac
from hotspot.place import LoginWay
from sessions.tickets import possible_tickets
from sessions.visit import Visit, VoucherDevice, hash_device
from vouchers.admission import Reason, Refused
from vouchers.batches import Voucher, code_hashes
from vouchers.codes import Code, Mistyped
from vouchers.passes import Pass

_HANDLE = re.compile("[a-z2-7]{16}")


def is_handle(text: str) -> bool:
    """Whether `text` can be the handle of a visit."""
    return _HANDLE.fullmatch(text) is not None


class Proof(Protocol):
    """The password of a request, in whatever form it crossed the network."""

    def matches(self, candidate: str) -> bool:
        """Whether `candidate` is the password."""


@dataclass(frozen=True, repr=False)
class Login:
    """A wish to be online as a NAS reports it."""

    nas: NasRecord
    located: Located
    user_name: str
    proof: Proof
    device: Mac | None
    nas_address: str
    framed_address: str | None = None


@dataclass(repr=False)
class Wish:
    """A login and whom it means: a voucher, or a free pass, perhaps asked for at the portal; or why it cannot be."""

    login: Login
    way: LoginWay
    device: bytes = b""
    voucher_id: int | None = None
    free_pass: Pass | None = None
    visit: Visit | None = None
    swaps: bool = False
    refused: Refused | None = None

    @property
    def site(self) -> SiteRecord:
        """The site the login comes from."""
        return self.login.located.site


def resolve(session: Session, keyring: Keyring, logins: Sequence[Login], now: datetime) -> list[Wish]:
    """Find out whom `logins` mean; a fixed number of queries for all. Wrong codes are counted as guesses."""
    wishes = [_classify(keyring, login) for login in logins]
    _resolve_tickets(session, keyring, _of(wishes, LoginWay.TICKET), now)
    _resolve_codes(session, keyring, _of(wishes, LoginWay.VOUCHER), now)
    _resolve_devices(session, keyring, _of(wishes, LoginWay.MAC), now)
    return wishes


def guess_counters(site: SiteRecord, device: str | None) -> list[Counted]:
    """Whom a wrong code is counted for, at both doors: the device where it is known, and the site."""
    counted = [Counted(Limit.GUESSES_AT_SITE, str(site.id))]
    return [*counted, Counted(Limit.GUESSES_BY_DEVICE, device)] if device else counted


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
    try:
        return LoginWay.MAC if Mac.parse(login.user_name) == login.device else LoginWay.VOUCHER
    except ValueError:
        return LoginWay.VOUCHER


def _resolve_tickets(session: Session, keyring: Keyring, wishes: list[Wish], now: datetime) -> None:
    if not wishes:
        return
    rows = session.execute(
        select(Visit, Pass)
        .join(Pass, Pass.id == Visit.pass_id)
        .where(Visit.handle.in_({wish.login.user_name for wish in wishes}))
    )
    by_handle = {visit.handle: (visit, article) for visit, article in rows}
    for wish in wishes:
        visit, article = by_handle.get(wish.login.user_name, (None, None))
        if visit is None or not _ticket_is_right(keyring, wish, visit):
            wish.refused = Refused(Reason.BAD_TICKET)
        elif visit.site_id != wish.site.id:
            wish.refused = Refused(Reason.OTHER_SITE)
        elif visit.ticket_expires_at is None or now >= visit.ticket_expires_at:
            wish.refused = Refused(Reason.STALE_TICKET)
        else:
            wish.visit, wish.voucher_id, wish.swaps = visit, visit.voucher_id, visit.swaps
            wish.free_pass = article if visit.voucher_id is None else None


def _ticket_is_right(keyring: Keyring, wish: Wish, visit: Visit) -> bool:
    if visit.ticket_expires_at is None:
        return False
    facts = (visit.handle, wish.login.nas.id, visit.site_id, visit.ticket_expires_at)
    return any(wish.login.proof.matches(ticket) for ticket in possible_tickets(keyring, *facts))


def _resolve_codes(session: Session, keyring: Keyring, wishes: list[Wish], now: datetime) -> None:
    if not wishes:
        return
    counters = {id(wish): guess_counters(wish.site, str(wish.login.device)) for wish in wishes}
    reached = limits.reached(session, keyring, {one for some in counters.values() for one in some}, now)
    codes = {id(wish): _read_code(wish) for wish in wishes}
    hashes = {one: code for code in codes.values() if code for one in code_hashes(keyring, code)}
    rows = session.execute(select(Voucher.code_hash, Voucher.id).where(Voucher.code_hash.in_(hashes)))
    ids = {hashes[code_hash].value: voucher_id for code_hash, voucher_id in rows if code_hash}
    wrong: Counter[Counted] = Counter()
    for wish in wishes:
        code = codes[id(wish)]
        if code is None:
            wish.refused = Refused(Reason.MISTYPED)
        elif any(one in reached or wrong[one] >= one.limit.allowed for one in counters[id(wish)]):
            wish.refused = Refused(Reason.TOO_MANY_TRIES)
        elif code.value not in ids or not _code_is_proved(wish, code):
            wish.refused = Refused(Reason.UNKNOWN_CODE)
            wrong.update(counters[id(wish)])
        else:
            wish.voucher_id = ids[code.value]
    limits.hit(session, keyring, list(wrong.elements()), now)


def _read_code(wish: Wish) -> Code | None:
    try:
        return Code.parse(wish.login.user_name)
    except Mistyped:
        return None


def _code_is_proved(wish: Wish, code: Code) -> bool:
    """A gateway's own login page sends the code as the password too, in whichever spelling it was typed."""
    spellings = dict.fromkeys(
        (wish.login.user_name, code.value, code.printed, code.value.lower(), code.printed.lower())
    )
    return any(wish.login.proof.matches(spelling) for spelling in spellings)


def _resolve_devices(session: Session, keyring: Keyring, wishes: list[Wish], now: datetime) -> None:
    """A returning device means the voucher it used last at this site that has not ended, as long as its pass lets it return."""
    if not wishes:
        return
    for wish in wishes:
        mac = str(wish.login.device)
        spellings = (wish.login.user_name, mac, mac.lower(), mac.replace("-", ":"), mac.replace("-", ":").lower(),
                     mac.replace("-", ""), mac.replace("-", "").lower())  # fmt: skip
        if not any(wish.login.proof.matches(spelling) for spelling in spellings):
            wish.refused = Refused(Reason.UNKNOWN_DEVICE)
    hashes = {one: wish.device for wish in wishes for one in keyring.hashes(Purpose.DEVICES, str(wish.login.device))}
    rows = session.execute(
        select(VoucherDevice.device, Voucher.site_id, Voucher.id, VoucherDevice.last_login_at, Voucher.return_days)
        .join(Voucher, Voucher.id == VoucherDevice.voucher_id)
        .where(
            VoucherDevice.device.in_(hashes),
            Voucher.revoked_at.is_(None),
            or_(Voucher.ends_at.is_(None), Voucher.ends_at > now),
        )
        .order_by(VoucherDevice.last_login_at)
    )
    newest = {
        (site_id, hashes[device]): voucher_id
        for device, site_id, voucher_id, last_login_at, return_days in rows
        if now < last_login_at + timedelta(days=return_days)
    }
    for wish in wishes:
        wish.voucher_id = newest.get((wish.site.id, wish.device))
        if wish.voucher_id is None:
            wish.refused = wish.refused or Refused(Reason.UNKNOWN_DEVICE)
