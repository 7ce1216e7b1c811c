"""Settling: what old visits have used goes to their vouchers, what their guests accepted is counted, and the visits go."""

from datetime import datetime

from sqlalchemy import and_, delete, select
from sqlalchemy.orm import Session

from sessions.agreements import count_agreements
from sessions.held import hold_free
from sessions.usage import lock_vouchers, seconds_covered, time_covered
from sessions.visit import Leg, Visit


def settle(session: Session, closed_before: datetime, now: datetime, limit: int) -> int:
    """Give the totals of visits that closed before a moment to their vouchers and delete them; returns of how many."""
    old = Visit.closed_at < closed_before
    oldest = select(Visit.id, Visit.voucher_id).where(old).order_by(Visit.closed_at).limit(limit)
    due = session.execute(oldest).all()
    voucher_ids = {voucher_id for _id, voucher_id in due if voucher_id}
    vouchers = {voucher.id: voucher for voucher in lock_vouchers(session, voucher_ids)}
    # Race: late accounting may have reopened one meanwhile.
    aged = and_(old, Visit.id.in_([visit_id for visit_id, _voucher_id in due]))
    going = {visit.id for visit in hold_free(session, aged, order_by=Visit.id)}
    remaining = times_by_voucher(session, voucher_ids, now)
    for voucher_id, voucher in vouchers.items():
        times = remaining.get(voucher_id, [])
        stays = [interval for visit_id, interval, _octets in times if visit_id not in going]
        everything = [interval for _visit_id, interval, _octets in times]
        # What others that stay were online at the same time is counted with them, so that no minute counts twice.
        voucher.settled_seconds += seconds_covered(everything) - seconds_covered(stays)
        voucher.settled_octets += sum(octets for visit_id, _interval, octets in times if visit_id in going)
    session.flush()
    if going:
        count_agreements(session, going)
        session.execute(delete(Visit).where(Visit.id.in_(going)))
    return len(going)


def times_by_voucher(
    session: Session, voucher_ids: set[int], now: datetime
) -> dict[int, list[tuple[int, tuple[datetime, datetime], int]]]:
    """For each voucher, of every leg: its visit, the time it covers, and its octets."""
    times: dict[int, list[tuple[int, tuple[datetime, datetime], int]]] = {}
    if not voucher_ids:
        return times
    query = select(Visit, Leg).join(Leg, Leg.visit_id == Visit.id).where(Visit.voucher_id.in_(voucher_ids))
    # Rows that were changed past the session count as they stand now.
    for visit, leg in session.execute(query, execution_options={"populate_existing": True}):
        went_on = visit.runs and leg.stopped_at is None
        covered = time_covered(leg.started_at, leg.last_heard_at, leg.seconds, went_on, visit.interim_seconds, now)
        octets = leg.octets_from_guest + leg.octets_to_guest
        times.setdefault(visit.voucher_id or 0, []).append((visit.id, covered, octets))
    return times
