"""The supervisor: starts the parts of the PoP, starts again what dies, and stops all in order.

Linux ends the children when the supervisor itself is killed: each asks for a SIGTERM at its start (`follow_supervisor`).
"""

import contextlib
import ctypes
import os
import select
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import FrameType, TracebackType
from typing import Self

import structlog

STOP_SECONDS = 10.0
# A client of the others says goodbye to them first.
HEAD_START_SECONDS = 2.0
LONGEST_PAUSE = 30.0
# Who ran this long before it died starts again as soon as after a first failure.
STEADY_SECONDS = 60.0
READY_SECONDS = 60.0
_SUPERVISOR = "SURFPASS_SUPERVISOR_PID"
_PR_SET_PDEATHSIG = 1

log = structlog.get_logger("supervisor")


@dataclass(frozen=True)
class Part:
    """A part of the PoP: the `surfpass` command that runs it, its sockets, and whether it needs the others in order to stop."""

    name: str
    arguments: tuple[str, ...]
    fds: tuple[int, ...] = ()
    stops_first: bool = False


class Signals:
    """The signals that a supervisor waits for; a second request to stop means at once."""

    def __init__(self) -> None:
        self.stops = 0

    def __enter__(self) -> Self:
        self._reader, self._writer = socket.socketpair()
        self._reader.setblocking(False)
        self._writer.setblocking(False)
        signal.set_wakeup_fd(self._writer.fileno(), warn_on_full_buffer=False)
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, self._count)
        if signal.getsignal(signal.SIGHUP) is not signal.SIG_IGN:  # as under nohup
            signal.signal(signal.SIGHUP, self._count)
        # Without a handler of its own a child's end would not wake us.
        signal.signal(signal.SIGCHLD, lambda _number, _frame: None)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        signal.set_wakeup_fd(-1)
        self._reader.close()
        self._writer.close()

    def _count(self, _number: int, _frame: FrameType | None) -> None:
        self.stops += 1

    def wait(self, seconds: float) -> None:
        """Sleep until a signal comes, at most so long."""
        if select.select([self._reader], [], [], max(0.0, seconds))[0]:
            self._reader.recv(4096)


class Child:
    """A part and its process; the process leads a session of its own, so that Ctrl-C is the supervisor's alone to pass on."""

    def __init__(self, part: Part, config: Path | None) -> None:
        self.part = part
        options = ("--config", str(config)) if config else ()
        # -P: a folder `deploy` in the current directory must not be taken for ours.
        self._command = [sys.executable, "-P", "-m", "deploy", *options, *part.arguments]
        self._process: subprocess.Popen[bytes] | None = None
        self._failures = 0
        self._started = 0.0
        self.start_at = 0.0

    @property
    def runs(self) -> bool:
        """Whether there is a process."""
        return self._process is not None

    def look_after(self, now: float) -> None:
        """Start it when that is due; notice that it has died."""
        if self._process is None:
            if now >= self.start_at:
                self._start(now)
        elif (code := self.reap()) is not None:
            self._failures = 1 if now - self._started > STEADY_SECONDS else self._failures + 1
            pause = min(2.0 ** (self._failures - 1), LONGEST_PAUSE)
            self.start_at = now + pause
            log.error("part died", part=self.part.name, exit_code=code, starts_again_in_seconds=pause)

    def _start(self, now: float) -> None:
        self._started = now
        self._process = subprocess.Popen(
            self._command,
            stdin=subprocess.DEVNULL,
            pass_fds=self.part.fds,
            start_new_session=True,
            env={**os.environ, _SUPERVISOR: str(os.getpid())},
        )
        log.debug("part started", part=self.part.name, pid=self._process.pid)

    def reap(self) -> int | None:
        """The exit code once the process has ended; None while it runs. What is left of its group is killed first.

        Until `wait` the ended process keeps its number, so that the group cannot be a stranger's.
        """
        if self._process is None:
            return None
        if os.waitid(os.P_PID, self._process.pid, os.WEXITED | os.WNOHANG | os.WNOWAIT) is None:
            return None
        self.signal(signal.SIGKILL)
        code = self._process.wait()
        self._process = None
        return code

    def signal(self, number: signal.Signals) -> None:
        """Send a signal to the process and to all that it has started."""
        if self._process is None:
            return
        with contextlib.suppress(ProcessLookupError, PermissionError):  # all have ended
            os.killpg(self._process.pid, number)


def supervise(
    parts: Sequence[Part], config: Path | None, is_ready: Callable[[], bool], announce: Callable[[], None]
) -> None:
    """Run all parts until SIGTERM, SIGINT or SIGHUP; call `announce` once `is_ready`."""
    children = [Child(part, config) for part in parts]
    with Signals() as signals:
        try:
            _watch(children, signals, is_ready, announce)
        finally:
            _stop(children, signals)


def _watch(
    children: Sequence[Child], signals: Signals, is_ready: Callable[[], bool], announce: Callable[[], None]
) -> None:
    announced, patience = False, time.monotonic() + READY_SECONDS
    while not signals.stops:
        now = time.monotonic()
        for child in children:
            child.look_after(now)
        if not announced and (is_ready() or now > patience):
            if now > patience:
                log.error("not ready", seconds=READY_SECONDS)
            announce()
            announced = True
        due = [child.start_at - now for child in children if not child.runs]
        signals.wait(min([*due, 1.0 if announced else 0.1]))


def _stop(children: Sequence[Child], signals: Signals) -> None:
    """SIGTERM to those that need the others, then to all; patience; SIGKILL."""
    asked, begun = signals.stops, time.monotonic()
    first = [child for child in children if child.part.stops_first]
    for group, seconds in ((first, HEAD_START_SECONDS), (children, STOP_SECONDS)):
        for child in group:
            child.signal(signal.SIGTERM)
        while _still_running(group) and signals.stops == asked and time.monotonic() < begun + seconds:
            signals.wait(0.1)
    if _still_running(children):
        log.warning("parts killed", because="they did not stop in time")
        for child in children:
            child.signal(signal.SIGKILL)
        while _still_running(children):
            signals.wait(0.1)


def _still_running(children: Sequence[Child]) -> bool:
    for child in children:
        child.reap()
    return any(child.runs for child in children)


def follow_supervisor() -> None:
    """Have this process told to stop when its supervisor dies; without effect when it has none."""
    supervisor = os.environ.pop(_SUPERVISOR, "")
    if not supervisor.isdecimal():
        return
    if sys.platform == "linux":
        ctypes.CDLL(None, use_errno=True).prctl(_PR_SET_PDEATHSIG, signal.SIGTERM, 0, 0, 0)
    # Race: it may have died before we asked.
    if os.getppid() != int(supervisor):
        sys.exit(0)
