"""A database thread's turn: what it has in hand and since when, so that another can take over from one that is stuck."""

import contextlib
import os
import socket
import threading
import time

from sqlalchemy.orm import Session

from radius.clients import Request


class Dismissed(Exception):
    """Somebody else has taken over: whatever this thread has done, it must not answer."""


class Turn:
    """One thread's time with the database; dismissed when it is stuck, and from then on without effect."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._batch: list[Request] = []
        self._connection: int | None = None
        self.busy_since: float | None = None
        self.dismissed = False

    def begin(self, batch: list[Request]) -> None:
        """Take something in hand that waits for the database."""
        with self._lock:
            if self.dismissed:
                raise Dismissed
            self._batch, self.busy_since = batch, time.monotonic()

    def finish(self) -> None:
        """The database has answered, or refused; Dismissed when that came too late."""
        with self._lock:
            self.busy_since = None
            if self.dismissed:
                raise Dismissed
            self._batch = []

    def uses(self, session: Session) -> None:
        """Remember the connection to the database, so that it can be cut."""
        driver = session.connection().connection.driver_connection
        with self._lock:
            if self.dismissed:
                raise Dismissed
            with contextlib.suppress(AttributeError, OSError, ValueError):  # SQLite has no socket
                self._forget_connection()
                self._connection = os.dup(driver.fileno())  # type: ignore[union-attr]

    def let_go(self) -> None:
        """The connection is somebody else's from now on."""
        with self._lock:
            self._forget_connection()

    def dismiss_if_stuck(self, seconds: float) -> list[Request] | None:
        """Take over what the thread has in hand if the database has not answered for so long; None if it has.

        The thread's connection is cut, which wakes it up.
        """
        with self._lock:
            if self.busy_since is None or time.monotonic() - self.busy_since <= seconds:
                return None
            self.dismissed = True
            batch, self._batch = self._batch, []
            if self._connection is not None:
                with contextlib.suppress(OSError), socket.socket(fileno=os.dup(self._connection)) as connection:
                    connection.shutdown(socket.SHUT_RDWR)
            self._forget_connection()
            return batch

    def _forget_connection(self) -> None:
        if self._connection is not None:
            os.close(self._connection)
            self._connection = None
