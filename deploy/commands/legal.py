"""surfpass legal."""

from datetime import UTC, datetime

import click

from deploy.commands.base import pass_installation
from deploy.commands.output import format_of_one, print_one
from deploy.commands.parameters import LanguageFile, LanguageFileType, MomentType, in_zone, one_of
from deploy.installation import Installation
from hotspot.audit import COMMAND_LINE
from hotspot.legal import LegalKind, NewText, publish


@click.group()
def legal() -> None:
    """Terms of use, imprint and privacy notice."""


@legal.command("publish")
@click.option("--kind", required=True, type=one_of(LegalKind), help="Which text.")
@click.option(
    "--text",
    "texts",
    required=True,
    multiple=True,
    type=LanguageFileType(),
    help="Plain text in one language, paragraphs apart by an empty line; repeat for each language.",
)
@click.option(
    "--valid-from", type=MomentType(), help="From when it is in force, in UTC without an offset; default: now."
)
@format_of_one
@pass_installation
def publish_(
    installation: Installation, kind: str, texts: tuple[LanguageFile, ...], valid_from: datetime | None, form: str
) -> None:
    """Publish a new version of a text; earlier versions are kept.

    \b
    surfpass legal publish --kind imprint --text de=impressum.txt --text en=imprint.txt
    """
    new = [NewText(one.language, one.text) for one in texts]
    with installation.write() as work:
        moment = in_zone(valid_from, UTC) if valid_from else work.now
        version = publish(work.session, COMMAND_LINE, LegalKind(kind), new, moment, work.now)
    if form == "json":
        print_one({"kind": kind, "number": version.number, "valid_from": version.valid_from}, form)
    else:
        click.echo(f"Published version {version.number} of the {kind}, in force from {moment:%Y-%m-%d %H:%M %Z}.")
