"""The supervisor: starts the parts of the PoP, starts again what dies, and stops all in order.

Linux ends the children when the supervisor itself is killed: each asks for a SIGTERM at its start (`follow_supervisor`).
"""

import ctypes
import os
import select
import signal
import socket
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from types import FrameType, TracebackType
from typing import Self

import structlog

from deploy.children import SUPERVISOR, Child, Part
from deploy.rolling import RollingRestart

STOP_SECONDS = 10.0
# A client of the others says goodbye to them first.
HEAD_START_SECONDS = 2.0
READY_SECONDS = 60.0
_PR_SET_PDEATHSIG = 1

log = structlog.get_logger("supervisor")


class Signals:
    """The signals that a supervisor waits for; a second request to stop means at once."""

    def __init__(self) -> None:
        self.stops = 0
        self.restarts = 0

    def __enter__(self) -> Self:
        self._reader, self._writer = socket.socketpair()
        self._reader.setblocking(False)
        self._writer.setblocking(False)
        signal.set_wakeup_fd(self._writer.fileno(), warn_on_full_buffer=False)
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, self._count)
        if signal.getsignal(signal.SIGHUP) is not signal.SIG_IGN:  # as under nohup
            signal.signal(signal.SIGHUP, self._count)
        # Not SIGHUP, which says that a terminal was closed.
        signal.signal(signal.SIGUSR1, self._count_restart)
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

    def _count_restart(self, _number: int, _frame: FrameType | None) -> None:
        self.restarts += 1

    def wait(self, seconds: float) -> None:
        """Sleep until a signal comes, at most so long."""
        if select.select([self._reader], [], [], max(0.0, seconds))[0]:
            self._reader.recv(4096)


def supervise(
    parts: Sequence[Part], config: Path | None, is_ready: Callable[[], bool], announce: Callable[[], None]
) -> None:
    """Run all parts until SIGTERM, SIGINT or SIGHUP; call `announce` once `is_ready`.

    SIGUSR1 restarts the parts that roll, one after the other.
    """
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
    begun, rolling = signals.restarts, None
    while not signals.stops:
        now = time.monotonic()
        for child in children:
            child.look_after(now)
        if not announced and (is_ready() or now > patience):
            if now > patience:
                log.error("not ready", seconds=READY_SECONDS)
            announce()
            announced = True
        if rolling is None and signals.restarts != begun:
            begun, rolling = signals.restarts, RollingRestart(children)
        if rolling and not rolling.go_on(now):
            rolling = None
        due = [child.start_at - now for child in children if child.is_due]
        signals.wait(min([*due, 1.0 if announced and not rolling else 0.1]))


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
    supervisor = os.environ.pop(SUPERVISOR, "")
    if not supervisor.isdecimal():
        return
    if sys.platform == "linux":
        ctypes.CDLL(None, use_errno=True).prctl(_PR_SET_PDEATHSIG, signal.SIGTERM, 0, 0, 0)
    # Race: it may have died before we asked.
    if os.getppid() != int(supervisor):
        sys.exit(0)
