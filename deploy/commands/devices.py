"""surfpass device."""

from datetime import datetime, timedelta

import click
from sqlalchemy.orm import Session

from deploy.commands.base import pass_installation
from deploy.commands.output import Shown, format_of_many, format_of_one, print_added, print_many
from deploy.commands.parameters import DurationType, MacType, only_one
from deploy.installation import Installation
from hotspot.audit import COMMAND_LINE
from hotspot.enrolment import find_customer, find_site
from hotspot.errors import WrongUse
from hotspot.exclusions import ExcludedDevice, NewExclusion, exclude, exclusions_in_force, readmit
from hotspot.mac import Mac
from hotspot.place import Customer, Site


@click.group()
def device() -> None:
    """Devices that are excluded from the service. What is stored of one is a keyed hash, never its MAC address."""


@device.command("exclude")
@click.argument("mac", type=MacType())
@click.option("--site", "slug", help="Only at this site.")
@click.option("--customer", "customer_name", help="Only at the sites of this customer.")
@click.option("--for", "duration", type=DurationType(), help="For how long, such as 30d; without it for good.")
@click.option("--note", default="", help="Why, for staff. No names of guests.")
@format_of_one
@pass_installation
def exclude_(
    installation: Installation,
    mac: Mac,
    slug: str | None,
    customer_name: str | None,
    duration: timedelta | None,
    note: str,
    form: str,
) -> None:
    """Exclude a device, and end its visits within seconds where the gateway allows it.

    \b
    surfpass device exclude 02-00-00-00-00-07 --site markt --for 30d --note "sends spam"
    """
    only_one(site=slug, customer=customer_name)
    with installation.write() as work:
        new = NewExclusion(
            site=find_site(work.session, slug) if slug else None,
            customer=find_customer(work.session, customer_name) if customer_name else None,
            until=_until(duration, work.now),
            note=note,
        )
        added = exclude(work.session, COMMAND_LINE, work.keyring, mac, new, work.now)
        shown = _show(work.session, added)
    print_added("exclusion", note or "of a device", shown, form)


@device.command("list")
@format_of_many
@pass_installation
def list_(installation: Installation, form: str) -> None:
    """List the exclusions in force, the newest first."""
    with installation.read() as work:
        rows = [_show(work.session, one) for one in exclusions_in_force(work.session, work.now)]
    print_many(("id", "site", "customer", "until", "note", "created_at"), rows, form)


@device.command("readmit")
@click.argument("mac_or_id", metavar="MAC|ID")
@pass_installation
def readmit_(installation: Installation, mac_or_id: str) -> None:
    """Let a device in again: all its exclusions by its MAC address, or one by its id."""
    with installation.write() as work:
        count = readmit(work.session, COMMAND_LINE, work.keyring, _mac(mac_or_id) or mac_or_id, work.now)
    click.echo(f"Exclusions taken back: {count}.")


def _until(duration: timedelta | None, now: datetime) -> datetime | None:
    try:
        return now + duration if duration is not None else None
    except OverflowError as error:
        raise WrongUse("too-long", "That is longer than the calendar goes.") from error


def _mac(text: str) -> Mac | None:
    try:
        return Mac.parse(text)
    except ValueError:
        return None


def _show(session: Session, one: ExcludedDevice) -> Shown:
    return {
        "id": one.public_id,
        "site": session.get_one(Site, one.site_id).slug if one.site_id else None,
        "customer": session.get_one(Customer, one.customer_id).name if one.customer_id else None,
        "until": one.until,
        "note": one.note,
        "created_at": one.created_at,
    }
