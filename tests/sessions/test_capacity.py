"""Capacity under concurrency: as many as there are places, from however many processes at once."""

import multiprocessing
import random
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from multiprocessing.queues import Queue
from multiprocessing.synchronize import Event

from sqlalchemy import func, select, text
from sqlalchemy.exc import DBAPIError, IntegrityError

from hotspot.database import Database
from hotspot.keys import load_keyring, read_master_key
from hotspot.mac import Mac
from hotspot.place import AccessPoint, Nas, SiteKind
from hotspot.settings import Settings
from sessions.accounting import account
from sessions.admit import Admitted, admit
from sessions.login import Login
from sessions.places import HeldPlaces, Overtaken, Places, Pool
from sessions.records import Record, Status
from sessions.usage import lock_vouchers
from sessions.visit import Visit, VisitState
from tests import factories
from tests.conftest import NOON, SECRET_KEY
from tests.factories import ClearProof, a_mac
from tests.sessions.world import INTERIM, World, count_running

PROCESSES = 4
LOGINS_EACH = 40
MOST_ATTEMPTS = 50
MakeWorld = Callable[..., World]


@dataclass(frozen=True)
class Wish:
    """A login that can be sent to another process."""

    code: str
    device: Mac
    access_point_id: int


@dataclass(frozen=True)
class Work:
    """What one process does: log these in, in batches of its own."""

    database_url: str
    nas_id: int
    wishes: Sequence[Wish]
    seed: int
    accounts: bool


def work_off(work: Work, start: Event, results: "Queue[tuple[int, int]]") -> None:
    """Log in like a RADIUS worker does: in batches, again when another was faster. Reports grants and new attempts."""
    database = Database(work.database_url)
    with database.read() as session:
        keyring = load_keyring(session, read_master_key(Settings(secret_key=SECRET_KEY)))
        directory = factories.directory(session, keyring)
    nas = factories.nas_of(directory, database_row(database, work.nas_id))
    rng = random.Random(work.seed)
    granted = again = 0
    start.wait(30)
    places = Places()
    for batch in in_batches(work.wishes, rng):
        logins = [
            Login(
                nas,
                factories.located(directory, point_row(database, wish.access_point_id)),
                wish.code,
                ClearProof(wish.code),
                wish.device,
                "10.0.0.1",
            )
            for wish in batch
        ]
        for _ in range(MOST_ATTEMPTS):
            try:
                with database.write() as session:
                    outcomes = admit(session, keyring, logins, INTERIM, NOON, places)
                    records = [
                        Record(nas, Status.START, NOON, outcome.handle, outcome.handle, located=login.located)
                        for login, outcome in zip(logins, outcomes, strict=True)
                        if isinstance(outcome, Admitted) and work.accounts
                    ]
                with database.write() as session:
                    account(session, keyring, directory, records, NOON)
                break
            except (IntegrityError, DBAPIError, Overtaken):
                again += 1
                time.sleep(rng.random() / 50)
        else:
            raise AssertionError("never came through")
        granted += sum(isinstance(outcome, Admitted) for outcome in outcomes)
    database.dispose()
    results.put((granted, again))


def in_batches(wishes: Sequence[Wish], rng: random.Random) -> Iterator[Sequence[Wish]]:
    while wishes:
        size = rng.randint(1, 4)
        yield wishes[:size]
        wishes = wishes[size:]


def database_row(database: Database, nas_id: int) -> Nas:
    with database.read() as session:
        return session.get_one(Nas, nas_id)


def point_row(database: Database, access_point_id: int) -> AccessPoint:
    with database.read() as session:
        return session.get_one(AccessPoint, access_point_id)


def run_together(world: World, shares: Sequence[Sequence[Wish]], accounts: bool = False) -> tuple[int, int]:
    """Work off the shares, each in a process of its own, all at once; returns all grants and all new attempts."""
    url = world.database.engine.url.render_as_string(hide_password=False)
    world.database.dispose()
    # Processes that share nothing with this one, and import everything once for all of them.
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload([__name__])
    start, results = context.Event(), context.Queue()
    processes = [
        context.Process(target=work_off, args=(Work(url, world.place.nas.id, share, seed, accounts), start, results))
        for seed, share in enumerate(shares)
    ]
    for process in processes:
        process.start()
    start.set()
    counts = [results.get(timeout=60) for _ in processes]
    for process in processes:
        process.join()
    return sum(granted for granted, _again in counts), sum(again for _granted, again in counts)


def test_a_hundred_places_take_a_hundred_guests_exactly(make_world: MakeWorld) -> None:
    world = make_world(capacity=100)
    codes = world.vouchers(PROCESSES * LOGINS_EACH)
    point = world.place.access_point.id
    wishes = [Wish(code, a_mac(number), point) for number, code in enumerate(codes)]
    granted, _again = run_together(world, [wishes[number::PROCESSES] for number in range(PROCESSES)])
    assert granted == world.running() == 100


def test_guests_who_roam_between_access_points_never_overfill_one(make_world: MakeWorld) -> None:
    """Each code comes up in several processes, at both access points: admissions, roaming and accounting at once."""
    world = make_world(SiteKind.MULTI, access_points=2, capacity=10)
    codes = world.vouchers(40)
    points = [point.id for point in world.place.access_points]
    wishes = [Wish(code, a_mac(number), points[number % 2]) for number, code in enumerate(codes)]
    shares = [[*wishes[number * 10 :], *wishes[: number * 10]] for number in range(PROCESSES)]
    run_together(world, shares, accounts=True)
    with world.database.read() as session:
        per_point = session.execute(
            select(Visit.access_point_id, func.count())
            .where(Visit.state.in_((VisitState.RESERVED, VisitState.OPEN)))
            .group_by(Visit.access_point_id)
        )
        assert {point: count for point, count in per_point} == dict.fromkeys(points, 10)  # noqa: C416


def test_one_device_from_many_processes_has_one_visit(make_world: MakeWorld) -> None:
    world = make_world(SiteKind.MULTI, access_points=4)
    codes = world.vouchers(PROCESSES * 10)
    phone, points = a_mac(1), [point.id for point in world.place.access_points]
    shares = [[Wish(code, phone, points[n]) for code in codes[n::PROCESSES]] for n in range(PROCESSES)]
    granted, _again = run_together(world, shares)
    assert granted == len(codes)
    assert world.running() == 1


def test_one_voucher_from_many_processes_lets_its_devices_in(make_world: MakeWorld) -> None:
    devices = 3
    world = make_world()
    code, point = world.voucher(devices=devices), world.place.access_point.id
    shares = [[Wish(code, a_mac(10 * n + i), point) for i in range(8)] for n in range(PROCESSES)]
    granted, _again = run_together(world, shares)
    assert granted == devices
    with world.database.read() as session:
        assert count_running(session) == devices


def test_who_holds_places_and_vouchers_does_not_hold_up_accounting(world: World) -> None:
    """Else an admission that waits for a visit and the accounting that holds it would wait for each other."""
    if world.database.engine.dialect.name == "sqlite":
        return  # one writer at a time: nobody can wait for another's row
    code = world.voucher()
    handle = world.get_in(code)
    with world.database.write() as holder:
        lock_vouchers(holder, {world.voucher_id(code)})
        point_id = world.place.access_point.id
        HeldPlaces(holder, Places(), {Pool("access point", point_id, (point_id,))})
        with world.database.write() as session:
            session.execute(text("SET LOCAL lock_timeout = '2s'"))
            start = world.record(Status.START, handle)
            assert account(session, world.keyring, world.directory, [start], NOON).taken == 1
