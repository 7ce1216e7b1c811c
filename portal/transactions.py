"""Write transactions that admit or account: done again when another process was faster."""

from collections.abc import Callable
from typing import TypeVar

from sqlalchemy.exc import IntegrityError, OperationalError
from sqlalchemy.orm import Session

from hotspot.database import Database
from sessions.places import Overtaken

MOST_TRIES = 3

Result = TypeVar("Result")


def commit(database: Database, work: Callable[[Session], Result]) -> Result:
    """Do `work` in a transaction. Race: it is decided anew on what is true by then; raises what the last try raised."""
    for _ in range(MOST_TRIES - 1):
        try:
            with database.write() as session:
                return work(session)
        except Overtaken:
            continue
        except (IntegrityError, OperationalError) as error:
            if error.connection_invalidated:
                raise
    with database.write() as session:
        return work(session)
