"""A batch is one transaction. One poisonous request in it never costs the others their answer."""

import threading
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, nullcontext
from typing import TypeVar

import structlog
from sqlalchemy.exc import IntegrityError, OperationalError
from sqlalchemy.orm import Session

from hotspot.database import Database
from radius.failures import is_away, name_of
from radius.turn import Dismissed, Turn
from sessions.places import Overtaken

# Another process took the same row or made the same row first: the batch is decided anew on what is true by then.
MOST_TRIES = 3

log = structlog.get_logger("radius")

Result = TypeVar("Result")
Item = TypeVar("Item")


class Transactions:
    """Write transactions of the threads of one process."""

    def __init__(self, database: Database) -> None:
        self._database = database
        # SQLite has one writer, and lets the others poll for it: threads can wait for each other better.
        sqlite = database.engine.dialect.name == "sqlite"
        self._one_at_a_time: AbstractContextManager[object] = threading.Lock() if sqlite else nullcontext()

    def commit(self, turn: Turn, work: Callable[[Session], Result]) -> Result:
        """Do `work` in a transaction; again when another process was faster. Raises what the last try raised."""
        for attempt in range(1, MOST_TRIES + 1):
            try:
                with self._one_at_a_time, self._database.write() as session:
                    turn.uses(session)
                    result = work(session)
            except Overtaken:
                if attempt == MOST_TRIES:
                    raise
            except (IntegrityError, OperationalError) as error:
                if attempt == MOST_TRIES or error.connection_invalidated:
                    raise
            else:
                return result
            finally:
                turn.let_go()
        raise RuntimeError("unreachable: the last try returns or raises")

    def commit_each(
        self, turn: Turn, items: Sequence[Item], work: Callable[[Session, Sequence[Item]], list[Result]]
    ) -> list[Result | None]:
        """Do `work` on all items in one transaction, in several where one item cannot be digested; None for that one.

        Raises only when the database is away, or the turn is over.
        """
        errors: list[Exception] = []
        results = self._commit_some(turn, items, work, errors)
        if errors:  # one line, however many there are
            log.error("batch taken apart", requests=len(items), failed=results.count(None), error=name_of(errors[-1]))
        return results

    def _commit_some(
        self,
        turn: Turn,
        items: Sequence[Item],
        work: Callable[[Session, Sequence[Item]], list[Result]],
        errors: list[Exception],
    ) -> list[Result | None]:
        try:
            return list(self.commit(turn, lambda session: work(session, items)))
        except Dismissed:
            raise
        except Exception as error:
            if is_away(error):
                raise
            errors.append(error)
        if len(items) == 1:
            return [None]
        half = len(items) // 2
        return [
            *self._commit_some(turn, items[:half], work, errors),
            *self._commit_some(turn, items[half:], work, errors),
        ]
