"""What a guest asks for at the portal, looked at before the gateway is bothered: a courtesy, since RADIUS decides again."""

from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import and_, func, or_, select
from sqlalchemy.orm import Session

from hotspot.clock import end_of_site_day, site_day
from hotspot.directory import Located, SiteRecord
from hotspot.keys import Keyring
from hotspot.legal import Agreement
from hotspot.mac import Mac
from hotspot.place import AccessPoint
from sessions.guessing import a_try, count, hold_up
from sessions.ledger import RETURNS_WITHIN, has_just_left
from sessions.usage import is_spent, load_accounts, voucher_facts
from sessions.visit import Visit, VoucherDevice, is_counted
from vouchers.admission import DeviceFacts, Granted, PlaceFacts, Reason, Refused, Usage, decide
from vouchers.codes import Code, Mistyped
from vouchers.finding import find_by_code
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
    voucher: Voucher | None = None
    free_pass: Pass | None = None
    swaps: bool = False


def redeem(
    session: Session, keyring: Keyring, located: Located, typed: str, device: Mac | None, now: datetime
) -> Voucher | Refused:
    """The voucher whose code was typed at `located`. A wrong code counts as a guess, a mistyped one does not.

    The caller commits even when the answer is a refusal, else guesses would be free.
    """
    try:
        code = Code.parse(typed)
    except Mistyped:
        return Refused(Reason.MISTYPED)
    attempt = a_try(located, str(device) if device else None, code)
    (refused,) = hold_up(session, keyring, [attempt], now)
    if refused:
        return refused
    voucher = find_by_code(session, keyring, code)
    if voucher is None:
        count(session, keyring, [attempt], now)
        return Refused(Reason.UNKNOWN_CODE)
    return voucher


@dataclass(frozen=True, repr=False)
class Remembered:
    """The voucher that a device used last at a site and may go on using, and whether what it accepted then is in force still."""

    voucher: Voucher
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
            spent = is_spent(load_accounts(session, [voucher], now)[voucher.id], site, now)
            return None if spent else Remembered(voucher, Agreement(known.terms_id, known.prices_id) == in_force)
    return None


def preview(session: Session, wanted: Wanted, now: datetime) -> Granted | Refused:
    """What RADIUS would say now; nothing is locked or promised.

    A device that is not known may be one that holds the place or the voucher already: then only what holds for every
    device is refused here, and a swap is offered where the pass allows one, since it does no harm.
    """
    voucher, usage = _account(session, wanted, now)
    site = wanted.located.site
    facts, place = voucher_facts(voucher), _place(session, wanted.located)
    if wanted.device:
        # A swap may free the very place it needs; RADIUS, which holds the rows, knows.
        returns = wanted.swaps or _returns(session, site.id, wanted.device, now)
        return decide(facts, usage, DeviceFacts(wanted.device, returns, wanted.swaps), place, now)
    anyone = DeviceFacts(b"", returns=True, swaps=wanted.swaps)
    decision = decide(facts, usage, anyone, place, now)
    if isinstance(decision, Refused) and decision.reason is Reason.IN_USE and not decision.can_swap:
        return decide(facts, _alone(usage), anyone, place, now)
    return decision


def _alone(usage: Usage) -> Usage:
    return Usage(octets=usage.octets, seconds=usage.seconds)


def _account(session: Session, wanted: Wanted, now: datetime) -> tuple[Voucher, Usage]:
    if wanted.voucher:
        return wanted.voucher, load_accounts(session, [wanted.voucher], now)[wanted.voucher.id].usage
    if wanted.free_pass:
        return _free_pass_taken(session, wanted, wanted.free_pass, now)
    raise ValueError("neither a voucher nor a free pass is wanted")


def _free_pass_taken(session: Session, wanted: Wanted, article: Pass, now: datetime) -> tuple[Voucher, Usage]:
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
            return taken, account.usage
    ends = end_of_site_day(now, site.zone, site.day_ends)
    return free_voucher(article, site.id, wanted.device or b"", day, ends), Usage()


def _returns(session: Session, site_id: int, device: bytes, now: datetime) -> bool:
    """Whether the device holds a place or had one until just now."""
    found = select(Visit.id).where(
        Visit.site_id == site_id, Visit.device == device, or_(Visit.runs, has_just_left(now - RETURNS_WITHIN))
    )
    return session.scalar(found.limit(1)) is not None


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


def _place(session: Session, located: Located) -> PlaceFacts:
    """The access point, or all of the site's where it is not known which."""
    point = located.access_point
    ids = (point.id,) if point else located.site.access_point_ids
    points = session.execute(
        select(AccessPoint.capacity, AccessPoint.capacity_is_soft).where(AccessPoint.id.in_(ids))
    ).all()
    here = Visit.access_point_id == point.id if point else Visit.site_id == located.site.id
    occupied = session.scalar(select(func.count()).select_from(Visit).where(here, is_counted()))
    return PlaceFacts(
        site=located.site,
        capacity=sum(capacity for capacity, _soft in points),
        occupied=occupied or 0,
        soft=bool(points) and all(soft for _capacity, soft in points),
    )
