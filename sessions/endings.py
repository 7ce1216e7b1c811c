"""Ending visits on purpose: a revoked voucher, a guest who logs out."""

from datetime import datetime

from sqlalchemy import select
from sqlalchemy.orm import Session

from hotspot.directory import SiteRecord
from sessions.visit import RUNNING, CloseCause, Leg, Visit, VisitState, ask_disconnect, close


def end_visits(session: Session, voucher_id: int, cause: CloseCause, now: datetime) -> int:
    """Have the NAS end all running visits of a voucher; each keeps its place until it does. Returns how many.

    What is still only asked for is closed at once: its ticket must not work any more.
    """
    visits = _held(session, Visit.voucher_id == voucher_id)
    running = [visit for visit in visits if visit.runs]
    ask_disconnect(session, running, cause, now)
    for visit in visits:
        if visit.state is VisitState.ASKED:
            visit.state, visit.closed_at, visit.close_cause = VisitState.CLOSED, now, cause
    return len(running)


def log_out(session: Session, site: SiteRecord, visit: Visit, now: datetime) -> None:
    """End a visit because its guest says so: the place is free at once, and the NAS is told."""
    held = _held(session, Visit.id == visit.id)
    if held and held[0].runs:
        legs = list(session.scalars(select(Leg).where(Leg.visit_id == visit.id)))
        close(session, site, held[0], legs, CloseCause.LOGGED_OUT, now)
        ask_disconnect(session, held, CloseCause.LOGGED_OUT, now)


def _held(session: Session, condition) -> list[Visit]:  # type: ignore[no-untyped-def]
    query = select(Visit).where(condition, Visit.state.in_((VisitState.ASKED, *RUNNING))).order_by(Visit.id)
    return list(session.scalars(query.with_for_update(), execution_options={"populate_existing": True}))
