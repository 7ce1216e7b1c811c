"""What a portal process counts for Prometheus: gateway redirects that were refused."""

from pathlib import Path

from hotspot.counters import Counters
from portal.handoffs import Problem

_NAME, _TEXT = "surfpass_portal_arrivals_refused", "Redirects from gateways that were refused"


class Tally:
    """The numbers of one portal process."""

    def __init__(self, data_dir: Path) -> None:
        self._counters = Counters(data_dir, "portal")
        for problem in Problem:
            self.add(problem, 0)

    def add(self, problem: Problem, count: int = 1) -> None:
        """Count a redirect that was refused."""
        self._counters.add(_NAME, _TEXT, count, problem=problem.value)
