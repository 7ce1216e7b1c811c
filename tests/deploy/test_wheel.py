"""The wheel holds everything: installed in a folder of its own and run from the root of the file system."""

import json
import signal
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.deploy.house import environment
from tests.radius.pop import radclient

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder that the wheel is installed in; its dependencies are the test environment's."""
    folder = tmp_path_factory.mktemp("wheel")
    pip = [sys.executable, "-m", "pip", "--quiet", "--disable-pip-version-check"]
    subprocess.run([*pip, "wheel", "--no-deps", "--wheel-dir", folder, ROOT], check=True, timeout=180)
    [wheel] = folder.glob("surfpass-*.whl")
    subprocess.run([*pip, "install", "--no-deps", "--target", folder / "site", wheel], check=True, timeout=60)
    return folder / "site"


def test_the_wheel_migrates_runs_and_answers_from_the_root_folder(installed: Path, tmp_path: Path) -> None:
    env = environment(tmp_path / "data", PYTHONPATH=str(installed), SURFPASS_PORTAL_URL="http://portal.example")
    command = [sys.executable, "-P", "-m", "deploy"]

    def surfpass(*arguments: str) -> str:
        done = subprocess.run(
            [*command, *arguments], env=env, cwd="/", capture_output=True, text=True, check=True, timeout=60
        )
        return done.stdout

    where = subprocess.run(
        [sys.executable, "-P", "-c", "import portal; print(portal.__file__)"],
        env=env, cwd="/", capture_output=True, text=True, check=True,
    )  # fmt: skip
    assert Path(where.stdout.strip()).is_relative_to(installed)

    surfpass("migrate")
    _set_up(surfpass, tmp_path)
    [voucher] = json.loads(
        surfpass("voucher", "issue", "--site", "markt", "--pass", "hour", "--count", "1", "--format", "json")
    )
    process = subprocess.Popen([*command, "run", "--no-demo"], env=env, cwd="/")
    try:
        page = _page(f"http://{env['SURFPASS_PORTAL_BIND']}/g/markt")
        assert "Marktplatz" in page
        assert "Nutzungsbedingungen" in page, "the German catalogue is in the wheel"
        pairs = {
            "User-Name": voucher["code"],
            "User-Password": voucher["code"],
            "NAS-Identifier": "ap",
            "Called-Station-Id": "02-00-00-00-00-01:Surf",
            "Calling-Station-Id": "0A-00-00-00-00-01",
            "Message-Authenticator": "0x00",
        }
        answer = radclient(int(env["SURFPASS_RADIUS_AUTH_PORT"]), "auth", pairs, secret="a secret of ours")
        assert answer.kind == "Access-Accept"
        assert answer["Session-Timeout"] == "3600"
    finally:
        process.send_signal(signal.SIGTERM)
        assert process.wait(20) == 0
    shown = json.loads(surfpass("voucher", "show", voucher["serial"], "--format", "json"))
    assert shown["state"] == "in-use"
    assert shown["devices"] == 1


def _set_up(surfpass: Callable[..., str], tmp_path: Path) -> None:
    secret = tmp_path / "secret"
    secret.write_text("a secret of ours\n")
    surfpass("customer", "add", "--name", "Gasthof am Markt")
    surfpass(
        "site", "add", "--customer", "Gasthof am Markt", "--slug", "markt", "--name", "Marktplatz",
        "--kind", "single", "--ssid", "Surf",
    )  # fmt: skip
    surfpass("ap", "add", "--site", "markt", "--name", "Saal", "--mac", "02-00-00-00-00-01")
    surfpass(
        "nas", "add", "--name", "ap", "--network", "127.0.0.1/32", "--make", "generic", "--secret-file", str(secret),
        "--login", "ticket,voucher",
    )  # fmt: skip
    surfpass("pass", "add", "--slug", "hour", "--name", "1 hour", "--clock", "first-use", "--minutes", "60")


def _page(url: str) -> str:
    request = urllib.request.Request(url, headers={"Accept-Language": "de"})
    deadline = time.monotonic() + 30
    while True:
        try:
            with urllib.request.urlopen(request, timeout=5) as answer:
                return str(answer.read().decode())
        except OSError:
            if time.monotonic() > deadline:
                raise
            time.sleep(0.2)
