"""Network namespaces in which tests run real network software: each a machine of its own, and gone with its first process.

Needs root. Threads of a test can step into a namespace too: what they open there stays there.
"""

import ctypes
import os
import shutil
import subprocess
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import TypeVar

from tests.postgres import children_of

_CLONE_NEWNET = 0x40000000

Result = TypeVar("Result")


def why_not(*programs: str) -> str | None:
    """Why there can be no namespaces with these programs here; None where there can."""
    if os.geteuid() != 0:
        return "namespaces need root"
    missing = [name for name in ("unshare", "nsenter", "ip", *programs) if shutil.which(name) is None]
    if missing:
        return f"not installed: {', '.join(missing)}"
    if subprocess.run(["unshare", "--net", "--mount", "--pid", "--fork", "true"], capture_output=True).returncode:
        return "this machine allows no namespaces"
    return None


class Machine:
    """A namespace for the network, for mounts and for processes."""

    def __init__(self, holder: int, pid: int) -> None:
        self._holder, self.pid = holder, pid
        self._threads = ThreadPoolExecutor(max_workers=1, initializer=self._enter)

    def _enter(self) -> None:
        with Path(f"/proc/{self.pid}/ns/net").open() as namespace:
            if ctypes.CDLL(None, use_errno=True).setns(namespace.fileno(), _CLONE_NEWNET):
                raise OSError(ctypes.get_errno(), "setns")

    def do(self, work: Callable[[], Result]) -> Result:
        """Do something in a thread of ours that is in this machine's network."""
        return self._threads.submit(work).result(timeout=60)

    def command(self, *arguments: str) -> list[str]:
        """These arguments as a command in this machine."""
        return ["nsenter", "--target", str(self.pid), "--net", "--mount", "--pid", *arguments]

    def run(self, *arguments: str) -> str:
        """Run a command in this machine; returns what it printed."""
        done = subprocess.run(self.command(*arguments), capture_output=True, text=True, timeout=30)
        assert done.returncode == 0, f"{arguments}: {done.stdout}{done.stderr}"
        return done.stdout

    @contextmanager
    def running(self, *arguments: str, log: Path, **environment: str) -> Iterator[subprocess.Popen[bytes]]:
        """A program that runs in this machine until the block ends."""
        with log.open("wb") as out:
            process = subprocess.Popen(
                self.command(*arguments), stdout=out, stderr=out, stdin=subprocess.DEVNULL, env=os.environ | environment
            )
        try:
            yield process
        finally:
            process.terminate()
            process.wait(15)

    def close(self) -> None:
        """Let our thread go."""
        self._threads.shutdown(wait=False)


@contextmanager
def machine() -> Iterator[Machine]:
    """A new machine, with nothing in it but `lo`; all its processes end with the block."""
    holder = subprocess.Popen(
        [
            "unshare",
            "--net",
            "--mount",
            "--pid",
            "--fork",
            "--kill-child",
            "--mount-proc",
            "sh",
            "-c",
            "echo; exec cat",
        ],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    )
    with ExitStack() as ending:
        ending.callback(_end, holder)
        assert holder.stdout
        assert holder.stdout.readline() == b"\n"
        made = Machine(holder.pid, children_of(holder.pid)[0])
        ending.callback(made.close)
        made.run("ip", "link", "set", "lo", "up")
        yield made


def _end(holder: subprocess.Popen[bytes]) -> None:
    holder.kill()
    holder.communicate(timeout=15)


def plug(left: Machine, left_name: str, left_address: str, right: Machine, right_name: str, right_address: str) -> None:
    """A cable between two machines; addresses with their prefix lengths."""
    peer = ("peer", "name", right_name, "netns", str(right.pid))
    # Process ids mean something to the kernel in the caller's namespace of processes only.
    subprocess.run(
        ["nsenter", "--target", str(left.pid), "--net", "ip", "link", "add", left_name, "type", "veth", *peer],
        check=True,
    )
    for end, name, address in ((left, left_name, left_address), (right, right_name, right_address)):
        end.run("ip", "address", "add", address, "dev", name)
        end.run("ip", "link", "set", name, "up")
