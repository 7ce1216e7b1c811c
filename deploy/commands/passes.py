"""surfpass pass."""

from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import click
from sqlalchemy import select

from deploy.commands.base import pass_installation
from deploy.commands.output import format_of_many, format_of_one, print_added, print_many
from deploy.commands.parameters import MomentType, PriceType, in_zone, one_of, only_one
from deploy.commands.views import show_pass
from deploy.enforcement import makes_at, who_enforces
from deploy.installation import Installation
from hotspot.audit import COMMAND_LINE
from hotspot.enrolment import find_customer, find_site
from hotspot.place import Customer, Site
from vouchers.passes import Clock, NewPass, Pass, Terms, add_pass, passes_at


@click.group("pass")
def pass_() -> None:
    """Passes: what guests can buy or take for free."""


@pass_.command("add")
@click.option("--slug", required=True, help="Short name on the command line: a-z, 0-9 and hyphens.")
@click.option("--name", required=True, help="Name that guests read.")
@click.option(
    "--clock",
    required=True,
    type=one_of(Clock),
    help="How time runs: from first use, while online, to the end of the site's day, or until a moment.",
)
@click.option("--minutes", type=int, help="Minutes by that clock.")
@click.option(
    "--until", type=MomentType(), help="End, in ISO 8601; without an offset on the clock of --site, else in UTC."
)
@click.option("--megabytes", type=int, help="Volume of both directions together.")
@click.option("--down-kbit", type=int, help="Rate to the guest, in kbit/s.")
@click.option("--up-kbit", type=int, help="Rate from the guest, in kbit/s.")
@click.option("--devices", type=int, default=1, show_default=True, help="Devices online at the same time.")
@click.option("--replace", is_flag=True, help="A further device may take the place of another, on the portal.")
@click.option("--good-days", type=int, default=365, show_default=True, help="Days in which its first use has to be.")
@click.option("--return-days", type=int, default=14, show_default=True, help="Days a device is remembered, 0 to 14.")
@click.option("--free", is_flag=True, help="A pass without a voucher, once per device and day.")
@click.option("--price", type=PriceType(), default="0.00", show_default=True, help="Gross price in euros.")
@click.option("--site", "slug_of_site", help="Offer it at this site only.")
@click.option("--customer", "customer_name", help="Offer it at all sites of this customer only.")
@format_of_one
@pass_installation
def add(
    installation: Installation,
    slug: str,
    name: str,
    clock: str,
    minutes: int | None,
    until: datetime | None,
    megabytes: int | None,
    down_kbit: int | None,
    up_kbit: int | None,
    devices: int,
    replace: bool,
    good_days: int,
    return_days: int,
    free: bool,
    price: int,
    slug_of_site: str | None,
    customer_name: str | None,
    form: str,
) -> None:
    """Add a pass, offered everywhere unless --site or --customer is given.

    \b
    surfpass pass add --slug day --name "Day pass" --clock end-of-day --price 4.90 --site markt
    surfpass pass add --slug free --name "An hour a day" --clock first-use --minutes 60 --megabytes 100 --free
    """
    only_one(site=slug_of_site, customer=customer_name)
    with installation.write() as work:
        site = find_site(work.session, slug_of_site) if slug_of_site else None
        customer = find_customer(work.session, customer_name) if customer_name else None
        zone = ZoneInfo(site.timezone) if site else UTC
        terms = Terms(
            clock=Clock(clock),
            minutes=minutes,
            until=in_zone(until, zone) if until else None,
            megabytes=megabytes,
            down_kbit=down_kbit,
            up_kbit=up_kbit,
            devices=devices,
            replace=replace,
            free=free,
        )
        new = NewPass(slug, name, terms, good_days=good_days, return_days=return_days, price_cents=price)
        added = add_pass(work.session, COMMAND_LINE, new, site=site, customer=customer, now=work.now)
        makes = makes_at(work.session, site, customer)
    print_added("pass", added.slug, show_pass(added, site, customer), form)
    if form == "text":
        for line in who_enforces(terms, makes):
            click.echo(line)


@pass_.command("list")
@click.option("--site", "slug", help="Only those offered at this site.")
@format_of_many
@pass_installation
def list_(installation: Installation, slug: str | None, form: str) -> None:
    """List passes."""
    with installation.read() as work:
        sites = {site.id: site for site in work.session.scalars(select(Site))}
        customers = {customer.id: customer for customer in work.session.scalars(select(Customer))}
        if slug:
            site = find_site(work.session, slug)
            found = passes_at(work.session, site.id, site.customer_id)
        else:
            query = select(Pass).where(Pass.retired_at.is_(None)).order_by(Pass.slug, Pass.id)
            found = list(work.session.scalars(query))
        rows = [show_pass(one, sites.get(one.site_id or 0), customers.get(one.customer_id or 0)) for one in found]
    print_many(("id", "slug", "name", "clock", "minutes", "megabytes", "price", "site", "customer"), rows, form)
