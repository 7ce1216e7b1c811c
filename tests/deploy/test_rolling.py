"""A rolling restart whose new process hangs leaves nothing behind, and a signal that comes too early ends nobody."""

import subprocess
import sys
import time
from pathlib import Path

import pytest

from deploy import rolling
from deploy.children import Child, Part
from deploy.rolling import RollingRestart

ROOT = Path(__file__).parents[2]
DEAF = "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); time.sleep(60)"
TOO_EARLY = """
import importlib.abc, os, runpy, signal, sys

class Watcher(importlib.abc.MetaPathFinder):
    def find_spec(self, name, path, target=None):
        if name == "deploy.supervisor":
            os.kill(os.getpid(), signal.SIGUSR1)

sys.meta_path.insert(0, Watcher())
sys.argv = ["surfpass", "--version"]
runpy.run_module("deploy", run_name="__main__")
"""


class Deaf(Child):
    """A part that never says that it is ready, and does not stop when it is told to."""

    def __init__(self) -> None:
        super().__init__(Part("deaf", (), rolls=True), None)
        self._command = [sys.executable, "-c", DEAF]


def test_a_new_process_that_hangs_is_killed_after_its_patience(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rolling, "PATIENCE_SECONDS", 0.5)
    child, began = Deaf(), time.monotonic()
    restart = RollingRestart([child])
    while restart.go_on(time.monotonic()):
        if child.is_retiring:
            child.reap()
        assert time.monotonic() < began + 10
        time.sleep(0.05)
    assert time.monotonic() > began + 1.0, "it has as long to finish as any other"
    assert not child.runs


def test_a_signal_to_restart_that_comes_while_the_command_begins_does_not_end_it() -> None:
    done = subprocess.run([sys.executable, "-c", TOO_EARLY], cwd=ROOT, capture_output=True, timeout=30, check=False)
    assert (done.returncode, b"surfpass" in done.stdout) == (0, True), done.stderr
