"""Logins: from what a door was told to whom it means. Tickets, voucher codes and returning devices end in one wish."""

import re
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, NamedTuple, Protocol

from sqlalchemy import bindparam, literal_column, or_, select
from sqlalchemy.orm import Session

from hotspot.bulk import Query
from hotspot.database import UtcDateTime
from hotspot.directory import Located, NasRecord, SiteRecord
from hotspot.keys import Keyring, Purpose
from hotspot.legal import NOTHING_AGREED, Agreement, agreement_in_force, ask_agreement
from hotspot.limits import Limit
from hotspot.mac import Mac
from hotspot.place import LoginWay
from sessions.guessing import Try, a_try, ask_hold_up, count
from sessions.tickets import possible_tickets
from sessions.visit import Visit, VoucherDevice, hash_device
from vouchers.admission import Reason, Refused
from vouchers.codes import Code, Mistyped
from vouchers.finding import code_hashes
from vouchers.passes import Pass
from vouchers.voucher import Voucher

_SHORTEST_MAC = 12
_HANDLE = re.compile("[a-z2-7]{16}")


def is_handle(text: str) -> bool:
    """Whether `text` can be the handle of a visit."""
    return _HANDLE.fullmatch(text) is not None


class Proof(Protocol):
    """The password of a request, in whatever form it crossed the network."""

    def matches(self, candidate: str) -> bool:
        """Whether `candidate` is the password."""


class Login(NamedTuple):
    """A wish to be online as a NAS reports it."""

    nas: NasRecord
    located: Located
    user_name: str
    proof: Proof
    device: Mac | None
    nas_address: str
    framed_address: str | None = None
    acct_session_id: str | None = None

    def __repr__(self) -> str:
        """Nothing that could be in a log."""
        return "Login"


@dataclass(slots=True, repr=False, eq=False)
class Wish:
    """A login and whom it means: a voucher, or a free pass, perhaps asked for at the portal; or why it cannot be.

    `visit_id` is the visit that the portal has promised with a ticket, None for another way. The code of an
    `attempt` is still to be proved.
    A device that `must_agree` has not accepted what is in force now.
    `other_vouchers` are to be tried in their order where `voucher_id` gives nothing more.
    """

    login: Login
    way: LoginWay
    device: bytes = b""
    voucher_id: int | None = None
    other_vouchers: Sequence[int] = ()
    free_pass: Pass | None = None
    visit_id: int | None = None
    swaps: bool = False
    refused: Refused | None = None
    attempt: Try | None = None
    code_hashes: Sequence[bytes] = ()
    accepted: Agreement = NOTHING_AGREED
    must_agree: bool = False

    @property
    def site(self) -> SiteRecord:
        """The site the login comes from."""
        return self.login.located.site


def resolve(session: Session, keyring: Keyring, logins: Sequence[Login], now: datetime) -> list[Wish]:
    """Find out whom `logins` mean; a fixed number of queries for all. Codes are left to `prove_codes`."""
    wishes = [_classify(keyring, login) for login in logins]
    _resolve_tickets(session, keyring, _of(wishes, LoginWay.TICKET), now)
    codes, devices = _of(wishes, LoginWay.VOUCHER), _of(wishes, LoginWay.MAC)
    _read_codes(keyring, codes)
    if devices:
        _resolve_devices(session, keyring, devices, agreement_in_force(session, now), now)
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
    articles = _free_passes(session, {pass_id for *_, voucher_id, _, _, _, pass_id in found if voucher_id is None})
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


def _free_passes(session: Session, ids: set[int]) -> dict[int, Pass]:
    return {one.id: one for one in session.scalars(select(Pass).where(Pass.id.in_(ids)))} if ids else {}


_NO_PROMISE: tuple[Any, ...] = (None,) * 8


def _ticket_is_right(keyring: Keyring, wish: Wish, site_id: int, expires_at: datetime) -> bool:
    tickets = possible_tickets(keyring, wish.login.user_name, wish.login.nas.id, site_id, expires_at)
    return any(wish.login.proof.matches(ticket) for ticket in tickets)


def _read_codes(keyring: Keyring, wishes: list[Wish]) -> None:
    """What can be said of codes before the database is asked: who mistyped."""
    for wish in wishes:
        code = _read_code(wish)
        if code is None:
            wish.refused = Refused(Reason.MISTYPED)
        else:
            device = wish.login.device.value if wish.login.device else None
            wish.attempt = a_try(wish.login.located, device, code)
            wish.code_hashes = code_hashes(keyring, code)


class AboutCodes(NamedTuple):
    """What is to be known of logins by code: which are not looked at, and what those who are right accept."""

    held_up: Sequence[Refused | None]
    in_force: Agreement


def ask_about_codes(
    session: Session, keyring: Keyring, wishes: Iterable[Wish], now: datetime
) -> Callable[[], AboutCodes]:
    """Ask; whoever calls what is returned has it."""
    wishes = [wish for wish in wishes if wish.attempt]
    held_up = ask_hold_up(session, keyring, [wish.attempt for wish in wishes if wish.attempt], now)
    if not any(LoginWay.MAC in wish.login.nas.logins for wish in wishes):
        return lambda: AboutCodes(held_up(), NOTHING_AGREED)
    in_force = ask_agreement(session, now)
    return lambda: AboutCodes(held_up(), in_force())


def prove_codes(
    session: Session,
    keyring: Keyring,
    wishes: Iterable[Wish],
    vouchers: Mapping[bytes, int],
    about: AboutCodes,
    now: datetime,
) -> None:
    """Find out which codes are right, now that their vouchers, here by code hash, are held. Wrong ones are counted as guesses."""
    wrong: list[Try] = []
    by_device: Counter[str | None] = Counter()
    attempts = [(wish, wish.attempt) for wish in wishes if wish.attempt]
    for (wish, attempt), refused in zip(attempts, about.held_up, strict=True):
        found = [vouchers[one] for one in wish.code_hashes if one in vouchers]
        if refused:
            wish.refused = refused
        elif by_device[attempt.device] >= Limit.GUESSES_BY_DEVICE.allowed:
            wish.refused = Refused(Reason.TOO_MANY_TRIES)
        elif not found or not _code_is_proved(wish, attempt.code):
            wish.refused = Refused(Reason.UNKNOWN_CODE)
            wrong.append(attempt)
            by_device[attempt.device] += 1
        else:
            # A gateway's own login page shows what is in force, as the portal would (docs/decisions/0013).
            wish.voucher_id, wish.accepted = found[0], about.in_force
        wish.attempt, wish.code_hashes = None, ()
    if wrong:
        count(session, keyring, wrong, now)


def _read_code(wish: Wish) -> Code | None:
    try:
        return Code.parse(wish.login.user_name)
    except Mistyped:
        return None


def _code_is_proved(wish: Wish, code: Code) -> bool:
    """A gateway's own login page sends the code as the password too, in whichever spelling it was typed."""
    matches = wish.login.proof.matches
    if matches(wish.login.user_name) or matches(code.value):
        return True
    return any(matches(spelling) for spelling in (code.printed, code.value.lower(), code.printed.lower()))


def _resolve_devices(
    session: Session, keyring: Keyring, wishes: list[Wish], in_force: Agreement, now: datetime
) -> None:
    """A device means what the portal has noted it for, else the voucher it used last at this site.

    That voucher must not have ended, and its pass must let the device return. Behind it come those it used before, and then
    those that were only promised to it.
    """
    for wish in wishes:
        mac = str(wish.login.device)
        spellings = (wish.login.user_name, mac, mac.lower(), mac.replace("-", ":"), mac.replace("-", ":").lower(),
                     mac.replace("-", ""), mac.replace("-", "").lower())  # fmt: skip
        if not any(wish.login.proof.matches(spelling) for spelling in spellings):
            wish.refused = Refused(Reason.UNKNOWN_DEVICE)
    hashes = {one: wish.device for wish in wishes for one in keyring.hashes(Purpose.DEVICES, str(wish.login.device))}
    known: dict[tuple[int, bytes], list[tuple[int, Agreement]]] = {}
    rows = _DEVICES.rows(session, devices=hashes, now=now)
    for device, site_id, voucher_id, last_login_at, return_days, *accepted in rows:
        if now < last_login_at + timedelta(days=return_days):
            known.setdefault((site_id, hashes[device]), []).append((voucher_id, Agreement(*accepted)))
    promises = {
        (site_id, hashes[device]): promise
        for device, site_id, *promise in _NOTED.rows(session, devices=hashes, now=now)
    }
    articles = _free_passes(
        session, {pass_id for _, voucher_id, *_, pass_id in promises.values() if voucher_id is None}
    )
    for wish in wishes:
        if promise := promises.get((wish.site.id, wish.device)):
            wish.visit_id, wish.voucher_id, wish.swaps, terms_id, prices_id, pass_id = promise
            wish.accepted = Agreement(terms_id, prices_id)
            wish.free_pass = articles.get(pass_id) if wish.voucher_id is None else None
        elif remembered := known.get((wish.site.id, wish.device)):
            wish.voucher_id, wish.accepted = remembered[0]
            wish.other_vouchers = [voucher_id for voucher_id, _accepted in remembered[1:]]
            wish.must_agree = wish.accepted != in_force
        if wish.voucher_id is None and wish.free_pass is None:
            wish.refused = wish.refused or Refused(Reason.UNKNOWN_DEVICE)


# The newest last, so that it is the one that counts.
_NOTED = Query(
    lambda is_in: (
        select(
            Visit.device,
            Visit.site_id,
            Visit.id,
            Visit.voucher_id,
            Visit.swaps,
            Visit.terms_id,
            Visit.prices_id,
            Visit.pass_id,
        )
        .where(
            is_in(Visit.device, "devices"),
            Visit.way == literal_column(f"'{LoginWay.MAC}'"),
            Visit.reserved_at.is_(None),
            Visit.closed_at.is_(None),
            Visit.ticket_expires_at > bindparam("now", type_=UtcDateTime()),
        )
        .order_by(Visit.id)
    )
)
_DEVICES = Query(
    lambda is_in: (
        select(
            VoucherDevice.device,
            Voucher.site_id,
            Voucher.id,
            VoucherDevice.last_login_at,
            Voucher.return_days,
            VoucherDevice.terms_id,
            VoucherDevice.prices_id,
        )
        .join(Voucher, Voucher.id == VoucherDevice.voucher_id)
        .where(
            is_in(VoucherDevice.device, "devices"),
            Voucher.revoked_at.is_(None),
            or_(Voucher.ends_at.is_(None), Voucher.ends_at > bindparam("now", type_=UtcDateTime())),
        )
        .order_by(VoucherDevice.promised_at.is_not(None), VoucherDevice.last_login_at.desc())
    )
)
