"""Straight to the driver: SQLAlchemy's connection costs more than most statements of the hot paths do.

What others rely on is kept: its transaction, its errors, and its event before a statement.
"""

from types import TracebackType
from typing import Any

from sqlalchemy import Connection
from sqlalchemy.exc import DBAPIError


def driver_of(connection: Connection) -> Any:
    """The driver's connection."""
    return connection.connection.driver_connection


def announce(connection: Connection, sql: str, parameters: Any, *, many: bool = False) -> None:
    """Tell those who listen for statements."""
    for listen in connection.dispatch.before_cursor_execute:
        listen(connection, None, sql, parameters, None, many)


class Translated:
    """Raises the driver's errors as SQLAlchemy would; a connection that is lost is not used again."""

    __slots__ = ("_connection",)

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def __enter__(self) -> None:
        pass

    def __exit__(
        self, _kind: type[BaseException] | None, error: BaseException | None, _traceback: TracebackType | None
    ) -> None:
        dialect = self._connection.dialect
        dbapi = dialect.loaded_dbapi
        if not isinstance(error, dbapi.Error):
            return
        lost = dialect.is_disconnect(error, driver_of(self._connection), None)
        if lost:
            self._connection.invalidate(error)
        # The values of a statement may be a guest's: errors do not repeat them.
        raise DBAPIError.instance(
            None, None, error, dbapi.Error, hide_parameters=True, connection_invalidated=lost, dialect=dialect
        ) from error
