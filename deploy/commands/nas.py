"""surfpass nas."""

from typing import IO

import click
from sqlalchemy import select
from sqlalchemy.orm import selectinload

from deploy.commands.base import pass_installation
from deploy.commands.output import format_of_many, format_of_one, print_added, print_many
from deploy.commands.parameters import TEXT_FILE, LoginsType, one_of, secret_of
from deploy.commands.views import show_nas
from deploy.installation import Installation
from hotspot.audit import COMMAND_LINE
from hotspot.enrolment import find_site
from hotspot.nas import NewNas, add_nas
from hotspot.place import Grain, LoginWay, MessageAuthenticatorPolicy, Nas
from radius.makes import MAKES


@click.group()
def nas() -> None:
    """RADIUS clients: the gateways, controllers and access points that ask this PoP."""


@nas.command("add")
@click.option("--name", required=True, help="Name for staff.")
@click.option("--network", required=True, help="Where its requests come from, such as 10.1.0.1/32.")
@click.option("--make", required=True, type=click.Choice(list(MAKES)), help="Whose product it is.")
@click.option("--secret", help="RADIUS secret; other users of this machine can see it here: rather use --secret-file.")
@click.option("--secret-file", type=TEXT_FILE, help="File with the RADIUS secret; - reads it from input.")
@click.option("--uam-secret", help="Secret that signs the gateway's redirects (CoovaChilli: uamsecret).")
@click.option("--uam-secret-file", type=TEXT_FILE, help="File with that secret.")
@click.option(
    "--gateway-address", "gateway_addresses", multiple=True, help="host:port guests are sent back to; may be repeated."
)
@click.option("--nas-identifier", help="Its NAS-Identifier, where several share a network.")
@click.option(
    "--message-authenticator",
    type=one_of(MessageAuthenticatorPolicy),
    default=MessageAuthenticatorPolicy.YES.value,
    show_default=True,
    help="Whether it must sign its requests; auto: once it has done so.",
)
@click.option(
    "--login", "logins", type=LoginsType(), default=LoginWay.TICKET.value, show_default=True, help="Ways to log in."
)
@click.option(
    "--grain",
    type=one_of(Grain),
    default=Grain.ACCESS_POINT.value,
    show_default=True,
    help="Whether its requests tell the access point, or only the site.",
)
@click.option("--site", "slug", help="The one site that it serves.")
@click.option(
    "--coa-port", type=click.IntRange(1, 65535), help="UDP port of CoA and Disconnect; by default the make's."
)
@format_of_one
@pass_installation
def add(
    installation: Installation,
    name: str,
    network: str,
    make: str,
    secret: str | None,
    secret_file: IO[str] | None,
    uam_secret: str | None,
    uam_secret_file: IO[str] | None,
    gateway_addresses: tuple[str, ...],
    nas_identifier: str | None,
    message_authenticator: str,
    logins: tuple[LoginWay, ...],
    grain: str,
    slug: str | None,
    coa_port: int | None,
    form: str,
) -> None:
    """Add a RADIUS client.

    \b
    surfpass nas add --name "Markt gateway" --network 10.1.0.1/32 --make coovachilli --site markt \\
        --secret-file radius.secret --uam-secret-file uam.secret --gateway-address 10.1.0.1:3990
    """
    shared_secret = secret_of("secret", secret, secret_file)
    if shared_secret is None:
        raise click.UsageError("give --secret or --secret-file")
    new = NewNas(
        name=name,
        network=network,
        make=make,
        secret=shared_secret,
        uam_secret=secret_of("uam-secret", uam_secret, uam_secret_file),
        gateway_addresses=gateway_addresses,
        nas_identifier=nas_identifier,
        message_authenticator=MessageAuthenticatorPolicy(message_authenticator),
        logins=logins,
        grain=Grain(grain),
        coa_port=coa_port or MAKES[make].coa_port,
    )
    with installation.write() as work:
        site = find_site(work.session, slug) if slug else None
        added = add_nas(work.session, COMMAND_LINE, work.keyring, new, site, work.now)
        shown = show_nas(added)
    print_added("NAS", added.name, shown, form)


@nas.command("list")
@format_of_many
@pass_installation
def list_(installation: Installation, form: str) -> None:
    """List all RADIUS clients."""
    query = select(Nas).where(Nas.retired_at.is_(None)).order_by(Nas.name).options(selectinload(Nas.site))
    with installation.read() as work:
        rows = [show_nas(one) for one in work.session.scalars(query)]
    print_many(("id", "name", "network", "make", "nas_identifier", "site", "grain", "logins"), rows, form)
