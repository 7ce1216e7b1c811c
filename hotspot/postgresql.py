"""PostgreSQL as the database: several hosts, dead ones noticed in seconds, and no commit taken for durable that is not."""

import select
from typing import Any

import psycopg
from psycopg.errors import Diagnostic
from sqlalchemy import URL, Dialect, Engine, create_engine, event
from sqlalchemy.exc import InvalidatePoolError
from sqlalchemy.pool import ConnectionPoolEntry

from hotspot.pipeline import Pipeline

# A primary that is gone without a word: with these a waiting query fails after about 6 s, a new connection looks at the
# next host after 2 s. What the URL says itself wins.
_CONNECTION_DEFAULTS = {
    "connect_timeout": "2",
    "keepalives_idle": "3",
    "keepalives_interval": "1",
    "keepalives_count": "3",
    "tcp_user_timeout": "5000",
    "fallback_application_name": "surfpass",
}
# Who gives a statement up closes its connection: without this the server would go on waiting, locks and all.
_WATCH_CLIENT = "-c client_connection_check_interval=1000"

# Statistics of a table that a crowd fills within a minute are old, and a plan that reads all of it may have been kept. Plans that
# look dear are otherwise compiled.
_BY_INDEX = ("-c enable_seqscan=off", "-c jit=off")
# Moments come back in UTC, and need no conversion (hotspot/database.py: UtcDateTime).
_SPEAK_UTC = "-c TimeZone=UTC"


class Connection(psycopg.Connection[Any]):
    """A connection whose `commit` returns only when the server has waited for its synchronous standby.

    A COMMIT that is cancelled while it waits (pg_cancel_backend, a client that is interrupted) is a success to PostgreSQL, with a
    warning beside it: the transaction is on the primary alone and lost with it.
    """

    _alone = False

    def __init__(self, *arguments: Any, **named: Any) -> None:
        super().__init__(*arguments, **named)
        self.statements = Pipeline(self)

    def cursor(self, *arguments: Any, **named: Any) -> Any:
        """A cursor, whose statements come after all that wait in the pipeline."""
        self.statements.run()
        return super().cursor(*arguments, **named)

    def commit(self) -> None:
        """Commit. psycopg.OperationalError when the wait for the standby was cancelled: the outcome is open."""
        self._alone = False
        if not self.statements.finish(b"COMMIT"):
            super().commit()
        if self._alone:
            raise psycopg.OperationalError("the commit was not confirmed by a synchronous standby")

    def rollback(self) -> None:
        """Roll back; what waits in the pipeline is not sent."""
        self.statements.forget()
        if not self.closed:  # else the server has done it
            super().rollback()

    def watch(self, notice: Diagnostic) -> None:
        """Take note of a warning that a wait was cancelled; its text is in the server's language, its source is not."""
        if notice.source_function == "SyncRepWaitForLSN":
            self._alone = True


def create_postgresql_engine(
    url: URL, lock_timeout: float | None, statement_timeout: float | None, *, by_index: bool
) -> Engine:
    """An engine for `url`; timeouts in seconds, None leaves them to the server."""
    defaults = dict(_CONNECTION_DEFAULTS)
    if len(_hosts(url)) > 1:
        defaults["target_session_attrs"] = "read-write"
    limits = {"lock_timeout": lock_timeout, "statement_timeout": statement_timeout}
    settings = [
        _WATCH_CLIENT,
        *(_BY_INDEX if by_index else ()),
        *(f"-c {name}={round(limit * 1000)}" for name, limit in limits.items() if limit is not None),
    ]
    defaults["options"] = " ".join([*settings, *_texts(url.query.get("options", ())), _SPEAK_UTC])
    url = url.difference_update_query(["options"])
    query = {name: value for name, value in defaults.items() if name not in url.query}
    engine = create_engine(url.update_query_dict(query), hide_parameters=True, pool_size=10, pool_use_lifo=True)

    def connect(
        _dialect: Dialect, _record: ConnectionPoolEntry, arguments: tuple[Any, ...], named: dict[str, Any]
    ) -> Any:
        # What psycopg prepares it gives back with every rollback, and what the pipeline has prepared with it.
        connection = Connection.connect(*arguments, **{**named, "prepare_threshold": None})
        connection.add_notice_handler(connection.watch)
        return connection

    event.listen(engine, "do_connect", connect)
    event.listen(engine, "checkout", _check)
    return engine


def _check(connection: Connection, _record: ConnectionPoolEntry, _proxy: object) -> None:
    """Have a connection replaced that the server has closed: its end can be read, where asking would cost a round trip."""
    poll = select.poll()
    try:
        poll.register(connection.pgconn.socket, select.POLLIN)
        while poll.poll(0):
            connection.pgconn.consume_input()
    except psycopg.OperationalError as error:
        raise InvalidatePoolError("the server has closed the connection") from error


def _hosts(url: URL) -> tuple[str, ...]:
    """`?host=a:5432&host=b:5432` or, as libpq spells it, `?host=a,b`."""
    return tuple(host for text in _texts(url.query.get("host", ())) for host in text.split(","))


def _texts(value: str | tuple[str, ...]) -> tuple[str, ...]:
    return (value,) if isinstance(value, str) else value
