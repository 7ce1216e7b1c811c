"""A restart that nobody notices: part by part, the new process serves before the old one is told to finish."""

from collections.abc import Sequence

import structlog

from deploy.children import Child

# So long may a new process take to be ready, and an old one to finish.
PATIENCE_SECONDS = 30.0

log = structlog.get_logger("supervisor")


class RollingRestart:
    """The parts that roll, one after the other. A new process that dies or hangs ends it; the old ones go on."""

    def __init__(self, children: Sequence[Child]) -> None:
        self._waiting = [child for child in children if child.part.rolls]
        self._child: Child | None = None
        self._since = 0.0
        # Whether there is only to wait for the end of a process that was told to finish.
        self._handed_over = False
        self._given_up = False
        log.info("rolling restart begun", parts=len(self._waiting))

    def go_on(self, now: float) -> bool:
        """Take the next step that is possible now; returns whether there is more to do. `now` is monotonic seconds."""
        if self._child is None:
            return self._begin_next(now)
        late = now - self._since > PATIENCE_SECONDS
        return self._finish_old(self._child, late) if self._handed_over else self._await_new(self._child, now, late)

    def _begin_next(self, now: float) -> bool:
        if not self._waiting:
            if not self._given_up:
                log.info("rolling restart done")
            return False
        self._child, self._since, self._handed_over = self._waiting.pop(0), now, False
        self._child.start_successor()
        return True

    def _await_new(self, child: Child, now: float, late: bool) -> bool:
        ready = child.successor_is_ready()
        if ready:
            child.hand_over()
            self._handed_over, self._since = True, now
        elif ready is None or late:
            log.error("rolling restart given up", part=child.part.name, because="the new process is not ready")
            child.drop_successor()
            # It may hang so that it does not even finish.
            self._waiting.clear()
            self._given_up = self._handed_over = True
            self._since = now
        return True

    def _finish_old(self, child: Child, late: bool) -> bool:
        if not child.is_retiring:
            self._child = None
        elif late:
            log.warning("part killed", part=child.part.name, because="it did not finish in time")
            child.kill_retiring()
        return True
