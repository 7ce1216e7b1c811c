"""surfpass site hours."""

from collections import defaultdict
from collections.abc import Sequence
from datetime import date, datetime

import click

from deploy.commands.base import pass_installation
from deploy.commands.output import Shown, format_of_many, print_many
from deploy.commands.parameters import DaySpans, DaySpansType, SpanType
from deploy.installation import Installation
from hotspot.audit import COMMAND_LINE
from hotspot.enrolment import find_site
from hotspot.opening import WEEKDAYS, Span, hours_of, set_day, set_week

_DATE = click.DateTime(["%Y-%m-%d"])


@click.group()
def hours() -> None:
    """When a site's hotspot is open, by the site's own clock. A site without hours is always open."""


@hours.command("week")
@click.argument("slug", metavar="SITE")
@click.argument("days", metavar="DAYS=HH:MM-HH:MM...", nargs=-1, type=DaySpansType())
@pass_installation
def week(installation: Installation, slug: str, days: Sequence[DaySpans]) -> None:
    """Set the week. Days that are not named are closed; a day may be named several times; 24:00 is midnight.

    \b
    surfpass site hours week markt mon-fri=08:00-22:00 sat=10:00-02:00
    surfpass site hours week markt                    open at all times again, but for single dates
    """
    spans: dict[int, list[Span]] = defaultdict(list)
    for one in days:
        for weekday in one.weekdays:
            spans[weekday].append(one.span)
    with installation.write() as work:
        set_week(work.session, COMMAND_LINE, find_site(work.session, slug), spans, work.now)
    click.echo(f"Opening hours of {slug} {'set' if days else 'removed: it is always open, but for single dates'}.")


@hours.command("day")
@click.argument("slug", metavar="SITE")
@click.argument("day", metavar="DATE", type=_DATE)
@click.argument("spans", metavar="HH:MM-HH:MM...", nargs=-1, type=SpanType())
@click.option("--usual", is_flag=True, help="As on any such weekday again.")
@pass_installation
def day(installation: Installation, slug: str, day: datetime, spans: Sequence[Span], usual: bool) -> None:
    """Set the hours of one date, such as a holiday; without hours it is closed.

    \b
    surfpass site hours day markt 2026-12-24 08:00-14:00
    surfpass site hours day markt 2026-12-25
    """
    if usual and spans:
        raise click.UsageError("give hours or --usual, not both")
    with installation.write() as work:
        site = find_site(work.session, slug)
        set_day(work.session, COMMAND_LINE, site, day.date(), None if usual else spans, work.now)
    click.echo(f"{day.date()} at {slug}: {'as usual' if usual else _text(spans)}.")


@hours.command("show")
@click.argument("slug", metavar="SITE")
@format_of_many
@pass_installation
def show(installation: Installation, slug: str, form: str) -> None:
    """Show the week, and the dates that differ from it."""
    with installation.read() as work:
        found = hours_of(work.session, find_site(work.session, slug))
    rows: list[Shown] = []
    if found:
        rows += [_row(name, spans) for name, spans in zip(WEEKDAYS, found.week, strict=True)]
        rows += [_row(day, spans) for day, spans in found.dates]
    if not rows and form == "table":
        click.echo(f"{slug} is always open.")
    else:
        print_many(("day", "open"), rows, form)


def _row(day: str | date, spans: Sequence[Span]) -> Shown:
    return {"day": str(day), "open": _text(spans)}


def _text(spans: Sequence[Span]) -> str:
    return ", ".join(f"{span.opens:%H:%M}-{span.closes:%H:%M}" for span in spans) or "closed"
