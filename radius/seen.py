"""What a port has seen: numbers only, as the observer counts them and as metrics and the traffic table take them."""

from bisect import bisect_left
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field

# Upper bounds in seconds; the last bucket has none.
LATENCIES = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0)
BATCH_SIZES = (1, 2, 4, 8, 16, 32, 64, 128, 256)

# Who sent it (the NAS's row, or the address of a stranger), and what came of it.
Key = tuple[int | str, str]


class Spread:
    """How values spread over buckets, and their sum; it only grows, and has one writer."""

    __slots__ = ("bounds", "counts", "total")

    def __init__(self, bounds: tuple[float, ...], counts: list[int] | None = None, total: float = 0.0) -> None:
        self.bounds = bounds
        self.counts = counts or [0] * (len(bounds) + 1)
        self.total = total

    def add(self, value: float) -> None:
        """Count one value."""
        self.counts[bisect_left(self.bounds, value)] += 1
        self.total += value

    def copy(self) -> "Spread":
        """The present numbers."""
        return Spread(self.bounds, self.counts[:], self.total)

    def since(self, before: "Spread") -> "Spread":
        """What has come to it since `before`."""
        counts = [new - old for new, old in zip(self.counts, before.counts, strict=True)]
        return Spread(self.bounds, counts, self.total - before.total)


@dataclass
class Totals:
    """What the thread with the database has counted since its start."""

    answered: Counter[Key] = field(default_factory=Counter)
    latency: Spread = field(default_factory=lambda: Spread(LATENCIES))
    batch_size: Spread = field(default_factory=lambda: Spread(BATCH_SIZES))
    batch_seconds: Spread = field(default_factory=lambda: Spread(LATENCIES))

    def copy(self) -> "Totals":
        """The present numbers, from another thread: the interpreter copies a dict or a list without a break."""
        return Totals(
            Counter(dict(self.answered)), self.latency.copy(), self.batch_size.copy(), self.batch_seconds.copy()
        )

    def since(self, before: "Totals") -> "Totals":
        """What has come to them since `before`."""
        return Totals(
            self.answered - before.answered,
            self.latency.since(before.latency),
            self.batch_size.since(before.batch_size),
            self.batch_seconds.since(before.batch_seconds),
        )


@dataclass(frozen=True)
class Seen:
    """What one port saw between two flushes."""

    port: str
    done: Totals
    unanswered: Counter[Key]
    discarded: Counter[Key]
    repeated: Counter[Key]

    def __iter__(self) -> Iterator[tuple[Key, int]]:
        """All that is counted by who sent it."""
        for counts in (self.done.answered, self.unanswered, self.discarded, self.repeated):
            yield from counts.items()
