"""Admission with memory: logins come in as a batch, are decided one after the other, and are written together.

A batch is loaded with a fixed number of queries. Rows are taken in one order everywhere: vouchers, access points, visits,
each by id. Each grant updates the batch's own ledger before the next login is decided (decision 2).
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta

from sqlalchemy import and_, func, or_, select
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.orm import InstrumentedAttribute, Session

from hotspot.clock import end_of_site_day, site_day
from hotspot.database import new_public_id
from hotspot.directory import Located, SiteRecord
from hotspot.keys import Keyring
from sessions.login import Login, Wish, resolve
from sessions.usage import Account, load_accounts, lock_access_points, lock_vouchers
from sessions.visit import (
    CUT_OFF,
    RUNNING,
    CloseCause,
    Identifiers,
    Leg,
    Visit,
    VisitState,
    VoucherDevice,
    ask_disconnect,
    close,
)
from vouchers.admission import DeviceFacts, Granted, PlaceFacts, Reason, Refused, decide, in_the_way
from vouchers.batches import Voucher, free_voucher

# A device that comes back this soon is never refused for lack of place, nor is one that was cut off (decision 4).
RETURNS_WITHIN = timedelta(minutes=10)
# How long after its interval a reserved place waits for the first accounting.
ACCOUNTING_GRACE = timedelta(seconds=120)
# A volume pass is watched more closely, so that its end is not overshot by much (decision 7).
VOLUME_INTERIM_SECONDS = 60
# The same device many times in one batch is no guest.
MOST_ROUNDS = 4


@dataclass(frozen=True)
class Admitted:
    """The device may be online: the visit's handle (our Class), its limits, and how often to account, in seconds."""

    handle: str
    granted: Granted
    interim_seconds: int


Outcome = Admitted | Refused


def admit(
    session: Session, keyring: Keyring, logins: Sequence[Login], interim_seconds: int, now: datetime
) -> list[Outcome]:
    """Decide `logins` in their order and reserve places for the granted ones; returns an outcome for each.

    Works inside the caller's write transaction; nothing is promised before that commits. An IntegrityError or a deadlock
    means that another process was faster: roll back and call again.
    """
    outcomes: dict[int, Outcome] = {}
    waiting = list(enumerate(resolve(session, keyring, logins, now)))
    for _ in range(MOST_ROUNDS):
        decided = _Round(session, keyring, waiting, interim_seconds, now).run()
        outcomes |= decided
        waiting = [(position, wish) for position, wish in waiting if position not in decided]
        if not waiting:
            break
    outcomes |= {position: Refused(Reason.TOO_MANY_TRIES) for position, _wish in waiting}
    return [outcomes[position] for position in range(len(logins))]


@dataclass
class _Grant:
    """A login that was granted, to be written once all of the round are decided."""

    wish: Wish
    account: Account
    granted: Granted
    visit: Visit


class _Round:
    """A batch in which every device asks once; what does not fit waits for the next round."""

    def __init__(
        self, session: Session, keyring: Keyring, wishes: list[tuple[int, Wish]], interim_seconds: int, now: datetime
    ) -> None:
        self.session, self.keyring, self.interim_seconds, self.now = session, keyring, interim_seconds, now
        self.wishes = wishes
        self.grants: list[_Grant] = []
        self.granted_visits: set[Visit | None] = set()
        self.closings: list[tuple[Visit, SiteRecord, CloseCause]] = []

    def run(self) -> dict[int, Outcome | Refused]:
        open_wishes = [wish for _position, wish in self.wishes if not wish.refused]
        self._load(open_wishes)
        outcomes: dict[int, Outcome | Refused] = {}
        seen: set[tuple[int, bytes]] = set()
        granted: list[tuple[int, _Grant]] = []
        for position, wish in self.wishes:
            key = (wish.site.id, wish.device)
            if not wish.refused and key in seen:
                continue
            seen.add(key)
            result = wish.refused or self._decide(wish)
            if isinstance(result, Refused):
                outcomes[position] = result
                if wish.visit and wish.visit.state is VisitState.ASKED:
                    wish.visit.refusal = result.reason
            elif result is not None:
                granted.append((position, result))
        self._write()
        for position, grant in granted:
            outcomes[position] = Admitted(grant.visit.handle, grant.granted, grant.visit.interim_seconds)
        return outcomes

    def _load(self, wishes: list[Wish]) -> None:
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
        recent = or_(Visit.closed_at > self.now - RETURNS_WITHIN, Visit.close_cause.in_(CUT_OFF))
        self.returning = {
            (site_id, device)
            for site_id, device in self.session.execute(
                select(Visit.site_id, Visit.device).where(
                    at_places, Visit.state == VisitState.CLOSED, Visit.reserved_at.is_not(None), recent
                )
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

    def _decide(self, wish: Wish) -> _Grant | Refused | None:
        """Decide one login; None when it has to wait for what this round is about to write."""
        if wish.visit in self.granted_visits:
            return None
        account = self._account(wish)
        if wish.visit and (used := self._used_ticket(wish, wish.visit)):
            return used
        current = self.by_device.get((wish.site.id, wish.device))
        device = DeviceFacts(
            hash=wish.device,
            returns=current is not None or (wish.site.id, wish.device) in self.returning,
            swaps=wish.swaps,
        )
        usage = account.usage
        displaced = self._displaced(wish, in_the_way(account.voucher.terms, usage, device)) if wish.swaps else []
        decision = decide(account.facts, usage, device, self._place(wish, displaced), self.now)
        if isinstance(decision, Refused):
            return decision
        if len(displaced) < decision.displaces or self.granted_visits.intersection(displaced):
            return None
        return self._grant(wish, account, decision, current, displaced)

    def _used_ticket(self, wish: Wish, visit: Visit) -> Refused | None:
        """A ticket works once; a NAS that lost our answer may ask again for the same device."""
        if visit.state is VisitState.CLOSED:
            return Refused(Reason.STALE_TICKET)
        if visit.runs and visit.device != wish.device:
            return Refused(Reason.BAD_TICKET)
        return None

    def _account(self, wish: Wish) -> Account:
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

    def _place(self, wish: Wish, displaced: list[Visit]) -> PlaceFacts:
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

    def _displaced(self, wish: Wish, count: int) -> list[Visit]:
        """The visits that give way, the longest unheard first."""
        others = [v for v in self.by_voucher.get(wish.voucher_id, []) if v.device != wish.device and v.runs]
        return sorted(others, key=lambda visit: visit.last_heard_at or visit.asked_at)[:count]

    def _grant(
        self, wish: Wish, account: Account, granted: Granted, current: Visit | None, displaced: list[Visit]
    ) -> _Grant:
        visit = wish.visit
        if visit is None and current is not None and current.voucher_id == account.voucher.id:
            visit = current
        if current is not None and visit is not current:
            self._leave(current, wish.site, CloseCause.SUPERSEDED)
        for other in displaced:
            self._leave(other, wish.site, CloseCause.REPLACED)
        self._take(wish, visit if visit is current else None)
        account.running.add(wish.device)
        grant = _Grant(wish, account, granted, visit or self._new_visit(wish))
        self.grants.append(grant)
        self.granted_visits.add(grant.visit)
        return grant

    def _new_visit(self, wish: Wish) -> Visit:
        """A visit that no portal has asked for."""
        return Visit(
            handle=new_public_id(), site_id=wish.site.id, way=wish.way, state=VisitState.ASKED, asked_at=self.now
        )

    def _leave(self, visit: Visit, site: SiteRecord, cause: CloseCause) -> None:
        self.closings.append((visit, site, cause))
        self._shift(visit.access_point_id, visit.site_id, -1)
        if visit.voucher_id in self.accounts:
            self.accounts[visit.voucher_id].running.discard(visit.device or b"")
        self.by_device.pop((visit.site_id, visit.device or b""), None)
        self.by_voucher[visit.voucher_id] = [v for v in self.by_voucher.get(visit.voucher_id, []) if v is not visit]

    def _take(self, wish: Wish, current: Visit | None) -> None:
        if current:
            self._shift(current.access_point_id, current.site_id, -1)
        point = wish.login.located.access_point
        self._shift(point.id if point else None, wish.site.id, 1)

    def _shift(self, access_point_id: int | None, site_id: int, by: int) -> None:
        if access_point_id is not None:
            self.on_point[access_point_id] = self.on_point.get(access_point_id, 0) + by
        self.on_site[site_id] = self.on_site.get(site_id, 0) + by

    def _write(self) -> None:
        """Closings first: one device has one running visit at a site, and the index says so at every statement."""
        self._write_closings()
        self.session.add_all(grant.account.voucher for grant in self.grants if grant.account.voucher.id is None)
        self.session.flush()
        for grant in self.grants:
            self._start_clock(grant)
            self._reserve(grant)
        self.session.flush()
        self._remember_devices()

    def _write_closings(self) -> None:
        if not self.closings:
            return
        legs: dict[int, list[Leg]] = {}
        closing = [visit.id for visit, _site, _cause in self.closings]
        for leg in self.session.scalars(select(Leg).where(Leg.visit_id.in_(closing))):
            legs.setdefault(leg.visit_id, []).append(leg)
        for visit, site, cause in self.closings:
            close(self.session, site, visit, legs.get(visit.id, ()), cause, self.now)
        replaced = [visit for visit, _site, cause in self.closings if cause is CloseCause.REPLACED]
        ask_disconnect(self.session, replaced, CloseCause.REPLACED, self.now)
        self.session.flush()

    def _start_clock(self, grant: _Grant) -> None:
        """First use; the row is ours since it was locked, so no other login can start this clock too."""
        voucher = grant.account.voucher
        if voucher.first_used_at is None:
            voucher.first_used_at = self.now
            voucher.ends_at = grant.granted.ends_at
            voucher.code_ciphertext = None

    def _reserve(self, grant: _Grant) -> None:
        wish, voucher, visit = grant.wish, grant.account.voucher, grant.visit
        self.session.add(visit)
        visit.pass_id = voucher.pass_id
        point = wish.login.located.access_point
        visit.voucher_id = voucher.id
        visit.device = wish.device
        visit.nas_id = wish.login.nas.id
        visit.access_point_id = point.id if point else None
        visit.refusal = None
        visit.interim_seconds = VOLUME_INTERIM_SECONDS if voucher.megabytes is not None else self.interim_seconds
        visit.identifiers = _identifiers(wish.login).seal(self.keyring)
        visit.last_heard_at = self.now
        if visit.state is not VisitState.OPEN:
            visit.state = VisitState.RESERVED
            visit.reserved_at = self.now
            visit.reserved_until = self._reserved_until(wish.login, visit, grant.granted)

    def _reserved_until(self, login: Login, visit: Visit, granted: Granted) -> datetime:
        """A NAS never heard accounting would lose its guests' places while they are online (decision 3)."""
        if not login.nas.accounting_heard:
            return self.now + timedelta(seconds=granted.seconds_left)
        return self.now + timedelta(seconds=visit.interim_seconds) + ACCOUNTING_GRACE

    def _remember_devices(self) -> None:
        if not self.grants:
            return
        insert = postgresql.insert if self.session.get_bind().dialect.name == "postgresql" else sqlite.insert
        rows = {(grant.account.voucher.id, grant.wish.device) for grant in self.grants}
        fresh = insert(VoucherDevice).values(
            [{"voucher_id": id, "device": device, "last_login_at": self.now} for id, device in sorted(rows)]
        )
        keys = [VoucherDevice.voucher_id, VoucherDevice.device]
        latest = {"last_login_at": fresh.excluded.last_login_at}
        self.session.execute(fresh.on_conflict_do_update(index_elements=keys, set_=latest))


def _identifiers(login: Login) -> Identifiers:
    return Identifiers(
        user_name=login.user_name,
        mac=login.device.value if login.device else "",
        nas_address=login.nas_address,
        framed_address=login.framed_address,
    )


def _counted_points(located: Located) -> tuple[int, ...]:
    """The access points whose places a login is counted against: its own, or all of the site's pool."""
    return (located.access_point.id,) if located.access_point else located.site.access_point_ids
