"""Round trips to PostgreSQL, counted."""

from collections.abc import Iterator
from contextlib import contextmanager
from unittest.mock import patch

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
