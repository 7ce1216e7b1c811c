"""surfpass voucher."""

from dataclasses import dataclass
from datetime import datetime
from zoneinfo import ZoneInfo

import click
from sqlalchemy.orm import Session

from deploy.commands.base import pass_installation
from deploy.commands.output import Shown, format_of_many, format_of_one, print_many, print_one
from deploy.commands.parameters import MomentType, one_of
from deploy.installation import Installation
from hotspot.audit import COMMAND_LINE
from hotspot.clock import at_wall_clock
from hotspot.directory import load_directory
from hotspot.enrolment import find_site
from hotspot.place import Site
from sessions.desk import by_ids, revoke_vouchers, running_devices
from sessions.status import VoucherStatus, voucher_status, voucher_statuses
from vouchers.finding import Filter, find_voucher, list_vouchers
from vouchers.issuing import Order, issue
from vouchers.passes import Pass, find_pass
from vouchers.voucher import Voucher, VoucherState


@click.group()
def voucher() -> None:
    """Vouchers: the codes that guests type."""


@voucher.command("issue")
@click.option("--site", "slug", required=True, help="The site they are good at.")
@click.option("--pass", "slug_of_pass", required=True, help="What they give: the slug of a pass offered there.")
@click.option("--count", required=True, type=int, help="How many.")
@click.option(
    "--good-from", type=MomentType(), help="From when they may be used; without an offset by the site's clock."
)
@click.option("--good-until", type=MomentType(), help="Until when they may be used first; else the pass says how long.")
@click.option("--until", type=MomentType(), help="When they end whatever the pass says, as on a departure.")
@click.option("--inactive", is_flag=True, help="Printed stock: 'surfpass voucher activate' switches it on.")
@click.option("--note", default="", help="A note on the batch, for staff.")
@format_of_many
@pass_installation
def issue_(
    installation: Installation,
    slug: str,
    slug_of_pass: str,
    count: int,
    good_from: datetime | None,
    good_until: datetime | None,
    until: datetime | None,
    inactive: bool,
    note: str,
    form: str,
) -> None:
    """Issue vouchers, and print their codes.

    \b
    surfpass voucher issue --site markt --pass day --count 50 --format csv > codes.csv
    """
    with installation.write() as work:
        site = find_site(work.session, slug)
        article = find_pass(work.session, site, slug_of_pass)
        zone = ZoneInfo(site.timezone)
        first, last, end = (at_wall_clock(one, zone) if one else None for one in (good_from, good_until, until))
        order = Order(article, count, note, first, last, end, inactive)
        issued = issue(work.session, COMMAND_LINE, work.keyring, site, order, work.now)
        rows: list[Shown] = [
            {
                "code": one.code.printed,
                "serial": one.serial,
                "pass": article.slug,
                "site": site.slug,
                "good_from": one.voucher.good_from,
                "good_until": one.voucher.first_use_by,
            }
            for one in issued
        ]
    print_many(("code", "serial", "pass", "site", "good_from", "good_until"), rows, form)


@voucher.command("list")
@click.option("--site", "slug", required=True, help="Slug of the site.")
@click.option("--limit", type=click.IntRange(1, 10_000), default=50, show_default=True, help="The newest so many.")
@click.option("--state", type=one_of(VoucherState), help="Only those in this state.")
@click.option("--noted", default="", help="Only those with this text in their own or their batch's note.")
@format_of_many
@pass_installation
def list_(installation: Installation, slug: str, limit: int, state: str | None, noted: str, form: str) -> None:
    """List a site's vouchers, the newest first, without their codes."""
    wanted = Filter(VoucherState(state) if state else None, note=noted)
    with installation.read() as work:
        site = find_site(work.session, slug)
        found = list_vouchers(work.session, [site.id], work.now, wanted=wanted, limit=limit)
        statuses = voucher_statuses(work.session, load_directory(work.session, work.keyring), found, work.now)
        rows: list[Shown] = [
            {
                "serial": one.serial,
                "pass": one.name,
                "state": statuses[one.id].state,
                "devices": statuses[one.id].devices,
                "good_until": one.first_use_by,
            }
            for one in found
        ]
    print_many(("serial", "pass", "state", "devices", "good_until"), rows, form)


@voucher.command("show")
@click.argument("code_or_serial", metavar="CODE|SERIAL")
@format_of_one
@pass_installation
def show(installation: Installation, code_or_serial: str, form: str) -> None:
    """Show how a voucher stands: its state, what was used and what is left."""
    with installation.read() as work:
        found = find_voucher(work.session, work.keyring, code_or_serial)
        directory = load_directory(work.session, work.keyring)
        status = voucher_status(work.session, directory, found, work.now)
        names = _names(work.session, found)
    print_one(_show(found, names, status), form)


@dataclass(frozen=True)
class _Names:
    site: str
    article: str


def _names(session: Session, found: Voucher) -> _Names:
    return _Names(session.get_one(Site, found.site_id).slug, session.get_one(Pass, found.pass_id).slug)


def _show(found: Voucher, names: _Names, status: VoucherStatus) -> Shown:
    moments: dict[str, datetime | None] = {
        "good_from": found.good_from,
        "good_until": found.first_use_by,
        "first_used_at": found.first_used_at,
        "ends_at": found.ends_at,
    }
    return {
        "serial": found.serial,
        "state": status.state,
        "pass": names.article,
        "site": names.site,
        "octets_used": status.octets_used,
        "octets_left": status.octets_left,
        "seconds_used": status.seconds_used,
        "seconds_left": status.seconds_left,
        "devices": status.devices,
        "devices_allowed": found.devices,
        **moments,
    }


@voucher.command("revoke")
@click.argument("code_or_serial", metavar="CODE|SERIAL")
@format_of_one
@pass_installation
def revoke_(installation: Installation, code_or_serial: str, form: str) -> None:
    """Make a voucher worthless, and end the visits that run on it."""
    with installation.write() as work:
        found = find_voucher(work.session, work.keyring, code_or_serial)
        serial, ended = found.serial, running_devices(work.session, found.id)
        site = work.session.get_one(Site, found.site_id)
        revoke_vouchers(work.session, COMMAND_LINE, site, by_ids([found.id]), work.now)
    if form == "json":
        print_one({"serial": serial, "state": "revoked", "visits_to_end": ended}, form)
    else:
        click.echo(f"Voucher {serial} is revoked; running visits: {ended}.")
        if ended:
            click.echo("They are disconnected within seconds where the gateway allows it.")
