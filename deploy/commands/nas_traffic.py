"""surfpass nas traffic."""

from datetime import timedelta

import click

from deploy.commands.base import pass_installation
from deploy.commands.output import Shown, format_of_many, print_many
from deploy.installation import Installation
from hotspot.nas_changes import find_nas
from hotspot.traffic import TRAFFIC_LIVES, Traffic, traffic_of, traffic_of_strangers
from hotspot.traffic_words import words_for

_MOST_HOURS = int(TRAFFIC_LIVES.total_seconds() // 3600)
_COLUMNS = ("port", "what", "count", "last_at", "says", "to_do")


@click.command()
@click.argument("name", required=False)
@click.option("--unknown", is_flag=True, help="What cannot be put down to any one NAS.")
@click.option("--hours", type=click.IntRange(1, _MOST_HOURS), default=24, show_default=True, help="How far back.")
@format_of_many
@pass_installation
def traffic(installation: Installation, name: str | None, unknown: bool, hours: int, form: str) -> None:
    """What arrives from a NAS, by its name or id, what becomes of it, and what there is to do about it.

    \b
    surfpass nas traffic "Markt gateway" --hours 2
    surfpass nas traffic --unknown
    """
    if unknown == bool(name):
        raise click.UsageError("name a NAS, or give --unknown")
    with installation.read() as work:
        since = work.now - timedelta(hours=hours)
        if name:
            found = traffic_of(work.session, find_nas(work.session, name).id, since)
        else:
            found = traffic_of_strangers(work.session, since)
    print_many(("source", *_COLUMNS) if unknown else _COLUMNS, [_show(one) for one in found], form)


def _show(one: Traffic) -> Shown:
    words = words_for(one.what)
    source = {"source": one.source} if one.source else {}
    return source | {
        "port": one.port,
        "what": one.what,
        "count": one.count,
        "first_at": one.first_at,
        "last_at": one.last_at,
        "says": words.says,
        "to_do": words.to_do,
    }
