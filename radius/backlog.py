"""The requests of a port that wait for the thread that answers them; never more than can still be answered in time."""

import threading
import time
from collections import deque
from collections.abc import Callable, Iterable

from radius.clients import Request

MOST_IN_A_BATCH = 256
# A NAS asks again after 3 s or so; what is answered later is answered for nothing.
ANSWERABLE_SECONDS = 2.5
# Until it is measured.
_FIRST_RATE = 4000.0
_LEAST_BACKLOG = 2 * MOST_IN_A_BATCH
_MOST_BACKLOG = 65_536
_SMOOTHING = 0.5


class Backlog:
    """A bounded queue with one owner at a time, who alone may take from it; anybody may put into it.

    `on_drained` is called, by the owner, when all that was put is done.
    """

    def __init__(self, on_drained: Callable[[], None] = lambda: None) -> None:
        self._on_drained = on_drained
        self._drained = True
        self._waiting: deque[Request] = deque()
        self._changed = threading.Condition(threading.Lock())
        self._owner: object = None
        self._in_hand = 0
        self._closed = False
        self._rate = _FIRST_RATE

    def __len__(self) -> int:
        return len(self._waiting)

    @property
    def is_drained(self) -> bool:
        """Whether all that was put is done."""
        return self._drained

    @property
    def room(self) -> int:
        """How many more may wait: as many as are served, at the present rate, before they are too old, less who waits."""
        most = min(max(self._rate * ANSWERABLE_SECONDS, _LEAST_BACKLOG), _MOST_BACKLOG)
        return max(int(most) - len(self._waiting), 0)

    def put(self, requests: Iterable[Request]) -> None:
        """Queue requests, no more than there is room for."""
        self._waiting.extend(requests)
        with self._changed:
            self._drained = False
            self._changed.notify_all()

    def take(self, owner: object, seconds: float) -> list[Request] | None:
        """The oldest that wait, a batch at most; empty when none comes for so long. None: nothing more for this owner.

        To ask for more says that what was taken before is done.
        """
        deadline = time.monotonic() + seconds
        with self._changed:
            if self._owner is owner:
                self._in_hand = 0
            while self._owner is owner:
                if self._waiting:
                    batch = [self._waiting.popleft() for _ in range(min(len(self._waiting), MOST_IN_A_BATCH))]
                    self._in_hand = len(batch)
                    return batch
                if not self._drained:
                    self._drained = True
                    self._on_drained()
                left = deadline - time.monotonic()
                if self._closed:
                    return None
                if left <= 0:
                    return []
                self._changed.wait(left)
        return None

    def seize(self, owner: object, in_hand: int = 0) -> None:
        """Make somebody else the owner at once; what the last one has in hand is no longer counted."""
        with self._changed:
            self._owner, self._in_hand = owner, in_hand
            self._changed.notify_all()

    def inherit(self, owner: object, allowed: Callable[[], bool]) -> bool:
        """Become the owner if the present one has nothing in hand and it is `allowed`; returns whether it was so."""
        with self._changed:
            if self._in_hand or not allowed():
                return False
            self._owner = owner
            self._changed.notify_all()
            return True

    def close(self) -> None:
        """Let the owner have what waits, and then no more."""
        with self._changed:
            self._closed = True
            self._changed.notify_all()

    def measure(self, served: int, seconds: float) -> None:
        """Learn from a batch how fast requests are served. One that is not full says only how fast it is at least."""
        rate = served / max(seconds, 1e-6)
        if served >= MOST_IN_A_BATCH:
            self._rate += _SMOOTHING * (rate - self._rate)
        else:
            self._rate = max(self._rate, rate)


def split_stale(requests: Iterable[Request], now: float) -> tuple[list[Request], list[Request]]:
    """Those that are still worth answering at `now`, monotonic seconds, and those that are not."""
    fresh: list[Request] = []
    stale: list[Request] = []
    for request in requests:
        (fresh if now - request.arrived <= ANSWERABLE_SECONDS else stale).append(request)
    return fresh, stale
