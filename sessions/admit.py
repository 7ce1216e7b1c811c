"""Admission with memory: logins come in as a batch, are decided one after the other, and are written together.

A batch is loaded with a fixed number of queries. Each grant updates the batch's own ledger before the next login is
decided (decision 2).
"""

from collections.abc import Sequence
from datetime import datetime
from typing import NamedTuple

from sqlalchemy.orm import Session

from hotspot.database import new_public_id
from hotspot.keys import Keyring
from sessions.extensions import SPENT
from sessions.held import HeldVisit
from sessions.ledger import Ledger
from sessions.login import Login, Wish
from sessions.places import Places
from sessions.reservations import Closing, Grant, Reservations
from sessions.resolving import resolve
from sessions.usage import Account
from sessions.visit import CloseCause, VisitState
from vouchers.admission import DeviceFacts, Granted, Reason, Refused, decide, in_the_way

# The same device many times in one batch is no guest.
MOST_ROUNDS = 4


class Admitted(NamedTuple):
    """The device may be online: the visit's handle (our Class), its limits, and how often to account, in seconds."""

    handle: str
    granted: Granted
    interim_seconds: int


Outcome = Admitted | Refused


def admit(
    session: Session,
    keyring: Keyring,
    logins: Sequence[Login],
    interim_seconds: int,
    now: datetime,
    places: Places | None = None,
) -> list[Outcome]:
    """Decide `logins` in their order and reserve places for the granted ones; returns an outcome for each.

    Works inside the caller's write transaction; nothing is promised before that commits. An IntegrityError, a deadlock
    or Overtaken means that another process was faster: roll back and call again. `places` is what the caller's process remembers.
    """
    outcomes: dict[int, Outcome] = {}
    waiting = list(enumerate(resolve(session, keyring, logins, now)))
    known = places or Places()
    for _ in range(MOST_ROUNDS):
        reservations = Reservations(session, keyring, interim_seconds, now)
        decided = _Round(session, keyring, known, waiting, now).run(reservations)
        outcomes |= decided
        waiting = [(position, wish) for position, wish in waiting if position not in decided]
        if not waiting:
            break
        # What a later round counts holds what the rounds before it wrote, and that may be rolled back.
        known = Places()
    outcomes |= {position: Refused(Reason.TOO_MANY_TRIES) for position, _wish in waiting}
    return [outcomes[position] for position in range(len(logins))]


class _Round:
    """A batch in which every device asks once; what does not fit waits for the next round."""

    def __init__(
        self, session: Session, keyring: Keyring, known: Places, wishes: list[tuple[int, Wish]], now: datetime
    ) -> None:
        self.now, self.wishes = now, wishes
        open_wishes = [one for _position, wish in wishes if not wish.refused for one in wish.meanings]
        self.ledger = Ledger(session, keyring, known, open_wishes, now)
        self.grants: list[Grant] = []
        self.granted_visits: set[HeldVisit] = set()
        self.closings: list[Closing] = []
        self.told: list[HeldVisit] = []

    def run(self, reservations: Reservations) -> dict[int, Outcome]:
        """Decide and write; returns the outcomes by position, without those that have to wait."""
        outcomes: dict[int, Outcome] = {}
        seen: set[tuple[int, bytes]] = set()
        granted: list[tuple[int, Grant]] = []
        for position, wish in self.wishes:
            key = (wish.site.id, wish.device)
            if not wish.refused and key in seen:
                continue
            seen.add(key)
            result = wish.refused or self._decide_in_turn(wish)
            if isinstance(result, Refused):
                outcomes[position] = result
            elif result is not None:
                granted.append((position, result))
        reservations.write(self.grants, self.closings, self.told)
        self.ledger.places.write()
        for position, grant in granted:
            outcomes[position] = Admitted(grant.visit.handle, grant.granted, grant.visit.interim_seconds)
        return outcomes

    def _decide_in_turn(self, wish: Wish) -> Grant | Refused | None:
        """Decide a login that may mean several things: the first that is granted counts, else the first refusal."""
        refusals: list[Refused] = []
        for meaning in wish.meanings:
            result = self._decide_vouchers(meaning)
            if not isinstance(result, Refused):
                return result
            refusals.append(result)
            self._tell(meaning, result)
        return refusals[0]

    def _tell(self, wish: Wish, refused: Refused) -> None:
        """Note at a promise that is not kept why, so that the portal can tell the guest."""
        visit = self.ledger.by_id.get(wish.visit_id or 0)
        if visit is not None and visit.state is VisitState.ASKED:
            visit.refusal = refused.note
            self.told.append(visit)

    def _decide_vouchers(self, wish: Wish) -> Grant | Refused | None:
        """Decide a wish for a voucher and others behind it: where one gives nothing more the next has its turn."""
        first = result = self._decide(wish)
        while isinstance(result, Refused) and result.reason in SPENT and wish.other_vouchers:
            wish.voucher_id, *wish.other_vouchers = wish.other_vouchers
            result = self._decide(wish)
        return first if isinstance(result, Refused) else result

    def _decide(self, wish: Wish) -> Grant | Refused | None:
        """Decide one login; None when it has to wait for what this round is about to write."""
        visit = self.ledger.by_id.get(wish.visit_id or 0)
        if wish.visit_id and (visit is None or visit in self.granted_visits):
            return None if visit else Refused(Reason.BAD_TICKET)
        if wish.must_agree and not self.ledger.holds_place(wish):
            return Refused(Reason.TERMS_CHANGED)
        account = self.ledger.account(wish)
        if visit and (used := self._used_ticket(wish, visit)):
            return used
        device, usage = DeviceFacts(wish.device, self.ledger.holds_place(wish), wish.swaps), account.usage
        yielding = in_the_way(account.facts.terms, usage, device) if wish.swaps else 0
        displaced = self.ledger.displaced(wish, account, yielding) if yielding else []
        place = self.ledger.place(wish, displaced)
        decision = decide(account.facts, usage, device, place, self.now)
        if isinstance(decision, Refused):
            if decision.reason is not Reason.FULL or not self.ledger.has_just_left(wish):
                return decision
            decision = decide(account.facts, usage, device._replace(returns=True), place, self.now)
            if isinstance(decision, Refused):
                return decision
        if len(displaced) < decision.displaces or self.granted_visits.intersection(displaced):
            return None
        return self._grant(wish, account, decision, visit, displaced)

    def _used_ticket(self, wish: Wish, visit: HeldVisit) -> Refused | None:
        """A ticket works once; a NAS that lost our answer may ask again for the same device."""
        if visit.state is VisitState.CLOSED:
            return Refused(Reason.STALE_TICKET)
        if visit.runs and visit.device != wish.device:
            return Refused(Reason.BAD_TICKET)
        return None

    def _grant(
        self, wish: Wish, account: Account, granted: Granted, visit: HeldVisit | None, displaced: list[HeldVisit]
    ) -> Grant:
        current = self.ledger.current(wish)
        if visit is None and current is not None and current.voucher_id == account.id:
            visit = current
        if current is not None and visit is not current:
            self._leave(current, wish, CloseCause.SUPERSEDED)
        for other in displaced:
            self._leave(other, wish, CloseCause.REPLACED)
        self.ledger.take(wish, visit if visit is current else None)
        account.running.add(wish.device)
        grant = Grant(wish, account, granted, visit or self._new_visit(wish, account))
        self.grants.append(grant)
        self.granted_visits.add(grant.visit)
        return grant

    def _new_visit(self, wish: Wish, account: Account) -> HeldVisit:
        """A visit that no portal has asked for."""
        return HeldVisit(
            id=0,
            handle=new_public_id(),
            site_id=wish.site.id,
            access_point_id=None,
            nas_id=wish.login.nas.id,
            pass_id=account.pass_id,
            voucher_id=account.id,
            way=wish.way,
            state=VisitState.ASKED,
            device=wish.device,
            swaps=False,
            refusal=None,
            interim_seconds=0,
            is_metered=False,
            asked_at=self.now,
        )

    def _leave(self, visit: HeldVisit, wish: Wish, cause: CloseCause) -> None:
        self.closings.append(Closing(visit, wish.site, cause))
        self.ledger.leave(visit)
