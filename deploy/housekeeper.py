"""House-keeping as a process: a round every few seconds, whatever happened in the round before."""

import threading

import structlog

from deploy.installation import Installation
from hotspot.directory import load_directory
from hotspot.errors import SurfpassError
from sessions.housekeeping import Round, keep_house

ROUND_EVERY_SECONDS = 10.0

log = structlog.get_logger("housekeeping")


def run(installation: Installation, stop: threading.Event) -> None:
    """Keep house until `stop` is set. What fails is tried again in the next round: nothing in it is lost meanwhile."""
    keyring, database = installation.keyring(), installation.database
    log.info("keeping house", every_seconds=ROUND_EVERY_SECONDS)
    before: Round | None = None
    while not stop.is_set():
        try:
            with database.write() as session:
                done = keep_house(session, load_directory(session, keyring), installation.clock())
            _report(done, before)
            before = done
        except SurfpassError as error:
            log.error("round failed", error=type(error).__name__, code=error.code)
        except Exception:
            log.exception("round failed")
        stop.wait(ROUND_EVERY_SECONDS)


def _report(done: Round, before: Round | None) -> None:
    """Say what was done, and once what the operator has to look at."""
    counts = {name: count for name, count in vars(done).items() if count and isinstance(count, int)}
    if counts:
        log.info("round", **counts)
    for name in done.nas_without_accounting - (before.nas_without_accounting if before else frozenset()):
        log.warning("NAS sends no accounting: its guests' places are held to Session-Timeout", nas=name)
    for name in done.beyond_soft_limit - (before.beyond_soft_limit if before else frozenset()):
        log.warning("access point beyond its soft limit", access_point=name)
