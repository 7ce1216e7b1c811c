"""What the operator watches RADIUS with: `nas traffic`, `radius trace`, and alerts; and that none of it names a guest."""

import json
import os
import re
import signal
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from deploy.demo import load_demo
from hotspot.database import Database
from hotspot.keys import Keyring
from hotspot.settings import Settings
from hotspot.traffic import Arrival, record
from radius.client import RadiusClient
from radius.credentials import Pap
from tests import factories
from tests.deploy.conftest import Surfpass, runner_with
from tests.deploy.processes import ROOT, Running, eventually, inherited_environment, running
from tests.deploy.test_run import code_on

ALERTS = (ROOT / "deploy" / "prometheus" / "alerts.yml").read_text(encoding="utf-8")
NAS = "software access point"
MAC = "02-00-00-00-0F-01"
WRONG_CODE = "ABCDE-FGHJK"


def arrivals(database: Database, keyring: Keyring) -> None:
    """One NAS with traffic of an hour ago and of two days ago, and a stranger."""
    now = datetime.now(UTC)
    with database.write() as session:
        nas = factories.a_nas(session, keyring, name="markt gateway")
        for hours, count in ((1, 12), (48, 900)):
            at = now - timedelta(hours=hours)
            record(session, [Arrival(nas.id, "authentication", "wrong secret", count, at, at)])
        record(session, [Arrival("192.0.2.7", "accounting", "unknown client", 3, now, now)])


def test_the_traffic_of_a_nas_is_told_in_words(
    database: Database, keyring: Keyring, surfpass: Surfpass, surfpass_json: Callable[..., Any]
) -> None:
    arrivals(database, keyring)
    (row,) = surfpass_json("nas", "traffic", "markt gateway")
    assert (row["port"], row["what"], row["count"]) == ("authentication", "wrong secret", 12)
    assert "Signed with another secret" in row["says"]
    assert "surfpass nas secret" in row["to_do"]
    assert surfpass_json("nas", "traffic", "markt gateway", "--hours", "72")[0]["count"] == 912
    assert "192.0.2.7" not in surfpass("nas", "traffic", "markt gateway").stdout
    table = surfpass("nas", "traffic", "--unknown").stdout
    assert re.search(r"192\.0\.2\.7 +accounting +unknown client +3 ", table)
    assert "surfpass nas add" in table


def test_it_wants_one_nas_or_the_unknown(surfpass: Surfpass) -> None:
    surfpass("nas", "traffic", code=2)
    surfpass("nas", "traffic", "markt", "--unknown", code=2)
    assert "markt" in surfpass("nas", "traffic", "markt", code=1).stderr
    surfpass("nas", "traffic", "--unknown", "--hours", "169", code=2)
    surfpass("radius", "trace", "--nas", "markt", code=1)
    surfpass("radius", "trace", code=2)


@contextmanager
def tracing(environment: dict[str, str], *arguments: str) -> Iterator[subprocess.Popen[str]]:
    """`surfpass radius trace` of the demo's NAS, once it listens."""
    with subprocess.Popen(
        [sys.executable, "-P", "-m", "deploy", "radius", "trace", "--nas", NAS, *arguments],
        env=inherited_environment() | environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        try:
            assert process.stderr
            assert "Listening" in process.stderr.readline()
            time.sleep(2.2)  # by then the workers have looked
            yield process
        finally:
            process.kill()


def ask(pop: Running, environment: dict[str, str], code: str, device: str = MAC) -> None:
    """A login at the demo's access point, answered or not."""
    demo = load_demo(Settings(data_dir=Path(environment["SURFPASS_DATA_DIR"])))
    assert demo
    client = RadiusClient("127.0.0.1", pop.ports.auth, pop.ports.acct, demo.radius_secret.encode(), timeout=10)
    client.authenticate(
        code,
        Pap(code),
        [
            ("NAS-Identifier", demo.nas_identifier),
            ("Called-Station-Id", f"{demo.mac}:{demo.ssid}"),
            ("Calling-Station-Id", device),
        ],
    )


@pytest.fixture
def environment(tmp_path: Path) -> dict[str, str]:
    """The settings of an installation of this test's own."""
    return {
        "SURFPASS_DATA_DIR": str(tmp_path / "data"),
        "SURFPASS_PORTAL_WORKERS": "1",
        "SURFPASS_LOG_LEVEL": "DEBUG",
    }


def test_a_running_pop_is_watched_in_every_way_and_nothing_names_a_guest(
    environment: dict[str, str], tmp_path: Path
) -> None:
    with running(environment, tmp_path, until="radclient") as pop:
        code = code_on(pop.printed)
        with tracing(environment, "--json", "--count", "3") as trace:
            ask(pop, environment, WRONG_CODE)
            ask(pop, environment, code)
            ask(pop, environment, WRONG_CODE, "02-00-00-00-0F-02")
            traced, complaint = trace.communicate(timeout=20)
        assert (trace.returncode, complaint) == (0, "")
        events = [json.loads(line) for line in traced.splitlines()]
        assert events[1]["says"] == "accepted"
        assert events[0]["says"] == events[2]["says"] != "accepted"
        assert events[0]["device"] == events[1]["device"] != events[2]["device"]
        assert events[1]["way"] == "voucher"
        assert events[1]["access_point"]
        assert "Calling-Station-Id" in events[1]["attributes"]
        time.sleep(1.5)  # for the workers' next look
        with urllib.request.urlopen(f"http://127.0.0.1:{pop.ports.metrics}/metrics", timeout=10) as answer:
            metrics = answer.read().decode()
        missing = set(re.findall(r"surfpass_\w+[a-z]", re.sub("#.*", "", ALERTS))) - set(
            re.findall(r"^\w+", metrics, re.M)
        )
        assert not missing
        for part in ("radius", "housekeeping"):
            assert f'surfpass_last_beat_timestamp_seconds{{part="{part}"}}' in metrics
        os.kill(pop.child("radius"), signal.SIGTERM)
        eventually(lambda: '"requests"' in pop.printed, "no line of counts in the log")
        shown = runner_with(environment)("nas", "traffic", NAS).stdout
        assert re.search("authentication +accepted +1 ", shown)
        screen, logged = split(pop.printed)
        assert code in screen
        for text in (traced, metrics, shown, logged):
            assert text
            for secret in (code, WRONG_CODE, MAC, "02-00-00-00-0F-02"):
                for spelling in (secret, secret.replace("-", ""), secret.replace("-", ":")):
                    assert spelling.upper() not in text.upper()


def split(printed: str) -> tuple[str, str]:
    """What is printed for people, and what is logged."""
    lines = printed.splitlines()
    return "\n".join(line for line in lines if line[:1] != "{"), "\n".join(line for line in lines if line[:1] == "{")


def test_a_trace_ends_in_order_and_leaves_nothing(environment: dict[str, str], tmp_path: Path) -> None:
    with running(environment, tmp_path, until="radclient"), tracing(environment) as trace:
        trace.send_signal(signal.SIGINT)
        assert trace.wait(10) == 0
        assert list((tmp_path / "data" / "trace").iterdir()) == []


def test_there_are_twelve_alerts_each_with_a_word_on_it() -> None:
    names = re.findall(r"alert: (\w+)", ALERTS)
    guide = (ROOT / "docs" / "operator.md").read_text(encoding="utf-8")
    assert len(names) == 12
    assert all(name in guide for name in names)
