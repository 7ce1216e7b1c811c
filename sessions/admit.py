"""Admission with memory: logins come in as a batch, are decided one after the other, and are written together.

A batch is loaded with a fixed number of queries. Each grant updates the batch's own ledger before the next login is
decided (decision 2).
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy.orm import Session

from hotspot.database import new_public_id
from hotspot.keys import Keyring
from sessions.ledger import Ledger
from sessions.login import Login, Wish, resolve
from sessions.reservations import Closing, Grant, Reservations
from sessions.usage import Account
from sessions.visit import CloseCause, Visit, VisitState
from vouchers.admission import DeviceFacts, Granted, Reason, Refused, decide, in_the_way

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
        decided = _Round(session, waiting, now).run(Reservations(session, keyring, interim_seconds, now))
        outcomes |= decided
        waiting = [(position, wish) for position, wish in waiting if position not in decided]
        if not waiting:
            break
    outcomes |= {position: Refused(Reason.TOO_MANY_TRIES) for position, _wish in waiting}
    return [outcomes[position] for position in range(len(logins))]


class _Round:
    """A batch in which every device asks once; what does not fit waits for the next round."""

    def __init__(self, session: Session, wishes: list[tuple[int, Wish]], now: datetime) -> None:
        self.now, self.wishes = now, wishes
        self.ledger = Ledger(session, [wish for _position, wish in wishes if not wish.refused], now)
        self.grants: list[Grant] = []
        self.granted_visits: set[Visit | None] = set()
        self.closings: list[Closing] = []

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
            result = wish.refused or self._decide(wish)
            if isinstance(result, Refused):
                outcomes[position] = result
                if wish.visit and wish.visit.state is VisitState.ASKED:
                    wish.visit.refusal = result.reason
            elif result is not None:
                granted.append((position, result))
        reservations.write(self.grants, self.closings)
        for position, grant in granted:
            outcomes[position] = Admitted(grant.visit.handle, grant.granted, grant.visit.interim_seconds)
        return outcomes

    def _decide(self, wish: Wish) -> Grant | Refused | None:
        """Decide one login; None when it has to wait for what this round is about to write."""
        if wish.visit in self.granted_visits:
            return None
        account = self.ledger.account(wish)
        if wish.visit and (used := self._used_ticket(wish, wish.visit)):
            return used
        device, usage = DeviceFacts(wish.device, self.ledger.returns(wish), wish.swaps), account.usage
        yielding = in_the_way(account.voucher.terms, usage, device) if wish.swaps else 0
        displaced = self.ledger.displaced(wish, yielding)
        decision = decide(account.facts, usage, device, self.ledger.place(wish, displaced), self.now)
        if isinstance(decision, Refused):
            return decision
        if len(displaced) < decision.displaces or self.granted_visits.intersection(displaced):
            return None
        return self._grant(wish, account, decision, displaced)

    def _used_ticket(self, wish: Wish, visit: Visit) -> Refused | None:
        """A ticket works once; a NAS that lost our answer may ask again for the same device."""
        if visit.state is VisitState.CLOSED:
            return Refused(Reason.STALE_TICKET)
        if visit.runs and visit.device != wish.device:
            return Refused(Reason.BAD_TICKET)
        return None

    def _grant(self, wish: Wish, account: Account, granted: Granted, displaced: list[Visit]) -> Grant:
        current, visit = self.ledger.current(wish), wish.visit
        if visit is None and current is not None and current.voucher_id == account.voucher.id:
            visit = current
        if current is not None and visit is not current:
            self._leave(current, wish, CloseCause.SUPERSEDED)
        for other in displaced:
            self._leave(other, wish, CloseCause.REPLACED)
        self.ledger.take(wish, visit if visit is current else None)
        account.running.add(wish.device)
        grant = Grant(wish, account, granted, visit or self._new_visit(wish))
        self.grants.append(grant)
        self.granted_visits.add(grant.visit)
        return grant

    def _new_visit(self, wish: Wish) -> Visit:
        """A visit that no portal has asked for."""
        return Visit(
            handle=new_public_id(), site_id=wish.site.id, way=wish.way, state=VisitState.ASKED, asked_at=self.now
        )

    def _leave(self, visit: Visit, wish: Wish, cause: CloseCause) -> None:
        self.closings.append(Closing(visit, wish.site, cause))
        self.ledger.leave(visit)
