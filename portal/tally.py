"""What a portal process counts for Prometheus: gateway redirects that were refused."""

import threading
import weakref
from pathlib import Path

import structlog
from prometheus_client.mmap_dict import mmap_key

from hotspot.counters import claim_file, metrics_folder, open_numbers, process_name
from portal.handoffs import Problem

# The metrics server reads this part's files beside the RADIUS workers'.
PART = "portal"
_FILE_OCTETS = 16 * 1024
_NAME, _TEXT = "surfpass_portal_arrivals_refused", "Redirects from gateways that were refused"

_log = structlog.get_logger("portal")


class Tally:
    """The numbers of one portal process; without a folder to write in, none."""

    def __init__(self, data_dir: Path) -> None:
        self._lock = threading.Lock()
        self._file = None
        try:
            path = claim_file(metrics_folder(data_dir, PART), "counter", process_name(), _FILE_OCTETS)
            self._file = open_numbers(path)
            weakref.finalize(self, self._file.close)
        except OSError as error:
            _log.warning("no metrics", error=error.strerror)
        # A counter that appears with 1 never rose, for Prometheus.
        for problem in Problem:
            self.add(problem, 0)

    def add(self, problem: Problem, count: int = 1) -> None:
        """Count a redirect that was refused."""
        key = mmap_key(_NAME, f"{_NAME}_total", ["problem"], [problem.value], _TEXT)
        with self._lock:
            if self._file is not None:
                self._file.write_value(key, self._file.read_value(key)[0] + count, 0.0)
