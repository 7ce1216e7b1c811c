"""The portal under gunicorn, which takes the socket it is given and logs neither addresses nor paths."""

import os
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

from gunicorn.app.base import BaseApplication
from gunicorn.glogging import Logger

from deploy.installation import Installation
from hotspot.database import Database
from radius.makes import COA_MAKES

# More than logins that are worked on at once (portal/overload.py): pages are shown meanwhile.
THREADS = 8
# A guest is rather told to try again than left waiting for a database that hangs.
DATABASE_SECONDS = 5.0
# Under the supervisor's patience, so that a request that hangs does not turn a stop into a kill.
GRACEFUL_SECONDS = 5


class PortalServer(BaseApplication):  # type: ignore[misc]  # gunicorn is untyped
    """Gunicorn around `portal.app`, which each worker builds for itself: engines and keys do not survive a fork well."""

    def __init__(self, installation: Installation, fd: int) -> None:
        self._installation = installation
        self._fd = fd
        super().__init__()

    def load_config(self) -> None:
        """Tell gunicorn what it would otherwise read from a command line."""
        settings: dict[str, object] = {
            "bind": f"fd://{self._fd}",
            "workers": self._installation.settings.portal_workers,
            "worker_class": "gthread",
            "threads": THREADS,
            "graceful_timeout": GRACEFUL_SECONDS,
            "accesslog": None,
            "logger_class": PortalLog,
            "control_socket_disable": True,
            "worker_tmp_dir": _heartbeat_folder(),
            "proc_name": "surfpass-portal",
            # Werkzeug's ProxyFix decides whom to believe, by SURFPASS_TRUSTED_PROXIES.
            "forwarded_allow_ips": "",
            "limit_request_line": 8190,
        }
        for name, value in settings.items():
            self.cfg.set(name, value)

    def load(self) -> Callable[..., Any]:
        """The WSGI application, built in the worker."""
        # Imported here, so that no other command pays for Flask.
        from portal.app import create_app

        ours = Installation(self._installation.config, self._installation.clock)
        keyring = ours.keyring()
        database = Database(ours.settings.database, lock_timeout=DATABASE_SECONDS, statement_timeout=DATABASE_SECONDS)
        return create_app(ours.settings, database, keyring, ours.clock, COA_MAKES)


class PortalLog(Logger):  # type: ignore[misc]  # gunicorn is untyped
    """Gunicorn's log, sent where all logs go; deploy/logging.py takes addresses and paths out of it."""

    def setup(self, cfg: Any) -> None:
        """Add no handlers of gunicorn's own."""
        self.cfg = cfg
        self._access_log_enabled = False
        self.error_log.propagate = True
        self.error_log.setLevel("WARNING")

    def access(self, *_arguments: object) -> None:
        """The portal logs its requests itself, by rule and not by path."""


def _heartbeat_folder() -> str | None:
    """Workers touch a file all the time: in memory where there is such a folder, since a busy disk would look like a hang."""
    memory = Path("/dev/shm")  # noqa: S108  only mkstemp puts files there
    if memory.is_dir() and os.access(memory, os.W_OK):
        return str(memory)
    return tempfile.gettempdir()
