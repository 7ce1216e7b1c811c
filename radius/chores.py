"""What a database thread does between batches: the heartbeat, and the spool of a process that is gone."""

import threading
import time

import structlog

from hotspot.clock import Clock
from radius.failures import is_away, name_of
from radius.spool import Spool
from radius.transactions import Transactions
from radius.turn import Dismissed, Turn
from sessions.heartbeat import BEAT_EVERY_SECONDS, beat
from sessions.housekeeping import LISTENER

_ADOPT_EVERY_SECONDS = 5.0

log = structlog.get_logger("radius")


class Chores:
    """The chores of one process; whichever database thread finds one due does it."""

    def __init__(self, transactions: Transactions, spool: Spool, clock: Clock) -> None:
        self._transactions, self._spool, self._clock = transactions, spool, clock
        self._next_beat = self._next_adoption = 0.0
        self._adopting = threading.Lock()

    def do(self, turn: Turn) -> None:
        """Do what is due. What fails is done again when it is due again; raises only when the database is away."""
        now = time.monotonic()
        try:
            if now >= self._next_adoption:
                self._next_adoption = now + _ADOPT_EVERY_SECONDS
                # In a thread of its own: no batch waits until a long file is read.
                threading.Thread(target=self._adopt, name="adopting", daemon=True).start()
            if now >= self._next_beat:
                self.prove(turn)
        except Exception as error:
            if isinstance(error, Dismissed) or is_away(error):
                raise
            log.error("chore failed", error=name_of(error))

    def _adopt(self) -> None:
        if not self._adopting.acquire(blocking=False):
            return
        try:
            self._spool.adopt_orphans()
        except Exception as error:
            log.error("chore failed", error=name_of(error))
        finally:
            self._adopting.release()

    def prove(self, turn: Turn) -> None:
        """Beat now: a true write, so that a database that only reads, or does not commit, is found out."""
        self._next_beat = time.monotonic() + BEAT_EVERY_SECONDS
        self._transactions.commit(turn, lambda session: beat(session, LISTENER, self._clock()))
