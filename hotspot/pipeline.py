"""Statements that go to PostgreSQL together: as many as wait take one round trip, by libpq's pipeline mode.

A round trip costs both sides more than most statements of a busy server do, and a cursor as much as the rows it brings.
Statements are prepared once a connection and never given back: they are few, whatever the number of rows.
"""

import select
from collections.abc import Sequence
from typing import Any

import psycopg
from psycopg.adapt import Transformer
from psycopg.errors import error_from_result
from psycopg.pq import ConnStatus, ExecStatus, Format, TransactionStatus
from psycopg.pq.abc import PGresult

Row = tuple[Any, ...]


class Answer:
    """The rows of a statement, once the pipeline has run."""

    __slots__ = ("rows",)

    def __init__(self) -> None:
        self.rows: list[Row] | None = None


class _Sent:
    """A statement that waits; one without a name is parsed each time."""

    __slots__ = ("answer", "name", "parameters", "sql")

    def __init__(self, sql: bytes, name: bytes, parameters: Sequence[bytes | None], answer: Answer | None) -> None:
        self.sql, self.name, self.parameters, self.answer = sql, name, parameters, answer


class Pipeline:
    """What waits to be sent on one connection, for the thread that uses it."""

    def __init__(self, connection: psycopg.Connection[Any]) -> None:
        self._connection, self._pgconn = connection, connection.pgconn
        self._transformer = Transformer(connection)
        self._waiting: list[_Sent] = []
        self._names: dict[bytes, bytes] = {}
        self._prepared: set[bytes] = set()

    def ask(self, sql: bytes, parameters: Sequence[bytes | None]) -> Answer:
        """Queue a statement with `$1`, `$2`, ... for `parameters`, spelled as text; the first one begins a transaction."""
        idle = self._pgconn.transaction_status == TransactionStatus.IDLE
        if idle and not self._waiting and not self._connection.autocommit:
            self._waiting.append(_Sent(b"BEGIN", b"", (), None))
        name = self._names.setdefault(sql, b"surfpass_%d" % len(self._names))
        answer = Answer()
        self._waiting.append(_Sent(sql, name, parameters, answer))
        return answer

    def finish(self, command: bytes) -> bool:
        """Send what waits with a last command behind it; False, and nothing is done, when nothing waits.

        The server skips what comes after a statement that fails, so a COMMIT never follows one.
        """
        if not self._waiting:
            return False
        self._waiting.append(_Sent(command, b"", (), None))
        self.run()
        return True

    def run(self) -> None:
        """Send what waits, and take in the answers. psycopg.Error of the first statement that fails."""
        if not self._waiting:
            return
        waiting, self._waiting = self._waiting, []
        self._pgconn.enter_pipeline_mode()
        try:
            asked = self._send(waiting)
            self._pgconn.pipeline_sync()
            results = self._receive()
            self._pgconn.exit_pipeline_mode()
        except BaseException:
            # Half a conversation: whoever got this connection next would get answers to what we have asked.
            self._connection.close()
            raise
        pairs = list(zip(asked, results, strict=True))
        done = (one for one, result in pairs if result.status == ExecStatus.COMMAND_OK)
        self._prepared.update(one for one in done if isinstance(one, bytes))
        for one, result in pairs:
            if result.status == ExecStatus.FATAL_ERROR:
                raise error_from_result(result)
            if isinstance(one, Answer):
                one.rows = self._rows(result)

    def forget(self) -> None:
        """Send nothing of what waits: it belongs to a transaction that is rolled back."""
        self._waiting = []

    def _send(self, waiting: list[_Sent]) -> list[bytes | Answer | None]:
        """Send, and tell what each result will be of: the statement that was prepared, or the answer."""
        asked: list[bytes | Answer | None] = []
        preparing = set[bytes]()
        for one in waiting:
            if not one.name:
                self._pgconn.send_query_params(one.sql, None)
            else:
                if one.name not in self._prepared and one.name not in preparing:
                    self._pgconn.send_prepare(one.name, one.sql)
                    preparing.add(one.name)
                    asked.append(one.name)
                self._pgconn.send_query_prepared(one.name, one.parameters, result_format=Format.BINARY)
            asked.append(one.answer)
        return asked

    def _receive(self) -> list[PGresult]:
        pgconn, results = self._pgconn, list[PGresult]()
        self._flush()
        while True:
            while pgconn.is_busy():
                self._wait(select.POLLIN)
            result = pgconn.get_result()
            if result is None:  # the end of one statement's results
                if pgconn.status == ConnStatus.BAD:
                    raise psycopg.OperationalError("the connection is lost")
            elif result.status == ExecStatus.PIPELINE_SYNC:
                return results
            else:
                results.append(result)

    def _flush(self) -> None:
        """A server that cannot get rid of its answers takes nothing more: they are read meanwhile."""
        while self._pgconn.flush():
            self._wait(select.POLLIN | select.POLLOUT)

    def _wait(self, what: int) -> None:
        poll = select.poll()
        poll.register(self._pgconn.socket, what)
        if any(event & ~select.POLLOUT for _fd, event in poll.poll()):
            self._pgconn.consume_input()

    def _rows(self, result: PGresult) -> list[Row]:
        self._transformer.set_pgresult(result, format=Format.BINARY)
        return self._transformer.load_rows(0, result.ntuples, tuple)
