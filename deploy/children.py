"""The processes of a supervisor: one for each part of the PoP, and for a moment two where one takes another's place."""

import contextlib
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import structlog

LONGEST_PAUSE = 30.0
# Of a RADIUS worker: guests wait before its sockets, and it waits itself for what it lacks.
LONGEST_PAUSE_OF_WORKER = 1.0
# Who ran this long before it died starts again as soon as after a first failure.
STEADY_SECONDS = 60.0
SUPERVISOR = "SURFPASS_SUPERVISOR_PID"
READY_FD = "SURFPASS_READY_FD"

log = structlog.get_logger("supervisor")


@dataclass(frozen=True)
class Part:
    """A part of the PoP: the `surfpass` command that runs it, its sockets, and how it is stopped and restarted.

    `stops_first`: it needs the others in order to stop. `rolls`: a second process may run beside it on the same sockets,
    and says when it is ready, so that a restart interrupts nothing.
    """

    name: str
    arguments: tuple[str, ...]
    fds: tuple[int, ...] = ()
    stops_first: bool = False
    rolls: bool = False


class Process:
    """One process; it leads a session of its own, so that Ctrl-C is the supervisor's alone to pass on."""

    def __init__(self, command: list[str], fds: tuple[int, ...], environment: Mapping[str, str]) -> None:
        self.started = time.monotonic()
        self._process = subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            pass_fds=fds,
            start_new_session=True,
            env={**os.environ, SUPERVISOR: str(os.getpid()), **environment},
        )

    @property
    def pid(self) -> int:
        """Its number."""
        return self._process.pid

    def reap(self) -> int | None:
        """The exit code once the process has ended; None while it runs. What is left of its group is killed first.

        Until `wait` the ended process keeps its number, so that the group cannot be a stranger's.
        """
        if self._process.returncode is not None:
            return self._process.returncode
        if os.waitid(os.P_PID, self._process.pid, os.WEXITED | os.WNOHANG | os.WNOWAIT) is None:
            return None
        self.signal(signal.SIGKILL)
        return self._process.wait()

    def signal(self, number: signal.Signals) -> None:
        """Send a signal to the process and to all that it has started."""
        with contextlib.suppress(ProcessLookupError, PermissionError):  # all have ended
            os.killpg(self._process.pid, number)


class Child:
    """A part and its process; during a restart also the one that takes its place, and the one that is finishing."""

    def __init__(self, part: Part, config: Path | None) -> None:
        self.part = part
        options = ("--config", str(config)) if config else ()
        # -P: a folder `deploy` in the current directory must not be taken for ours.
        self._command = [sys.executable, "-P", "-m", "deploy", *options, *part.arguments]
        self._process: Process | None = None
        self._successor: Process | None = None
        self._retiring: Process | None = None
        self._readiness: int | None = None
        self._failures = 0
        self.start_at = 0.0

    @property
    def runs(self) -> bool:
        """Whether there is a process."""
        return any(self._processes())

    @property
    def is_due(self) -> bool:
        """Whether it has to be started, now or at `start_at`."""
        return self._process is None and self._successor is None

    @property
    def is_retiring(self) -> bool:
        """Whether the one that was replaced has not ended yet."""
        return self._retiring is not None

    def look_after(self, now: float) -> None:
        """Start it when that is due; notice that it has died."""
        if self._retiring and self._retiring.reap() is not None:
            self._retiring = None
        if self._process is None:
            if self.is_due and now >= self.start_at:
                self._process = self._start()
        elif (code := self._process.reap()) is not None:
            self._failures = 1 if now - self._process.started > STEADY_SECONDS else self._failures + 1
            self._process = None
            pause = min(2.0 ** (self._failures - 1), LONGEST_PAUSE_OF_WORKER if self.part.rolls else LONGEST_PAUSE)
            self.start_at = now + pause
            log.error("part died", part=self.part.name, exit_code=code, starts_again_in_seconds=pause)

    def start_successor(self) -> None:
        """Start a second process, which will take the first one's place."""
        self._readiness, writer = os.pipe()
        os.set_blocking(self._readiness, False)
        try:
            self._successor = self._start((writer,), {READY_FD: str(writer)})
        finally:
            os.close(writer)

    def successor_is_ready(self) -> bool | None:
        """Whether the second process serves; None when it has died instead."""
        if self._successor is None or self._readiness is None or self._successor.reap() is not None:
            self._successor = None
            self._forget_readiness()
            return None
        with contextlib.suppress(BlockingIOError):
            return bool(os.read(self._readiness, 1))
        return False

    def hand_over(self) -> None:
        """Put the second process in the place of the first, which finishes what it has begun."""
        self._retiring, self._process, self._successor = self._process, self._successor, None
        self._failures = 0
        self._forget_readiness()
        if self._retiring:
            self._retiring.signal(signal.SIGTERM)

    def drop_successor(self) -> None:
        """Have the second process stop after all; the first one stays."""
        if self._successor:
            self._retiring, self._successor = self._successor, None
            self._retiring.signal(signal.SIGTERM)
        self._forget_readiness()

    def kill_retiring(self) -> None:
        """End the one that was replaced without waiting any longer."""
        if self._retiring:
            self._retiring.signal(signal.SIGKILL)

    def reap(self) -> None:
        """Forget the processes that have ended."""
        for name in ("_process", "_successor", "_retiring"):
            process: Process | None = getattr(self, name)
            if process and process.reap() is not None:
                setattr(self, name, None)

    def signal(self, number: signal.Signals) -> None:
        """Send a signal to its processes and to all that they have started."""
        for process in self._processes():
            process.signal(number)

    def _processes(self) -> Iterator[Process]:
        return (one for one in (self._process, self._successor, self._retiring) if one)

    def _start(self, fds: tuple[int, ...] = (), environment: Mapping[str, str] | None = None) -> Process:
        process = Process(self._command, (*self.part.fds, *fds), environment or {})
        log.debug("part started", part=self.part.name, pid=process.pid)
        return process

    def _forget_readiness(self) -> None:
        if self._readiness is not None:
            os.close(self._readiness)
            self._readiness = None


def report_readiness() -> None:
    """Tell the supervisor that this process serves, where it wants to know."""
    fd = os.environ.pop(READY_FD, "")
    if fd.isdecimal():
        with contextlib.suppress(OSError):
            os.write(int(fd), b"1")
            os.close(int(fd))
