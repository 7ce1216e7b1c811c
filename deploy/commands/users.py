"""surfpass user."""

from typing import IO

import click
from sqlalchemy import select
from sqlalchemy.orm import joinedload

from deploy.commands.base import pass_installation
from deploy.commands.output import format_of_many, format_of_one, print_added, print_many
from deploy.commands.parameters import TEXT_FILE, one_of, read_text
from deploy.commands.views import show_user
from deploy.installation import Installation
from hotspot.api_keys import keys_made_by
from hotspot.audit import COMMAND_LINE
from hotspot.enrolment import find_customer
from hotspot.people import Role, User
from hotspot.people.accounts import add_user, find_user, invite, reset, retire
from hotspot.people.factors import remove_factors
from hotspot.webhooks import webhooks_made_by


@click.group()
def user() -> None:
    """Users: who may sign in to the staff pages."""


@user.command("add")
@click.option("--email", required=True, help="E-mail address to sign in with.")
@click.option("--name", default="", help="What colleagues see beside what they do; else the address.")
@click.option("--role", required=True, type=one_of(Role), help="All but operators see their own customer alone.")
@click.option("--customer", "customer_name", help="The customer that somebody works for: its name or id.")
@click.option(
    "--password-file",
    required=True,
    type=TEXT_FILE,
    help="File whose first line is the password; - reads it from input.",
)
@format_of_one
@pass_installation
def add_one(
    installation: Installation,
    email: str,
    name: str,
    role: str,
    customer_name: str | None,
    password_file: IO[str],
    form: str,
) -> None:
    """Add an account.

    \b
    surfpass user add --email wirt@example.org --role owner --customer "Gasthof am Markt" --password-file FILE
    """
    lines = read_text(password_file).splitlines()
    with installation.write() as work:
        added = add_user(
            work.session,
            COMMAND_LINE,
            email=email,
            name=name,
            role=Role(role),
            customer=find_customer(work.session, customer_name) if customer_name else None,
            password=lines[0] if lines else "",
            now=work.now,
            about=(installation.settings.product_name,),
        )
        shown = show_user(added)
    print_added("user", email, shown, form)


@user.command("invite")
@click.option("--name", required=True, help="What colleagues see beside what they do.")
@click.option("--email", default="", help="E-mail address to sign in with; else the invited person says it.")
@click.option("--role", required=True, type=one_of(Role), help="All but operators see their own customer alone.")
@click.option("--customer", "customer_name", help="The customer that somebody works for: its name or id.")
@pass_installation
def invite_one(installation: Installation, name: str, email: str, role: str, customer_name: str | None) -> None:
    """Add an account, and print the link by which its password is chosen.

    \b
    surfpass user invite --name "Anna Wirt" --role owner --customer "Gasthof am Markt"
    """
    with installation.write() as work:
        customer = find_customer(work.session, customer_name) if customer_name else None
        _invited, token = invite(
            work.session,
            COMMAND_LINE,
            work.keyring,
            name=name,
            role=Role(role),
            customer=customer,
            email=email,
            now=work.now,
        )
    _print_link(installation, token)


@user.command("reset")
@click.argument("email")
@pass_installation
def reset_one(installation: Installation, email: str) -> None:
    """Print a link by which somebody chooses a new password; the old one stays good until then.

    \b
    surfpass user reset wirt@example.org
    """
    with installation.write() as work:
        token = reset(work.session, COMMAND_LINE, work.keyring, find_user(work.session, email), work.now)
    _print_link(installation, token)


@user.command("drop-second-factor")
@click.argument("email")
@pass_installation
def drop_second_factor(installation: Installation, email: str) -> None:
    """Let the password alone be enough again for somebody who lost telephone and recovery codes.

    An operator is asked to set up a new second factor after signing in.
    """
    with installation.write() as work:
        remove_factors(work.session, COMMAND_LINE, find_user(work.session, email), work.now)
    click.echo(f"{email} signs in with the password alone.")


@user.command("retire")
@click.argument("email")
@pass_installation
def retire_one(installation: Installation, email: str) -> None:
    """Close an account and sign it out everywhere; what it did stays in the record."""
    with installation.write() as work:
        found = find_user(work.session, email)
        keys = [one.prefix for one in keys_made_by(work.session, found.id, work.now)]
        hooks = [one.public_id for one in webhooks_made_by(work.session, found.id)]
        retire(work.session, COMMAND_LINE, found, work.now)
    click.echo(f"Closed the account of {email}.")
    for kind, made in (("Keys", keys), ("Webhooks", hooks)):
        if made:
            click.echo(f"{kind} made by it go on working: {', '.join(made)}", err=True)


@user.command("list")
@format_of_many
@pass_installation
def list_(installation: Installation, form: str) -> None:
    """List all accounts."""
    with installation.read() as work:
        query = select(User).where(User.retired_at.is_(None)).order_by(User.email, User.id)
        rows = [show_user(one) for one in work.session.scalars(query.options(joinedload(User.customer)))]
    print_many(("id", "email", "name", "role", "customer"), rows, form)


def _print_link(installation: Installation, token: str) -> None:
    click.echo(f"{installation.settings.public_portal_url}/login/invitation/{token}")
    click.echo("It works once, for three days.", err=True)
