"""The `surfpass` command for tests, in this process and as one of its own."""

import json
import logging
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Protocol

import pytest
import structlog
from click.testing import CliRunner, Result

from deploy.commands import cli
from tests.conftest import SECRET_KEY


@pytest.fixture(autouse=True)
def restored_logging() -> Iterator[None]:
    """A command that runs in this process sets logging up; the next test must not inherit that."""
    root = logging.getLogger()
    before, level = root.handlers[:], root.level
    yield
    root.handlers[:] = before
    root.setLevel(level)
    structlog.reset_defaults()


class Surfpass(Protocol):
    """Run `surfpass` with these arguments; the exit code must be `code`."""

    def __call__(self, *arguments: str, code: int = 0, input: str | None = None) -> Result: ...


@pytest.fixture
def surfpass_environment(database_url: str, tmp_path: Path) -> dict[str, str]:
    """The environment of an installation on this test's database."""
    return {
        "SURFPASS_DATABASE_URL": database_url,
        "SURFPASS_DATA_DIR": str(tmp_path / "data"),
        "SURFPASS_SECRET_KEY": SECRET_KEY,
    }


@pytest.fixture
def surfpass(surfpass_environment: dict[str, str]) -> Surfpass:
    """The command, on this test's database."""
    return runner_with(surfpass_environment)


def runner_with(environment: dict[str, str]) -> Surfpass:
    """The command, in this environment. Whatever fails must say so in one sentence on standard error."""

    def run(*arguments: str, code: int = 0, input: str | None = None) -> Result:
        result = CliRunner().invoke(cli, list(arguments), input=input, env=environment, prog_name="surfpass")
        assert result.exit_code == code, result.output
        if code:
            assert result.stdout == ""
            assert result.stderr.startswith("surfpass: ")
            assert result.stderr.count("\n") == 1
            assert "Traceback" not in result.stderr
        return result

    return run


@pytest.fixture
def surfpass_json(surfpass: Surfpass) -> Callable[..., Any]:
    """The command with `--format json`, and what it printed."""
    return lambda *arguments, **more: json.loads(surfpass(*arguments, "--format", "json", **more).stdout)


@pytest.fixture
def markt(surfpass: Surfpass) -> str:
    """The slug of a Single site, with a day pass offered at it."""
    surfpass("customer", "add", "--name", "Gasthof am Markt")
    surfpass(
        *("site", "add", "--customer", "Gasthof am Markt", "--slug", "markt", "--name", "Gasthof am Markt"),
        *("--kind", "single", "--ssid", "Markt-WLAN"),
    )
    surfpass(
        "pass", "add", "--slug", "day", "--name", "Day", "--clock", "first-use", "--minutes", "1440", "--site", "markt"
    )
    return "markt"
