"""The whole PoP as real processes, and who is still alive after it."""

import contextlib
import os
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path

from tests.postgres import children_of, state_of

ROOT = Path(__file__).parents[2]
PATIENCE_SECONDS = 40.0


def inherited_environment() -> dict[str, str]:
    """Our own environment, with the code under test to be found wherever a process is started."""
    path = os.pathsep.join([str(ROOT), *filter(None, [os.environ.get("PYTHONPATH")])])
    return {**os.environ, "PYTHONPATH": path, "PYTHONWARNINGS": "default"}


def free_ports(count: int) -> list[int]:
    """Loopback ports that nobody uses at this moment, for TCP and UDP alike."""
    with contextlib.ExitStack() as held:
        ports: list[int] = []
        while len(ports) < count:
            tcp = held.enter_context(closing(socket.socket()))
            udp = held.enter_context(closing(socket.socket(socket.AF_INET, socket.SOCK_DGRAM)))
            tcp.bind(("127.0.0.1", 0))
            with contextlib.suppress(OSError):
                udp.bind(tcp.getsockname())
                ports.append(tcp.getsockname()[1])
        return ports


@dataclass(frozen=True)
class Ports:
    """The ports of one PoP."""

    portal: int
    auth: int
    acct: int
    demo_ap: int
    metrics: int

    @classmethod
    def free(cls) -> "Ports":
        """Ports that nobody uses at this moment."""
        return cls(*free_ports(5))

    @property
    def environment(self) -> dict[str, str]:
        """The settings that say so."""
        return {
            "SURFPASS_PORTAL_BIND": f"127.0.0.1:{self.portal}",
            "SURFPASS_RADIUS_AUTH_PORT": str(self.auth),
            "SURFPASS_RADIUS_ACCT_PORT": str(self.acct),
            "SURFPASS_DEMO_AP_BIND": f"127.0.0.1:{self.demo_ap}",
            "SURFPASS_METRICS_BIND": f"127.0.0.1:{self.metrics}",
        }


@dataclass
class Running:
    """A `surfpass run` that somebody else waits for."""

    process: subprocess.Popen[str]
    ports: Ports
    output: Path

    @property
    def printed(self) -> str:
        """What it has printed and logged so far."""
        return self.output.read_text()

    def descendants(self) -> list[int]:
        """All processes below it."""
        found, ahead = [], [self.process.pid]
        while ahead:
            children = children_of(ahead.pop())
            found += children
            ahead += children
        return found

    def child(self, name: str) -> int:
        """The process of one part."""
        for pid in children_of(self.process.pid):
            if name in command_of(pid):
                return pid
        raise LookupError(name)

    def answers(self) -> bool:
        """Whether the portal is up."""
        return answers(self.ports.portal)


def answers(port: int) -> bool:
    """Whether a portal is up at this port."""
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/healthz", timeout=2) as answer:
            return bool(answer.status == 200)
    except OSError:
        return False


def command_of(pid: int) -> list[str]:
    """The arguments a process was started with."""
    try:
        return Path(f"/proc/{pid}/cmdline").read_text().split("\0")
    except OSError:
        return []


def eventually(look: Callable[[], bool], complaint: str) -> None:
    """Wait until it is so."""
    deadline = time.monotonic() + PATIENCE_SECONDS
    while not look():
        assert time.monotonic() < deadline, complaint
        time.sleep(0.05)


def is_alive(pid: int) -> bool:
    """Whether a process does anything any more; a zombie that nobody buries does not."""
    return state_of(pid) not in {"", "Z", "X"}


@contextmanager
def running(
    environment: dict[str, str], folder: Path, *arguments: str, until: str = "RADIUS", ports: Ports | None = None
) -> Iterator[Running]:
    """`surfpass run`, in a folder of its own, once it has printed its screen; ended and its processes with it."""
    ports = ports or Ports.free()
    output = folder / "output"
    with output.open("w") as out:
        process = subprocess.Popen(
            [sys.executable, "-P", "-m", "deploy", "run", *arguments],
            env=inherited_environment() | environment | ports.environment,
            cwd="/",
            stdin=subprocess.DEVNULL,
            stdout=out,
            stderr=out,
            text=True,
        )
    pop = Running(process, ports, output)
    known: list[int] = []
    try:
        eventually(lambda: until in pop.printed or process.poll() is not None, "nothing was printed")
        assert process.poll() is None, pop.printed
        known = pop.descendants()
        yield pop
    finally:
        known = [*known, *pop.descendants(), process.pid]
        if process.poll() is None:
            process.send_signal(signal.SIGTERM)
            with contextlib.suppress(subprocess.TimeoutExpired):
                process.wait(15)
        for pid in filter(is_alive, known):
            if pid == process.pid or "deploy" in command_of(pid):
                os.kill(pid, signal.SIGKILL)
        process.wait()
