"""surfpass api-key."""

from datetime import UTC, datetime, timedelta

import click
from sqlalchemy import select

from deploy.commands.base import pass_installation
from deploy.commands.output import Shown, format_of_many, format_of_one, print_many, print_one
from deploy.commands.parameters import MomentType, in_zone, one_of
from deploy.installation import Installation
from hotspot.api_keys import ApiKey, NewKey, Scope, add_key, keys_of, retire_key
from hotspot.audit import COMMAND_LINE
from hotspot.enrolment import find_customer
from hotspot.errors import NotFound

_LIFE = timedelta(days=365)


@click.group("api-key")
def api_key() -> None:
    """Keys of the API: for a customer's till, hotel or campsite system."""


@api_key.command("add")
@click.option("--customer", "customer_name", required=True, help="The customer: its name or id.")
@click.option("--name", required=True, help="What the key is for, such as the till's name.")
@click.option(
    "--scope", "scopes", required=True, multiple=True, type=one_of(Scope), help="What it opens; may be repeated."
)
@click.option("--expires", type=MomentType(), help="When it ends; after a year unless told.")
@format_of_one
@pass_installation
def add(
    installation: Installation,
    customer_name: str,
    name: str,
    scopes: tuple[str, ...],
    expires: datetime | None,
    form: str,
) -> None:
    """Make a key, and print it: this once.

    \b
    surfpass api-key add --customer "Gasthof am Markt" --name Kasse --scope sites:read --scope vouchers:issue
    """
    with installation.write() as work:
        customer = find_customer(work.session, customer_name)
        ends = in_zone(expires, UTC) if expires else work.now + _LIFE
        new = NewKey(name, frozenset(Scope(one) for one in scopes), ends)
        made = add_key(work.session, COMMAND_LINE, work.keyring, customer, new, work.now)
        shown = {**_show(made.key, work.now), "key": made.token}
    print_one(shown, form)


@api_key.command("list")
@click.option("--customer", "customer_name", required=True, help="The customer: its name or id.")
@format_of_many
@pass_installation
def list_(installation: Installation, customer_name: str, form: str) -> None:
    """List a customer's keys, the newest first."""
    with installation.read() as work:
        customer = find_customer(work.session, customer_name)
        rows = [_show(one, work.now) for one in keys_of(work.session, [customer.id])]
    print_many(("id", "prefix", "name", "scopes", "state", "expires_at", "last_used_on"), rows, form)


@api_key.command("retire")
@click.argument("id_or_prefix", metavar="ID|PREFIX")
@pass_installation
def retire(installation: Installation, id_or_prefix: str) -> None:
    """End a key at once."""
    with installation.write() as work:
        found = work.session.scalar(
            select(ApiKey).where((ApiKey.public_id == id_or_prefix) | (ApiKey.prefix == id_or_prefix))
        )
        if found is None:
            raise NotFound("no-key", f"There is no key {id_or_prefix[:40]!r}.")
        retire_key(work.session, COMMAND_LINE, found, work.now)
    click.echo(f"Key {found.prefix} ({found.name}) is retired.")


def _show(key: ApiKey, now: datetime) -> Shown:
    return {
        "id": key.public_id,
        "prefix": key.prefix,
        "name": key.name,
        "scopes": key.scopes,
        "state": key.state(now),
        "expires_at": key.expires_at,
        "last_used_on": key.last_used_on.isoformat() if key.last_used_on else None,
    }
