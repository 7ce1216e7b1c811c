"""What a batch of logins knows: vouchers, access points, visits and counts, loaded at once and kept up to date in memory."""

from datetime import date, datetime, timedelta

from sqlalchemy import ColumnElement, and_, func, or_, select
from sqlalchemy.orm import InstrumentedAttribute, Session

from hotspot.clock import end_of_site_day, site_day
from hotspot.directory import Located, SiteRecord
from sessions.login import Wish
from sessions.usage import Account, load_accounts, lock_access_points, lock_vouchers
from sessions.visit import CUT_OFF, RUNNING, Visit, VisitState
from vouchers.admission import PlaceFacts
from vouchers.batches import Voucher, free_voucher

# A device that comes back this soon is never refused for lack of place, nor is one that was cut off (decision 4).
RETURNS_WITHIN = timedelta(minutes=10)


def has_just_left(now: datetime) -> ColumnElement[bool]:
    """Visits whose device may come back whatever the capacity: they held a place until a moment ago, or were cut off."""
    recent = or_(Visit.closed_at > now - RETURNS_WITHIN, Visit.close_cause.in_(CUT_OFF))
    return and_(Visit.state == VisitState.CLOSED, Visit.reserved_at.is_not(None), recent)


class Ledger:
    """The rows that logins depend on, held in the one order (vouchers, access points, visits), and who has which place."""

    def __init__(self, session: Session, wishes: list[Wish], now: datetime) -> None:
        self.session, self.now = session, now
        free_passes = self._free_passes_taken(wishes)
        vouchers = lock_vouchers(self.session, {w.voucher_id for w in wishes if w.voucher_id} | free_passes)
        self.accounts = load_accounts(self.session, vouchers, self.now)
        self.free_accounts = {
            (voucher.site_id, voucher.pass_id, voucher.free_device): self.accounts[voucher.id]
            for voucher in vouchers
            if voucher.free_device and voucher.id in free_passes
        }
        points = {id for wish in wishes for id in _counted_points(wish.login.located)}
        self.points = {point.id: point for point in lock_access_points(self.session, points)}
        self._load_visits(wishes)
        self._count_places(wishes)

    def _free_passes_taken(self, wishes: list[Wish]) -> set[int]:
        """The vouchers that stand for free passes these devices have taken today."""
        free = [wish for wish in wishes if wish.free_pass]
        if not free:
            return set()
        today = [
            and_(Voucher.site_id == site.id, Voucher.free_day == self._day(site)) for site in {w.site for w in free}
        ]
        taken = select(Voucher.id).where(Voucher.free_device.in_({wish.device for wish in free}), or_(*today))
        return set(self.session.scalars(taken))

    def _load_visits(self, wishes: list[Wish]) -> None:
        sites, devices = {wish.site.id for wish in wishes}, {wish.device for wish in wishes}
        asked = {wish.visit.id for wish in wishes if wish.visit}
        swapping = {wish.voucher_id for wish in wishes if wish.swaps and wish.voucher_id}
        running = Visit.state.in_(RUNNING)
        at_places = and_(Visit.site_id.in_(sites), Visit.device.in_(devices))
        held = self.session.scalars(
            select(Visit)
            .where(or_(Visit.id.in_(asked), and_(at_places, running), and_(Visit.voucher_id.in_(swapping), running)))
            .order_by(Visit.id)
            .with_for_update(),
            execution_options={"populate_existing": True},
        ).all()
        self.by_device = {(v.site_id, v.device): v for v in held if v.runs and v.device}
        self.by_voucher: dict[int | None, list[Visit]] = {}
        for visit in held:
            if visit.runs:
                self.by_voucher.setdefault(visit.voucher_id, []).append(visit)
        self.returning = {
            (site_id, device)
            for site_id, device in self.session.execute(
                select(Visit.site_id, Visit.device).where(at_places, has_just_left(self.now))
            )
        }

    def _count_places(self, wishes: list[Wish]) -> None:
        """Count who holds a place, now that nobody else can take one."""
        self.on_point = self._count_running(Visit.access_point_id, set(self.points))
        self.on_site = self._count_running(
            Visit.site_id, {w.site.id for w in wishes if not w.login.located.access_point}
        )

    def _count_running(
        self, column: InstrumentedAttribute[int] | InstrumentedAttribute[int | None], ids: set[int]
    ) -> dict[int, int]:
        if not ids:
            return {}
        query = select(column, func.count()).where(column.in_(ids), Visit.state.in_(RUNNING)).group_by(column)
        return {id: count for id, count in self.session.execute(query) if id is not None}

    def current(self, wish: Wish) -> Visit | None:
        """The visit that the device has at the site now."""
        return self.by_device.get((wish.site.id, wish.device))

    def returns(self, wish: Wish) -> bool:
        """Whether the device holds a place or had one until just now."""
        return (wish.site.id, wish.device) in self.by_device or (wish.site.id, wish.device) in self.returning

    def account(self, wish: Wish) -> Account:
        """The account of the voucher that is meant; a free pass not taken yet has a new one."""
        article = wish.free_pass
        if article is None:
            return self.accounts[wish.voucher_id or 0]
        key = (wish.site.id, article.id, wish.device)
        if key not in self.free_accounts:
            ends = end_of_site_day(self.now, wish.site.zone, wish.site.day_ends)
            fresh = free_voucher(article, wish.site.id, wish.device, self._day(wish.site), ends)
            self.free_accounts[key] = Account(fresh)
        return self.free_accounts[key]

    def _day(self, site: SiteRecord) -> date:
        return site_day(self.now, site.zone, site.day_ends)

    def place(self, wish: Wish, displaced: list[Visit]) -> PlaceFacts:
        """The place as the decision sees it; `displaced` would give way."""
        located = wish.login.located
        points = [self.points[id] for id in _counted_points(located) if id in self.points]
        point = located.access_point
        occupied = self.on_point.get(point.id, 0) if point else self.on_site.get(wish.site.id, 0)
        return PlaceFacts(
            site=wish.site,
            capacity=sum(point.capacity for point in points),
            occupied=occupied,
            soft=bool(points) and all(point.capacity_is_soft for point in points),
            vacated=sum(point is None or visit.access_point_id == point.id for visit in displaced),
        )

    def displaced(self, wish: Wish, count: int) -> list[Visit]:
        """The visits that give way, the longest unheard first."""
        others = [v for v in self.by_voucher.get(wish.voucher_id, []) if v.device != wish.device and v.runs]
        return sorted(others, key=lambda visit: visit.last_heard_at or visit.asked_at)[:count]

    def leave(self, visit: Visit) -> None:
        """Take a visit that is going to be closed off the counts."""
        self._shift(visit.access_point_id, visit.site_id, -1)
        if visit.voucher_id in self.accounts:
            self.accounts[visit.voucher_id].running.discard(visit.device or b"")
        self.by_device.pop((visit.site_id, visit.device or b""), None)
        self.by_voucher[visit.voucher_id] = [v for v in self.by_voucher.get(visit.voucher_id, []) if v is not visit]

    def take(self, wish: Wish, current: Visit | None) -> None:
        """Count the place of a granted login; `current` is the visit that goes on in it."""
        if current:
            self._shift(current.access_point_id, current.site_id, -1)
        point = wish.login.located.access_point
        self._shift(point.id if point else None, wish.site.id, 1)

    def _shift(self, access_point_id: int | None, site_id: int, by: int) -> None:
        if access_point_id is not None:
            self.on_point[access_point_id] = self.on_point.get(access_point_id, 0) + by
        self.on_site[site_id] = self.on_site.get(site_id, 0) + by


def _counted_points(located: Located) -> tuple[int, ...]:
    """The access points whose places a login is counted against: its own, or all of the site's pool."""
    return (located.access_point.id,) if located.access_point else located.site.access_point_ids
