"""Visits and legs as a transaction holds them: plain rows, read together, changed in memory and written together.

What decides and counts works on these; the mapped classes of sessions/visit.py serve those who look at one visit.
"""

from collections.abc import Callable, Collection, Iterable
from dataclasses import dataclass, fields
from datetime import datetime
from operator import attrgetter
from typing import Any, Generic, TypeVar, cast

from sqlalchemy import ColumnElement, FromClause, Table, select
from sqlalchemy.orm import InstrumentedAttribute, Session

from hotspot import bulk
from hotspot.place import LoginWay
from hotspot.questions import Asked, IsIn, Query
from sessions.visit import RUNNING, CloseCause, Leg, Visit, VisitState


@dataclass(slots=True, repr=False, eq=False)
class HeldVisit:
    """A visit's row; `id` is 0 until it is inserted."""

    id: int
    handle: str
    site_id: int
    access_point_id: int | None
    nas_id: int
    pass_id: int
    voucher_id: int | None
    way: LoginWay
    state: VisitState
    device: bytes | None
    swaps: bool
    refusal: str | None
    interim_seconds: int
    is_metered: bool
    asked_at: datetime
    accepted_at: datetime | None = None
    reserved_at: datetime | None = None
    reserved_until: datetime | None = None
    opened_at: datetime | None = None
    closed_at: datetime | None = None
    close_cause: CloseCause | None = None
    log_reference: str | None = None
    identifiers: bytes | None = None
    address: bytes | None = None

    @property
    def runs(self) -> bool:
        """Whether it holds a place."""
        return self.state in RUNNING


@dataclass(slots=True, repr=False, eq=False)
class HeldLeg:
    """A leg's row; `id` is 0 until it is inserted."""

    id: int
    visit_id: int
    nas_id: int
    access_point_id: int | None
    session: bytes
    ordinal: int
    started_at: datetime
    last_heard_at: datetime
    stopped_at: datetime | None = None
    seconds: int = 0
    octets_from_guest: int = 0
    octets_to_guest: int = 0
    terminate_cause: int | None = None


_VISIT_COLUMNS = tuple(field.name for field in fields(HeldVisit))
_LEG_COLUMNS = tuple(field.name for field in fields(HeldLeg))
# What never changes once a row stands.
_FIXED_IN_VISIT = {"handle", "site_id", "way", "swaps", "asked_at"}
_FIXED_IN_LEG = {"visit_id", "nas_id", "access_point_id", "session", "ordinal", "started_at"}

VISIT = tuple(getattr(Visit, name) for name in _VISIT_COLUMNS)
LEG = tuple(getattr(Leg, name) for name in _LEG_COLUMNS)
_LEGS = Query(lambda is_in: select(*LEG).where(is_in(Leg.visit_id, "visits")).order_by(Leg.id))


def held_query(build: Callable[[IsIn], ColumnElement[bool]]) -> Query:
    """A query, compiled once, that holds the visits of a condition, by id."""
    return Query(lambda is_in: select(*VISIT).where(build(is_in)).order_by(Visit.id).with_for_update(key_share=True))


_BY_ID = held_query(lambda is_in: is_in(Visit.id, "ids"))


def hold_by(session: Session, query: Query, **parameters: object) -> list[HeldVisit]:
    """The visits that a `held_query` holds."""
    return held_visits(query.ask(session, **parameters))


def held_visits(asked: Asked) -> list[HeldVisit]:
    """The visits that a `held_query` was asked to hold."""
    return [HeldVisit(*row) for row in asked.rows()]


def hold_ids(session: Session, ids: Collection[int]) -> list[HeldVisit]:
    """Hold visits by their row numbers, as they stand now."""
    return hold_by(session, _BY_ID, ids=ids) if ids else []


def hold(session: Session, condition: ColumnElement[bool]) -> list[HeldVisit]:
    """Hold the visits of a condition, as they stand now."""
    query = select(*VISIT).where(condition).order_by(Visit.id)
    return [HeldVisit(*row) for row in session.execute(query.with_for_update(key_share=True))]


def hold_free(
    session: Session, condition: ColumnElement[bool], order_by: InstrumentedAttribute[Any], limit: int | None = None
) -> list[HeldVisit]:
    """Hold the first visits of a condition that nobody else holds; who waits for nobody may take them in any order."""
    query = select(*VISIT).where(condition).order_by(order_by).limit(limit)
    return [HeldVisit(*row) for row in session.execute(query.with_for_update(key_share=True, skip_locked=True))]


def legs_of(session: Session, visit_ids: Collection[int]) -> dict[int, list[HeldLeg]]:
    """The legs of visits, by visit; one query for all. Who holds the visit may change its legs."""
    legs: dict[int, list[HeldLeg]] = {visit_id: [] for visit_id in visit_ids}
    for row in _LEGS.rows(session, visits=visit_ids) if visit_ids else ():
        leg = HeldLeg(*row)
        legs[leg.visit_id].append(leg)
    return legs


T = TypeVar("T")


class _Rows(Generic[T]):
    """How rows of one kind are written."""

    def __init__(self, table: FromClause, columns: tuple[str, ...], fixed: set[str]) -> None:
        self._table = cast(Table, table)
        self._inserted = columns[1:]
        self._updated = tuple(name for name in columns if name not in fixed)
        self._to_insert, self._to_update = attrgetter(*self._inserted), attrgetter(*self._updated)

    def insert(self, session: Session, rows: Iterable[T]) -> None:
        bulk.insert(session, self._table, self._inserted, [self._to_insert(row) for row in rows])

    def update(self, session: Session, rows: Iterable[T]) -> None:
        bulk.update(session, self._table, self._updated, [self._to_update(row) for row in rows])


_VISITS = _Rows[HeldVisit](Visit.__table__, _VISIT_COLUMNS, _FIXED_IN_VISIT)
_LEG_ROWS = _Rows[HeldLeg](Leg.__table__, _LEG_COLUMNS, _FIXED_IN_LEG)


def write_visits(session: Session, visits: Collection[HeldVisit]) -> None:
    """Insert new visits, and write what changed in the others."""
    _VISITS.update(session, [visit for visit in visits if visit.id])
    _VISITS.insert(session, [visit for visit in visits if not visit.id])


def write_legs(session: Session, legs: Collection[HeldLeg]) -> None:
    """Insert new legs, and write what changed in the others."""
    _LEG_ROWS.update(session, [leg for leg in legs if leg.id])
    _LEG_ROWS.insert(session, [leg for leg in legs if not leg.id])
