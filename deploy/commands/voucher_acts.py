"""surfpass voucher: what is done to vouchers and batches that are there already."""

from collections.abc import Callable
from datetime import datetime, timedelta

import click
from sqlalchemy import select

from deploy.commands.base import pass_installation
from deploy.commands.output import Shown, format_of_many, format_of_one, print_many, print_one
from deploy.commands.parameters import DurationType
from deploy.installation import Installation, Work
from hotspot.audit import COMMAND_LINE
from hotspot.directory import load_directory
from hotspot.enrolment import find_site
from hotspot.errors import NotFound
from hotspot.place import Site
from sessions.desk import by_ids, credit_outage, extend_vouchers, switch_off
from sessions.replacing import replace_slip
from vouchers.changing import Done
from vouchers.finding import find_voucher
from vouchers.stock import latest_batches
from vouchers.switching import switch_on
from vouchers.voucher import Batch, Voucher, clear_code


@click.command("batches")
@click.option("--site", "slug", required=True, help="Slug of the site.")
@click.option("--limit", type=click.IntRange(1, 1000), default=20, show_default=True, help="The newest so many.")
@format_of_many
@pass_installation
def batches(installation: Installation, slug: str, limit: int, form: str) -> None:
    """List a site's batches, the newest first."""
    with installation.read() as work:
        site = find_site(work.session, slug)
        rows: list[Shown] = [
            {
                "batch": one.batch.public_id,
                "pass": one.pass_name,
                "count": one.batch.count,
                "issued": one.batch.issued,
                "unused": one.unused,
                "active": not one.batch.inactive,
                "note": one.batch.note,
            }
            for one in latest_batches(work.session, site.id, work.now, limit)
        ]
    print_many(("batch", "pass", "count", "issued", "unused", "active", "note"), rows, form)


@click.command("activate")
@click.argument("batch_id", metavar="BATCH")
@pass_installation
def activate(installation: Installation, batch_id: str) -> None:
    """Switch printed stock on; the days to use it first begin to count."""
    _switch(installation, batch_id, switch_on, "can be used now")


@click.command("switch-off")
@click.argument("batch_id", metavar="BATCH")
@pass_installation
def switch_off_(installation: Installation, batch_id: str) -> None:
    """Switch a lost batch off, and end the visits that run on it; 'activate' switches it on again."""
    _switch(installation, batch_id, switch_off, "cannot be used any more")


def _switch(installation: Installation, batch_id: str, act: Callable[..., Done], words: str) -> None:
    with installation.write() as work:
        batch = work.session.scalar(select(Batch).where(Batch.public_id == batch_id))
        if batch is None:
            raise NotFound("no-batch", "There is no such batch: see 'surfpass voucher batches'.")
        done = act(work.session, COMMAND_LINE, work.session.get_one(Site, batch.site_id), batch, work.now)
    click.echo(f"{len(done.ids)} vouchers {words}.")


@click.command("extend")
@click.argument("codes_or_serials", metavar="CODE|SERIAL...", nargs=-1, required=True)
@click.option("--by", type=DurationType(), required=True, help="How much, such as 2h or 1d.")
@click.option("--less", is_flag=True, help="Take it away instead.")
@pass_installation
def extend(installation: Installation, codes_or_serials: tuple[str, ...], by: timedelta, less: bool) -> None:
    """Give vouchers more time, or less; whoever is online has it at once where the gateway allows it."""
    changed = 0
    with installation.write() as work:
        for wanted in codes_or_serials:
            found, site = _find(work, wanted)
            length = -by if less else by
            chosen = by_ids([found.id])
            changed += len(extend_vouchers(work.session, COMMAND_LINE, site, chosen, length, work.now).ids)
    click.echo(f"{changed} of {len(codes_or_serials)} vouchers changed.")


@click.command("replace")
@click.argument("serial", metavar="CODE|SERIAL")
@format_of_one
@pass_installation
def replace(installation: Installation, serial: str, form: str) -> None:
    """Replace a lost slip: print a new code that gives what is left, and revoke the old one."""
    with installation.write() as work:
        found, site = _find(work, serial)
        record = load_directory(work.session, work.keyring).sites[site.id]
        batch = replace_slip(work.session, COMMAND_LINE, work.keyring, site, record, found, work.now)
        new = work.session.scalars(select(Voucher).where(Voucher.batch_id == batch.id)).one()
        code = clear_code(work.keyring, new)
        shown: Shown = {"code": code.printed if code else None, "serial": new.serial, "good_until": new.good_until}
    print_one(shown, form)


@click.command("credit")
@click.option("--site", "slug", required=True, help="Slug of the site that was out of order.")
@click.option("--by", type=DurationType(), required=True, help="How much every pass gets, such as 3h.")
@click.option("--ended-within", type=DurationType(), help="Also the passes that ended within this time, such as 6h.")
@pass_installation
def credit(installation: Installation, slug: str, by: timedelta, ended_within: timedelta | None) -> None:
    """Credit an outage: give time to all passes that run at a site."""
    with installation.write() as work:
        site = find_site(work.session, slug)
        since: datetime | None = work.now - ended_within if ended_within else None
        done = credit_outage(work.session, COMMAND_LINE, site, by, work.now, since)
    click.echo(f"{len(done.ids)} vouchers have got more time.")


def _find(work: Work, code_or_serial: str) -> tuple[Voucher, Site]:
    found = find_voucher(work.session, work.keyring, code_or_serial)
    return found, work.session.get_one(Site, found.site_id)
