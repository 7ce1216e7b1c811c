"""Round trips to PostgreSQL, counted, and the statements that are sent."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any
from unittest.mock import patch

from sqlalchemy import event

from hotspot.database import Database
from hotspot.pipeline import Pipeline


@contextmanager
def counted_trips() -> Iterator[list[int]]:
    """The number of statements in each round trip of a pipeline meanwhile."""
    counts: list[int] = []
    send = Pipeline._send

    def note(pipeline: Pipeline, waiting: list[object]) -> object:
        counts.append(len(waiting))
        return send(pipeline, waiting)  # type: ignore[arg-type]

    with patch.object(Pipeline, "_send", note):
        yield counts


@contextmanager
def sent_statements(database: Database) -> Iterator[list[str]]:
    """The SQL statements that are sent meanwhile."""
    statements: list[str] = []

    def note(*arguments: Any) -> None:
        statements.append(arguments[2])

    event.listen(database.engine, "before_cursor_execute", note)
    yield statements
    event.remove(database.engine, "before_cursor_execute", note)
