"""House-keeping: a table of instants for everything that time alone brings about."""

from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from typing import Any

import psycopg
import pytest
from hypothesis import HealthCheck, given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st
from sqlalchemy import event, func, select, text, update
from sqlalchemy.orm import Session

from hotspot import limits
from hotspot.limits import Counted, Limit, LimitCounter
from hotspot.place import LoginWay, Nas, SiteKind
from hotspot.straight import driver_of
from sessions import housekeeping, recheck
from sessions.heartbeat import LONGEST_GAP, listening_since
from sessions.housekeeping import LISTENER
from sessions.status import voucher_status
from sessions.usage import seconds_covered
from sessions.visit import CloseCause, Leg, Visit, VisitState, VoucherDevice, hash_device
from tests.conftest import NOON
from tests.factories import a_mac
from tests.sessions.test_connection_log import stored_day_keys
from tests.sessions.world import INTERIM, World
from vouchers.passes import Clock
from vouchers.voucher import Voucher

PHONE, LAPTOP = a_mac(1), a_mac(2)
MakeWorld = Callable[..., World]


def closed_visit(world: World, code: str | None = None) -> str:
    """A visit of one minute that has just closed."""
    handle = world.go_online(code or world.vouchers(1)[0], PHONE)
    world.stop(handle, 60, f"session-{handle}", octets_from_guest=500, octets_to_guest=1500)
    return handle


# What is kept how long


@pytest.mark.parametrize(
    ("minutes", "seconds", "identifiers", "visit"),
    [
        (0, 0, True, True),
        (10, 0, True, True),
        (10, 1, False, True),
        (24 * 60, 0, False, True),
        (24 * 60, 1, False, False),
        (10 * 24 * 60, 0, False, False),
    ],
)
def test_a_closed_visit_is_kept_as_long_as_it_is_needed(
    world: World, minutes: int, seconds: int, identifiers: bool, visit: bool
) -> None:
    handle = closed_visit(world)
    world.wait(minutes=minutes, seconds=seconds)
    for _ in range(2):
        world.keep_house()
        assert world.has_visit(handle) is visit
        if visit:
            assert (world.visit(handle).identifiers is not None) is identifiers


@pytest.mark.parametrize(("minutes", "seconds", "kept"), [(0, 0, True), (30, 0, True), (30, 1, False)])
def test_a_promise_nobody_took_up_is_forgotten(world: World, minutes: int, seconds: int, kept: bool) -> None:
    handle = world.ask(*world.vouchers(1))
    world.wait(minutes=minutes, seconds=seconds)
    world.keep_house()
    assert world.has_visit(handle) is kept


def test_a_running_visit_keeps_its_identifiers(world: World) -> None:
    handle = world.go_online(world.voucher(minutes=5000))
    for _ in range(60):
        world.wait(minutes=30)
        world.listen()
        world.interim(handle, 60, f"session-{handle}")
    world.keep_house()
    assert world.visit(handle).state is VisitState.OPEN
    assert world.visit(handle).identifiers


@pytest.mark.parametrize(
    ("hours", "kept"), [(1, True), (24, True), (25, False)], ids=["used", "in its last hour", "over"]
)  # fmt: skip
def test_a_device_is_remembered_until_its_voucher_ends(world: World, hours: int, kept: bool) -> None:
    closed_visit(world, world.voucher(minutes=24 * 60))
    world.wait(hours=hours)
    world.keep_house()
    with world.database.read() as session:
        assert (session.scalar(select(func.count()).select_from(VoucherDevice)) == 1) is kept


@pytest.mark.parametrize(("days", "kept"), [(14, True), (15, False)])
def test_no_device_is_remembered_longer_than_two_weeks(world: World, days: int, kept: bool) -> None:
    closed_visit(world, world.voucher(Clock.UNTIL, minutes=None, until=world.now + timedelta(days=100)))
    world.wait(days=days)
    world.keep_house()
    with world.database.read() as session:
        assert (session.scalar(select(func.count()).select_from(VoucherDevice)) == 1) is kept


@pytest.mark.parametrize(("seconds", "kept"), [(60, 1), (61, 0)])
def test_the_device_of_a_revoked_voucher_is_forgotten_once_that_cannot_be_undone(
    world: World, seconds: int, kept: int
) -> None:
    (code,) = world.vouchers(1)
    closed_visit(world, code)
    world.revoke(code)
    world.wait(seconds=seconds)
    world.keep_house()
    with world.database.read() as session:
        assert len(session.scalars(select(VoucherDevice)).all()) == kept


@pytest.mark.parametrize(
    ("hours", "remembered", "stored"),
    [(0, True, True), (13, True, True), (15, False, True), (72, False, False)],
)
def test_a_free_pass_is_forgotten_after_its_day(world: World, hours: int, remembered: bool, stored: bool) -> None:
    """The site's day ends at four in Berlin, fourteen hours after noon in UTC; the pass goes once no visit needs it."""
    handle = world.ask(free=world.free_pass())
    world.admit(world.ticket_login(handle, device=PHONE))
    world.start(handle)
    world.stop(handle, 60)
    world.wait(hours=hours)
    for _ in range(2):
        world.keep_house()
    with world.database.read() as session:
        vouchers = session.scalars(select(Voucher)).all()
    assert bool(vouchers) is stored
    assert [one.free_device is not None for one in vouchers] == ([remembered] if stored else [])


def test_a_soft_limit_that_is_exceeded_is_named(make_world: MakeWorld) -> None:
    world = make_world(capacity=1, soft=True)
    first, second = world.vouchers(2)
    world.get_in(first, device=PHONE)
    assert world.keep_house().beyond_soft_limit == frozenset()
    world.get_in(second, device=LAPTOP)
    assert world.keep_house().beyond_soft_limit == {world.place.access_point.name}


def test_expired_counters_are_forgotten(world: World) -> None:
    with world.database.write() as session:
        limits.hit(session, world.keyring, [Counted(Limit.GUESSES_AT_SITE, "1")], world.now)
    world.wait(minutes=10)
    world.keep_house()
    with world.database.read() as session:
        assert session.scalars(select(LimitCounter)).all() == []


def test_day_keys_go_an_hour_after_the_day_is_over_at_every_site(world: World) -> None:
    """The site's day ends at 04:00 in Berlin, 02:00 in UTC."""
    closed_visit(world)
    expected = {"2026-06-15 23:00": 1, "2026-06-16 02:00": 1, "2026-06-16 02:59": 1, "2026-06-16 03:00": 0}
    for moment, keys in expected.items():
        world.now = datetime.fromisoformat(moment).replace(tzinfo=UTC)
        world.keep_house()
        assert count_day_keys(world) == keys


def count_day_keys(world: World) -> int:
    return len(stored_day_keys(world.database))


# Settling


def test_the_totals_of_a_deleted_visit_go_to_its_voucher(world: World) -> None:
    code = world.voucher(megabytes=1, minutes=10_000)
    closed_visit(world, code)
    world.wait(hours=25)
    assert world.keep_house().settled == 1
    voucher = world.stored(code)
    assert (voucher.settled_octets, voucher.settled_seconds) == (2000, 60)
    world.keep_house()
    assert world.stored(code).settled_octets == 2000


minutes_of_a_day = st.integers(0, 23 * 60)


@hypothesis_settings(max_examples=10, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    st.lists(st.tuples(st.integers(0, 3), minutes_of_a_day, st.integers(0, 300), st.integers(0, 10**6)), min_size=1,
             max_size=6),
    st.lists(st.integers(1, 80), min_size=1, max_size=4),
)  # fmt: skip
def test_settling_changes_no_total_whenever_it_is_done(
    world: World, visits: list[tuple[int, int, int, int]], rounds: list[int]
) -> None:
    """Devices 0 to 3 of one voucher are online from a minute on, for some minutes, and use some octets."""
    world.now = began = NOON
    code = world.voucher(Clock.ONLINE, minutes=100_000, devices=100)
    covered = set()
    for number, (device, start, length, octets) in enumerate(sorted(visits, key=lambda visit: visit[1] + visit[2])):
        end = world.now = began + timedelta(minutes=start + length)
        handle = world.get_in(code, device=a_mac(device))
        session_id = f"{number}-{handle}"
        world.start(handle, session_id, at=end - timedelta(minutes=length))
        world.stop(handle, length * 60, session_id, octets_from_guest=octets)
        covered |= set(range(start, start + length))
    for hours in rounds:
        world.wait(hours=hours)
        world.keep_house()
        with world.database.read() as session:
            status = voucher_status(session, world.directory, world.stored(code), world.now)
        assert status.seconds_used == len(covered) * 60
        assert status.octets_used == sum(octets for _device, _start, _length, octets in visits)


def test_a_minute_shared_with_a_visit_that_stays_is_counted_once(world: World) -> None:
    code = world.voucher(Clock.ONLINE, minutes=10_000, devices=2)
    long = world.go_online(code, LAPTOP)
    short = closed_visit(world, code)
    for _ in range(25 * 4):
        world.wait(minutes=15)
        world.interim(long, int((world.now - NOON).total_seconds()), f"session-{long}")
    assert world.keep_house().settled == 1
    assert not world.has_visit(short)
    with world.database.read() as session:
        status = voucher_status(session, world.directory, world.stored(code), world.now)
    assert status.seconds_used == 25 * 3600


@given(st.lists(st.tuples(st.integers(0, 50), st.integers(0, 20))))
def test_the_time_covered_is_that_of_the_union(spans: list[tuple[int, int]]) -> None:
    intervals = [(NOON + timedelta(seconds=start), NOON + timedelta(seconds=start + length)) for start, length in spans]
    assert seconds_covered(intervals) == len({s for start, length in spans for s in range(start, start + length)})


# Silence


@pytest.mark.parametrize(("minutes", "silent"), [(14, 0), (15, 0), (16, 1)])
def test_three_intervals_without_a_word_are_silence(world: World, minutes: int, silent: int) -> None:
    world.listen_for(hours=1)
    handle = world.go_online(world.voucher())
    world.listen_for(minutes=minutes)
    assert world.keep_house().silent == silent
    assert world.visit(handle).runs is not bool(silent)
    if silent:
        assert world.visit(handle).close_cause is CloseCause.SILENCE


@pytest.mark.parametrize(("minutes", "silent"), [(3, 0), (4, 1)])
def test_a_closely_watched_visit_is_silent_sooner(world: World, minutes: int, silent: int) -> None:
    world.listen_for(hours=1)
    world.go_online(world.voucher(megabytes=100))
    world.listen_for(minutes=minutes)
    assert world.keep_house().silent == silent


def test_nobody_is_silent_while_nobody_listens(world: World) -> None:
    world.go_online(world.voucher())
    world.wait(hours=5)
    assert world.keep_house().silent == 0
    world.listen()
    assert world.keep_house().silent == 0


def test_an_outage_starts_the_clock_of_silence_anew(world: World) -> None:
    world.listen_for(minutes=5)
    world.go_online(world.voucher())
    world.listen_for(minutes=10)
    world.wait(minutes=10)
    world.listen_for(minutes=14)
    assert world.keep_house().silent == 0
    world.listen_for(minutes=2)
    assert world.keep_house().silent == 1


def test_a_short_gap_is_no_outage(world: World) -> None:
    world.listen()
    began = world.now
    world.now += LONGEST_GAP
    world.listen()
    with world.database.read() as session:
        assert listening_since(session, LISTENER, world.now) == began
        assert listening_since(session, LISTENER, world.now + LONGEST_GAP) == began
        after = world.now + LONGEST_GAP + timedelta(seconds=1)
        assert listening_since(session, LISTENER, after) == after
        assert listening_since(session, "nobody", world.now) == world.now


@pytest.mark.parametrize("database_url", ["postgresql"], indirect=True)
def test_whoever_is_heard_while_a_round_begins_is_not_silent(world: World) -> None:
    """Accounting often changes the leg only: PostgreSQL, which looks at the visit's row again, does not see that."""
    world.listen_for(hours=1)
    handle, other = (world.go_online(world.voucher(), device) for device in (PHONE, LAPTOP))
    world.listen_for(minutes=16)
    heard: list[str] = []

    def be_heard(_connection: Any, _cursor: Any, statement: str, *_more: Any) -> None:
        if "SKIP LOCKED" in statement and "leg.last_heard_at" in statement and not heard:
            heard.append(statement)
            with world.database.write() as session:
                session.execute(
                    update(Leg).where(Leg.visit_id == world.visit(handle).id).values(last_heard_at=world.now),
                    execution_options={"synchronize_session": False},
                )

    event.listen(world.database.engine, "after_cursor_execute", be_heard)
    assert world.keep_house().silent == 1
    assert heard
    assert world.visit(handle).runs
    assert world.visit(other).close_cause is CloseCause.SILENCE


# Reservations


@pytest.mark.parametrize(("seconds", "closed"), [(INTERIM + 120, 0), (INTERIM + 121, 1)])
def test_a_place_is_reserved_for_an_interval_and_two_minutes(world: World, seconds: int, closed: int) -> None:
    world.listen_for(hours=1)
    handle = world.get_in(*world.vouchers(1))
    world.listen_for(seconds=seconds)
    assert world.keep_house().never_started == closed
    assert world.visit(handle).runs is not bool(closed)


def test_after_an_outage_reserved_places_are_not_held_for_ever(world: World) -> None:
    world.listen()
    world.get_in(*world.vouchers(1))
    world.wait(minutes=30)
    world.listen()
    assert world.keep_house().never_started == 0
    world.listen_for(seconds=INTERIM + 121)
    assert world.keep_house().never_started == 1
    assert world.running() == 0


def test_a_nas_that_never_accounts_keeps_its_guests_and_is_named(make_world: MakeWorld) -> None:
    world = make_world()
    with world.database.write() as session:
        session.execute(update(Nas).values(accounting_heard_at=None))
    world.reload()
    world.listen_for(hours=1)
    handle = world.get_in(world.voucher(minutes=60))
    world.listen_for(minutes=59)
    done = world.keep_house()
    assert done.nas_without_accounting == {world.place.nas.name}
    assert world.visit(handle).runs
    world.listen_for(minutes=2)
    assert world.keep_house().never_started == 1


# The end of vouchers


def test_the_pops_own_clock_ends_what_the_nas_does_not(world: World) -> None:
    handle = world.go_online(world.voucher(minutes=10))
    world.wait(minutes=10, seconds=-1)
    assert world.keep_house().over == 0
    world.wait(seconds=1)
    assert world.keep_house().over == 1
    assert world.outbox() == [(handle, CloseCause.OVER)]
    world.keep_house()
    assert len(world.outbox()) == 1


def test_minutes_online_run_out_between_two_interims(world: World) -> None:
    handle = world.go_online(world.voucher(Clock.ONLINE, minutes=10))
    world.wait(minutes=9, seconds=59)
    world.keep_house()
    assert world.outbox() == []
    world.wait(seconds=1)
    world.keep_house()
    assert world.outbox() == [(handle, CloseCause.OVER)]


def test_a_revoked_voucher_is_ended_even_if_its_outbox_was_forgotten(world: World) -> None:
    (code,) = world.vouchers(1)
    handle = world.go_online(code)
    with world.database.write() as session:
        session.get_one(Voucher, world.voucher_id(code)).revoked_at = world.now
    world.keep_house()
    assert world.outbox() == [(handle, CloseCause.REVOKED)]


def test_no_visit_waits_behind_a_full_round(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """Those that run on come up every time; those that are over come after them and must have their turn too."""
    monkeypatch.setattr(recheck, "PAGE", 2)
    for _ in range(5):
        world.go_online(world.voucher(Clock.ONLINE, minutes=1000))
    over = [world.go_online(world.voucher(Clock.ONLINE, minutes=1)) for _ in range(3)]
    world.wait(minutes=2)
    for _ in range(3):
        world.keep_house()
    assert {handle for handle, _cause in world.outbox()} == set(over)


def test_a_round_cleans_up_as_much_as_it_may_and_the_next_goes_on(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(housekeeping, "ROWS_A_ROUND", 2)
    code = world.voucher(megabytes=1, minutes=10_000)
    for _ in range(5):
        closed_visit(world, code)
    world.wait(hours=25)
    assert [world.keep_house().settled for _ in range(4)] == [2, 2, 1, 0]
    assert world.stored(code).settled_octets == 10_000


def test_an_empty_house_needs_no_keeping(make_world: MakeWorld) -> None:
    world = make_world(SiteKind.SINGLE)
    done = world.keep_house()
    assert (done.silent, done.never_started, done.over, done.erased, done.settled) == (0, 0, 0, 0, 0)


def test_the_day_of_a_free_pass_is_the_sites(world: World) -> None:
    world.now = datetime(2026, 6, 16, 1, 59, tzinfo=UTC)
    world.admit(world.ticket_login(world.ask(free=world.free_pass()), device=PHONE))
    with world.database.read() as session:
        voucher = session.scalars(select(Voucher)).one()
        assert (voucher.free_day, voucher.good_until) == (date(2026, 6, 15), datetime(2026, 6, 16, 2, tzinfo=UTC))
        assert voucher.free_device == hash_device(world.keyring, PHONE)
        assert session.scalars(select(Visit.voucher_id)).one() == voucher.id


# What a round costs


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
def test_no_round_reads_all_visits(world: World) -> None:
    """Each statement of a round about visits is led by an index, such as that of those that run."""
    world.listen_for(hours=1)
    world.go_online(world.voucher(Clock.ONLINE, minutes=60))
    asked: list[tuple[str, Any]] = []

    def note(_connection: Any, _cursor: Any, statement: str, parameters: Any, *_more: Any) -> None:
        asked.append((statement, parameters))

    event.listen(world.database.engine, "before_cursor_execute", note)
    closed_visit(world)
    world.wait(hours=49)
    asked.clear()
    world.keep_house()
    event.remove(world.database.engine, "before_cursor_execute", note)
    plans = plans_of(world, [one for one in asked if "visit" in one[0]])
    assert len(plans) > 8
    assert [(plan, statement) for statement, plan in plans if reads_all_visits(plan)] == []
    for statement, _ in plans_of(world, [("SELECT * FROM visit WHERE state = 'open' ORDER BY id", ())]):
        assert reads_all_visits(dict(plans_of(world, [(statement, ())]))[statement])


def plans_of(world: World, asked: list[tuple[str, Any]]) -> list[tuple[str, list[str]]]:
    """Each statement with the lines of its plan on SQLite."""
    with world.database.read() as session:
        explain = session.connection().exec_driver_sql
        return [
            (statement, [row[3] for row in explain(f"EXPLAIN QUERY PLAN {statement}", parameters)])
            for statement, parameters in asked
            if statement.split()[0] in {"SELECT", "UPDATE", "DELETE"} and not isinstance(parameters, list)
        ]


def reads_all_visits(plan: list[str]) -> bool:
    """Whether a plan goes through the whole table; to go through a partial index is to go through those that it holds."""
    return any(
        line == "SCAN visit" or line.startswith("SEARCH visit USING INTEGER PRIMARY KEY (rowid>") for line in plan
    )


@pytest.mark.parametrize("database_url", ["postgresql"], indirect=True)
def test_postgresql_finds_those_that_run_by_their_index(world: World) -> None:
    world.listen_for(hours=1)
    add_closed_visits(world, 3000)
    world.go_online(world.voucher(Clock.ONLINE, minutes=60))
    asked: list[tuple[str, Any]] = []

    def note(_connection: Any, _cursor: Any, statement: str, parameters: Any, *_more: Any) -> None:
        asked.append((statement, parameters))

    with world.database.write() as session:
        session.execute(text("ANALYZE visit"))
    event.listen(world.database.engine, "before_cursor_execute", note)
    world.keep_house()
    event.remove(world.database.engine, "before_cursor_execute", note)
    running = [one for one in asked if "FROM visit" in one[0] and "visit.runs" in one[0]]
    assert len(running) >= 3
    with world.database.read() as session:
        for statement, parameters in running:
            plan = "\n".join(explained(session, statement, parameters))
            assert "Seq Scan on visit" not in plan, f"{statement}\n{plan}"
            assert "visit_pkey" not in plan, f"{statement}\n{plan}"


def explained(session: Session, statement: str, parameters: Any) -> list[str]:
    """PostgreSQL's plan of a statement, whether it came through SQLAlchemy or straight to the driver, spelled."""
    if isinstance(parameters, dict):
        return list(session.connection().exec_driver_sql(f"EXPLAIN {statement}", parameters).scalars())
    cursor = psycopg.RawCursor(driver_of(session.connection()))
    values = [None if value is None else value.decode() for value in parameters]
    return [line for (line,) in cursor.execute(f"EXPLAIN {statement}".encode(), values)]


def add_closed_visits(world: World, count: int) -> None:
    """So many visits that have just closed."""
    with world.database.write() as session:
        session.add_all(
            Visit(
                site_id=world.place.site.id,
                nas_id=world.place.nas.id,
                pass_id=world.place.article.id,
                way=LoginWay.TICKET,
                state=VisitState.CLOSED,
                device=number.to_bytes(20),
                asked_at=world.now,
                reserved_at=world.now,
                closed_at=world.now,
                close_cause=CloseCause.STOPPED,
                identifiers=None,
            )
            for number in range(count)
        )
