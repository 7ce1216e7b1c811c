"""How a visit closes, and how a closing is taken back."""

from collections.abc import Iterable
from datetime import datetime

from hotspot.directory import SiteRecord
from sessions.connection_log import Connection, Journal
from sessions.held import HeldLeg, HeldVisit
from sessions.visit import CloseCause, VisitState


def close(
    journal: Journal, site: SiteRecord, visit: HeldVisit, legs: Iterable[HeldLeg], cause: CloseCause, now: datetime
) -> None:
    """Close a visit that the caller holds and will write: its place is free, and its entry goes to the connection log."""
    visit.state = VisitState.CLOSED
    visit.closed_at = now
    visit.close_cause = cause
    if visit.opened_at is None or visit.device is None:
        return
    legs = list(legs)
    visit.log_reference = journal.add(
        site,
        Connection(
            access_point_id=visit.access_point_id,
            device=visit.device,
            started_at=visit.opened_at,
            seconds=sum(leg.seconds for leg in legs),
            octets=sum(leg.octets_from_guest + leg.octets_to_guest for leg in legs),
        ),
        now,
    )


def reopen(journal: Journal, visit: HeldVisit) -> None:
    """Take back the closing of a visit whose NAS was out of touch, with its entry in the connection log."""
    visit.state = VisitState.OPEN
    visit.closed_at = visit.close_cause = None
    journal.withdraw(visit.log_reference)
    visit.log_reference = None
