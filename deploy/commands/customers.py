"""surfpass customer, surfpass user."""

from typing import IO

import click
from sqlalchemy import select
from sqlalchemy.orm import joinedload

from deploy.commands.base import pass_installation
from deploy.commands.output import format_of_many, format_of_one, print_added, print_many
from deploy.commands.parameters import TEXT_FILE, one_of, read_text
from deploy.commands.views import show_customer, show_user
from deploy.installation import Installation
from hotspot.audit import COMMAND_LINE
from hotspot.enrolment import add_customer, find_customer
from hotspot.people import Role, User, add_user
from hotspot.place import Customer


@click.group()
def customer() -> None:
    """Customers: who has a contract with the operator."""


@customer.command("add")
@click.option("--name", required=True, help="The customer's name; it must not be taken.")
@format_of_one
@pass_installation
def add(installation: Installation, name: str, form: str) -> None:
    """Add a customer.

    \b
    surfpass customer add --name "Gasthof am Markt"
    """
    with installation.write() as work:
        added = add_customer(work.session, COMMAND_LINE, name, work.now)
    print_added("customer", added.name, show_customer(added), form)


@customer.command("list")
@format_of_many
@pass_installation
def list_(installation: Installation, form: str) -> None:
    """List all customers."""
    with installation.read() as work:
        query = select(Customer).where(Customer.retired_at.is_(None)).order_by(Customer.name)
        rows = [show_customer(one) for one in work.session.scalars(query)]
    print_many(("id", "name"), rows, form)


@click.group()
def user() -> None:
    """Users: who may sign in to the staff pages."""


@user.command("add")
@click.option("--email", required=True, help="E-mail address to sign in with.")
@click.option("--role", required=True, type=one_of(Role), help="An owner sees the own customer alone.")
@click.option("--customer", "customer_name", help="An owner's customer: its name or id.")
@click.option(
    "--password-file",
    required=True,
    type=TEXT_FILE,
    help="File whose first line is the password; - reads it from input.",
)
@format_of_one
@pass_installation
def add_one_user(
    installation: Installation, email: str, role: str, customer_name: str | None, password_file: IO[str], form: str
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
            role=Role(role),
            customer=find_customer(work.session, customer_name) if customer_name else None,
            password=lines[0] if lines else "",
            now=work.now,
        )
        shown = show_user(added)
    print_added("user", added.email, shown, form)


@user.command("list")
@format_of_many
@pass_installation
def list_users(installation: Installation, form: str) -> None:
    """List all accounts."""
    with installation.read() as work:
        query = select(User).where(User.retired_at.is_(None)).order_by(User.email).options(joinedload(User.customer))
        rows = [show_user(one) for one in work.session.scalars(query)]
    print_many(("id", "email", "role", "customer"), rows, form)
