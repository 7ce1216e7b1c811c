"""Ending visits on purpose: a revoked voucher, a guest who logs out."""

from collections.abc import Collection
from datetime import datetime

from sqlalchemy import ColumnElement, and_, or_
from sqlalchemy.orm import Session

from hotspot.directory import SiteRecord
from sessions.closing import close
from sessions.connection_log import Journal
from sessions.held import HeldVisit, hold, legs_of, write_visits
from sessions.outbox import ask_disconnect_ids
from sessions.visit import CloseCause, Visit, VisitState


def end_visits(session: Session, voucher_ids: Collection[int], cause: CloseCause, now: datetime) -> int:
    """Have the NAS end all running visits of vouchers; each keeps its place until it does. Returns how many.

    What is still only asked for is closed at once: its ticket must not work any more.
    """
    visits = _held(session, Visit.voucher_id.in_(voucher_ids))
    running = [visit for visit in visits if visit.runs]
    ask_disconnect_ids(session, [(visit.id, visit.nas_id) for visit in running], cause, now)
    asked = [visit for visit in visits if visit.state is VisitState.ASKED]
    for visit in asked:
        visit.state, visit.closed_at, visit.close_cause = VisitState.CLOSED, now, cause
    write_visits(session, asked)
    return len(running)


def log_out(session: Session, site: SiteRecord, visit: Visit, now: datetime) -> None:
    """End a visit because its guest says so: the place is free at once, and the NAS is told."""
    for held in _held(session, Visit.id == visit.id):
        if held.runs:
            journal = Journal(session)
            close(journal, site, held, legs_of(session, [held.id])[held.id], CloseCause.LOGGED_OUT, now)
            write_visits(session, [held])
            journal.write()
            ask_disconnect_ids(session, [(held.id, held.nas_id)], CloseCause.LOGGED_OUT, now)


def _held(session: Session, condition: ColumnElement[bool]) -> list[HeldVisit]:
    is_asked = and_(Visit.reserved_at.is_(None), Visit.closed_at.is_(None))
    return hold(session, and_(condition, or_(is_asked, Visit.runs)))
