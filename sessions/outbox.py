"""The outbox: orders to NAS about running visits (RFC 5176), claimed by lease, sent elsewhere, and settled here.

Several processes take from it. A claim moves `due_at` to the end of the sender's lease and counts the attempt: nobody else
takes the row meanwhile, and a sender that dies leaves it due again. What the network said comes back through `settle`.
"""

from collections.abc import Collection, Iterable, Mapping, Sequence
from datetime import datetime, timedelta

from sqlalchemy import ColumnElement, and_, delete, exists, func, select
from sqlalchemy.orm import Session

from hotspot.bulk import upsert
from hotspot.directory import Directory
from hotspot.keys import Keyring
from hotspot.place import MAKES_WITHOUT_RADIUS, Nas
from sessions.closing import close
from sessions.connection_log import Journal
from sessions.held import HeldVisit, hold_ids, legs_of, write_visits
from sessions.orders import Answer, Claim, Order, Sorting, finish, read_identifiers
from sessions.visit import CloseCause, Disconnect, Identifiers, OrderKind, Visit
from vouchers.voucher import Voucher

LONGEST_PAUSE_SECONDS = 60
# A NAS that is silent must not fill the senders, nor use up the 256 Identifiers of its address.
MOST_PER_NAS = 100
MOST_AT_ONCE = 1000
# SQLite takes 32,766 variables in a statement.
_MOST_VOUCHERS = 5000

# What at most one order of a kind may do for a visit: wait.
_KEY, _WAITS = (Disconnect.visit_id, Disconnect.kind), Disconnect.done_at.is_(None)


def ask_disconnect_ids(
    session: Session, visits: Iterable[tuple[int, int]], cause: CloseCause | None, now: datetime
) -> None:
    """Put visits, as (visit id, NAS id), in the disconnect outbox; one that waits there already stays as it is.

    Without a cause no visit ends by it: it only makes a device come back (sessions/calling_back.py).
    """
    shared = {"kind": OrderKind.DISCONNECT, "cause": cause, "created_at": now, "due_at": now, "attempts": 0}
    rows = [{"visit_id": visit_id, "nas_id": nas_id, **shared} for visit_id, nas_id in sorted(set(visits))]
    if rows:
        # Race: two processes may ask for the same at once; the index takes one.
        fresh = upsert(session, Disconnect).values(rows)
        session.execute(fresh.on_conflict_do_nothing(index_elements=_KEY, index_where=_WAITS))


def change_limits(session: Session, voucher_id: int, now: datetime, except_handle: str | None = None) -> int:
    """Have the NAS told the present limits of a voucher's running visits; returns of how many.

    For all makes: which of them take a CoA-Request, the sender knows.
    """
    return change_limits_of(session, [voucher_id], now, except_handle)


def change_limits_of(
    session: Session, voucher_ids: Sequence[int], now: datetime, except_handle: str | None = None
) -> int:
    """The same for many vouchers, in two statements for every few thousand."""
    told = 0
    for start in range(0, len(voucher_ids), _MOST_VOUCHERS):
        some = Visit.voucher_id.in_(voucher_ids[start : start + _MOST_VOUCHERS])
        rows = session.execute(select(Visit.id, Visit.nas_id, Visit.handle).where(some, Visit.runs))
        told += _change_limits(session, [(id, nas_id) for id, nas_id, handle in rows if handle != except_handle], now)
    return told


def _change_limits(session: Session, visits: Collection[tuple[int, int]], now: datetime) -> int:
    if visits:
        shared = {"kind": OrderKind.COA, "created_at": now, "due_at": now, "attempts": 0}
        rows = [{"visit_id": visit_id, "nas_id": nas_id, **shared} for visit_id, nas_id in sorted(visits)]
        fresh = upsert(session, Disconnect).values(rows)
        # One that waits starts anew; an attempt under way no longer settles it, for what it tells is old.
        anew = {name: fresh.excluded[name] for name in ("created_at", "due_at", "attempts")}
        session.execute(fresh.on_conflict_do_update(index_elements=_KEY, index_where=_WAITS, set_=anew))
    return len(visits)


def withdraw_disconnects(session: Session, voucher_ids: Collection[int], cause: CloseCause) -> None:
    """Take back what gateways were to be told of vouchers' visits for a cause: nobody asks them, or asks them again.

    A voucher that is revoked or switched off all the same, by another deed, stays cut off.
    Who was cut off by then stays so: what a gateway says of an attempt under way still counts.
    """
    good = select(Voucher.id).where(
        Voucher.id.in_(voucher_ids), Voucher.revoked_at.is_(None), Voucher.inactive.is_(False)
    )
    visits = select(Visit.id).where(Visit.voucher_id.in_(good), Visit.runs)
    waits = and_(Disconnect.kind == OrderKind.DISCONNECT, Disconnect.done_at.is_(None), Disconnect.cause == cause)
    # Race: an attempt may be settled just now, which holds its orders by id, too.
    held = select(Disconnect.id).where(waits, Disconnect.visit_id.in_(visits)).order_by(Disconnect.id).with_for_update()
    session.execute(delete(Disconnect).where(Disconnect.id.in_(held)), execution_options={"synchronize_session": False})


def has_due(session: Session, now: datetime) -> bool:
    """Whether there is anything to claim; asked before a write transaction is begun for it."""
    return bool(session.scalar(select(exists().where(_is_due(now)))))


def claim(session: Session, keyring: Keyring, directory: Directory, now: datetime, busy: Collection[int] = ()) -> Claim:
    """Take what is due, in the caller's write transaction, but for the NAS in `busy`; nobody else gets the same meanwhile."""
    rank = func.row_number().over(partition_by=Disconnect.nas_id, order_by=(Disconnect.due_at, Disconnect.id))
    ranked = select(Disconnect.id, rank.label("rank")).where(_is_due(now), Disconnect.nas_id.not_in(busy)).subquery()
    query = (
        select(Disconnect)
        .where(_is_due(now), Disconnect.id.in_(select(ranked.c.id).where(ranked.c.rank <= MOST_PER_NAS)))
        .order_by(Disconnect.due_at, Disconnect.id)
        .limit(MOST_AT_ONCE)
        .with_for_update(skip_locked=True)
    )
    rows = session.scalars(query, execution_options={"populate_existing": True}).all()
    return Sorting(session, keyring, directory, now).sort(rows)


def _is_due(now: datetime) -> ColumnElement[bool]:
    """What other gateways are told they fetch themselves (sessions/gateway_report.py)."""
    by_radius = Disconnect.nas_id.in_(select(Nas.id).where(Nas.make.not_in(MAKES_WITHOUT_RADIUS)))
    return and_(Disconnect.done_at.is_(None), Disconnect.due_at <= now, by_radius)


def settle(
    session: Session,
    keyring: Keyring,
    directory: Directory,
    answers: Iterable[tuple[Order, Answer]],
    now: datetime,
) -> int:
    """Write down what came of attempts, in the caller's write transaction; returns how many visits it closed.

    A visit whose NAS says that its session is over is closed at once: its place is free, and a late Stop still counts.
    """
    answered = {order.id: (order, answer) for order, answer in answers}
    ended = {
        order.visit_id: order
        for order, answer in answered.values()
        if order.kind is OrderKind.DISCONNECT and order.cause and answer in (Answer.ACKNOWLEDGED, Answer.GONE)
    }
    # Visits are held before their orders, as everywhere.
    moved, closed = _close(session, keyring, directory, ended, now)
    query = select(Disconnect).where(Disconnect.id.in_(answered), Disconnect.done_at.is_(None)).order_by(Disconnect.id)
    for row in session.scalars(query.with_for_update(), execution_options={"populate_existing": True}):
        order, answer = answered[row.id]
        if (row.created_at, row.attempts) != (order.created_at, order.attempts):
            continue  # another sender has taken it after the lease, or it was asked for anew
        if row.visit_id in moved and row.kind is OrderKind.DISCONNECT:
            row.due_at = now
        else:
            _note(row, answer, now)
    return closed


def _note(row: Disconnect, answer: Answer, now: datetime) -> None:
    """A NAS that refuses new limits will not take them later either; one that must end a visit is asked again."""
    again = answer is Answer.SILENT or (answer is Answer.REFUSED and row.kind is OrderKind.DISCONNECT)
    if again:
        row.due_at = now + timedelta(seconds=min(LONGEST_PAUSE_SECONDS, 2 ** min(row.attempts - 1, 6)))
    elif answer.value is not None:
        finish(row, answer.value, now)


def _close(
    session: Session, keyring: Keyring, directory: Directory, ended: Mapping[int, Order], now: datetime
) -> tuple[set[int], int]:
    """Close what still runs; returns the visits that have moved on to another session meanwhile, and how many were closed."""
    running = [visit for visit in hold_ids(session, list(ended)) if visit.runs]
    moved = {visit.id for visit in running if _has_moved(keyring, visit, ended[visit.id].identifiers)}
    legs = legs_of(session, [visit.id for visit in running])
    journal, closed = Journal(session), []
    for visit in running:
        order, site = ended[visit.id], directory.sites.get(visit.site_id)
        if visit.id not in moved and site is not None and order.cause is not None:
            close(journal, site, visit, legs[visit.id], order.cause, now)
            closed.append(visit)
    write_visits(session, closed)
    journal.write()
    return moved, len(closed)


def _has_moved(keyring: Keyring, visit: HeldVisit, told: Identifiers) -> bool:
    """Whether the guest roamed while the NAS was told to end the session before."""
    known = read_identifiers(keyring, visit.identifiers, visit.id)
    if known is None:
        return False
    sessions = {known.acct_session_id, told.acct_session_id} - {None}
    return known.nas_address != told.nas_address or len(sessions) > 1
