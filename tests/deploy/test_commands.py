"""The command as a whole: help, set-up, and failures in one sentence."""

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import click
import pytest
from click.testing import CliRunner

from deploy.commands import cli
from tests.deploy.conftest import runner_with
from tests.deploy.processes import inherited_environment


def every_command(group: click.Group, path: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], click.Command]]:
    """All commands with the words that lead to them."""
    for name, command in group.commands.items():
        yield (*path, name), command
        if isinstance(command, click.Group):
            yield from every_command(command, (*path, name))


ALL = dict(every_command(cli))


@pytest.mark.parametrize("path", ALL, ids=" ".join)
def test_every_command_and_every_option_is_explained(path: tuple[str, ...]) -> None:
    result = CliRunner().invoke(cli, [*path, "--help"])
    assert result.exit_code == 0
    assert ALL[path].help
    for parameter in ALL[path].params:
        assert isinstance(parameter, click.Argument) or getattr(parameter, "help", None), parameter.name


def test_the_commands_that_others_script_against_are_there() -> None:
    words = {" ".join(path) for path in ALL}
    assert words >= {
        *("migrate", "run", "portal", "radius", "housekeeping", "disconnects", "printing", "demo", "demo-ap"),
        *("customer add", "user add", "site add", "ap add", "ap import", "nas add", "pass add"),
        *(
            "voucher issue",
            "voucher show",
            "voucher revoke",
            "legal publish",
            "legal list",
            "legal missing",
            "keys rewrap",
        ),
        *("customer list", "site list", "ap list", "nas list", "pass list", "pass change", "pass retire"),
    }


def test_every_add_has_a_format() -> None:
    for path, command in ALL.items():
        if path[-1] == "add":
            assert "--format" in {option for parameter in command.params for option in parameter.opts}


def test_a_database_that_is_not_set_up_is_said_to_be_so(tmp_path: Path) -> None:
    surfpass = runner_with({"SURFPASS_DATA_DIR": str(tmp_path)})
    assert "run 'surfpass migrate' first" in surfpass("customer", "list", code=1).stderr
    surfpass("migrate")
    surfpass("customer", "list")


@pytest.mark.parametrize(
    "url",
    [
        "no url at all",
        "oracle://host/name",
        "nosuch://host/name",
        "postgresql+psycopg://u:topsecret@127.0.0.1:1/x",
        "sqlite:////proc/nowhere/x.db",
    ],
)
def test_a_database_that_cannot_be_opened_is_no_traceback_and_shows_no_password(url: str, tmp_path: Path) -> None:
    surfpass = runner_with({"SURFPASS_DATA_DIR": str(tmp_path), "SURFPASS_DATABASE_URL": url})
    assert "topsecret" not in surfpass("customer", "list", code=1).stderr
    assert "topsecret" not in surfpass("migrate", code=1).stderr


def test_a_setting_that_is_wrong_is_named(tmp_path: Path) -> None:
    surfpass = runner_with({"SURFPASS_DATA_DIR": str(tmp_path), "SURFPASS_RADIUS_AUTH_PORT": "many"})
    assert "SURFPASS_RADIUS_AUTH_PORT" in surfpass("migrate", code=1).stderr


def test_settings_come_from_a_file_too(tmp_path: Path) -> None:
    config = tmp_path / "surfpass.toml"
    config.write_text(f'data_dir = "{tmp_path / "here"}"\n')
    runner_with({})("--config", str(config), "migrate")
    assert (tmp_path / "here" / "surfpass.db").exists()


def test_it_runs_as_a_process_of_its_own_from_anywhere(tmp_path: Path) -> None:
    (tmp_path / "deploy").mkdir()
    (tmp_path / "deploy" / "__init__.py").write_text("raise SystemExit('this is not our deploy')\n")
    result = subprocess.run(
        [sys.executable, "-P", "-m", "deploy", "bogus"],
        env=inherited_environment(),
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )
    assert (result.returncode, result.stdout) == (2, "")
    assert result.stderr == "surfpass: No such command 'bogus'; see 'surfpass --help'.\n"
