"""When the receiving thread takes datagrams in: a port's next ones when its database thread has done the last ones.

The two threads of a port take turns, since Python lets only one of them run at a time: a thread that receives while the other
computes costs both of them more than it wins. What arrives meanwhile waits in the kernel, and comes as one batch. A database
thread that waits for the database is not waited for.
"""

import contextlib
import selectors
import socket
import time
from collections.abc import Sequence

from radius.port import Port

# A batch that is computed is done in this time; one that takes longer waits for the database.
_PATIENCE_SECONDS = 0.025
_TICK_SECONDS = 0.1


class Intake:
    """Waits for datagrams on the ports whose turn it is."""

    def __init__(self) -> None:
        self._selector = selectors.DefaultSelector()
        self._reader, self._writer = socket.socketpair()
        for end in (self._reader, self._writer):
            end.setblocking(False)
        self._selector.register(self._reader, selectors.EVENT_READ)
        self._ports: Sequence[Port] = ()
        # The ports whose last batch is in work, and until when it is waited for, in monotonic seconds.
        self._resting: dict[Port, float] = {}

    def serve(self, ports: Sequence[Port]) -> None:
        """Begin to listen on these ports."""
        self._ports = ports
        for port in ports:
            self._selector.register(port.bound, selectors.EVENT_READ, port)

    def wake(self) -> None:
        """Say, from any thread, that a port may have its turn again."""
        with contextlib.suppress(OSError):  # full: it is awake anyway; closed: it listens no more
            self._writer.send(b".")

    def take_in(self) -> None:
        """Wait a moment for datagrams, and have them taken in."""
        events = self._selector.select(_PATIENCE_SECONDS if self._resting else _TICK_SECONDS)
        now = time.monotonic()
        for key, _events in events:
            if key.data is None:
                self._reader.recv(4096)
            elif key.data.take_in(now):
                self._selector.unregister(key.fileobj)
                self._resting[key.data] = now + _PATIENCE_SECONDS
        for port in [port for port, until in self._resting.items() if now >= until or port.is_idle]:
            del self._resting[port]
            self._selector.register(port.bound, selectors.EVENT_READ, port)

    def close(self) -> None:
        """Listen no more; what has not been taken in stays in the kernel."""
        self._selector.close()
        self._reader.close()
        self._writer.close()
