"""surfpass legal."""

from dataclasses import asdict
from datetime import UTC, datetime

import click

from deploy.commands.base import pass_installation
from deploy.commands.output import Shown, format_of_many, format_of_one, print_many, print_one
from deploy.commands.parameters import LanguageFile, LanguageFileType, MomentType, in_zone, one_of
from deploy.installation import Installation
from hotspot.audit import COMMAND_LINE
from hotspot.errors import Refusal
from hotspot.legal import LegalKind, NewText, Slot, current_version, find_version, publish, slots
from sessions.agreements import accepted


@click.group()
def legal() -> None:
    """The texts that guests have to be shown: terms of use, prices, imprint and the others."""


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


@legal.command("list")
@format_of_many
@pass_installation
def list_(installation: Installation, form: str) -> None:
    """List the slots: which version is in force, which comes next, and which languages it lacks."""
    with installation.read() as work:
        rows = [_show_slot(slot) for slot in slots(work.session, work.now)]
    print_many(("kind", "number", "valid_from", "next_number", "next_valid_from", "missing_languages"), rows, form)


@legal.command("show")
@click.option("--kind", required=True, type=one_of(LegalKind), help="Which text.")
@click.option("--number", type=int, help="Which version; default: the one in force.")
@click.option("--language", help="Only the text in this language.")
@format_of_one
@pass_installation
def show(installation: Installation, kind: str, number: int | None, language: str | None, form: str) -> None:
    """Show a version of a text, with the hash of each language's."""
    with installation.read() as work:
        wanted = LegalKind(kind)
        version = (
            find_version(work.session, wanted, number) if number else current_version(work.session, wanted, work.now)
        )
        if version is None:
            raise Refusal("no-version", f"No version of the {kind} is in force.")
        texts = [text for text in version.texts if language in (None, text.language)]
    if form == "json":
        bodies = {text.language: {"sha256": text.sha256, "body": text.body} for text in texts}
        print_one({"kind": kind, "number": version.number, "valid_from": version.valid_from, "texts": bodies}, form)
        return
    for text in texts:
        click.echo(f"{kind} {version.number}, {text.language}, SHA-256 {text.sha256}\n\n{text.body}")


@legal.command("missing")
@pass_installation
def missing(installation: Installation) -> None:
    """Name the slots that are empty; exits with 1 when there is one, so that a check can call it."""
    with installation.read() as work:
        empty = [slot.kind for slot in slots(work.session, work.now) if slot.current is None]
    if empty:
        raise Refusal("legal-missing", f"Guests cannot read these texts yet: {', '.join(empty)}.")
    click.echo("No slot is empty.")


@legal.command("accepted")
@format_of_many
@pass_installation
def accepted_(installation: Installation, form: str) -> None:
    """List how often guests have accepted each version, by site and day; sites in privacy mode are left out."""
    with installation.read() as work:
        rows = [{**asdict(one), "day": one.day.isoformat()} for one in accepted(work.session)]
    print_many(("kind", "number", "site", "day", "count"), rows, form)


def _show_slot(slot: Slot) -> Shown:
    upcoming = slot.upcoming[0] if slot.upcoming else None
    return {
        "kind": slot.kind,
        "number": slot.current.number if slot.current else None,
        "valid_from": slot.current.valid_from if slot.current else None,
        "next_number": upcoming.number if upcoming else None,
        "next_valid_from": upcoming.valid_from if upcoming else None,
        "missing_languages": list(slot.missing_languages),
    }
