"""surfpass customer."""

import click
from sqlalchemy import select

from deploy.commands.base import pass_installation
from deploy.commands.output import format_of_many, format_of_one, print_added, print_many
from deploy.commands.views import show_customer
from deploy.installation import Installation
from hotspot.audit import COMMAND_LINE
from hotspot.enrolment import add_customer
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
