"""What a batch of logins knows: vouchers, visits and places, held or loaded at once and kept up to date in memory."""

from datetime import date, datetime, timedelta
from typing import Any

from sqlalchemy import ColumnElement, and_, bindparam, literal_column, or_, select
from sqlalchemy.orm import Session

from hotspot.clock import end_of_site_day, site_day
from hotspot.database import UtcDateTime
from hotspot.directory import SiteRecord
from hotspot.keys import Keyring
from hotspot.questions import Asked, Query, nothing_asked
from sessions.by_code import ask_about_codes, prove_codes
from sessions.held import HeldVisit, held_query, held_visits
from sessions.login import Wish
from sessions.places import HeldPlaces, Places, pool_of
from sessions.usage import Account, account_of, ask_to_hold, held_accounts, is_spent
from sessions.visit import CUT_OFF, Visit
from vouchers.admission import PlaceFacts
from vouchers.issuing import free_voucher
from vouchers.voucher import Voucher

# A device that comes back this soon is never refused for lack of place, nor is one that was cut off (decision 4).
RETURNS_WITHIN = timedelta(minutes=10)


def has_just_left(since: datetime | ColumnElement[datetime]) -> ColumnElement[bool]:
    """Visits whose device may come back whatever the capacity: they held a place after `since`, or were cut off."""
    cut_off = (Visit.close_cause == literal_column(f"'{cause}'") for cause in CUT_OFF)
    recent = or_(Visit.closed_at > since, *cut_off)
    return and_(Visit.closed_at.is_not(None), Visit.reserved_at.is_not(None), recent)


_AT_PLACES = held_query(lambda is_in: and_(is_in(Visit.site_id, "sites"), is_in(Visit.device, "devices"), Visit.runs))
# A login by ticket or a swap concerns visits that no device leads to.
_CONCERNED = held_query(
    lambda is_in: or_(
        is_in(Visit.id, "asked"),
        and_(is_in(Visit.site_id, "sites"), is_in(Visit.device, "devices"), Visit.runs),
        and_(is_in(Visit.voucher_id, "swapping"), Visit.runs),
    )
)
_RETURNING = Query(
    lambda is_in: select(Visit.site_id, Visit.device).where(
        is_in(Visit.site_id, "sites"),
        is_in(Visit.device, "devices"),
        has_just_left(bindparam("since", type_=UtcDateTime())),
    )
)
_TAKEN_TODAY = Query(
    lambda is_in: (
        select(Voucher.id, Voucher.site_id, Voucher.pass_id, Voucher.free_device, Voucher.free_day, Voucher.free_round)
        .where(is_in(Voucher.free_device, "devices"), is_in(Voucher.site_id, "sites"))
        .order_by(Voucher.free_round)
    )
)


class Ledger:
    """The rows that logins depend on, held in the one order (vouchers, visits, access points), and who has which place."""

    def __init__(self, session: Session, keyring: Keyring, known: Places, wishes: list[Wish], now: datetime) -> None:
        self.session, self.now = session, now
        self._just_left: set[tuple[Any, ...]] | None = None
        taken = self._free_passes_taken(wishes)
        ids = {wish.voucher_id for wish in wishes if wish.voucher_id} | set(taken)
        ids.update(*(wish.other_vouchers for wish in wishes if wish.other_vouchers))
        hashes = {one for wish in wishes for one in wish.code_hashes}
        # Asked together: who turns out to be refused has waited for nobody but itself.
        about_codes = ask_about_codes(session, keyring, wishes, now)
        vouchers, visits = ask_to_hold(session, ids, hashes), self._ask_visits(wishes)
        self.accounts, by_code = held_accounts(session, vouchers, now)
        prove_codes(session, keyring, wishes, by_code, about_codes(), now)
        wishes = [wish for wish in wishes if not wish.refused]
        self.free_accounts = {
            key: (self.accounts[id], rounds) for id, (key, rounds) in taken.items() if id in self.accounts
        }
        self._take_in(held_visits(visits))
        self.places = HeldPlaces(session, known, {pool_of(wish.login.located) for wish in wishes})

    def _free_passes_taken(self, wishes: list[Wish]) -> dict[int, tuple[tuple[int, int, bytes], int]]:
        """The vouchers that stand for free passes these devices have taken today, by id, the last one last.

        Of each, what it is for, and how often that was taken before.
        """
        sites = {wish.site.id: self._day(wish.site) for wish in wishes if wish.free_pass}
        if not sites:
            return {}
        devices = {wish.device for wish in wishes if wish.free_pass}
        return {
            voucher_id: ((site_id, pass_id, device), taken_before)
            for voucher_id, site_id, pass_id, device, day, taken_before in _TAKEN_TODAY.rows(
                self.session, devices=devices, sites=sites
            )
            if day == sites[site_id]
        }

    def _ask_visits(self, wishes: list[Wish]) -> Asked:
        self._where = {"sites": {wish.site.id for wish in wishes}, "devices": {wish.device for wish in wishes}}
        asked = {wish.visit_id for wish in wishes if wish.visit_id}
        swapping = {wish.voucher_id for wish in wishes if wish.swaps and wish.voucher_id}
        if not wishes:
            return nothing_asked()
        if asked or swapping:
            return _CONCERNED.ask(self.session, asked=asked, swapping=swapping, **self._where)
        return _AT_PLACES.ask(self.session, **self._where)

    def _take_in(self, held: list[HeldVisit]) -> None:
        self.by_id = {visit.id: visit for visit in held}
        # Race: one may have closed while we waited for it.
        self.by_device = {(visit.site_id, visit.device): visit for visit in held if visit.runs and visit.device}
        self.by_voucher: dict[int | None, list[HeldVisit]] = {}
        for visit in held:
            if visit.runs:
                self.by_voucher.setdefault(visit.voucher_id, []).append(visit)

    def current(self, wish: Wish) -> HeldVisit | None:
        """The visit that the device has at the site now."""
        return self.by_device.get((wish.site.id, wish.device))

    def holds_place(self, wish: Wish) -> bool:
        """Whether the device has a place at the site now."""
        return (wish.site.id, wish.device) in self.by_device

    def has_just_left(self, wish: Wish) -> bool:
        """Whether the device had a place at the site until just now; asked only where places are short."""
        if self._just_left is None:
            rows = _RETURNING.rows(self.session, since=self.now - RETURNS_WITHIN, **self._where)
            self._just_left = set(rows)
        return (wish.site.id, wish.device) in self._just_left

    def account(self, wish: Wish) -> Account:
        """The account of the voucher that is meant; a free pass not taken yet has a new one."""
        article = wish.free_pass
        if article is None:
            return self.accounts[wish.voucher_id or 0]
        key = (wish.site.id, article.id, wish.device)
        account, taken_before = self.free_accounts.get(key, (None, -1))
        if account and not (article.always and is_spent(account, wish.site, self.now)):
            return account
        ends = end_of_site_day(self.now, wish.site.zone, wish.site.day_ends)
        fresh = free_voucher(article, wish.site.id, wish.device, self._day(wish.site), ends, taken_before + 1)
        account = account_of(fresh)
        account.fresh = fresh
        self.free_accounts[key] = account, taken_before + 1
        return account

    def _day(self, site: SiteRecord) -> date:
        return site_day(self.now, site.zone, site.day_ends)

    def place(self, wish: Wish, displaced: list[HeldVisit]) -> PlaceFacts:
        """The place as the decision sees it; `displaced` would give way."""
        point = wish.login.located.access_point
        room = self.places.room(pool_of(wish.login.located))
        return PlaceFacts(
            site=wish.site,
            capacity=room.capacity,
            occupied=room.guests,
            soft=room.is_soft,
            vacated=sum(point is None or visit.access_point_id == point.id for visit in displaced),
        )

    def displaced(self, wish: Wish, account: Account, count: int) -> list[HeldVisit]:
        """The visits that give way, the longest unheard first."""
        others = [v for v in self.by_voucher.get(wish.voucher_id, []) if v.device != wish.device and v.runs]
        return sorted(others, key=lambda visit: account.heard.get(visit.id, visit.asked_at))[:count]

    def leave(self, visit: HeldVisit) -> None:
        """Take a visit that is going to be closed off the counts."""
        self.places.leave(visit.access_point_id, visit.site_id)
        if visit.voucher_id in self.accounts:
            self.accounts[visit.voucher_id].running.discard(visit.device or b"")
        self.by_device.pop((visit.site_id, visit.device or b""), None)
        self.by_voucher[visit.voucher_id] = [v for v in self.by_voucher.get(visit.voucher_id, []) if v is not visit]

    def take(self, wish: Wish, current: HeldVisit | None) -> None:
        """Count the place of a granted login; `current` is the visit that goes on in it, perhaps on another access point."""
        located = wish.login.located
        point_id = located.access_point.id if located.access_point else None
        if current and current.access_point_id == point_id:
            return
        if current:
            self.places.leave(current.access_point_id, current.site_id)
        self.places.come(pool_of(located), wish.site.id)
