"""surfpass ap."""

import csv
import io
from typing import IO

import click
from sqlalchemy import select
from sqlalchemy.orm import selectinload

from deploy.commands.base import pass_installation
from deploy.commands.output import format_of_many, format_of_one, print_added, print_many
from deploy.commands.parameters import TEXT_FILE, MacType, read_text
from deploy.commands.views import show_access_point
from deploy.installation import Installation
from hotspot.audit import COMMAND_LINE
from hotspot.enrolment import NewAccessPoint, add_access_points, find_site
from hotspot.errors import Refusal
from hotspot.mac import Mac
from hotspot.place import AccessPoint

COLUMNS = ("name", "mac", "mac2", "capacity", "nas_identifier")
NEEDED = ("name", "mac")

site_option = click.option("--site", "slug", required=True, help="The site's slug.")


@click.group()
def ap() -> None:
    """Access points, each with one or more radios."""


@ap.command("add")
@site_option
@click.option("--name", required=True, help="Where it hangs, such as 'Bar'.")
@click.option(
    "--mac", "macs", type=MacType(), multiple=True, help="A radio's MAC address (BSSID); repeat for each band."
)
@click.option("--nas-identifier", help="The NAS-Identifier that its requests carry.")
@click.option("--capacity", type=int, help="How many guests it takes; by default 100 on a single, 250 on a multi site.")
@click.option("--soft", is_flag=True, help="Admit guests past the capacity, and raise an alarm.")
@click.option("--outdoor", is_flag=True, help="It hangs outdoors.")
@format_of_one
@pass_installation
def add(
    installation: Installation,
    slug: str,
    name: str,
    macs: tuple[Mac, ...],
    nas_identifier: str | None,
    capacity: int | None,
    soft: bool,
    outdoor: bool,
    form: str,
) -> None:
    """Add an access point to a site.

    \b
    surfpass ap add --site markt --name Bar --mac 02-00-00-00-00-01 --mac 02-00-00-00-00-02
    """
    new = NewAccessPoint(
        name=name, macs=macs, nas_identifier=nas_identifier, capacity=capacity, outdoor=outdoor, soft=soft
    )
    with installation.write() as work:
        site = find_site(work.session, slug)
        added = add_access_points(work.session, COMMAND_LINE, site, [new], work.now)[0]
        shown = show_access_point(added, site)
    print_added("access point", added.name, shown, form)


@ap.command("import")
@site_option
@click.argument("file", type=TEXT_FILE)
@click.option("--format", "form", type=click.Choice(["text", "json"]), default="text", help="How to print them.")
@pass_installation
def import_(installation: Installation, slug: str, file: IO[str], form: str) -> None:
    """Add all access points of a CSV file (UTF-8) to a site, or none of them.

    Its first line names the columns: name, mac, and if wanted mac2, capacity, nas_identifier. FILE - is the input.

    \b
    surfpass ap import --site markt access-points.csv
    """
    new = read_access_points(read_text(file))
    with installation.write() as work:
        site = find_site(work.session, slug)
        added = add_access_points(work.session, COMMAND_LINE, site, new, work.now)
        rows = [show_access_point(one, site) for one in added]
    if form == "json":
        print_many((), rows, form)
    else:
        click.echo(f"Added {len(rows)} access points to site {slug}.")


def read_access_points(text: str) -> list[NewAccessPoint]:
    """The access points of a CSV text. Refusal names the first line that is no good, and why."""
    first = text.partition("\n")[0]
    # German spreadsheets part fields by semicolons.
    delimiter = ";" if ";" in first and "," not in first else ","
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter, strict=True)
    found: list[NewAccessPoint] = []
    head: list[str] = []
    line = 0
    try:
        for cells in reader:
            # A quoted field may span lines: the number is that of the line a row ends on.
            line = reader.line_num
            cells = [cell.strip() for cell in cells]
            if not any(cells):
                continue
            if not head:
                head = _check_head(cells)
            else:
                one = _read_row(head, cells)
                _refuse_repeated_radios(one, found)
                found.append(one)
    except (ValueError, csv.Error) as error:
        raise Refusal("bad-line", f"Line {max(line, reader.line_num)}: {str(error).rstrip('.')}.") from error
    if not found:
        raise Refusal("bad-file", f"The file names no access point: its first line has to be {','.join(COLUMNS)}.")
    return found


def _check_head(cells: list[str]) -> list[str]:
    unknown = [cell for cell in cells if cell not in COLUMNS]
    if unknown or len(set(cells)) != len(cells) or not set(NEEDED) <= set(cells):
        raise ValueError(f"the first line has to name the columns: {','.join(NEEDED)}[,{','.join(COLUMNS[2:])}]")
    return cells


def _read_row(head: list[str], cells: list[str]) -> NewAccessPoint:
    if len(cells) != len(head):
        raise ValueError(f"{len(cells)} fields, where the first line names {len(head)}")
    row = dict(zip(head, cells, strict=True))
    capacity = row.get("capacity", "")
    if capacity and not (capacity.isascii() and capacity.isdecimal() and 1 <= int(capacity) <= 10_000):
        raise ValueError(f"{capacity[:40]!r} is not a capacity from 1 to 10000")
    if not row["name"] or len(row["name"]) > 80 or not row["name"].isprintable():
        raise ValueError("a name needs 1 to 80 printable characters")
    return NewAccessPoint(
        name=row["name"],
        macs=tuple(Mac.parse(row[column]) for column in ("mac", "mac2") if column == "mac" or row.get(column)),
        nas_identifier=row.get("nas_identifier") or None,
        capacity=int(capacity) if capacity else None,
    )


def _refuse_repeated_radios(new: NewAccessPoint, before: list[NewAccessPoint]) -> None:
    known = {mac for one in before for mac in one.macs}
    for mac in new.macs:
        if mac in known or new.macs.count(mac) > 1:
            raise ValueError(f"{mac} stands in the file twice")


@ap.command("list")
@click.option("--site", "slug", help="Only those of this site.")
@format_of_many
@pass_installation
def list_(installation: Installation, slug: str | None, form: str) -> None:
    """List access points."""
    query = select(AccessPoint).where(AccessPoint.retired_at.is_(None)).order_by(AccessPoint.site_id, AccessPoint.slot)
    with installation.read() as work:
        if slug:
            query = query.where(AccessPoint.site_id == find_site(work.session, slug).id)
        found = work.session.scalars(query.options(selectinload(AccessPoint.radios), selectinload(AccessPoint.site)))
        rows = [show_access_point(one, one.site) for one in found]
    print_many(("id", "site", "name", "macs", "nas_identifier", "capacity", "soft", "outdoor"), rows, form)
