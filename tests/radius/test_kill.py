"""No reply leaves before what it promises is durable: workers and databases are killed under load, and no promise is broken."""

import contextlib
import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest
from sqlalchemy import func, select

from hotspot.audit import COMMAND_LINE
from hotspot.clock import utc_now
from hotspot.database import Database
from hotspot.enrolment import NewAccessPoint, NewSite, add_access_points, add_customer, add_site
from hotspot.keys import Keyring, load_keyring, read_master_key
from hotspot.mac import Mac
from hotspot.nas import NewNas, add_nas
from hotspot.place import AccessPoint, LoginWay, SiteKind
from hotspot.settings import Settings
from sessions.visit import RUNNING, Leg, Visit
from tests.conftest import SECRET_KEY, prepare
from tests.deploy.processes import free_ports, inherited_environment
from tests.postgres import children_of, state_of
from tests.radius.load import SECRET, Guest, Load
from tests.standby import Cluster
from vouchers.codes import Code
from vouchers.finding import code_hashes
from vouchers.issuing import Order, issue
from vouchers.pass_changes import NewPass, add_pass
from vouchers.passes import Clock, Terms
from vouchers.voucher import Voucher

# At the first access point twice as many guests want in as there are places, and none who is in leaves.
PLACES = 20
GUESTS_PER_POINT = 200
# From the promotion of the standby to the first answer to an Access-Request.
BACK_WITHIN_SECONDS = 5.0
PATIENCE_SECONDS = 60.0
# After an outage: what was asked meanwhile is answered, a new worker has begun.
RECOVERY_SECONDS = 3.0


class Workers:
    """`surfpass radius`: a supervisor, which holds the sockets, and its workers."""

    def __init__(self, settings: Settings, count: int) -> None:
        self.auth_port, self.acct_port = free_ports(2)
        environment = {
            "SURFPASS_DATA_DIR": str(settings.data_dir),
            "SURFPASS_DATABASE_URL": settings.database,
            "SURFPASS_SECRET_KEY": settings.secret_key,
            "SURFPASS_RADIUS_AUTH_PORT": str(self.auth_port),
            "SURFPASS_RADIUS_ACCT_PORT": str(self.acct_port),
        }
        self.count = count
        self._log = (settings.data_dir / "radius.log").open("wb")
        self._supervisor = subprocess.Popen(
            [sys.executable, "-P", "-m", "deploy", "radius", "--workers", str(count)],
            env=inherited_environment() | environment,
            stdout=self._log,
            stderr=self._log,
        )

    @property
    def pids(self) -> list[int]:
        """The workers that run at this moment."""
        return sorted(pid for pid in children_of(self._supervisor.pid) if state_of(pid) not in ("", "Z", "X"))

    def kill_one(self) -> None:
        """End a worker without warning."""
        if pids := self.pids:
            with contextlib.suppress(ProcessLookupError):
                os.kill(random.choice(pids), signal.SIGKILL)

    def close(self) -> None:
        """End all."""
        self._supervisor.terminate()
        self._supervisor.wait(30)
        self._log.close()


@dataclass
class House:
    """All that runs in such a test."""

    database: Database
    keyring: Keyring
    settings: Settings
    guests: list[Guest]
    workers: Workers
    load: Load
    cluster: Cluster | None = None

    def wait_until_served(self) -> None:
        """Until logins and accounting are answered."""
        begun, deadline = time.monotonic(), time.monotonic() + PATIENCE_SECONDS
        while min(self.load.last_login, self.load.last_record) < begun:
            self.load.check()
            assert time.monotonic() < deadline, "requests are not answered"
            time.sleep(0.02)

    def wait_until_recovered(self) -> None:
        """Until all workers run again, and what the outage has left undone is done."""
        deadline = time.monotonic() + PATIENCE_SECONDS
        while len(self.workers.pids) < self.workers.count:
            assert time.monotonic() < deadline, "a worker is not started again"
            time.sleep(0.02)
        time.sleep(RECOVERY_SECONDS)

    def kill_worker(self) -> None:
        """As the kernel does when memory runs out."""
        self.workers.kill_one()

    def crash_database(self) -> None:
        """A power cut of the primary, which comes back as it was."""
        assert self.cluster
        self.cluster.primary.kill()
        time.sleep(random.uniform(0, 3))
        self.cluster.primary.start()

    def lose_standby(self) -> None:
        """Commits wait until the standby is back."""
        assert self.cluster
        self.cluster.standby.kill()
        time.sleep(random.uniform(0, 4))
        self.cluster.standby.start()

    def fail_over(self) -> None:
        """The primary dies for good, the standby takes over, and soon Access-Requests are answered again."""
        assert self.cluster
        self.cluster.fail_over()
        promoted = time.monotonic()
        while self.load.last_login < promoted:
            self.load.check()
            assert time.monotonic() < promoted + BACK_WITHIN_SECONDS, "no login was answered after the promotion"
            time.sleep(0.02)
        self.cluster.recover()

    def settle(self) -> None:
        """Have everything answered that was asked, and everything committed that was spooled."""
        self.load.finish(30)
        spool = self.settings.data_dir / "spool"
        deadline = time.monotonic() + 30
        while any(spool.glob("*.spool")):
            assert time.monotonic() < deadline, "the spool is not emptied"
            time.sleep(0.05)


def endure(house: House, blows: Sequence[Callable[[], None]], rate: float | None = None) -> None:
    """Strike at random moments, then look whether every promise was kept; between outages so many answers a second come."""
    answered, seconds = 0, 0.0
    for blow in blows:
        house.wait_until_served()
        if rate is not None:
            house.wait_until_recovered()
        begun, before = time.monotonic(), house.load.answers.total()
        time.sleep(random.uniform(0.2, 1.5))
        answered, seconds = answered + house.load.answers.total() - before, seconds + time.monotonic() - begun
        blow()
    house.wait_until_served()
    house.settle()
    assert house.load.sent >= 0.98 * house.load.due, "the load was not held"
    assert rate is None or answered >= rate * seconds, f"{answered / seconds:.0f} answers a second"
    assert_nothing_lost_and_nothing_twice(house)
    assert_no_place_taken_twice(house)


def assert_nothing_lost_and_nothing_twice(house: House) -> None:
    """Each session is one leg, and their octets are those that were acknowledged."""
    with house.database.read() as session:
        query = (
            select(Voucher.code_hash, func.count(Leg.id), func.sum(Leg.octets_from_guest))
            .join(Visit, Visit.voucher_id == Voucher.id)
            .join(Leg, Leg.visit_id == Visit.id)
            .group_by(Voucher.code_hash)
        )
        recorded = {code_hash: (legs, octets) for code_hash, legs, octets in session.execute(query)}
    promised = {}
    for guest in house.guests:
        if guest.octets:
            (code_hash,) = code_hashes(house.keyring, Code.parse(guest.code))
            promised[code_hash] = (len(guest.octets), sum(guest.octets.values()))
    assert promised
    assert recorded == promised


def assert_no_place_taken_twice(house: House) -> None:
    """All places of the contested access point were given away, each once."""
    accepted = [guest for guest in house.guests if guest.stays and guest.accepted]
    assert len(accepted) == PLACES
    with house.database.read() as session:
        running = (
            select(func.count(Visit.id))
            .join(AccessPoint, AccessPoint.id == Visit.access_point_id)
            .where(AccessPoint.name == "0", Visit.state.in_(RUNNING))
        )
        assert session.scalar(running) == PLACES


def invite(database: Database, keyring: Keyring, count: int) -> list[Guest]:
    """Lay out a site with a NAS on loopback, and give `count` guests their vouchers."""
    now = utc_now()
    points = 2 + (count - 1) // GUESTS_PER_POINT
    macs = [f"02-00-00-00-00-{number:02X}" for number in range(points)]
    with database.write() as session:
        customer = add_customer(session, COMMAND_LINE, "Gasthof am Markt", now)
        site = add_site(
            session, COMMAND_LINE, customer, NewSite("markt", "Marktplatz", SiteKind.MULTI, "Surf here"), now
        )
        new = [
            NewAccessPoint(str(number), (Mac.parse(mac),), capacity=250 if number else PLACES)
            for number, mac in enumerate(macs)
        ]
        add_access_points(session, COMMAND_LINE, site, new, now)
        nas = NewNas("loopback", "127.0.0.1/32", "generic", SECRET.decode(), logins=(LoginWay.VOUCHER,))
        add_nas(session, COMMAND_LINE, keyring, nas, None, now)
        article = NewPass("hour", "1 hour", Terms(Clock.FIRST_USE, minutes=60))
        pass_ = add_pass(session, COMMAND_LINE, article, site=site, customer=None, now=now)
        codes = [one.code.printed for one in issue(session, COMMAND_LINE, keyring, site, Order(pass_, count), now)]
    guests = []
    for number, code in enumerate(codes):
        stays = number < 2 * PLACES
        mac = macs[0 if stays else 1 + number // GUESTS_PER_POINT]
        guests.append(Guest(number, code, f"{mac}:Surf here", stays))
    return guests


@contextmanager
def opened(
    data_dir: Path, url: str, guests: int, rate: float, workers: int, cluster: Cluster | None
) -> Iterator[House]:
    """A house under load."""
    prepare(url)
    settings = Settings(data_dir=data_dir, database_url=url, secret_key=SECRET_KEY)
    with ExitStack() as stack:
        database = Database(url)
        stack.callback(database.dispose)
        with database.read() as session:
            keyring = load_keyring(session, read_master_key(settings))
        invited = invite(database, keyring, guests)
        processes = Workers(settings, workers)
        stack.callback(processes.close)
        load = Load(processes.auth_port, processes.acct_port, invited, rate)
        stack.callback(load.stop)
        load.start()
        yield House(database, keyring, settings, invited, processes, load, cluster)


@pytest.fixture
def cluster() -> Iterator[Cluster]:
    with Cluster() as running:
        running.primary.create_database("house")
        yield running


def test_a_worker_on_sqlite_is_killed_and_every_promise_is_kept(tmp_path: Path) -> None:
    with opened(tmp_path, f"sqlite:///{tmp_path / 'house.db'}", 200, 100, 1, None) as house:
        endure(house, [house.kill_worker])


def test_databases_fail_under_the_same_workers_and_every_promise_is_kept(tmp_path: Path, cluster: Cluster) -> None:
    with opened(tmp_path, cluster.url("house"), 300, 200, 2, cluster) as house:
        house.wait_until_served()
        before = house.workers.pids
        endure(house, [house.fail_over, house.crash_database, house.lose_standby])
        assert house.workers.pids == before, "the same workers have come through it all"


@pytest.mark.soak
def test_twenty_rounds_of_kills_and_failovers_at_a_thousand_requests_a_second(tmp_path: Path, cluster: Cluster) -> None:
    """Each of the four blows five times; with the same seed in the same order, though not at the same moments."""
    seed = random.randrange(1 << 32)
    sys.stderr.write(f"seed {seed}\n")
    random.seed(seed)
    with opened(tmp_path, cluster.url("house"), 1500, 1000, 2, cluster) as house:
        blows = [house.kill_worker, house.crash_database, house.fail_over, house.lose_standby] * 5
        random.shuffle(blows)
        endure(house, blows, rate=900)
