"""A part that dies is started again: soon where guests wait before its sockets, else later and later."""

import sys
import time

import pytest

from deploy.children import LONGEST_PAUSE, LONGEST_PAUSE_OF_WORKER, Child, Part


@pytest.mark.parametrize("rolls", [False, True])
def test_a_part_that_keeps_dying_pauses_longer_and_longer_but_a_worker_does_not(rolls: bool) -> None:
    child = Child(Part("broken", (), rolls=rolls), None)
    child._command = [sys.executable, "-c", "raise SystemExit(3)"]
    pauses = []
    for _ in range(7):
        child.look_after(child.start_at)
        deadline = time.monotonic() + 20
        while child.runs and time.monotonic() < deadline:
            now = time.monotonic()
            child.look_after(now)
            time.sleep(0.01)
        pauses.append(round(child.start_at - now))
    assert pauses == [LONGEST_PAUSE_OF_WORKER] * 7 if rolls else [1, 2, 4, 8, 16, LONGEST_PAUSE, LONGEST_PAUSE]
