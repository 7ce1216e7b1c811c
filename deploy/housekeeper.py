"""House-keeping as a process: a round every few seconds, whatever happened in the round before."""

import threading
import time
from dataclasses import replace
from datetime import datetime

import structlog

from deploy.installation import Installation
from deploy.statistics import refresh_statistics
from hotspot.clock import Clock
from hotspot.database import Database
from hotspot.directory import Directory, load_directory
from hotspot.errors import SurfpassError
from hotspot.keys import Keyring
from sessions.doubles import note_doubles
from sessions.extending import find_due, move_on, tell
from sessions.heartbeat import beat
from sessions.housekeeping import Round, keep_house
from sessions.recheck import FIRST, Key, end_over, find_over
from sessions.silence import note_silence

ROUND_EVERY_SECONDS = 10.0
# A look at all that runs, for what takes twenty minutes to show.
DOUBLES_EVERY_SECONDS = 300.0

log = structlog.get_logger("housekeeping")


def run(installation: Installation, stop: threading.Event) -> None:
    """Keep house until `stop` is set. What fails is tried again in the next round: nothing in it is lost meanwhile."""
    keyring, database = installation.keyring(), installation.database
    log.info("keeping house", every_seconds=ROUND_EVERY_SECONDS)
    before: Round | None = None
    look_at = 0.0
    while not stop.is_set():
        done: Round | None = None
        try:
            done = _do_round(database, keyring, installation.clock)
            _report(done, before)
            before = done
            if time.monotonic() >= look_at:
                look_at = time.monotonic() + DOUBLES_EVERY_SECONDS
                look_for_doubles(database, keyring, installation.clock())
        except SurfpassError as error:
            log.error("round failed", error=type(error).__name__, code=error.code)
        except Exception:
            log.exception("round failed")
        if done is None or not done.is_full:
            stop.wait(ROUND_EVERY_SECONDS)


def look_for_doubles(database: Database, keyring: Keyring, now: datetime) -> None:
    """Say once of each device that it is at two places at once; not which device."""
    with database.write() as session:
        found = note_doubles(session, now)
        slugs = {id: site.slug for id, site in load_directory(session, keyring).sites.items()} if found else {}
    for one in found:
        sites = [slugs[id] for id in (one.site_id, one.other_site_id) if id in slugs]
        log.warning("a device is at two places at once: its MAC address may have been copied", sites=sites)


def _do_round(database: Database, keyring: Keyring, clock: Clock) -> Round:
    with database.read() as session:
        directory = load_directory(session, keyring)
    done = do_round(database, directory, clock())
    with database.write() as session:
        beat(session, "housekeeping", clock())
    for name in refresh_statistics(database):
        log.info("statistics refreshed", table=name)
    return done


def do_round(database: Database, directory: Directory, now: datetime) -> Round:
    """One round of house-keeping, in several transactions."""
    with database.write() as session:
        done = keep_house(session, directory, now)
    with database.write() as session:
        silent = note_silence(session, now)
    for name in silent:
        log.warning("access point silent: guests were on it, and nothing is heard of it", access_point=name)
    moved_on = _move_on(database, directory, now)
    return replace(done, over=_end_what_is_over(database, directory, now), moved_on=moved_on)


def _move_on(database: Database, directory: Directory, now: datetime) -> int:
    """Visits whose voucher gives nothing more go on with the one that follows it."""
    with database.read() as session:
        due = find_due(session, directory, now)
    if not (due.to_move or due.to_tell):
        return 0
    # Whoever has written an order holds no further vouchers: those come first in the order of locks, and so have a transaction.
    with database.write() as session:
        moved = move_on(session, directory, due.to_move, now)
    with database.write() as session:
        tell(session, due.to_tell, now)
    return moved


def _end_what_is_over(database: Database, directory: Directory, now: datetime) -> int:
    """A page of running visits after the other; only who is over is held, so that nobody waits for the many who are not."""
    over = 0
    behind: Key | None = FIRST
    while behind is not None:
        with database.read() as session:
            found = find_over(session, directory, behind, now)
        if found.visit_ids:
            with database.write() as session:
                over += end_over(session, directory, found.visit_ids, now)
        behind = found.behind
    return over


def _report(done: Round, before: Round | None) -> None:
    """Say what was done, and once what the operator has to look at."""
    counts = {name: count for name, count in vars(done).items() if count and isinstance(count, int)}
    if counts:
        log.info("round", **counts)
    for name in done.nas_without_accounting - (before.nas_without_accounting if before else frozenset()):
        log.warning("NAS sends no accounting: its guests' places are held to Session-Timeout", nas=name)
    for name in done.beyond_soft_limit - (before.beyond_soft_limit if before else frozenset()):
        log.warning("access point beyond its soft limit", access_point=name)
    for slug in done.guessed_at - (before.guessed_at if before else frozenset()):
        log.warning("somebody guesses voucher codes: the desk says where", site=slug)
