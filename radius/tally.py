"""A worker's numbers for Prometheus: files in `metrics/` of the data folder, which the metrics server sums over all workers."""

import contextlib
from collections import Counter
from functools import cache
from pathlib import Path
from typing import Any

import structlog
from prometheus_client.mmap_dict import mmap_key

from hotspot.counters import claim_file, is_of_the_living, metrics_folder, open_numbers, process_name
from radius.packet import Cause
from radius.seen import BATCH_SIZES, LATENCIES, Seen, Spread
from vouchers.admission import Reason

# All that a worker ever counts fits in it.
_FILE_OCTETS = 256 * 1024
_REASONS = frozenset(Reason)

log = structlog.get_logger("radius")


class Tally:
    """The numbers of one worker process; without a folder to write in, none. Only one thread may use it."""

    def __init__(self, data_dir: Path) -> None:
        self._files: dict[str, Any] = {}
        self._paths: dict[str, Path] = {}
        name = process_name()
        try:
            folder = metrics_folder(data_dir)
            forget_gauges_of_the_dead(folder)
            for kind in ("counter", "histogram", "gauge_livesum"):
                path = self._paths[kind] = claim_file(folder, kind, name, _FILE_OCTETS)
                self._files[kind] = open_numbers(path)
        except OSError as error:
            log.warning("no metrics", error=error.strerror)
            self._files.clear()
        self.set_spooled(0)
        self.set_database_away(False)

    def add(self, seen: Seen) -> None:
        """Add what a port has seen."""
        if not self._files:
            return
        for says, count in _by_what(seen.done.answered).items():
            answer, reason = ("rejected", says) if says in _REASONS else (says, "")
            self._count("requests", "Requests answered", count, port=seen.port, answer=answer, reason=reason)
        for why, count in _by_what(seen.unanswered).items():
            self._count("unanswered", "Good requests without an answer", count, port=seen.port, cause=why)
        for cause, count in _by_what(seen.discarded).items():
            self._count("discarded", "Datagrams discarded", count, port=seen.port, cause=cause)
        if seen.repeated:
            self._count("repeated", "Requests that came again", seen.repeated.total(), port=seen.port)
        self._spread("answer_seconds", "From arrival to answer", seen.done.latency, seen.port)
        self._spread("batch_size", "Requests in a batch", seen.done.batch_size, seen.port)
        self._spread("batch_seconds", "Time a batch takes", seen.done.batch_seconds, seen.port)

    def zero(self, port: str) -> None:
        """Show what alerts are made of before it happens: a counter that appears with 1 never rose, for Prometheus."""
        if not self._files:
            return
        for cause in Cause:
            self._count("discarded", "Datagrams discarded", 0, port=port, cause=cause)
        self._spread("answer_seconds", "From arrival to answer", Spread(LATENCIES), port)
        self._spread("batch_size", "Requests in a batch", Spread(BATCH_SIZES), port)

    def set_spooled(self, records: int) -> None:
        """Records in this worker's spool."""
        self._gauge("spool_records", "Accounting records that wait in spools", records)

    def set_database_away(self, away: bool) -> None:
        """Whether this worker finds the database away."""
        self._gauge("database_away", "Workers that find the database away", int(away))

    def close(self) -> None:
        """Close the files. The counters stay to be summed; what is true only of a living worker goes."""
        for file in self._files.values():
            file.close()
        if self._files:
            self._paths["gauge_livesum"].unlink(missing_ok=True)
        self._files.clear()

    def _count(self, name: str, text: str, count: float, **labels: str) -> None:
        self._add("counter", _key(name, "_total", text, *labels.items()), count)

    def _spread(self, name: str, text: str, spread: Spread, port: str) -> None:
        bounds = [str(bound) for bound in spread.bounds] + ["+Inf"]
        for bound, count in zip(bounds, spread.counts, strict=True):
            self._add("histogram", _key(name, "_bucket", text, ("port", port), ("le", bound)), count)
        self._add("histogram", _key(name, "_sum", text, ("port", port)), spread.total)

    def _gauge(self, name: str, text: str, value: float) -> None:
        if self._files:
            self._files["gauge_livesum"].write_value(_key(name, "", text), float(value), 0.0)

    def _add(self, kind: str, key: str, more: float) -> None:
        file = self._files[kind]
        file.write_value(key, file.read_value(key)[0] + more, 0.0)


def forget_workers(data_dir: Path) -> None:
    """Remove the numbers of all workers: before the first one starts."""
    with contextlib.suppress(OSError):  # then there will be none
        for path in metrics_folder(data_dir).glob("*.db"):
            path.unlink(missing_ok=True)


def forget_gauges_of_the_dead(folder: Path) -> None:
    """Remove what was true only of a worker that lives no more, also of one that was killed."""
    for path in folder.glob("gauge_*.db"):
        if not is_of_the_living(path):
            path.unlink(missing_ok=True)


def _by_what(counts: Counter[tuple[int | str, str]]) -> Counter[str]:
    together: Counter[str] = Counter()
    for (_who, what), count in counts.items():
        together[what] += count
    return together


@cache
def _key(name: str, suffix: str, text: str, *labels: tuple[str, str]) -> str:
    full = f"surfpass_radius_{name}"
    return mmap_key(full, full + suffix, [label for label, _ in labels], [value for _, value in labels], text)
