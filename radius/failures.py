"""What a failure means: whether the database is away, and how it is named in a log."""

import traceback
from pathlib import Path

from sqlalchemy.exc import DBAPIError, OperationalError
from sqlalchemy.exc import TimeoutError as PoolTimeoutError

# A primary that has become a standby answers, and takes nothing (SQLSTATE read_only_sql_transaction).
_READ_ONLY = "25006"


def is_away(error: Exception) -> bool:
    """Whether an error says that the database cannot be used at present, rather than that a request cannot be digested."""
    if isinstance(error, (OperationalError, PoolTimeoutError)):
        return True
    if not isinstance(error, DBAPIError):
        return False
    return error.connection_invalidated or getattr(error.orig, "sqlstate", None) == _READ_ONLY


def name_of(error: Exception) -> str:
    """An exception's kind and the line it came from; its message might hold a guest's data."""
    frames = traceback.extract_tb(error.__traceback__)
    if not frames:
        return type(error).__name__
    return f"{type(error).__name__} at {Path(frames[-1].filename).name}:{frames[-1].lineno}"
