"""A flash crowd at a real PoP: `python -m tests.load.flash_crowd [--guests N] [--seconds S]`.

Portal (gunicorn) and RADIUS workers as processes of their own on a PostgreSQL server of their own, all on this machine, which
the crowd shares. One guest in ten has a mistyped code, an expired one, or one that another guest has too.
Ends with 1 when a promise was broken: a 5xx, somebody admitted twice or beyond capacity, or a login slower than a second.
"""

import argparse
import asyncio
import os
import random
import resource
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from datetime import datetime, timedelta
from pathlib import Path

from sqlalchemy import func, select

from deploy.migrate import migrate
from hotspot.audit import COMMAND_LINE
from hotspot.clock import utc_now
from hotspot.database import Database
from hotspot.enrolment import NewAccessPoint, NewSite, add_access_points, add_customer, add_site
from hotspot.keys import Keyring, load_keyring, read_master_key
from hotspot.mac import Mac
from hotspot.nas import NewNas, add_nas
from hotspot.place import LoginWay, Site, SiteKind
from hotspot.settings import Settings, load_settings
from sessions.visit import Visit
from tests.deploy.house import environment
from tests.load.crowd import GATEWAY, NAS_IDENTIFIER, UAM_SECRET, Crowd, Doors, Guest, Seen
from tests.postgres import PostgresServer
from vouchers.issuing import LARGEST_BATCH, issue
from vouchers.pass_changes import NewPass, add_pass
from vouchers.passes import Clock, Pass, Terms

RADIUS_SECRET = "testing123"
SLUG = "crowd"
SLOWEST_LOGIN_SECONDS = 1.0


def lay_out(database: Database, keyring: Keyring, access_points: list[Mac], capacity: int) -> tuple[int, int]:
    """A Multi site behind one gateway; the numbers of the site and of its pass."""
    now = utc_now() - timedelta(days=500)
    with database.write() as session:
        customer = add_customer(session, COMMAND_LINE, "Crowd", now)
        site = add_site(session, COMMAND_LINE, customer, NewSite(SLUG, "Festwiese", SiteKind.MULTI, "Wiese"), now)
        points = [NewAccessPoint(f"AP {n}", (mac,), capacity=capacity) for n, mac in enumerate(access_points, 1)]
        add_access_points(session, COMMAND_LINE, site, points, now)
        nas = NewNas(
            "gateway", "127.0.0.1/32", "coovachilli", RADIUS_SECRET, uam_secret=UAM_SECRET, nas_identifier=NAS_IDENTIFIER,
            gateway_addresses=(GATEWAY,), logins=(LoginWay.TICKET,),
        )  # fmt: skip
        add_nas(session, COMMAND_LINE, keyring, nas, site, now)
        article = NewPass("hour", "1 hour", Terms(Clock.FIRST_USE, minutes=60))
        return site.id, add_pass(session, COMMAND_LINE, article, site=site, customer=None, now=now).id


def issue_codes(
    database: Database, keyring: Keyring, site_id: int, pass_id: int, count: int, now: datetime
) -> list[str]:
    """So many fresh codes."""
    codes: list[str] = []
    while len(codes) < count:
        with database.write() as session:
            site, article = session.get_one(Site, site_id), session.get_one(Pass, pass_id)
            number = min(LARGEST_BATCH, count - len(codes))
            codes += [one.code.value for one in issue(session, COMMAND_LINE, keyring, site, article, number, now)]
    return codes


def gather(good: list[str], expired: list[str], access_points: list[Mac]) -> list[Guest]:
    """The guests: of every thirty one types wrongly and then rightly, one has an expired code, and two have the same one."""
    guests = []
    for number, code in enumerate(good):
        codes: tuple[str, ...] = (code,)
        match number % 30:
            case 0:
                codes = (code[:-1] + ("1" if code[-1] != "1" else "2"), code)
            case 10:
                codes = (expired.pop(),)
            case 20:
                codes = (good[number - 1],)
        guests.append(Guest(Mac.parse(f"0600{number:08X}"), access_points[number % len(access_points)], codes))
    random.shuffle(guests)
    return guests


@contextmanager
def serving(settings: dict[str, str], *command: str) -> Iterator[None]:
    """A part of the PoP in a process of its own."""
    process = subprocess.Popen([sys.executable, "-m", "deploy", *command], env=settings)
    try:
        yield
    finally:
        process.terminate()
        process.wait(30)


def wait_for(url: str) -> None:
    """Until the portal answers."""
    deadline = time.monotonic() + 30
    while True:
        try:
            with urllib.request.urlopen(f"{url}/healthz", timeout=2):
                return
        except OSError:
            if time.monotonic() > deadline:
                raise
            time.sleep(0.1)


def broken_promises(database: Database, seen: Seen, guests: int, capacity: int) -> list[str]:
    """What went wrong, by what the crowd has met and by what the database says."""
    with database.read() as session:
        running = session.scalar(select(func.count(Visit.id)).where(Visit.runs)) or 0
        fullest = session.scalars(
            select(func.count(Visit.id)).where(Visit.runs).group_by(Visit.access_point_id).order_by(func.count(Visit.id).desc())
        ).first() or 0  # fmt: skip
        vouchers = session.scalar(select(func.count(Visit.voucher_id.distinct())).where(Visit.runs)) or 0
    codes = [guest.codes[-1] for guest in seen.accepted]
    failures = sum(count for status, count in seen.statuses.items() if status[-3:].startswith("5"))
    found = {
        "somebody failed without an answer": any(end.startswith("failed") for end in seen.ends),
        f"{failures} answers were 5xx": failures > 0,
        "a guest is unaccounted for": sum(seen.ends.values()) != guests,
        f"{len(codes) - len(set(codes))} codes were admitted twice": len(codes) != len(set(codes))
        or vouchers != running,
        f"{fullest} guests are on an access point for {capacity}": fullest > capacity,
        f"{running} visits run, and {len(codes)} guests were told so": running != len(codes),
        "the login is too slow": percentile(seen.seconds["login"], 99) >= SLOWEST_LOGIN_SECONDS,
    }
    return [words for words, wrong in found.items() if wrong]


def percentile(seconds: list[float], percent: float) -> float:
    """The value that so many percent do not exceed."""
    return sorted(seconds)[min(len(seconds) - 1, int(len(seconds) * percent / 100))] if seconds else 0.0


def report(seen: Seen) -> None:
    """Print the figures."""
    for kind, seconds in seen.seconds.items():
        p50, p95, p99 = (percentile(seconds, percent) * 1000 for percent in (50, 95, 99))
        say(f"{kind:20} {len(seconds):6} requests  p50 {p50:6.0f} ms  p95 {p95:6.0f} ms  p99 {p99:6.0f} ms")
    for counted in (seen.statuses, seen.ends):
        for words, count in sorted(counted.items()):
            say(f"{count:7} {words}")


def say(line: str) -> None:
    """A line for whoever runs this by hand."""
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


def settle(url: str, folder: Path) -> tuple[dict[str, str], Settings]:
    """The environment of the PoP, in this process too."""
    told = environment(
        folder, SURFPASS_DATABASE_URL=url, SURFPASS_SECRET_KEY="a secret for the load test only, long enough",
        SURFPASS_METRICS_BIND="", SURFPASS_LOG_LEVEL="WARNING", SURFPASS_RADIUS_WORKERS="2",
    )  # fmt: skip
    os.environ.update(told)
    return told, load_settings()


def run(guests: int, seconds: float, access_points: int, capacity: int) -> int:
    """Lay out, let the crowd in, report; the exit code."""
    # Every guest of the crowd has a socket open at a time.
    resource.setrlimit(resource.RLIMIT_NOFILE, (resource.getrlimit(resource.RLIMIT_NOFILE)[1],) * 2)
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        server = stack.enter_context(PostgresServer({"max_connections": "100"}))
        told, settings = settle(server.create_database("crowd"), folder)
        migrate(settings)
        database = Database(settings.database)
        stack.callback(database.dispose)
        with database.read() as session:
            keyring = load_keyring(session, read_master_key(settings))
        macs = [Mac.parse(f"02005E00{number:04X}") for number in range(1, access_points + 1)]
        numbers = lay_out(database, keyring, macs, capacity)
        good = issue_codes(database, keyring, *numbers, guests, utc_now())
        expired = issue_codes(database, keyring, *numbers, guests // 30 + 1, utc_now() - timedelta(days=400))
        for command in ("radius", "portal"):
            stack.enter_context(serving(told, command))
        wait_for(settings.public_portal_url)
        doors = Doors(
            settings.public_portal_url,
            SLUG,
            settings.radius_auth_port,
            settings.radius_acct_port,
            RADIUS_SECRET.encode(),
        )
        crowd = Crowd(doors, gather(good, expired, macs))
        begun = time.monotonic()
        asyncio.run(crowd.arrive(seconds))
        say(f"{guests} guests within {seconds:.0f} s, all answered after {time.monotonic() - begun:.1f} s")
        report(crowd.seen)
        broken = broken_promises(database, crowd.seen, guests, capacity)
    for words in broken:
        say(f"BROKEN: {words}")
    return 1 if broken else 0


def main() -> None:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--guests", type=int, default=5000)
    parser.add_argument("--seconds", type=float, default=60)
    parser.add_argument("--access-points", type=int, default=50)
    parser.add_argument("--capacity", type=int, default=90)
    told = parser.parse_args()
    sys.exit(run(told.guests, told.seconds, told.access_points, told.capacity))


if __name__ == "__main__":
    main()
