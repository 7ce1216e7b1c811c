"""Places: how many guests an access point or a site's pool can still take, without counting or waiting for every login.

Whoever gives a place counts the access point's `arrivals` up, under its row's lock. So who has once counted the guests knows
from the number of arrivals since how many there can be at most, in whichever process they were let in; that some have left
meanwhile only makes it fewer.

As long as that bound is below the limit a batch decides without holding the row. It takes it at its very end, sees who was let in
elsewhere meanwhile, and is decided anew if there might be too many (`Overtaken`). Near the limit it holds the row first and
counts, so that a refusal always rests on an exact count. Nothing has to be told of a transaction that was rolled back: what
was counted was true at its number of arrivals.
"""

from collections import Counter
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import NamedTuple, cast

from sqlalchemy import Table, func, select
from sqlalchemy.orm import InstrumentedAttribute, Session

from hotspot import bulk
from hotspot.directory import Located
from hotspot.place import AccessPoint
from hotspot.questions import Asked, Query
from sessions.visit import Visit, is_counted


class Pool(NamedTuple):
    """Whose guests are counted together: an access point's, or a site's; and the access points that give its places."""

    counted_by: str
    id: int
    points: tuple[int, ...]


def pool_of(located: Located) -> Pool:
    """The pool of a place: its access point, or all of the site's where only the site is known."""
    if located.access_point:
        return Pool("access point", located.access_point.id, (located.access_point.id,))
    return Pool("site", located.site.id, located.site.access_point_ids)


class Room(NamedTuple):
    """A place's limit, its guests, and whether the limit may be exceeded."""

    capacity: int
    guests: int
    is_soft: bool


class Overtaken(Exception):
    """Others have given the places meanwhile that a batch has relied on: roll back, and decide it anew."""


class _Counted(NamedTuple):
    """The guests that were counted, and at how many arrivals."""

    guests: int
    arrivals: int


@dataclass(slots=True)
class _Point:
    """An access point's row."""

    capacity: int
    is_soft: bool
    arrivals: int


class Places:
    """What one process knows of the places; shared by its batches, and worth nothing to anyone else."""

    def __init__(self) -> None:
        self._counted: dict[Pool, _Counted] = {}
        self._seen: dict[int, _Point] = {}

    def points(self, pool: Pool) -> list[_Point] | None:
        """The rows of a pool's access points as they were last seen; None where one was never seen."""
        points = [self._seen.get(point_id) for point_id in pool.points]
        return None if None in points else cast(list[_Point], points)

    def see(self, points: Mapping[int, _Point]) -> None:
        """Remember rows."""
        self._seen |= points

    def most(self, pool: Pool, arrivals: int) -> int | None:
        """How many guests there can be at most; None where nobody has counted yet."""
        counted = self._counted.get(pool)
        return None if counted is None or arrivals < counted.arrivals else counted.guests + arrivals - counted.arrivals

    def note(self, pool: Pool, guests: int, arrivals: int) -> None:
        """Remember a count."""
        self._counted[pool] = _Counted(guests, arrivals)


_TABLE = cast(Table, AccessPoint.__table__)
_POINTS = Query(
    lambda is_in: (
        select(AccessPoint.id, AccessPoint.capacity, AccessPoint.capacity_is_soft, AccessPoint.arrivals)
        .where(is_in(AccessPoint.id, "points"))
        .order_by(AccessPoint.id)
        .with_for_update(key_share=True)
    )
)


def _count_by(column: InstrumentedAttribute[int] | InstrumentedAttribute[int | None]) -> Query:
    return Query(lambda is_in: select(column, func.count()).where(is_in(column, "ids"), is_counted()).group_by(column))


_COUNTS = {"access point": _count_by(Visit.access_point_id), "site": _count_by(Visit.site_id)}


def ask_guests(session: Session, pool: Pool) -> Asked:
    """Ask how many hold a place, without holding it: a row with the pool's id and their number, or none."""
    return _COUNTS[pool.counted_by].ask(session, ids=[pool.id])


class HeldPlaces:
    """The places that a batch of logins is counted against."""

    def __init__(self, session: Session, known: Places, pools: Collection[Pool]) -> None:
        self._session, self._known, self._pools = session, known, pools
        self._held: dict[int, _Point] | None = None
        self._guests: dict[Pool, int] = {}
        # Who came and left in this batch, and at which access points they arrived.
        self._change: Counter[tuple[str, int]] = Counter()
        self._arrived: Counter[int] = Counter()
        # Pools that were trusted to have room, with how many of this batch came before whoever relied on it; and those where
        # somebody has taken a place: only there it matters.
        self._trusted: dict[Pool, int] = {}
        self._taken: set[Pool] = set()

    def room(self, pool: Pool) -> Room:
        """How full the place is: at most, as long as that is below its limit; else exactly, and held."""
        change = self._change[pool.counted_by, pool.id]
        points = self._known.points(pool) if self._held is None else None
        if points is not None:
            room = _room(points, self._most(pool, points), change)
            if room is not None and room.guests < room.capacity:
                self._trusted[pool] = max(change, self._trusted.get(pool, change))
                return room
        points = self._hold(pool)
        most = self._most(pool, points) if pool not in self._guests else None
        room = _room(points, most, change)
        if room is not None and room.guests < room.capacity:
            return room
        return Room(_capacity(points), self._count(pool) + change, _is_soft(points))

    def come(self, pool: Pool, site_id: int) -> None:
        """Count a guest who takes a place. In a site's pool nobody knows on which access point: the first one bears it."""
        self._change[pool.counted_by, pool.id] += 1
        if pool.counted_by != "site":
            self._change["site", site_id] += 1
        for point_id in pool.points[:1]:
            self._arrived[point_id] += 1
        self._taken.add(pool)

    def leave(self, access_point_id: int | None, site_id: int) -> None:
        """Count a guest who leaves a place."""
        if access_point_id is not None:
            self._change["access point", access_point_id] -= 1
        self._change["site", site_id] -= 1

    def write(self) -> None:
        """Hold the access points if that was not needed before, and bring the arrivals to the database: the batch's last act.

        Overtaken when what was relied on no longer holds.
        """
        if self._held is None and self._arrived:
            self._take({point_id for pool in self._taken for point_id in pool.points})
        held = {point_id: point for point_id, point in (self._held or {}).items() if point_id in self._arrived}
        for point_id, point in held.items():
            point.arrivals += self._arrived[point_id]
        rows = [(point_id, point.arrivals) for point_id, point in held.items()]
        bulk.update(self._session, _TABLE, ("id", "arrivals"), rows)

    def _verify(self) -> None:
        """Whether what was relied on before the rows were held is still true."""
        for pool, change in self._trusted.items():
            if pool not in self._taken:
                continue
            points = self._hold(pool)
            room = _room(points, self._most(pool, points), change)
            if room is None or (room.guests >= room.capacity and not room.is_soft):
                raise Overtaken

    def _hold(self, pool: Pool) -> list[_Point]:
        """The rows of a pool's access points, held together with all others of the batch, by id."""
        if self._held is None:
            self._take({point_id for pool in self._pools for point_id in pool.points})
        return [self._held[point_id] for point_id in pool.points if point_id in self._held] if self._held else []

    def _take(self, point_ids: Collection[int]) -> None:
        rows = _POINTS.rows(self._session, points=point_ids) if point_ids else []
        self._held = {point_id: _Point(*facts) for point_id, *facts in rows}
        self._known.see(self._held)
        self._verify()

    def _most(self, pool: Pool, points: Collection[_Point]) -> int | None:
        return self._known.most(pool, sum([point.arrivals for point in points]))

    def _count(self, pool: Pool) -> int:
        """Count who is there, now that nobody else can give a place; and with it all that nobody has counted yet."""
        if pool not in self._guests:
            like = [one for one in self._pools if one.counted_by == pool.counted_by and one not in self._guests]
            new = {one for one in like if self._most(one, self._hold(one)) is None} | {pool}
            counts: dict[int, int] = dict(_COUNTS[pool.counted_by].rows(self._session, ids={one.id for one in new}))
            for one in new:
                self._guests[one] = counts.get(one.id, 0)
                self._known.note(one, self._guests[one], sum(point.arrivals for point in self._hold(one)))
        return self._guests[pool]


def _room(points: Collection[_Point], most: int | None, change: int) -> Room | None:
    return None if most is None else Room(_capacity(points), most + change, _is_soft(points))


def _capacity(points: Collection[_Point]) -> int:
    return sum([point.capacity for point in points])


def _is_soft(points: Collection[_Point]) -> bool:
    return bool(points) and all(point.is_soft for point in points)


def note_arrivals(session: Session, arrivals: dict[int, int]) -> None:
    """Count arrivals that no login has brought, as of a guest who roams without asking, by access point."""
    held = _POINTS.rows(session, points=arrivals) if arrivals else []
    rows = [(point_id, before + arrivals[point_id]) for point_id, _capacity, _is_soft, before in held]
    bulk.update(session, _TABLE, ("id", "arrivals"), rows)
