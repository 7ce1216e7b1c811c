"""What a guest asks for at the portal, looked at before the gateway is bothered: a courtesy, since RADIUS decides again."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import NamedTuple

from sqlalchemy import and_, bindparam, func, or_, select
from sqlalchemy.orm import Session

from hotspot.clock import end_of_site_day, site_day
from hotspot.database import UtcDateTime
from hotspot.directory import Located, SiteRecord
from hotspot.keys import Keyring
from hotspot.legal import Agreement
from hotspot.mac import Mac
from hotspot.place import AccessPoint
from hotspot.questions import Query, nothing_asked
from sessions.guessing import a_try, ask_hold_up, count
from sessions.ledger import RETURNS_WITHIN, has_just_left
from sessions.places import ask_guests, pool_of
from sessions.usage import Account, accounts_of, ask_by_code, is_spent, load_accounts, voucher_facts
from sessions.visit import Visit, VoucherDevice, is_counted
from vouchers.admission import DeviceFacts, Granted, PlaceFacts, Reason, Refused, Usage, VoucherFacts, decide
from vouchers.codes import Code, Mistyped
from vouchers.finding import code_hashes
from vouchers.issuing import free_voucher
from vouchers.passes import Pass
from vouchers.voucher import Voucher

# So many access points with room are named to a guest who has found one full.
_MOST_NAMED = 3


@dataclass(frozen=True)
class Wanted:
    """A voucher, or a free pass, that a device wants to use at a place; `device` is None where nothing proves which it is."""

    located: Located
    device: bytes | None
    voucher: Account | None = None
    free_pass: Pass | None = None
    swaps: bool = False


def redeem(
    session: Session, keyring: Keyring, located: Located, typed: str, device: Mac | None, now: datetime
) -> Account | Refused:
    """The voucher whose code was typed at `located`. A wrong code counts as a guess, a mistyped one does not.

    The caller commits even when the answer is a refusal, else guesses would be free.
    """
    try:
        code = Code.parse(typed)
    except Mistyped:
        return Refused(Reason.MISTYPED)
    attempt = a_try(located, str(device) if device else None, code)
    held_up, asked = ask_hold_up(session, keyring, [attempt], now), ask_by_code(session, code_hashes(keyring, code))
    (refused,) = held_up()
    if refused:
        return refused
    accounts = accounts_of(session, asked, now)
    if not accounts:
        count(session, keyring, [attempt], now)
        return Refused(Reason.UNKNOWN_CODE)
    return accounts[0]


@dataclass(frozen=True, repr=False)
class Remembered:
    """The voucher that a device used last at a site and may go on using, and whether what it accepted then is in force still."""

    voucher: Voucher
    account: Account
    agrees: bool


def remembered(
    session: Session, site: SiteRecord, device: bytes, in_force: Agreement, now: datetime
) -> Remembered | None:
    """What a login by MAC would mean, for a device that has come to the portal all the same."""
    rows = session.execute(
        select(Voucher, VoucherDevice)
        .join(VoucherDevice, VoucherDevice.voucher_id == Voucher.id)
        .where(
            VoucherDevice.device == device,
            Voucher.site_id == site.id,
            Voucher.revoked_at.is_(None),
            or_(Voucher.ends_at.is_(None), Voucher.ends_at > now),
        )
        .order_by(VoucherDevice.last_login_at.desc())
    )
    for voucher, known in rows:
        if now < known.last_login_at + timedelta(days=voucher.return_days):
            account = load_accounts(session, [voucher], now)[voucher.id]
            agrees = Agreement(known.terms_id, known.prices_id) == in_force
            return None if is_spent(account, site, now) else Remembered(voucher, account, agrees)
    return None


class Spot(NamedTuple):
    """How full a place is, and whether the device that asks holds a place there or had one until just now."""

    place: PlaceFacts
    returns: bool


def ask_spot(session: Session, located: Located, device: bytes | None, now: datetime) -> Callable[[], Spot]:
    """Ask how `located` stands for a device; whoever calls what is returned has it. Goes out together with what is asked next."""
    pool = pool_of(located)
    points = _CAPACITIES.ask(session, points=pool.points)
    guests = ask_guests(session, pool)
    since, site_id = now - RETURNS_WITHIN, located.site.id
    returning = _RETURNING.ask(session, site=site_id, device=device, since=since) if device else nothing_asked()

    def spot() -> Spot:
        rows = points.rows()
        capacity, soft = sum(one for one, _soft in rows), bool(rows) and all(soft for _one, soft in rows)
        occupied = sum(number for _id, number in guests.rows())
        return Spot(PlaceFacts(located.site, capacity, occupied, soft), bool(returning.rows()))

    return spot


_CAPACITIES = Query(
    lambda is_in: select(AccessPoint.capacity, AccessPoint.capacity_is_soft).where(is_in(AccessPoint.id, "points"))
)
_RETURNING = Query(
    lambda _is_in: (
        select(Visit.id)
        .where(
            Visit.site_id == bindparam("site"),
            Visit.device == bindparam("device"),
            or_(Visit.runs, has_just_left(bindparam("since", type_=UtcDateTime()))),
        )
        .limit(1)
    )
)


def preview(session: Session, wanted: Wanted, spot: Spot, now: datetime) -> Granted | Refused:
    """What RADIUS would say now; nothing is locked or promised.

    A device that is not known may be one that holds the place or the voucher already: then only what holds for every
    device is refused here, and a swap is offered where the pass allows one, since it does no harm.
    """
    facts, usage = _account(session, wanted, now)
    if wanted.device:
        # A swap may free the very place it needs; RADIUS, which holds the rows, knows.
        returns = wanted.swaps or spot.returns
        return decide(facts, usage, DeviceFacts(wanted.device, returns, wanted.swaps), spot.place, now)
    anyone = DeviceFacts(b"", returns=True, swaps=wanted.swaps)
    decision = decide(facts, usage, anyone, spot.place, now)
    if isinstance(decision, Refused) and decision.reason is Reason.IN_USE and not decision.can_swap:
        return decide(facts, _alone(usage), anyone, spot.place, now)
    return decision


def _alone(usage: Usage) -> Usage:
    return Usage(octets=usage.octets, seconds=usage.seconds)


def _account(session: Session, wanted: Wanted, now: datetime) -> tuple[VoucherFacts, Usage]:
    if wanted.voucher:
        return wanted.voucher.facts, wanted.voucher.usage
    if wanted.free_pass:
        return _free_pass_taken(session, wanted, wanted.free_pass, now)
    raise ValueError("neither a voucher nor a free pass is wanted")


def _free_pass_taken(session: Session, wanted: Wanted, article: Pass, now: datetime) -> tuple[VoucherFacts, Usage]:
    """The voucher that stands for this device's free pass today; one that is not stored while there is none."""
    site = wanted.located.site
    day = site_day(now, site.zone, site.day_ends)
    taken = wanted.device and session.scalar(
        select(Voucher)
        .where(
            Voucher.site_id == site.id,
            Voucher.pass_id == article.id,
            Voucher.free_device == wanted.device,
            Voucher.free_day == day,
        )
        .order_by(Voucher.free_round.desc())
        .limit(1)
    )
    if taken:
        account = load_accounts(session, [taken], now)[taken.id]
        if not (article.always and is_spent(account, site, now)):
            return account.facts, account.usage
    ends = end_of_site_day(now, site.zone, site.day_ends)
    return voucher_facts(free_voucher(article, site.id, wanted.device or b"", day, ends)), Usage()


def points_with_room(session: Session, site_id: int) -> tuple[str, ...]:
    """The names of a site's access points that can take guests now, the emptiest first; one query."""
    guests = func.count(Visit.id)
    query = (
        select(AccessPoint.name)
        .outerjoin(Visit, and_(Visit.access_point_id == AccessPoint.id, is_counted()))
        .where(AccessPoint.site_id == site_id, AccessPoint.retired_at.is_(None))
        .group_by(AccessPoint.id, AccessPoint.name, AccessPoint.capacity)
        .having(guests < AccessPoint.capacity)
        .order_by((AccessPoint.capacity - guests).desc(), AccessPoint.name)
    )
    return tuple(session.scalars(query.limit(_MOST_NAMED)))
