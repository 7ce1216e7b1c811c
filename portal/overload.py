"""More guests than the portal can take: who is asked to wait, and until when.

A guest who would wait for long is told so at once, and the browser comes back by itself. See docs/decisions/0019.
"""

import random
import socket
import struct
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import structlog

# So many logins one process works on; its other threads go on showing pages.
LOGINS_AT_ONCE = 4
PATIENCE_SECONDS = 0.5
# A password takes a processor a tenth of a second and 64 MB, on purpose: guests must not wait behind a crowd of them.
HASHES_AT_ONCE = 2
# How long a request may have waited before it is begun with: one that ends what a guest has begun may be older. Who comes back
# from the gateway is online, and only wants to read it.
PAGE_SECONDS, LOGIN_SECONDS, RETURN_SECONDS = 0.15, 0.6, 2.0
# When a browser comes back, and how many of them in a second: fewer than a process can take, for new guests come too.
SOONEST_SECONDS, LATEST_SECONDS = 10, 120
GUESTS_PER_SECOND = 20
_QUIET_SECONDS = 10.0
# Of `struct tcp_info` (linux/tcp.h): tcpi_last_data_recv, milliseconds since the peer's data arrived.
_HEARD, _HEARD_AT, _INFO_OCTETS = struct.Struct("I"), 52, 56

_log = structlog.get_logger("portal")


class Overloaded(Exception):
    """The portal has more in hand than it can answer in time."""


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


class WaitingRoom:
    """Tells browsers when to come back: one after the other in the order in which they were sent away."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._last, self._told = 0.0, -_QUIET_SECONDS

    def number(self, now: float) -> int:
        """In how many seconds the next browser is to come back; `now` is monotonic. Past the latest they come at random."""
        with self._lock:
            due = max(self._last + 1 / GUESTS_PER_SECOND, now + SOONEST_SECONDS)
            self._last = min(due, now + LATEST_SECONDS)
            is_news = now - self._told >= _QUIET_SECONDS
            self._told = now if is_news else self._told
        if is_news:
            # Once for a crowd: a line for each would keep it waiting longer.
            _log.warning("overloaded")
        if due > now + LATEST_SECONDS:
            return random.randint(LATEST_SECONDS // 2, LATEST_SECONDS)  # noqa: S311  nobody gains by guessing it
        return round(due - now)


def shed(environ: Mapping[str, Any], patience: float) -> None:
    """Overloaded for a request that was here for longer than `patience` seconds before anybody had time for it."""
    if seconds_waited(environ.get("gunicorn.socket")) > patience:
        raise Overloaded


def seconds_waited(connection: socket.socket | None) -> float:
    """How long ago the request on a connection arrived, in the kernel's queue and in the server's; 0 where nobody knows."""
    try:
        told = connection.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, _INFO_OCTETS) if connection else b""
    except OSError:  # a Unix socket
        return 0.0
    return _HEARD.unpack_from(told, _HEARD_AT)[0] / 1000 if len(told) == _INFO_OCTETS else 0.0
