"""The RADIUS workers of a supervisor: their sockets, their parts, and what each of them runs."""

import gc
import os
import signal
import socket
import threading

import structlog
from sqlalchemy.exc import OperationalError

from deploy import ports
from deploy.children import Part, report_readiness
from deploy.installation import Installation
from deploy.supervisor import supervise
from hotspot.database import Database
from hotspot.keys import Keyring
from hotspot.settings import Settings
from radius.server import RadiusServer
from radius.tally import forget_workers

NAME = "radius"
_PAUSE_SECONDS = 0.5
# Who waits longer for a lock rather tries again; after two seconds accounting goes to the spool.
_LOCK_SECONDS = 1.5

log = structlog.get_logger("radius")


class WorkerSockets:
    """The sockets of all workers; open as long as the supervisor runs, so that a worker's end loses nothing that waits."""

    def __init__(self, settings: Settings, workers: int | None = None) -> None:
        count = workers or settings.radius_workers or _reasonable(settings)
        self._authentication = ports.bind_radius_authentication(settings, count)
        try:
            # The kernel may have been able to give fewer.
            self._accounting = ports.bind_radius_accounting(settings, len(self._authentication))
        except BaseException:
            _close(self._authentication)
            raise
        forget_workers(settings.data_dir)

    def parts(self) -> list[Part]:
        """A part for each worker."""
        pairs = zip(self._authentication, self._accounting, strict=True)
        return [_part(f"{NAME}-{number}", *pair) for number, pair in enumerate(pairs, 1)]

    def __enter__(self) -> "WorkerSockets":
        return self

    def __exit__(self, *_error: object) -> None:
        _close(self._authentication + self._accounting)


def _part(name: str, authentication: socket.socket, accounting: socket.socket) -> Part:
    fds = (authentication.fileno(), accounting.fileno())
    arguments = (NAME, "--name", name, "--auth-fd", str(fds[0]), "--acct-fd", str(fds[1]))
    return Part(name, arguments, fds, rolls=True)


def _reasonable(settings: Settings) -> int:
    """One process on SQLite, which has one writer; else one for each core."""
    if settings.database.startswith("sqlite"):
        return 1
    return min(os.cpu_count() or 1, 64)


def _close(sockets: list[socket.socket]) -> None:
    for bound in sockets:
        bound.close()


def run_workers(installation: Installation, workers: int | None) -> None:
    """Run RADIUS alone until told to stop. SetupError names a port that is taken, or a database that is not ready."""
    with WorkerSockets(installation.settings, workers) as sockets:
        installation.keyring()
        installation.close()
        parts = sockets.parts()
        supervise(parts, installation.config, lambda: True, lambda: log.info("radius started", workers=len(parts)))


def run_worker(installation: Installation, name: str, auth_fd: int, acct_fd: int, stop: threading.Event) -> None:
    """Be one worker, on sockets that the supervisor has bound."""
    # Meant for the supervisor, and by default the end of whoever gets it.
    signal.signal(signal.SIGUSR1, signal.SIG_IGN)
    keyring = _await_keyring(installation, stop)
    if keyring is None:
        return
    installation.close()
    settings = installation.settings
    database = Database(settings.database, lock_timeout=_LOCK_SECONDS, by_index=True)
    with ports.adopt(auth_fd) as auth, ports.adopt(acct_fd) as acct:
        server = RadiusServer(settings, database, keyring, auth, acct, installation.clock, name)
        # What is there now stays: the collector need not look at it again while a NAS waits.
        gc.collect()
        gc.freeze()
        report_readiness()
        server.run(stop)


def _await_keyring(installation: Installation, stop: threading.Event) -> Keyring | None:
    """The keys, as soon as the database is there; a restart after each failure would come later and later. None: stop."""
    while not stop.wait(0.0):
        try:
            return installation.keyring()
        except OperationalError as error:
            log.warning("waiting for the database", error=type(error).__name__)
            stop.wait(_PAUSE_SECONDS)
    return None
