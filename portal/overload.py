"""More logins than the portal can take: how many it works on at once."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager

# So many logins one process works on; its other threads go on showing pages.
LOGINS_AT_ONCE = 4
PATIENCE_SECONDS = 3.0


class Overloaded(Exception):
    """The portal has more logins in hand than it can answer in time."""


class Turns:
    """Lets so many in at once, and sends away whoever has waited too long: a browser comes back by itself."""

    def __init__(self, at_once: int = LOGINS_AT_ONCE, patience: float = PATIENCE_SECONDS) -> None:
        self._free, self._patience = threading.BoundedSemaphore(at_once), patience

    @contextmanager
    def take(self) -> Iterator[None]:
        """Work inside; Overloaded when nobody has made room in time."""
        if not self._free.acquire(timeout=self._patience):
            raise Overloaded
        try:
            yield
        finally:
            self._free.release()
