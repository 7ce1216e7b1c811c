"""surfpass pass."""

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any
from zoneinfo import ZoneInfo

import click
from sqlalchemy import select
from sqlalchemy.orm import Session

from deploy.commands.base import pass_installation
from deploy.commands.output import format_of_many, format_of_one, print_added, print_many
from deploy.commands.parameters import MomentType, PercentType, PriceType, in_zone, one_of, only_one
from deploy.commands.views import show_pass
from deploy.enforcement import makes_at, who_enforces
from deploy.installation import Installation
from hotspot.audit import COMMAND_LINE
from hotspot.enrolment import find_customer, find_site
from hotspot.place import Customer, Site
from vouchers.pass_changes import NewPass, Scope, add_pass, change_pass, retire_pass
from vouchers.passes import Clock, Pass, Terms, passes_at

Command = Callable[..., None]
CLOCK_HELP = "How time runs: from first use, while online, to the end of the site's day, or until a moment."
UNTIL_HELP = "End, in ISO 8601; without an offset on the clock of --site, else in UTC."
GOOD_DAYS_HELP = (
    "Days in which its first use has to be; 0: to the end of the third year after that of issue."
    " Without it: 0 with a price, else 365."
)
# What a pass may do without.
CLEARABLE = ("minutes", "until", "megabytes", "down-kbit", "up-kbit", "position")


@click.group("pass")
def pass_() -> None:
    """Passes: what guests can buy or take for free."""


def scope_options(command: Command) -> Command:
    """Where it is offered: `--site`, `--customer`, or everywhere."""
    command = click.option("--customer", "customer_name", help="At all sites of this customer only.")(command)
    return click.option("--site", "slug_of_site", help="At this site only.")(command)


def scope_of(session: Session, slug_of_site: str | None, customer_name: str | None) -> Scope:
    """The scope that the options name; wrong use for both."""
    only_one(site=slug_of_site, customer=customer_name)
    site = find_site(session, slug_of_site) if slug_of_site else None
    return Scope(site, find_customer(session, customer_name) if customer_name else None)


def limit_options(command: Command) -> Command:
    """What a pass may be limited by, and how it stands on the page."""
    for option in (
        click.option("--position", type=int, help="Place in the order on the page; free 100, codes 200, sold 300."),
        click.option("--up-kbit", type=int, help="Rate from the guest, in kbit/s."),
        click.option("--down-kbit", type=int, help="Rate to the guest, in kbit/s."),
        click.option("--megabytes", type=int, help="Volume of both directions together."),
        click.option("--until", type=MomentType(), help=UNTIL_HELP),
        click.option("--minutes", type=int, help="Minutes by that clock."),
    ):
        command = option(command)
    return command


@pass_.command("add")
@click.option("--slug", required=True, help="Short name on the command line: a-z, 0-9 and hyphens.")
@click.option("--name", required=True, help="Name that guests read where there is none in their language.")
@click.option("--clock", required=True, type=one_of(Clock), help=CLOCK_HELP)
@limit_options
@click.option("--devices", type=int, default=1, show_default=True, help="Devices online at the same time.")
@click.option("--replace", is_flag=True, help="A further device may take the place of another, on the portal.")
@click.option("--good-days", type=int, help=GOOD_DAYS_HELP)
@click.option("--return-days", type=int, default=14, show_default=True, help="Days a device is remembered, 0 to 14.")
@click.option("--free", is_flag=True, help="A pass without a voucher, once per device and day.")
@click.option("--always", is_flag=True, help="With --free: who has used it up may take it again on the same day.")
@click.option("--hide", is_flag=True, help="Do not show it on the page; vouchers of it can be issued all the same.")
@click.option("--price", type=PriceType(), default="0.00", show_default=True, help="Gross price in euros.")
@click.option("--tax", type=PercentType(), default="19", show_default=True, help="Tax in the price, in per cent.")
@scope_options
@format_of_one
@pass_installation
def add(
    installation: Installation,
    /,
    slug_of_site: str | None,
    customer_name: str | None,
    form: str,
    **told: Any,
) -> None:
    """Add a pass, offered everywhere unless --site or --customer is given.

    \b
    surfpass pass add --slug day --name "Day pass" --clock end-of-day --price 4.90 --site markt
    surfpass pass add --slug free --name "An hour a day" --clock first-use --minutes 60 --megabytes 100 --free
    """
    with installation.write() as work:
        scope = scope_of(work.session, slug_of_site, customer_name)
        changes = _changes(told, scope)
        new = NewPass(changes.pop("slug"), changes.pop("name"), Terms(changes.pop("clock"))).changed(changes)
        added = add_pass(work.session, COMMAND_LINE, new, site=scope.site, customer=scope.customer, now=work.now)
        makes = makes_at(work.session, scope.site, scope.customer)
    print_added("pass", added.slug, show_pass(added, scope.site, scope.customer), form)
    if form == "text":
        for line in who_enforces(new.terms, makes):
            click.echo(line)


@pass_.command("change")
@click.argument("slug")
@click.option("--name", help="Name that guests read where there is none in their language.")
@click.option("--clock", type=one_of(Clock), help=CLOCK_HELP)
@limit_options
@click.option("--devices", type=int, help="Devices online at the same time.")
@click.option("--replace/--no-replace", default=None, help="Whether a further device may take the place of another.")
@click.option("--good-days", type=int, help=GOOD_DAYS_HELP)
@click.option("--return-days", type=int, help="Days a device is remembered, 0 to 14.")
@click.option("--always/--once", default=None, help="Whether a free pass that is used up may be taken again that day.")
@click.option("--show/--hide", "shown", default=None, help="Whether it stands on the page.")
@click.option("--price", type=PriceType(), help="Gross price in euros.")
@click.option("--tax", type=PercentType(), help="Tax in the price, in per cent.")
@click.option("--without", multiple=True, type=click.Choice(CLEARABLE), help="Take this away; repeat for several.")
@scope_options
@pass_installation
def change(
    installation: Installation,
    /,
    slug: str,
    slug_of_site: str | None,
    customer_name: str | None,
    without: tuple[str, ...],
    **told: Any,
) -> None:
    """Change the pass SLUG for vouchers issued from now on; those that were issued keep their terms.

    \b
    surfpass pass change day --site markt --price 5.50 --without megabytes
    """
    with installation.write() as work:
        scope = scope_of(work.session, slug_of_site, customer_name)
        changes = {name: value for name, value in _changes(told, scope).items() if value is not None}
        changes |= {name.replace("-", "_"): None for name in without}
        if not changes:
            raise click.UsageError("say what to change")
        change_pass(work.session, COMMAND_LINE, scope, slug, changes, work.now)
    click.echo(f"Changed pass {slug}: {', '.join(sorted(changes))}.")


@pass_.command("retire")
@click.argument("slug")
@scope_options
@pass_installation
def retire(installation: Installation, slug: str, slug_of_site: str | None, customer_name: str | None) -> None:
    """Offer the pass SLUG no longer; vouchers that were issued stay good."""
    with installation.write() as work:
        scope = scope_of(work.session, slug_of_site, customer_name)
        retire_pass(work.session, COMMAND_LINE, scope, slug, work.now)
    click.echo(f"Retired pass {slug}.")


@pass_.command("list")
@click.option("--site", "slug", help="Only those offered at this site, in the order of its page.")
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
    columns = ("id", "slug", "name", "clock", "minutes", "megabytes", "price", "position", "shown", "site", "customer")
    print_many(columns, rows, form)


def _changes(told: dict[str, Any], scope: Scope) -> dict[str, Any]:
    """What was told, by the names of the fields of passes and terms."""
    changes = dict(told)
    if "price" in changes:
        changes["price_cents"] = changes.pop("price")
    if "tax" in changes:
        changes["tax_basis_points"] = changes.pop("tax")
    if "hide" in changes:
        changes["shown"] = not changes.pop("hide")
    until: datetime | None = changes["until"]
    changes["until"] = in_zone(until, ZoneInfo(scope.site.timezone) if scope.site else UTC) if until else None
    changes["clock"] = Clock(changes["clock"]) if changes["clock"] else None
    return changes
