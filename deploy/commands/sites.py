"""surfpass site."""

from datetime import time

import click
from sqlalchemy import select
from sqlalchemy.orm import selectinload

from deploy.commands.base import pass_installation
from deploy.commands.output import format_of_many, format_of_one, print_added, print_many
from deploy.commands.parameters import HourType, one_of
from deploy.commands.views import show_site
from deploy.installation import Installation
from hotspot.audit import COMMAND_LINE
from hotspot.enrolment import NewSite, add_site, find_customer, find_site
from hotspot.look_changes import allow_own_page
from hotspot.place import Site, SiteKind


@click.group()
def site() -> None:
    """Sites: the places with a hotspot."""


@site.command("add")
@click.option("--customer", required=True, help="Whose site it is: the customer's name or id.")
@click.option("--slug", required=True, help="Short name in URLs and on the command line: a-z, 0-9 and hyphens.")
@click.option("--name", required=True, help="Name that guests read.")
@click.option("--kind", required=True, type=one_of(SiteKind), help="How many access points it may have.")
@click.option("--ssid", required=True, help="Name of its network, 1 to 32 octets.")
@click.option("--timezone", default="Europe/Berlin", show_default=True, help="Its time zone.")
@click.option("--line", help="The line it is connected by, such as GFO-W0100.")
@click.option(
    "--day-ends", type=HourType(), default="04:00", show_default=True, help="When its day ends, on its clock."
)
@click.option("--address", help="Its postal address.")
@click.option("--latitude", type=click.FloatRange(-90, 90), help="Degrees north.")
@click.option("--longitude", type=click.FloatRange(-180, 180), help="Degrees east.")
@click.option("--privacy-mode", is_flag=True, help="Keep no connection log and no history.")
@format_of_one
@pass_installation
def add(
    installation: Installation,
    customer: str,
    slug: str,
    name: str,
    kind: str,
    ssid: str,
    timezone: str,
    line: str | None,
    day_ends: time,
    address: str | None,
    latitude: float | None,
    longitude: float | None,
    privacy_mode: bool,
    form: str,
) -> None:
    """Add a site.

    \b
    surfpass site add --customer "Gasthof am Markt" --slug markt --name "Gasthof am Markt" --kind single --ssid Markt
    """
    new = NewSite(
        slug=slug,
        name=name,
        kind=SiteKind(kind),
        ssid=ssid,
        timezone=timezone,
        day_ends=day_ends,
        line=line,
        address=address,
        latitude=latitude,
        longitude=longitude,
        privacy_mode=privacy_mode,
    )
    with installation.write() as work:
        added = add_site(work.session, COMMAND_LINE, find_customer(work.session, customer), new, work.now)
        shown = show_site(added, installation.settings)
    print_added("site", added.slug, shown, form)


@site.command("own-page")
@click.argument("slug")
@click.option("--on/--off", "allowed", required=True, help="Off, guests get the standard page at once.")
@pass_installation
def own_page(installation: Installation, slug: str, allowed: bool) -> None:
    """Let a site have a portal page of its own, which its owner makes and the operator releases, or end that.

    \b
    surfpass site own-page markt --on
    """
    with installation.write() as work:
        allow_own_page(work.session, COMMAND_LINE, find_site(work.session, slug), allowed, work.now)
    click.echo(f"The own page of {slug} is {'on' if allowed else 'off'}.")


@site.command("list")
@format_of_many
@pass_installation
def list_(installation: Installation, form: str) -> None:
    """List all sites."""
    with installation.read() as work:
        query = select(Site).where(Site.retired_at.is_(None)).order_by(Site.slug)
        found = work.session.scalars(query.options(selectinload(Site.customer), selectinload(Site.ssids)))
        rows = [show_site(one, installation.settings) for one in found]
    print_many(("id", "slug", "name", "kind", "customer", "ssids", "line", "portal_url"), rows, form)
