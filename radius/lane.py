"""The answering side of a port: a database thread that takes what waits as batches, and what happens when it is stuck."""

import threading
import time
from collections.abc import Callable
from typing import Final

import structlog

from hotspot.clock import Clock
from radius.backlog import Backlog, split_stale
from radius.chores import Chores
from radius.clients import Request
from radius.door import FAILED, OVERLOAD, Door
from radius.failures import is_away, name_of
from radius.place import LOOK_EVERY_SECONDS, Place
from radius.shelter import Shelter
from radius.transactions import Transactions
from radius.turn import Dismissed, Turn

# A NAS does not wait much longer for an answer, nor must accounting.
AWAY_AFTER_SECONDS: Final = 2.0
_PROBE_EVERY_SECONDS = 0.5
# Threads that hang in a connection no reset has reached. The kernel ends them, and until then there are no more.
_MOST_STUCK = 4

log = structlog.get_logger("radius")


class Lane:
    """One port's threads. While `sheltered` the shelter has the requests, and a thread probes, or replays what was left.

    `away` says that the database is.
    """

    def __init__(
        self,
        door: Door,
        shelter: Shelter,
        place: Place,
        transactions: Transactions,
        clock: Clock,
        chores: Chores,
        on_drained: Callable[[], None] = lambda: None,
    ) -> None:
        self.backlog = Backlog(on_drained)
        self.sheltered = self.away = False
        self._door, self._shelter, self._place = door, shelter, place
        self._transactions, self._clock, self._chores = transactions, clock, chores
        self._turn = Turn()
        self._threads: list[threading.Thread] = []
        self._stuck: list[threading.Thread] = []
        self._stopping = False

    def start(self) -> None:
        """Begin; with the shelter while there is something left in it from before."""
        if self._shelter.waiting:
            self._seek_shelter([])
        else:
            self.backlog.seize(self._turn)
        self._begin_turn()

    def look_after(self) -> None:
        """Notice a database that does not answer; from the thread that receives, many times a second."""
        batch = self._turn.dismiss_if_stuck(AWAY_AFTER_SECONDS)
        if batch is not None:
            log.error("database away", port=self._door.name, error="no answer", requests=len(batch))
            self.away = True
            self._stuck.append(self._turn_thread)
            if not self.sheltered:
                self._seek_shelter(batch)
        self._stuck = [thread for thread in self._stuck if thread.is_alive()]
        gone = self._turn.dismissed or not self._turn_thread.is_alive()
        if gone and len(self._stuck) < _MOST_STUCK and not self._stopping:
            self._turn = Turn()
            if not self.sheltered:
                self.backlog.seize(self._turn)
            self._begin_turn()

    def stop(self) -> None:
        """Have the threads finish what waits, and end."""
        self._stopping = True
        self.backlog.close()

    @property
    def stopped(self) -> bool:
        """Whether all threads have ended but those that are stuck."""
        return not any(thread.is_alive() for thread in self._threads if thread not in self._stuck)

    def _begin_turn(self) -> None:
        turn = self._turn
        self._turn_thread = self._start(threading.Thread(target=self._run, args=(turn,), daemon=True))

    def _start(self, thread: threading.Thread) -> threading.Thread:
        self._threads = [one for one in self._threads if one.is_alive()]
        thread.start()
        self._threads.append(thread)
        return thread

    def _run(self, turn: Turn) -> None:
        """A database thread."""
        try:
            if self.sheltered:
                self._come_back(turn)
            while (batch := self.backlog.take(turn, LOOK_EVERY_SECONDS)) is not None:
                self._attempt(turn, batch, self._serve)
                # Not before the batch: who is in it would wait for the chores too.
                self._attempt(turn, [], self._do_chores)
                if self._shelter.waiting and not self._stopping:  # left by a process that is gone
                    self._seek_shelter([])
                    self._come_back(turn)
        except Dismissed:
            pass

    def _attempt(self, turn: Turn, batch: list[Request], work: Callable[[Turn, list[Request]], None]) -> None:
        try:
            work(turn, batch)
        except Dismissed:
            raise
        except Exception as error:
            self._fail(turn, batch, error)

    def _do_chores(self, turn: Turn, batch: list[Request]) -> None:
        turn.begin(batch)
        self._place.renew(turn, time.monotonic())
        self._chores.do(turn)
        turn.finish()

    def _serve(self, turn: Turn, batch: list[Request]) -> None:
        begun = time.monotonic()
        requests, stale = split_stale(batch, begun)
        for request in stale:
            self._door.stay_silent(request, OVERLOAD)
        if not requests:
            return
        turn.begin(requests)
        now = self._clock()
        replies = self._transactions.commit_each(
            turn, requests, lambda session, some: self._door.answer(session, some, now)
        )
        turn.finish()
        for request, answer in zip(requests, replies, strict=True):
            if answer:
                self._door.send(request, answer)
            else:
                self._door.stay_silent(request, FAILED)
        seconds = time.monotonic() - begun
        self.backlog.measure(len(requests), seconds)
        self._door.observer.batch(len(requests), seconds)

    def _fail(self, turn: Turn, batch: list[Request], error: Exception) -> None:
        """The batch is not committed, or nobody knows."""
        turn.finish()
        fresh = [request for request in batch if request.entry is None or request.entry.is_in_work]
        if not is_away(error):
            log.error("batch failed", port=self._door.name, error=name_of(error), requests=len(batch))
            for request in fresh:
                self._door.stay_silent(request, FAILED)
            return
        log.error("database away", port=self._door.name, error=name_of(error), requests=len(batch))
        self.away = True
        self._seek_shelter(fresh)
        self._come_back(turn)

    def _seek_shelter(self, batch: list[Request]) -> None:
        """From now on the shelter has the requests, this batch first."""
        self.sheltered = True
        self.backlog.seize(self._shelter, len(batch))
        self._start(threading.Thread(target=self._take_shelter, args=(batch,), daemon=True))

    def _take_shelter(self, batch: list[Request]) -> None:
        """The shelter's thread: until the database is back."""
        some: list[Request] | None = batch
        while some is not None:
            try:
                self._shelter.take_in(some)
            except Exception as error:
                log.error("shelter failed", port=self._door.name, error=name_of(error), requests=len(some))
            some = self.backlog.take(self._shelter, 1.0)

    def _come_back(self, turn: Turn) -> None:
        """Probe until the database answers, replay all that the shelter has, and become the one who answers again."""
        while not self._stopping:
            try:
                turn.begin([])
                self._place.renew(turn, time.monotonic())
                self._chores.prove(turn)
                replayed = self._shelter.replay(turn)
                turn.finish()
            except Dismissed:
                raise
            except Exception as error:
                turn.finish()
                self.away = is_away(error)
                if self.away:
                    log.debug("database still away", port=self._door.name, error=name_of(error))
                else:
                    log.error("spool not replayed", port=self._door.name, error=name_of(error))
                time.sleep(_PROBE_EVERY_SECONDS)
                continue
            if self.away:
                self.away = False
                log.info("database back", port=self._door.name)
            if not replayed and self.backlog.inherit(turn, lambda: not self._shelter.waiting):
                self.sheltered = False
                return
        raise Dismissed
