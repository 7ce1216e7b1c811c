"""surfpass pass text, preselect and code-field: how articles stand on the page."""

from typing import Any

import click

from deploy.commands.base import pass_installation
from deploy.commands.passes import Command, scope_of, scope_options
from deploy.installation import Installation
from hotspot.audit import COMMAND_LINE
from hotspot.legal import TEXT_LANGUAGES
from vouchers.offer import CodeChange, NewText, change_code_field, describe_pass
from vouchers.offer import preselect as preselect_choice


def text_options(command: Command) -> Command:
    """The texts of an article in one language; what is left out stays, what is empty goes."""
    for option in (
        click.option("--where-to-buy", help="Where guests buy it, such as “At the bar.”"),
        click.option("--description", help="A sentence that guests read under the name."),
        click.option("--name", help="What it is called."),
    ):
        command = option(command)
    return command


@click.command("text")
@click.argument("slug")
@click.option("--language", required=True, type=click.Choice(TEXT_LANGUAGES), help="The language of the texts.")
@text_options
@scope_options
@pass_installation
def text(
    installation: Installation,
    /,
    slug: str,
    language: str,
    slug_of_site: str | None,
    customer_name: str | None,
    **told: Any,
) -> None:
    """Say what guests read about the pass SLUG in one language.

    \b
    surfpass pass text day --site markt --language de --name Tageskarte --where-to-buy "An der Theke."
    """
    with installation.write() as work:
        scope = scope_of(work.session, slug_of_site, customer_name)
        describe_pass(work.session, COMMAND_LINE, scope, slug, NewText(language, **told), work.now)
    click.echo(f"Described pass {slug} in {language}.")


@click.command("preselect")
@click.argument("slug")
@scope_options
@pass_installation
def preselect(installation: Installation, slug: str, slug_of_site: str | None, customer_name: str | None) -> None:
    """Let pages come with the free pass SLUG chosen, or with “code” for a voucher's code; a site's own choice wins."""
    with installation.write() as work:
        scope = scope_of(work.session, slug_of_site, customer_name)
        preselect_choice(work.session, COMMAND_LINE, scope, None if slug == "code" else slug, work.now)
    click.echo(f"Preselected {slug}.")


@click.command("code-field")
@click.option("--position", type=int, help="Its place among the free passes, which stand at 100 unless told.")
@click.option("--show/--hide", "shown", default=None, help="Whether guests can type the code of a voucher.")
@click.option("--language", type=click.Choice(TEXT_LANGUAGES), help="The language of the texts that follow.")
@text_options
@scope_options
@pass_installation
def code_field(
    installation: Installation,
    /,
    position: int | None,
    shown: bool | None,
    language: str | None,
    slug_of_site: str | None,
    customer_name: str | None,
    **told: Any,
) -> None:
    """Say how the field for a voucher's code stands on the page, and where vouchers are sold.

    \b
    surfpass pass code-field --site markt --language en --where-to-buy "At the bar."
    """
    if language is None and any(value is not None for value in told.values()):
        raise click.UsageError("give --language with the texts")
    change = CodeChange(position, shown, NewText(language, **told) if language else None)
    with installation.write() as work:
        scope = scope_of(work.session, slug_of_site, customer_name)
        change_code_field(work.session, COMMAND_LINE, scope, change, work.now)
    click.echo("Changed the field for a code.")
