"""What Prometheus is told: the numbers of all processes, summed, and how the database stands."""

import contextlib
import threading
import time
from collections.abc import Callable, Iterable
from pathlib import Path

import structlog
from prometheus_client import CollectorRegistry
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.metrics_core import Metric
from prometheus_client.multiprocess import MultiProcessCollector
from prometheus_client.registry import Collector

from hotspot.clock import Clock
from hotspot.counters import metrics_folder
from hotspot.database import Database
from radius.server import SPOOL_FOLDER
from radius.spool import count_set_aside
from radius.tally import forget_gauges_of_the_dead
from sessions.gauges import Gauges, measure

CACHE_SECONDS = 5.0
# A database that takes longer is reported as down; the measurement goes on, and is used when it comes.
PATIENCE_SECONDS = 3.0
_MOST_TRIES = 5

log = structlog.get_logger("metrics")


def registry_of(data_dir: Path, database: Callable[[], Database], clock: Clock) -> CollectorRegistry:
    """All metrics of an installation. Nothing is opened before the first scrape."""
    registry = CollectorRegistry()
    registry.register(Workers(data_dir))
    registry.register(SetAside(data_dir))
    registry.register(Standing(database, clock))
    return registry


class Workers(Collector):
    """The files of all processes on this machine, added up; those of dead ones too, so that no counter goes back."""

    def __init__(self, data_dir: Path) -> None:
        self._data_dir = data_dir

    def collect(self) -> Iterable[Metric]:
        """Read the files."""
        folder = metrics_folder(self._data_dir)
        forget_gauges_of_the_dead(folder)
        for _ in range(_MOST_TRIES):
            # Race: a worker begins or ends, and its files come, go or get another name.
            with contextlib.suppress(FileNotFoundError):
                found = [*folder.glob("*.db"), *folder.glob("*/*.db")]
                files = [str(path) for path in found if path.stat().st_size]
                return list(MultiProcessCollector.merge(files))  # type: ignore[no-untyped-call]
        return []


class SetAside(Collector):
    """Accounting that this machine was not able to commit, and that waits for the operator."""

    def __init__(self, data_dir: Path) -> None:
        self._folder = data_dir / SPOOL_FOLDER

    def collect(self) -> Iterable[Metric]:
        """Count the files."""
        text = "Spool files that no worker can commit"
        yield _gauge("surfpass_radius_spool_files_set_aside", text, count_set_aside(self._folder))


class Standing(Collector):
    """Places, outbox and house-keeping as the database has them, asked at most every five seconds."""

    def __init__(self, database: Callable[[], Database], clock: Clock, patience: float = PATIENCE_SECONDS) -> None:
        self._database, self._clock, self._patience = database, clock, patience
        self._lock = threading.Lock()
        self._measuring: threading.Thread | None = None
        self._last: Gauges | None = None
        self._measured_at = -CACHE_SECONDS

    def collect(self) -> Iterable[Metric]:
        """The numbers; where the database does not answer, only that it is down."""
        gauges = self._gauges()
        yield _gauge("surfpass_database_up", "Whether the database answers", float(gauges is not None))
        if gauges:
            yield from _families(gauges)

    def _gauges(self) -> Gauges | None:
        with self._lock:
            if self._is_fresh():
                return self._last
            if self._measuring is None or not self._measuring.is_alive():
                self._measuring = threading.Thread(target=self._measure, name="measuring", daemon=True)
                self._measuring.start()
            self._measuring.join(self._patience)
            return self._last if self._is_fresh() else None

    def _is_fresh(self) -> bool:
        return self._last is not None and time.monotonic() - self._measured_at < CACHE_SECONDS

    def _measure(self) -> None:
        try:
            with self._database().read() as session:
                self._last = measure(session, self._clock())
            self._measured_at = time.monotonic()
        except Exception as error:  # whatever it is, the database is not as it should be: that is what is reported
            log.warning("not measured", error=type(error).__name__)


def _gauge(name: str, text: str, value: float) -> Metric:
    return GaugeMetricFamily(name, text, value=value)


def _queues(gauges: Gauges) -> Iterable[Metric]:
    waiting = GaugeMetricFamily(
        "surfpass_webhook_messages_waiting", "Messages to webhooks that are not delivered", labels=["tried"]
    )
    age = GaugeMetricFamily("surfpass_webhook_age_seconds", "Age of the oldest of them", labels=["tried"])
    for tried, queue in (("no", gauges.webhooks_untried), ("yes", gauges.webhooks_tried)):
        waiting.add_metric([tried], queue.count)
        age.add_metric([tried], queue.age)
    yield waiting
    yield age
    yield _gauge("surfpass_prints_waiting", "Large prints that are not made yet", gauges.prints.count)
    yield _gauge("surfpass_prints_age_seconds", "Age of the oldest of them", gauges.prints.age)


def _families(gauges: Gauges) -> Iterable[Metric]:
    yield from _queues(gauges)
    visits = GaugeMetricFamily("surfpass_visits", "Visits that are not closed, by state", labels=["state"])
    for state, count in gauges.visits.items():
        visits.add_metric([state.value], count)
    yield visits
    yield _gauge("surfpass_access_points", "Access points in service", gauges.access_points)
    yield _gauge("surfpass_access_points_full", "Access points at their limit or beyond", gauges.access_points_full)
    yield _gauge("surfpass_disconnect_outbox", "Orders to NAS that are not done", gauges.outbox.count)
    yield _gauge("surfpass_disconnect_outbox_age_seconds", "Age of the oldest of them", gauges.outbox.age)
    yield _gauge(
        "surfpass_devices_at_two_places",
        "Devices that are online at two places at once: copied MAC addresses",
        gauges.devices_at_two_places,
    )
    guesses = GaugeMetricFamily(
        "surfpass_guess_alarms", "How often limits on guesses at codes were used up within the hour", labels=["limit"]
    )
    for name, count in gauges.guess_alarms.items():
        guesses.add_metric([name.removeprefix("GUESSES_").lower()], count)
    yield guesses
    beats = GaugeMetricFamily(
        "surfpass_last_beat_timestamp_seconds", "When a part of the PoP last said that it works", labels=["part"]
    )
    for name, at in sorted(gauges.beats.items()):
        beats.add_metric([name], at.timestamp())
    yield beats
