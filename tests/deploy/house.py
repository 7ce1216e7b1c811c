"""The whole PoP as `surfpass run` starts it: on free ports, with a data folder of its own, and everything it says recorded."""

import os
import re
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class House:
    """A running PoP with its demo, and what its screen said."""

    process: subprocess.Popen[bytes]
    log: Path
    data_dir: Path
    guest_url: str
    code: str
    owner: tuple[str, str]
    sign_in_url: str
    auth_port: int
    acct_port: int
    radius_secret: str

    def said(self) -> str:
        """All that any part has printed or logged so far."""
        return self.log.read_text(errors="replace")


def free_port(kind: socket.SocketKind = socket.SOCK_STREAM) -> int:
    """A port nobody listens on at the moment."""
    with socket.socket(socket.AF_INET, kind) as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def environment(data_dir: Path, **more: str) -> dict[str, str]:
    """Settings for a PoP of a test's own."""
    own = {
        "SURFPASS_DATA_DIR": str(data_dir),
        "SURFPASS_PORTAL_BIND": f"127.0.0.1:{free_port()}",
        "SURFPASS_RADIUS_AUTH_PORT": str(free_port(socket.SOCK_DGRAM)),
        "SURFPASS_RADIUS_ACCT_PORT": str(free_port(socket.SOCK_DGRAM)),
        "SURFPASS_DEMO_AP_BIND": f"127.0.0.1:{free_port()}",
        "SURFPASS_METRICS_BIND": f"127.0.0.1:{free_port()}",
        "SURFPASS_LOG_LEVEL": "DEBUG",
    }
    return {**os.environ, **own, **more}


@contextmanager
def running_house(folder: Path) -> Iterator[House]:
    """Start the PoP on an empty database, wait for its screen, and stop it by SIGTERM."""
    env = environment(folder / "data")
    log = folder / "said.log"
    with log.open("wb") as out:
        process = subprocess.Popen(
            [sys.executable, "-m", "deploy", "run"], stdout=out, stderr=subprocess.STDOUT, env=env, cwd=folder
        )
    try:
        screen = _screen(process, log)
        sign_in_url, email, password = _find(r"Owner +(\S+) +(\S+) +(\S+)", screen)
        yield House(
            process=process,
            log=log,
            data_dir=folder / "data",
            guest_url=_find(r"Guest +(\S+)", screen)[0],
            code=_find(r"Voucher +(\S+)", screen)[0],
            owner=(email, password),
            sign_in_url=sign_in_url,
            auth_port=int(env["SURFPASS_RADIUS_AUTH_PORT"]),
            acct_port=int(env["SURFPASS_RADIUS_ACCT_PORT"]),
            radius_secret=_find(r"secret +(\S+)", screen)[0],
        )
    finally:
        process.send_signal(signal.SIGTERM)
        assert process.wait(20) == 0, log.read_text()


def _screen(process: subprocess.Popen[bytes], log: Path) -> str:
    """What the PoP shows once it is ready."""
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        text = log.read_text()
        if "RADIUS " in text and "Guest " in text and text.count("radclient") > 0:
            return text
        assert process.poll() is None, text
        time.sleep(0.1)
    raise AssertionError(f"no screen: {log.read_text()}")


def _find(pattern: str, text: str) -> tuple[str, ...]:
    found = re.search(pattern, text)
    assert found, f"{pattern!r} is not in {text!r}"
    return found.groups()
