"""surfpass nas."""

from collections.abc import Callable
from datetime import timedelta
from typing import IO, Any

import click
from sqlalchemy import select
from sqlalchemy.orm import selectinload

from deploy.commands.base import pass_installation
from deploy.commands.output import format_of_many, format_of_one, print_added, print_many, print_one
from deploy.commands.parameters import TEXT_FILE, DurationType, LoginsType, one_of, secret_of
from deploy.commands.views import show_nas
from deploy.installation import Installation
from hotspot.audit import COMMAND_LINE
from hotspot.enrolment import find_site
from hotspot.nas import NewNas, add_nas
from hotspot.nas_changes import NasChange, change_nas, change_secret, find_nas
from hotspot.place import MAKES_WITHOUT_RADIUS, Grain, LoginWay, MessageAuthenticatorPolicy, Nas
from portal.handoffs import HANDOFFS
from radius.makes import ALL_MAKES

_COLUMNS = (
    *("id", "name", "network", "make", "nas_identifier", "site", "grain", "logins"),
    *("message_authenticator", "old_secret_until", "old_secret_used_at"),
)


def message_authenticator_option(default: str | None = None) -> Callable[[Any], Any]:
    """`--message-authenticator`."""
    return click.option(
        "--message-authenticator",
        type=one_of(MessageAuthenticatorPolicy),
        default=default,
        show_default=True,
        help="Whether it must sign its requests; auto: once it has done so.",
    )


def uam_pap_option(default: bool | None = None) -> Callable[[Any], Any]:
    """`--uam-pap`."""
    return click.option(
        "--uam-pap/--uam-chap", default=default, help="How a CoovaChilli is handed the password; by default as CHAP."
    )


gateway_address_option = click.option(
    "--gateway-address",
    "gateway_addresses",
    multiple=True,
    help="host or host:port that guests are handed back to; may be repeated.",
)


def guest_network_option(more: str = "") -> Callable[[Any], Any]:
    """`--guest-network`."""
    text = f"Network of its guests that reaches the portal without NAT; may be repeated.{more}"
    return click.option("--guest-network", "guest_networks", multiple=True, help=text)


def _check_gateways(make: str, addresses: tuple[str, ...]) -> None:
    """Wrong use for an address at a make that hands no guests back."""
    handoff = HANDOFFS.get(make)
    if addresses and (handoff is None or not handoff.ports):
        raise click.UsageError(f"guests are not handed back to a gateway of make {make}: leave --gateway-address out")


@click.group()
def nas() -> None:
    """RADIUS clients: the gateways, controllers and access points that ask this PoP."""


@nas.command("add")
@click.option("--name", required=True, help="Name for staff.")
@click.option(
    "--network", required=True, help="Where its requests (openNDS: its polls) come from, such as 10.1.0.1/32."
)
@click.option("--make", required=True, type=click.Choice(list(ALL_MAKES)), help="Whose product it is.")
@click.option("--secret", help="RADIUS secret; other users of this machine can see it here: rather use --secret-file.")
@click.option("--secret-file", type=TEXT_FILE, help="File with the RADIUS secret; - reads it from input.")
@click.option(
    "--uam-secret", help="Secret that signs the gateway's redirects (CoovaChilli: uamsecret, openNDS: faskey)."
)
@click.option("--uam-secret-file", type=TEXT_FILE, help="File with that secret.")
@uam_pap_option(default=False)
@gateway_address_option
@guest_network_option()
@click.option("--nas-identifier", help="Its NAS-Identifier, where several share a network (openNDS: gatewayname).")
@message_authenticator_option(MessageAuthenticatorPolicy.YES.value)
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
    uam_pap: bool,
    gateway_addresses: tuple[str, ...],
    guest_networks: tuple[str, ...],
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
    if shared_secret is None and make not in MAKES_WITHOUT_RADIUS:
        raise click.UsageError("give --secret or --secret-file")
    _check_gateways(make, gateway_addresses)
    new = NewNas(
        name=name,
        network=network,
        make=make,
        secret=shared_secret,
        uam_secret=secret_of("uam-secret", uam_secret, uam_secret_file),
        uam_pap=uam_pap,
        gateway_addresses=gateway_addresses,
        guest_networks=guest_networks,
        nas_identifier=nas_identifier,
        message_authenticator=MessageAuthenticatorPolicy(message_authenticator),
        logins=logins,
        grain=Grain(grain),
        coa_port=coa_port or ALL_MAKES[make].coa_port,
    )
    with installation.write() as work:
        site = find_site(work.session, slug) if slug else None
        added = add_nas(work.session, COMMAND_LINE, work.keyring, new, site, work.now)
        shown = show_nas(added, work.now)
    print_added("NAS", added.name, shown, form)


@nas.command("list")
@format_of_many
@pass_installation
def list_(installation: Installation, form: str) -> None:
    """List all RADIUS clients."""
    query = select(Nas).where(Nas.retired_at.is_(None)).order_by(Nas.name)
    with installation.read() as work:
        found = work.session.scalars(query.options(selectinload(Nas.site), selectinload(Nas.old_secrets)))
        rows = [show_nas(one, work.now) for one in found]
    print_many(_COLUMNS, rows, form)


@nas.command("show")
@click.argument("name")
@format_of_one
@pass_installation
def show(installation: Installation, name: str, form: str) -> None:
    """Show a RADIUS client, by its name or id."""
    with installation.read() as work:
        shown = show_nas(find_nas(work.session, name), work.now)
    print_one(shown, form)


@nas.command("change")
@click.argument("name")
@message_authenticator_option()
@click.option("--login", "logins", type=LoginsType(), help="Ways to log in.")
@click.option("--coa-port", type=click.IntRange(1, 65535), help="UDP port of CoA and Disconnect.")
@uam_pap_option()
@gateway_address_option
@guest_network_option(" Instead of those before; 'none' for none.")
@format_of_one
@pass_installation
def change(
    installation: Installation,
    name: str,
    message_authenticator: str | None,
    logins: tuple[LoginWay, ...] | None,
    coa_port: int | None,
    uam_pap: bool | None,
    gateway_addresses: tuple[str, ...],
    guest_networks: tuple[str, ...],
    form: str,
) -> None:
    """Change a RADIUS client, by its name or id; what is not given stays. Gateway addresses replace those of before.

    \b
    surfpass nas change "Markt gateway" --message-authenticator auto
    """
    policy = MessageAuthenticatorPolicy(message_authenticator) if message_authenticator else None
    networks = tuple(one for one in guest_networks if one != "none") if guest_networks else None
    with installation.write() as work:
        found = find_nas(work.session, name)
        _check_gateways(found.make, gateway_addresses)
        change = NasChange(policy, logins, coa_port, gateway_addresses or None, uam_pap, networks)
        change_nas(work.session, COMMAND_LINE, found, change, work.now)
        shown = show_nas(found, work.now)
    print_one(shown, form)


@nas.command("secret")
@click.argument("name")
@click.option("--secret", help="The new RADIUS secret; other users can see it here: rather use --secret-file.")
@click.option("--secret-file", type=TEXT_FILE, help="File with the new RADIUS secret; - reads it from input.")
@click.option(
    "--keep-old-for",
    type=DurationType(),
    default="7d",
    show_default=True,
    help="How long the old secret is valid beside the new one; 0 ends it at once.",
)
@format_of_many
@pass_installation
def secret(
    installation: Installation,
    name: str,
    secret: str | None,
    secret_file: IO[str] | None,
    keep_old_for: timedelta,
    form: str,
) -> None:
    """Replace the RADIUS secret of a client, and of all that share its network, without a gap.

    Then set the new secret on the devices, one after the other; 'nas list' shows until when the old one is valid, and when
    a device last used it.

    \b
    surfpass nas secret "Markt gateway" --secret-file new.secret --keep-old-for 14d
    """
    new = secret_of("secret", secret, secret_file)
    if new is None:
        raise click.UsageError("give --secret or --secret-file")
    with installation.write() as work:
        found = find_nas(work.session, name)
        changed = change_secret(work.session, COMMAND_LINE, work.keyring, found, new, keep_old_for, work.now)
        rows = [show_nas(one, work.now) for one in changed]
    print_many(("id", "name", "network", "old_secret_until"), rows, form)
