"""A real PostgreSQL server for the tests, thrown away afterwards and as easy to crash as to start.

with PostgresServer() as server:
    url = server.create_database("markt")
    server.kill()   # as a power cut would
    server.start()  # same data, same port: the same URL works again
"""

import os
import pwd
import random
import re
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Self

import psycopg
from psycopg import sql
from sqlalchemy import URL

OLDEST_VERSION = 15
PROGRAMS = ("initdb", "postgres", "pg_basebackup")
SUPERUSER = "surfpass"
START_SECONDS = 60.0
STOP_SECONDS = 30.0
# Below the range Linux takes outgoing ports from: no client can sit on ours while the server is down between
# kill() and start().
PORTS = range(20000, 32000)
PORT_ATTEMPTS = 5


class PostgresError(Exception):
    """There is no usable PostgreSQL, or it did not do as told; the message carries the server's own words."""


@dataclass(frozen=True)
class Account:
    """Whom the server runs as."""

    uid: int
    gid: int


class PostgresServer:
    """A server on a loopback port and a Unix socket of its own, trusting whoever comes from this machine.

    `options` are lines of postgresql.conf, such as {"max_connections": "300"}. Nothing is relaxed by default, fsync
    least of all, because crash tests ask what a real server would have kept.
    """

    def __init__(self, options: Mapping[str, str] | None = None) -> None:
        self._options = dict(options or {})
        self._programs = find_programs()
        self._account = account_to_run_as()
        self._process: subprocess.Popen[bytes] | None = None
        self._directory: Path | None = None
        self.port = 0

    def __enter__(self) -> Self:
        try:
            self._create_cluster()
            self._start_on_a_free_port()
        except BaseException:
            self._discard()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._discard()

    @property
    def directory(self) -> Path:
        """Where everything of this server lies, its Unix socket too."""
        if self._directory is None:
            raise PostgresError("The server exists only inside its `with` block.")
        return self._directory

    @property
    def log(self) -> str:
        """What the server has logged so far."""
        return (self.directory / "postgres.log").read_text(errors="replace")

    def url(self, database: str = "postgres") -> str:
        """The SQLAlchemy URL of one database."""
        url = URL.create("postgresql+psycopg", username=SUPERUSER, host="127.0.0.1", port=self.port, database=database)
        return url.render_as_string(hide_password=False)

    def create_database(self, name: str, template: str | None = None) -> str:
        """Create a database and return its URL; a `template` is copied whole and must have no connection open."""
        statement = sql.SQL("CREATE DATABASE {}").format(sql.Identifier(name))
        if template is not None:
            statement += sql.SQL(" TEMPLATE {}").format(sql.Identifier(template))
        self._execute(statement)
        return self.url(name)

    def drop_database(self, name: str) -> None:
        """Drop a database if it is there, whoever is still connected to it."""
        self._execute(sql.SQL("DROP DATABASE IF EXISTS {} WITH (FORCE)").format(sql.Identifier(name)))

    def start(self) -> None:
        """Start on the data and the port of before, and return once connections are answered."""
        if self._process is not None:
            raise PostgresError("The server is already running.")
        options = {
            "listen_addresses": "127.0.0.1",
            "port": str(self.port),
            "unix_socket_directories": str(self.directory),
            **self._options,
        }
        arguments = [argument for name, value in options.items() for argument in ("-c", f"{name}={value}")]
        self._process = self._launch("postgres", "-D", str(self.directory / "data"), *arguments)
        self._wait_until_ready(self._process)

    def stop(self) -> None:
        """Shut down in order, ending open connections; without effect on a stopped server."""
        self._end_with(signal.SIGINT)

    def kill(self) -> None:
        """End the server as a power cut would: no process of it gets to do anything more."""
        process, self._process = self._process, None
        if process is None or process.poll() is not None:
            return
        # A postmaster that runs would see the first backend die and begin its own, gentler crash recovery.
        os.kill(process.pid, signal.SIGSTOP)
        wait_until(lambda: state_of(process.pid) == "T", "The postmaster cannot be stopped.")
        children = children_of(process.pid)
        for pid in [*children, process.pid]:
            os.kill(pid, signal.SIGKILL)
        process.wait()
        # A straggler would still hold the shared memory, and the next start would be refused. A zombie holds nothing,
        # and some containers never bury theirs.
        wait_until(lambda: {state_of(pid) for pid in children} <= {"", "Z", "X"}, "A killed server process remains.")

    def _create_cluster(self) -> None:
        self._directory = Path(tempfile.mkdtemp(prefix="surfpass-pg-"))
        if self._account:
            os.chown(self._directory, self._account.uid, self._account.gid)
        self._fill_cluster()

    def _fill_cluster(self) -> None:
        # The empty cluster need not survive a crash; what is written from then on must, hence --no-sync only here.
        self.run(
            "initdb",
            *("--pgdata", str(self.directory / "data"), "--username", SUPERUSER, "--auth", "trust"),
            *("--encoding", "UTF8", "--locale", "C", "--no-sync", "--no-instructions"),
        )

    def run(self, program: str, *arguments: str) -> None:
        """Run another of PostgreSQL's programs to its end, as whom the server runs as. PostgresError when it fails."""
        if self._launch(program, *arguments).wait() != 0:
            log = (self.directory / f"{program}.log").read_text(errors="replace")
            raise PostgresError(f"{program} failed: {log}")

    def _launch(self, program: str, *arguments: str) -> subprocess.Popen[bytes]:
        with (self.directory / f"{program}.log").open("ab") as log:
            return subprocess.Popen(
                [self._programs / program, *arguments],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                cwd=self.directory,
                env=server_environment(),
                # Ctrl-C in the terminal is for pytest, whose fixtures still need the server to clean up.
                start_new_session=True,
                user=self._account.uid if self._account else None,
                group=self._account.gid if self._account else None,
                extra_groups=[] if self._account else None,
            )

    def _start_on_a_free_port(self) -> None:
        # Between finding a free port and the server's bind another test run may take it.
        for attempt in range(1, PORT_ATTEMPTS + 1):
            self.port = free_port()
            try:
                return self.start()
            except PostgresError:
                if attempt == PORT_ATTEMPTS or "could not bind" not in self.log:
                    raise

    def _wait_until_ready(self, process: subprocess.Popen[bytes]) -> None:
        deadline = time.monotonic() + START_SECONDS
        while True:
            if process.poll() is not None:
                self._process = None
                raise PostgresError(f"PostgreSQL did not start: {self.log[-2000:]}")
            try:
                # By the socket in our own directory: on the port a stranger might answer.
                psycopg.connect(self.socket_conninfo()).close()
                return
            except psycopg.OperationalError as error:
                if time.monotonic() > deadline:
                    self.kill()
                    raise PostgresError(f"PostgreSQL is not ready after {START_SECONDS:.0f} s: {error}") from error
            time.sleep(0.02)

    def _end_with(self, sign: signal.Signals) -> None:
        process, self._process = self._process, None
        if process is None:
            return
        process.send_signal(sign)
        try:
            process.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired:
            self._process = process
            self.kill()
            raise PostgresError(f"PostgreSQL did not stop within {STOP_SECONDS:.0f} s.") from None

    def _discard(self) -> None:
        try:
            # Nobody wants these data any more: no checkpoint, but the shared memory is given back.
            self._end_with(signal.SIGQUIT)
        finally:
            if self._directory is not None:
                shutil.rmtree(self._directory)
                self._directory = None

    def _execute(self, statement: sql.Composed) -> None:
        with psycopg.connect(self.socket_conninfo(), autocommit=True) as connection:
            connection.execute(statement)

    def socket_conninfo(self) -> str:
        """How its superuser connects by the socket, whatever listens on the port."""
        return psycopg.conninfo.make_conninfo(
            host=str(self.directory), port=self.port, user=SUPERUSER, dbname="postgres", connect_timeout=10
        )


def find_programs() -> Path:
    """The folder with the newest server, from PATH or from where Debian keeps them."""
    folders = [Path(folder) for folder in os.get_exec_path()]
    folders += Path("/usr/lib/postgresql").glob("*/bin")
    complete = [folder for folder in folders if all(shutil.which(name, path=str(folder)) for name in PROGRAMS)]
    newest = max(complete, key=major_version, default=None)
    if newest is None or major_version(newest) < OLDEST_VERSION:
        raise PostgresError(
            f"The tests need PostgreSQL {OLDEST_VERSION} or newer (Debian: apt-get install postgresql)."
        )
    return newest


def major_version(programs: Path) -> int:
    """The major version of the server in this folder; 0 where it does not say."""
    answer = subprocess.run([programs / "postgres", "--version"], capture_output=True, text=True, check=False)
    match = re.search(r"\(PostgreSQL\) (\d+)", answer.stdout)
    return int(match[1]) if match else 0


def account_to_run_as() -> Account | None:
    """Another account when we are root, because PostgreSQL refuses root; None: our own will do."""
    if os.geteuid() != 0:
        return None
    for name in ("postgres", "nobody"):
        try:
            entry = pwd.getpwnam(name)
        except KeyError:
            continue
        return Account(entry.pw_uid, entry.pw_gid)
    raise PostgresError("PostgreSQL does not run as root, and there is neither a user postgres nor nobody.")


def server_environment() -> dict[str, str]:
    """Our environment without what would move the server to other data, another port or another language."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("PG", "LC_", "LANG"))}
    return kept | {"LC_ALL": "C"}


def free_port() -> int:
    """A loopback port nobody listens on at this moment."""
    for port in random.sample(PORTS, k=100):
        with socket.socket() as probe:
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                continue
            return port
    raise PostgresError("No free loopback port was found for PostgreSQL.")


def children_of(parent: int) -> list[int]:
    """The direct children: each backend leads a process group of its own, so no group signal reaches them."""
    return [
        int(entry.name)
        for entry in Path("/proc").iterdir()
        if entry.name.isdigit() and (fields := stat_fields(int(entry.name))) and int(fields[1]) == parent
    ]


def state_of(pid: int) -> str:
    """The letter that proc(5) gives a process's state; empty when it is gone."""
    return next(iter(stat_fields(pid)), "")


def stat_fields(pid: int) -> list[str]:
    """State, parent and what follows in /proc/<pid>/stat; empty when the process is gone."""
    try:
        text = Path(f"/proc/{pid}/stat").read_text()
    except (FileNotFoundError, ProcessLookupError):
        return []
    # The program's name comes before, in brackets, and may itself hold brackets and spaces.
    return text.rpartition(")")[2].split()


def wait_until(condition: Callable[[], bool], complaint: str) -> None:
    """Return once the condition holds; PostgresError(complaint) when it does not in time."""
    deadline = time.monotonic() + STOP_SECONDS
    while not condition():
        if time.monotonic() > deadline:
            raise PostgresError(complaint)
        time.sleep(0.01)
