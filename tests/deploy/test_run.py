"""`surfpass run`: the whole PoP as real processes, and none of them left over."""

import os
import signal
import socket
import subprocess
import sys
from contextlib import closing
from pathlib import Path

import pytest

from deploy.demo import load_demo
from hotspot.settings import Settings
from radius.client import RadiusClient
from radius.credentials import Pap
from tests.deploy.conftest import runner_with
from tests.deploy.processes import (
    Ports,
    Running,
    answers,
    eventually,
    inherited_environment,
    is_alive,
    running,
)


@pytest.fixture
def environment(tmp_path: Path) -> dict[str, str]:
    """The settings of an installation of this test's own."""
    return {"SURFPASS_DATA_DIR": str(tmp_path / "data"), "SURFPASS_PORTAL_WORKERS": "1"}


def log_in(pop: Running, environment: dict[str, str], code: str, *, timeout: float = 10) -> bool:
    """Whether a guest with this code is let in, by a real Access-Request at the demo's access point."""
    demo = load_demo(Settings(data_dir=Path(environment["SURFPASS_DATA_DIR"])))
    assert demo is not None
    client = RadiusClient(
        "127.0.0.1", pop.ports.auth, pop.ports.acct, demo.radius_secret.encode(), timeout=timeout, retries=0
    )
    attributes: list[tuple[str, str | int | bytes]] = [
        ("NAS-Identifier", demo.nas_identifier),
        ("Called-Station-Id", f"{demo.mac}:{demo.ssid}"),
        ("Calling-Station-Id", "02-00-00-00-0F-01"),
    ]
    return client.authenticate(code, Pap(code), attributes).accepted


def code_on(screen: str) -> str:
    """The voucher code that the screen says to type."""
    return next(line.split()[1] for line in screen.splitlines() if line.strip().startswith("Voucher"))


def test_an_empty_database_gets_a_demo_that_works_and_sigterm_leaves_no_process(
    environment: dict[str, str], tmp_path: Path
) -> None:
    with running(environment, tmp_path, until="radclient") as pop:
        assert pop.answers()
        code = code_on(pop.printed)
        assert log_in(pop, environment, code)
        processes = pop.descendants()
        assert len(processes) >= 5
        pop.process.send_signal(signal.SIGTERM)
        assert pop.process.wait(15) == 0
        assert not [pid for pid in processes if is_alive(pid)]

    with running(environment, tmp_path, until="radclient") as again:
        assert code_on(again.printed) not in {code, ""}
        again.process.send_signal(signal.SIGINT)
        assert again.process.wait(15) == 0


def test_when_the_supervisor_is_killed_no_process_is_left(environment: dict[str, str], tmp_path: Path) -> None:
    with running(environment, tmp_path, until="radclient") as pop:
        processes = pop.descendants()
        pop.process.kill()
        eventually(lambda: not any(map(is_alive, processes)), "processes are left")


def test_a_part_that_is_killed_is_started_again_and_what_was_sent_meanwhile_is_answered(
    environment: dict[str, str], tmp_path: Path
) -> None:
    with running(environment, tmp_path, until="radclient") as pop:
        code = code_on(pop.printed)
        old = pop.child("radius")
        os.kill(old, signal.SIGKILL)
        # One request, never repeated: it waits in the socket that the supervisor holds.
        assert log_in(pop, environment, code, timeout=20)
        assert pop.child("radius") != old
        os.kill(pop.child("portal"), signal.SIGKILL)
        eventually(pop.answers, "the portal does not come back")


def test_a_second_request_to_stop_waits_for_nobody(environment: dict[str, str], tmp_path: Path) -> None:
    with running(environment, tmp_path, "--no-demo") as pop:
        processes = pop.descendants()
        os.kill(pop.child("radius"), signal.SIGSTOP)
        pop.process.send_signal(signal.SIGTERM)
        with pytest.raises(subprocess.TimeoutExpired):
            pop.process.wait(2)
        pop.process.send_signal(signal.SIGTERM)
        assert pop.process.wait(5) == 0
        assert not [pid for pid in processes if is_alive(pid)]


def test_without_a_demo_an_empty_database_stays_empty(environment: dict[str, str], tmp_path: Path) -> None:
    with running(environment, tmp_path, "--no-demo") as pop:
        assert pop.answers()
        with pytest.raises(LookupError):
            pop.child("demo-ap")
        assert not (tmp_path / "data" / "demo.json").exists()
    surfpass = runner_with(environment)
    assert surfpass("customer", "list", "--format", "json").stdout == "[]\n"


def test_a_database_in_use_gets_no_demo(environment: dict[str, str], tmp_path: Path) -> None:
    surfpass = runner_with(environment)
    surfpass("migrate")
    surfpass("customer", "add", "--name", "A real one")
    with running(environment, tmp_path) as pop:
        assert "radclient" not in pop.printed
        with pytest.raises(LookupError):
            pop.child("demo-ap")


@pytest.mark.parametrize(
    ("taken", "kind", "setting"),
    [
        ("portal", socket.SOCK_STREAM, "SURFPASS_PORTAL_BIND"),
        ("auth", socket.SOCK_DGRAM, "SURFPASS_RADIUS_AUTH_PORT"),
        ("acct", socket.SOCK_DGRAM, "SURFPASS_RADIUS_ACCT_PORT"),
        ("demo_ap", socket.SOCK_STREAM, "SURFPASS_DEMO_AP_BIND"),
        ("metrics", socket.SOCK_STREAM, "SURFPASS_METRICS_BIND"),
    ],
)
def test_a_port_that_is_taken_is_named_with_the_setting_to_change(
    environment: dict[str, str], taken: str, kind: socket.SocketKind, setting: str
) -> None:
    ports = Ports.free()
    with closing(socket.socket(socket.AF_INET, kind)) as other:
        other.bind(("127.0.0.1", getattr(ports, taken)))
        if kind is socket.SOCK_STREAM:
            other.listen()
        result = subprocess.run(
            [sys.executable, "-P", "-m", "deploy", "run"],
            env=inherited_environment() | environment | ports.environment,
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
    assert (result.returncode, result.stdout) == (1, "")
    assert result.stderr.count("\n") == 1
    assert str(getattr(ports, taken)) in result.stderr
    assert setting in result.stderr


@pytest.mark.parametrize("part", ["portal", "radius", "housekeeping", "disconnects", "printing"])
def test_each_part_runs_by_itself_and_stops_in_order(environment: dict[str, str], part: str, tmp_path: Path) -> None:
    ports = Ports.free()
    runner_with(environment)("migrate")
    output = tmp_path / "output"
    with output.open("w") as out:
        process = subprocess.Popen(
            [sys.executable, "-P", "-m", "deploy", part],
            env=inherited_environment() | environment | ports.environment,
            stderr=out,
        )
    is_up = {
        "portal": lambda: answers(ports.portal),
        "radius": lambda: listens(ports.acct),
        "housekeeping": lambda: "keeping house" in output.read_text(),
        "disconnects": lambda: "sending disconnects" in output.read_text(),
        "printing": lambda: "printing" in output.read_text(),
    }
    try:
        eventually(is_up[part], f"{part} does not start")
        with pytest.raises(subprocess.TimeoutExpired):
            process.wait(0.5)
        process.send_signal(signal.SIGTERM)
        assert process.wait(15) == 0
    finally:
        process.kill()
        process.wait()
    assert "Traceback" not in output.read_text()


def listens(port: int) -> bool:
    """Whether somebody has this UDP port."""
    with closing(socket.socket(socket.AF_INET, socket.SOCK_DGRAM)) as probe:
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return True
        return False
