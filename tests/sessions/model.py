"""Visits as they ought to go, in memory and in small: what docs/visits.md says, for the state machine to compare with.

Whether a login may be granted is asked of the one decision; who holds which place, and what was used, is kept here anew.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta

from hotspot.directory import SiteRecord
from hotspot.mac import Mac
from sessions.records import Status
from sessions.visit import CloseCause
from vouchers.admission import DeviceFacts, Granted, PlaceFacts, Reason, Refused, Usage, VoucherFacts, decide
from vouchers.admission import end_of_voucher as end_of
from vouchers.passes import Clock, Terms

RETURNS_WITHIN = timedelta(minutes=10)
GRACE = timedelta(seconds=120)
SETTLED_AFTER = timedelta(hours=24)
LONGEST_GAP = timedelta(seconds=60)
CUT_OFF = (CloseCause.SILENCE, CloseCause.NAS_RESTART)
LOST_TOUCH = (*CUT_OFF, CloseCause.NEVER_STARTED)


@dataclass
class Leg:
    """An accounting session as the PoP should know it."""

    nas: int
    name: str
    started_at: datetime
    heard_at: datetime
    seconds: int = 0
    octets: int = 0
    stopped_at: datetime | None = None


@dataclass(eq=False)
class Visit:
    """A visit as it should be; `state` is reserved, open or closed."""

    handle: str
    device: Mac
    code: str
    point: int
    nas: int
    interim: int
    accepted_at: datetime
    reserved_at: datetime
    reserved_until: datetime
    state: str = "reserved"
    closed_at: datetime | None = None
    cause: CloseCause | None = None
    legs: list[Leg] = field(default_factory=list)
    current: Leg | None = None

    @property
    def runs(self) -> bool:
        """Whether it holds a place."""
        return self.state != "closed"

    @property
    def heard_at(self) -> datetime:
        """When it was last let in, or reported on in a session that goes on."""
        return max([self.accepted_at, *(leg.heard_at for leg in self.legs if leg.stopped_at is None)])

    def close(self, cause: CloseCause, now: datetime) -> None:
        """End it."""
        self.state, self.cause, self.closed_at = "closed", cause, now


@dataclass
class Ticket:
    """A voucher as it should be."""

    code: str
    terms: Terms
    good_until: datetime
    first_used_at: datetime | None = None
    ends_at: datetime | None = None
    revoked: bool = False
    seconds: int = 0
    octets: int = 0


@dataclass(frozen=True)
class Reported:
    """A record of a NAS, as far as the model needs it."""

    nas: int
    status: Status
    at: datetime
    point: int | None
    name: str = ""
    handle: str | None = None
    code: str | None = None
    device: Mac | None = None
    seconds: int = 0
    octets: int = 0


@dataclass
class Model:
    """All visits of one site whose access points `capacities` names."""

    site: SiteRecord
    capacities: dict[int, int]
    interim: int
    tickets: dict[str, Ticket] = field(default_factory=dict)
    visits: list[Visit] = field(default_factory=list)
    logins: dict[tuple[Mac, str], datetime] = field(default_factory=dict)
    beat_at: datetime | None = None
    since: datetime | None = None

    def on_point(self, point: int) -> int:
        """How many hold a place there."""
        return sum(visit.runs and visit.point == point for visit in self.visits)

    def running(self, device: Mac) -> Visit | None:
        """The device's visit that holds a place."""
        return next((visit for visit in self.visits if visit.runs and visit.device == device), None)

    def usage(self, code: str, now: datetime) -> Usage:
        """What a voucher has used."""
        ticket = self.tickets[code]
        of_it = [visit for visit in self.visits if visit.code == code]
        octets = sum(leg.octets for visit in of_it for leg in visit.legs)
        covered = [_covers(visit, leg, now) for visit in of_it for leg in visit.legs]
        running = frozenset(visit.device.value.encode() for visit in of_it if visit.runs)
        return Usage(ticket.octets + octets, ticket.seconds + _union(covered), running)

    def may_return(self, device: Mac, now: datetime) -> bool:
        """Whether it is not refused for lack of place."""
        return any(
            visit.runs
            or visit.cause in CUT_OFF
            or (visit.closed_at is not None and visit.closed_at > now - RETURNS_WITHIN)
            for visit in self.visits
            if visit.device == device
        )

    def code_of(self, device: Mac, now: datetime) -> str | None:
        """The voucher that a returning device means."""
        known = [
            (at, code)
            for (mac, code), at in self.logins.items()
            if mac == device and not self.tickets[code].revoked and now < at + timedelta(days=14)
            if not ((end := self.tickets[code].ends_at) and end <= now)
        ]
        return max(known)[1] if known else None

    def login(
        self, code: str | None, device: Mac, nas: int, point: int, now: datetime, seconds: Mapping[str, int]
    ) -> tuple[Granted | Refused, Visit | None]:
        """Admit a device by a code, or by its MAC where there is none; returns the visit that goes on, too.

        `seconds` are those that each voucher had used when the batch began: a batch reads them once.
        """
        code = code or self.code_of(device, now)
        if code is None:
            return Refused(Reason.UNKNOWN_DEVICE), None
        ticket = self.tickets[code]
        facts = VoucherFacts(
            self.site.id, ticket.terms, ticket.good_until, ticket.first_used_at, ticket.ends_at, ticket.revoked
        )
        place = PlaceFacts(self.site, self.capacities[point], self.on_point(point))
        asking = DeviceFacts(device.value.encode(), returns=self.may_return(device, now))
        usage = replace(self.usage(code, now), seconds=seconds[code])
        decision = decide(facts, usage, asking, place, now)
        if isinstance(decision, Refused):
            return decision, None
        if ticket.first_used_at is None:
            ticket.first_used_at, ticket.ends_at = now, end_of(facts, self.site, now)
        self.logins[device, code] = now
        return decision, self._reserve(ticket, device, nas, point, now)

    def _reserve(self, ticket: Ticket, device: Mac, nas: int, point: int, now: datetime) -> Visit:
        visit = self.running(device)
        interim = self.interim if ticket.terms.megabytes is None else 60
        until = now + timedelta(seconds=interim) + GRACE
        if visit and visit.code != ticket.code:
            visit.close(CloseCause.SUPERSEDED, now)
            visit = None
        if visit is None:
            visit = Visit("", device, ticket.code, point, nas, interim, now, now, until)
            self.visits.append(visit)
        visit.point, visit.nas, visit.accepted_at = point, nas, now
        if visit.state == "reserved":
            visit.reserved_at, visit.reserved_until = now, until
        return visit

    def account(self, record: Reported, now: datetime) -> None:
        """Take a record."""
        if record.status in (Status.ACCOUNTING_ON, Status.ACCOUNTING_OFF):
            self._restart(record, now)
        elif visit := self._recipient(record):
            self._apply(record, visit, now)

    def _recipient(self, record: Reported) -> Visit | None:
        if record.handle:
            return next((visit for visit in self.visits if visit.handle == record.handle), None)
        fitting = [visit for visit in self.visits if (visit.code, visit.device) == (record.code, record.device)]
        has_it = [v for v in fitting if any((leg.nas, leg.name) == (record.nas, record.name) for leg in v.legs)]
        return next(reversed(has_it or fitting), None)

    def _apply(self, record: Reported, visit: Visit, now: datetime) -> None:
        leg = self._leg(record, visit, now)
        survived = visit.cause is CloseCause.NAS_RESTART or (visit.runs and record.seconds > leg.seconds)
        later = leg.stopped_at is not None and record.at > leg.stopped_at
        if survived and later and record.status is Status.INTERIM_UPDATE:
            leg.stopped_at = None
        was_stopped = leg.stopped_at is not None
        leg.seconds, leg.octets = max(leg.seconds, record.seconds), max(leg.octets, record.octets)
        leg.heard_at = now
        if record.status is Status.STOP:
            leg.stopped_at = leg.stopped_at or record.at
            if visit.runs and visit.current is leg:
                visit.close(CloseCause.STOPPED, now)
        elif not was_stopped and (visit.state == "reserved" or self._goes_on(visit, leg)):
            visit.state, visit.cause, visit.closed_at = "open", None, None

    def _goes_on(self, visit: Visit, leg: Leg) -> bool:
        begun_again = visit.cause is CloseCause.STOPPED and visit.current is leg
        return not visit.runs and (begun_again or visit.cause in LOST_TOUCH) and self.running(visit.device) is None

    def _leg(self, record: Reported, visit: Visit, now: datetime) -> Leg:
        known = [leg for leg in visit.legs if (leg.nas, leg.name) == (record.nas, record.name)]
        begun = [leg for leg in known if leg.started_at <= record.at] or known[:1]
        if begun and not self._begins_again(record, begun[-1]):
            return begun[-1]
        started = record.at if record.status is Status.START else record.at - timedelta(seconds=record.seconds)
        leg = Leg(record.nas, record.name, started, now)
        visit.legs.append(leg)
        if visit.current is None or visit.current.started_at <= started:
            visit.current, visit.nas = leg, record.nas
            visit.point = visit.point if record.point is None else record.point
        return leg

    @staticmethod
    def _begins_again(record: Reported, leg: Leg) -> bool:
        ended = leg.stopped_at or (leg.heard_at if leg.seconds else None)
        return record.status is Status.START and ended is not None and record.at > ended

    def _restart(self, record: Reported, now: datetime) -> None:
        for visit in self.visits:
            here = visit.nas == record.nas and record.point in (None, visit.point)
            if here and visit.runs and visit.heard_at < record.at:
                for leg in visit.legs:
                    leg.stopped_at = leg.stopped_at or record.at
                visit.close(CloseCause.NAS_RESTART, now)

    def beat(self, now: datetime) -> None:
        """The door listens at `now`."""
        if self.beat_at is None or now - self.beat_at > LONGEST_GAP:
            self.since = now
        self.beat_at = now

    def keep_house(self, now: datetime) -> None:
        """One round of house-keeping."""
        self._settle(now)
        gap = self.beat_at is None or now - self.beat_at > LONGEST_GAP
        since = now if gap or self.since is None else self.since
        for visit in self.visits:
            silence = timedelta(seconds=3 * visit.interim)
            if visit.state == "open" and visit.heard_at < now - silence and since <= now - silence:
                visit.close(CloseCause.SILENCE, now)
            waited = since <= now - timedelta(seconds=visit.interim) - GRACE
            if visit.state == "reserved" and visit.reserved_until < now and waited:
                visit.close(CloseCause.NEVER_STARTED, now)

    def _settle(self, now: datetime) -> None:
        old = [v for v in self.visits if v.closed_at and not v.runs and v.closed_at < now - SETTLED_AFTER]
        for code in {visit.code for visit in old}:
            ticket, before = self.tickets[code], self.usage(code, now)
            self.visits = [visit for visit in self.visits if visit not in old or visit.code != code]
            stays = self.usage(code, now)
            ticket.octets += before.octets - stays.octets
            ticket.seconds += before.seconds - stays.seconds

    def revoke(self, code: str) -> None:
        """Revoke a voucher; who runs on it is told to go, and holds its place until it does."""
        self.tickets[code].revoked = True


def new_ticket(code: str, now: datetime, clock: Clock, **terms: int) -> Ticket:
    """A voucher as the tests issue it."""
    return Ticket(code, Terms(clock, **terms), now + timedelta(days=365))  # type: ignore[arg-type]


def _covers(visit: Visit, leg: Leg, now: datetime) -> tuple[datetime, datetime]:
    end, unreported = leg.started_at + timedelta(seconds=leg.seconds), now - leg.heard_at
    if visit.runs and leg.stopped_at is None and unreported < timedelta(seconds=3 * visit.interim):
        end += unreported
    return leg.started_at, end


def _union(intervals: list[tuple[datetime, datetime]]) -> int:
    """Second by second would be plainer, and too slow."""
    total, reached = timedelta(0), datetime.min  # noqa: DTZ901  as those below
    for start, end in sorted((start.replace(tzinfo=None), end.replace(tzinfo=None)) for start, end in intervals):
        total += max(timedelta(0), end - max(start, reached))
        reached = max(reached, end)
    return int(total.total_seconds())
