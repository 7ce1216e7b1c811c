"""Orders to NAS: what a claimed row of the outbox comes to, and what the network may answer."""

import enum
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

import structlog
from sqlalchemy import select
from sqlalchemy.orm import Session

from hotspot.directory import Directory
from hotspot.keys import Keyring
from hotspot.mac import Mac
from sessions.extensions import Chains, extended
from sessions.usage import Account, load_accounts
from sessions.visit import CloseCause, Disconnect, Identifiers, Leg, OrderKind, Outcome, Visit, VisitState
from vouchers.admission import DeviceFacts, Granted, PlaceFacts, decide
from vouchers.voucher import Voucher

# Longer than a sender tries: it has answered or given this attempt up by then.
LEASE = timedelta(seconds=30)
GIVE_UP_AFTER = timedelta(hours=24)

log = structlog.get_logger("disconnects")


class Answer(enum.Enum):
    """What the network said to one attempt; the first three end the order, the others bring it again later."""

    ACKNOWLEDGED = Outcome.ACKNOWLEDGED
    GONE = Outcome.ALREADY_GONE
    NOT_TAKEN = Outcome.NOT_TAKEN
    REFUSED = Outcome.REFUSED
    SILENT = None


@dataclass(frozen=True)
class NewLimits:
    """What a CoA-Request tells: what is left, and what the session has had, for NAS that count from its start."""

    granted: Granted
    interim_seconds: int
    elapsed_seconds: int
    octets_used: int


@dataclass(frozen=True, repr=False)
class Order:
    """One attempt at one row of the outbox. `own_name`: its User-Name is this visit's alone."""

    id: int
    kind: OrderKind
    cause: CloseCause | None
    visit_id: int
    nas_id: int
    created_at: datetime
    attempts: int
    identifiers: Identifiers
    own_name: bool
    limits: NewLimits | None = None


@dataclass(frozen=True)
class Claim:
    """The orders to send now, and those that nobody will send any more, as NAS ids."""

    orders: tuple[Order, ...]
    given_up: tuple[int, ...] = ()


class Sorting:
    """Parts claimed rows in those to send and those that need no sending."""

    def __init__(self, session: Session, keyring: Keyring, directory: Directory, now: datetime) -> None:
        self.session, self.keyring, self.directory, self.now = session, keyring, directory, now

    def sort(self, rows: Sequence[Disconnect]) -> Claim:
        """Lease what has to be sent; finish the rest."""
        ids = {row.visit_id for row in rows}
        visits = {visit.id: visit for visit in self.session.scalars(select(Visit).where(Visit.id.in_(ids)))}
        legs = _current_legs(self.session, ids)
        changed = [visits[row.visit_id] for row in rows if row.kind is OrderKind.COA]
        accounts = self._accounts({visit.voucher_id for visit in changed if visit.voucher_id})
        self._chains = Chains(self.session, [visit.device for visit in changed], self.now)
        orders: list[Order] = []
        given_up: list[int] = []
        for row in rows:
            visit, leg = visits[row.visit_id], legs.get(row.visit_id)
            if _is_moot(row, visit, leg):
                finish(row, Outcome.MOOT, self.now)
                continue
            told = read_identifiers(self.keyring, visit.identifiers, visit.id)
            if told is None or self.now - row.created_at > GIVE_UP_AFTER:
                finish(row, Outcome.GIVEN_UP, self.now)
                given_up.append(row.nas_id)
            elif order := self._order(row, visit, told, leg, accounts):
                orders.append(order)
            else:
                finish(row, Outcome.MOOT, self.now)
        return Claim(tuple(orders), tuple(given_up))

    def _accounts(self, voucher_ids: set[int]) -> dict[int, Account]:
        if not voucher_ids:
            return {}
        vouchers = self.session.scalars(select(Voucher).where(Voucher.id.in_(voucher_ids)))
        return load_accounts(self.session, vouchers, self.now)

    def _order(
        self, row: Disconnect, visit: Visit, told: Identifiers, leg: Leg | None, accounts: Mapping[int, Account]
    ) -> Order | None:
        """The row as something to send; None for new limits of a visit that has none left: it is going to be ended."""
        limits = None
        if row.kind is OrderKind.COA:
            limits = self._limits(visit, leg, accounts.get(visit.voucher_id or 0))
            if limits is None:
                return None
        row.attempts += 1
        row.due_at = self.now + LEASE
        return Order(
            id=row.id,
            kind=row.kind,
            cause=row.cause,
            visit_id=visit.id,
            nas_id=visit.nas_id,
            created_at=row.created_at,
            attempts=row.attempts,
            identifiers=told,
            own_name=_is_own_name(told, visit),
            limits=limits,
        )

    def _limits(self, visit: Visit, leg: Leg | None, account: Account | None) -> NewLimits | None:
        """The one decision, asked for a device that holds its place, and what follows its voucher."""
        site = self.directory.sites.get(visit.site_id)
        if account is None or site is None or visit.device is None:
            return None
        place = PlaceFacts(site=site, capacity=0, occupied=0)
        device = DeviceFacts(visit.device, returns=True)
        decision = decide(account.facts, account.usage, device, place, self.now, least_seconds=1)
        if not isinstance(decision, Granted):
            return None
        return NewLimits(
            granted=extended(decision, self._chains.behind(visit), site, self.now),
            interim_seconds=visit.interim_seconds,
            elapsed_seconds=_elapsed(visit, leg, self.now),
            octets_used=leg.octets_from_guest + leg.octets_to_guest if leg else 0,
        )


def read_identifiers(keyring: Keyring, sealed: bytes | None, visit_id: int) -> Identifiers | None:
    """What names a visit's session; None where it is erased, or cannot be read: that must not stop the orders of others."""
    try:
        return Identifiers.unseal(keyring, sealed) if sealed is not None else None
    except (ValueError, TypeError) as error:
        log.warning("identifiers cannot be read", visit_id=visit_id, error=type(error).__name__)
        return None


def _current_legs(session: Session, visit_ids: Collection[int]) -> dict[int, Leg]:
    """Of each visit the leg that began last: where its guest is."""
    query = select(Leg).where(Leg.visit_id.in_(visit_ids)).order_by(Leg.started_at, Leg.id)
    return {leg.visit_id: leg for leg in session.scalars(query)} if visit_ids else {}


def _elapsed(visit: Visit, leg: Leg | None, now: datetime) -> int:
    """How long the NAS's session runs by now: what it last reported and the time since, all by the PoP's clock."""
    if leg is not None:
        return leg.seconds + max(0, int((now - leg.last_heard_at).total_seconds()))
    return max(0, int((now - (visit.reserved_at or now)).total_seconds()))


def _is_own_name(identifiers: Identifiers, visit: Visit) -> bool:
    """A voucher's code names all its devices; a handle or a MAC names one."""
    mac, _rest = Mac.split(identifiers.user_name)
    return identifiers.user_name == visit.handle or (mac is not None and mac.value == identifiers.mac)


def _is_moot(row: Disconnect, visit: Visit, leg: Leg | None) -> bool:
    """The session has ended by itself, or has nobody any more whose limits could change, or its device is back already."""
    if row.kind is OrderKind.DISCONNECT and row.cause is None:
        return visit.state is not VisitState.ASKED
    if visit.runs:
        return False
    ended = visit.close_cause is CloseCause.STOPPED or (leg is not None and leg.stopped_at is not None)
    return ended or row.kind is OrderKind.COA


def finish(row: Disconnect, outcome: Outcome, now: datetime) -> None:
    """End an order."""
    row.done_at, row.outcome = now, outcome
