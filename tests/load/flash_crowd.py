"""A flash crowd at a real PoP: `python -m tests.load.flash_crowd [--guests N] [--seconds S] [--sqlite]`.

Portal (gunicorn) and RADIUS workers as processes of their own on a PostgreSQL server of their own, or on SQLite, all on this
machine, which the crowd shares. One guest in ten has a mistyped code, an expired one, or one that another guest has too.
The CPU time of each part is told beside the times, since it does not depend on what else the machine has to do.
Ends with 1 when a promise was broken: a 5xx, somebody admitted twice or beyond capacity, or a login slower than a second.
"""

import argparse
import asyncio
import os
import resource
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

from sqlalchemy import func, select

from deploy.migrate import migrate
from hotspot.database import Database
from hotspot.settings import Settings, load_settings
from sessions.visit import Visit
from tests.deploy.house import environment
from tests.load.crowd import Crowd, Doors, Guest, Seen
from tests.load.festival import RADIUS_SECRET, SLUG, Crowded, invite
from tests.load.spent import cpu_seconds
from tests.postgres import PostgresServer

SLOWEST_LOGIN_SECONDS = 1.0


@contextmanager
def serving(settings: dict[str, str], *command: str) -> Iterator[int]:
    """A part of the PoP in a process of its own, by its number."""
    process = subprocess.Popen([sys.executable, "-m", "deploy", *command], env=settings)
    try:
        yield process.pid
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


def report(seen: Seen, cpu: dict[str, float], guests: int) -> None:
    """Print the figures; `cpu` is seconds by part."""
    for kind, seconds in seen.seconds.items():
        p50, p95, p99 = (percentile(seconds, percent) * 1000 for percent in (50, 95, 99))
        say(f"{kind:20} {len(seconds):6} requests  p50 {p50:6.0f} ms  p95 {p95:6.0f} ms  p99 {p99:6.0f} ms")
    for part, seconds_used in cpu.items():
        say(f"{part:20} {seconds_used:6.1f} s of CPU, {seconds_used / guests * 1000:5.2f} ms a guest")
    for counted in (seen.statuses, seen.ends):
        for words, count in sorted(counted.items()):
            say(f"{count:7} {words}")


def say(line: str) -> None:
    """A line for whoever runs this by hand."""
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


def settle(url: str, folder: Path) -> tuple[dict[str, str], Settings]:
    """The environment of the PoP, in this process too."""
    workers = "1" if url.startswith("sqlite") else "2"
    told = environment(
        folder, SURFPASS_DATABASE_URL=url, SURFPASS_SECRET_KEY="a secret for the load test only, long enough",
        SURFPASS_METRICS_BIND="", SURFPASS_LOG_LEVEL="WARNING", SURFPASS_RADIUS_WORKERS=workers,
    )  # fmt: skip
    os.environ.update(told)
    return told, load_settings()


@dataclass(frozen=True)
class House:
    """A PoP that runs, and the process of each of its parts."""

    database: Database
    doors: Doors
    parts: dict[str, int]


@contextmanager
def standing(on_sqlite: bool, guests: list[Guest], told: Crowded) -> Iterator[House]:
    """Lay out, issue the codes, which go into `guests`, and start all parts."""
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        parts: dict[str, int] = {}
        url = f"sqlite:///{folder}/crowd.db"
        if not on_sqlite:
            server = stack.enter_context(PostgresServer({"max_connections": "100"}))
            parts["PostgreSQL"] = int((server.directory / "data/postmaster.pid").read_text().split("\n")[0])
            url = server.create_database("crowd")
        environment, settings = settle(url, folder)
        migrate(settings)
        database = Database(settings.database)
        stack.callback(database.dispose)
        guests += invite(database, settings, told)
        for command in ("radius", "portal"):
            parts[command] = stack.enter_context(serving(environment, command))
        wait_for(settings.public_portal_url)
        ports = (settings.radius_auth_port, settings.radius_acct_port)
        yield House(database, Doors(settings.public_portal_url, SLUG, *ports, RADIUS_SECRET.encode()), parts)


def run(told: Crowded, on_sqlite: bool) -> int:
    """Lay out, let the crowd in, report; the exit code."""
    # Every guest of the crowd has a socket open at a time.
    resource.setrlimit(resource.RLIMIT_NOFILE, (resource.getrlimit(resource.RLIMIT_NOFILE)[1],) * 2)
    guests: list[Guest] = []
    with standing(on_sqlite, guests, told) as house:
        crowd = Crowd(house.doors, guests)
        before, own, begun = used(house), time.process_time(), time.monotonic()
        asyncio.run(crowd.arrive(told.seconds))
        say(f"{told.guests} guests within {told.seconds:.0f} s, all answered after {time.monotonic() - begun:.1f} s")
        cpu = {part: seconds - before[part] for part, seconds in used(house).items()}
        report(crowd.seen, {**cpu, "the crowd itself": time.process_time() - own}, told.guests)
        broken = broken_promises(house.database, crowd.seen, told.guests, told.capacity)
    for words in broken:
        say(f"BROKEN: {words}")
    return 1 if broken else 0


def used(house: House) -> dict[str, float]:
    """CPU seconds of each part so far."""
    return {part: cpu_seconds(root) for part, root in house.parts.items()}


def main() -> None:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--guests", type=int, default=5000)
    parser.add_argument("--seconds", type=float, default=60)
    parser.add_argument("--access-points", type=int, default=50)
    parser.add_argument("--capacity", type=int, default=90)
    parser.add_argument("--sqlite", action="store_true")
    told = parser.parse_args()
    sys.exit(run(Crowded(told.guests, told.seconds, told.access_points, told.capacity), told.sqlite))


if __name__ == "__main__":
    main()
