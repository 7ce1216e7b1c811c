"""surfpass keys."""

from pathlib import Path
from typing import IO

import click

from deploy.commands.base import pass_installation
from deploy.commands.parameters import TEXT_FILE, read_text
from deploy.installation import Installation
from hotspot.errors import Refusal
from hotspot.keys import derive_master_key, read_master_key, rewrap_keys

SHORTEST_KEY = 32


@click.group()
def keys() -> None:
    """The installation's keys."""


@keys.command("rewrap")
@click.option(
    "--new-secret-key-file", "file", required=True, type=TEXT_FILE, help="File with the new master key; - is the input."
)
@pass_installation
def rewrap(installation: Installation, file: IO[str]) -> None:
    """Replace the master key: the data keys are wrapped with the new one, and nothing else changes.

    Running processes keep working; the setting has to name the new key before they start again.
    """
    secret = read_text(file).strip()
    if len(secret) < SHORTEST_KEY:
        raise Refusal("short-key", f"A master key needs {SHORTEST_KEY} characters or more.")
    settings = installation.settings
    old, own_file = read_master_key(settings), settings.data_dir / "secret.key"
    draft = None if settings.secret_key else _write_privately(own_file.with_suffix(".new"), secret)
    with installation.write() as work:
        count = rewrap_keys(work.session, old, derive_master_key(secret))
    if draft:
        draft.replace(own_file)
        click.echo(f"{count} keys are wrapped with the new master key, which is in {own_file} now.")
    else:
        click.echo(f"{count} keys are wrapped with the new master key: now set SURFPASS_SECRET_KEY or its file to it.")


def _write_privately(path: Path, secret: str) -> Path:
    """Before the commit, so that the new key is on disk whatever happens between the commit and the last step."""
    path.unlink(missing_ok=True)
    path.touch(mode=0o600)
    path.write_text(secret + "\n")
    return path
