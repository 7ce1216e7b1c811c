"""surfpass radius trace."""

import contextlib
import json
import socket
import threading
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path

import click

from deploy.commands.base import pass_installation
from deploy.installation import Installation
from deploy.signals import stop_on_signals
from hotspot.errors import SetupError
from hotspot.nas_changes import find_nas
from hotspot.traffic_words import words_for
from radius.trace import LONGEST_EVENT, Event, listen

_LOOK_EVERY_SECONDS = 0.2


@click.command()
@click.option("--nas", "name", required=True, help="Whose requests to show: its name or id.")
@click.option("--count", type=click.IntRange(min=1), help="End after so many; by default Ctrl-C ends it.")
@click.option("--json", "as_json", is_flag=True, help="One JSON object a line.")
@pass_installation
def trace(installation: Installation, name: str, count: int | None, as_json: bool) -> None:
    """Show live why the requests of a NAS are answered as they are. Nothing in it names a guest.

    A device is shown as four characters that are the same throughout this trace, and others in the next. Run it on
    the machine with the RADIUS workers, as their user.
    """
    with installation.read() as work:
        nas_id = find_nas(work.session, name).id
    stop = stop_on_signals()
    bound, path = listen(installation.settings.data_dir, nas_id)
    try:
        click.echo("Listening; workers take notice within a second. Ctrl-C ends.", err=True)
        for _, event in zip(range(count) if count else iter(int, 1), events(bound, path, stop), strict=False):
            click.echo(json.dumps(asdict(event)) if as_json else describe(event))
    finally:
        bound.close()
        path.unlink(missing_ok=True)


def events(bound: socket.socket, path: Path, stop: threading.Event) -> Iterator[Event]:
    """What workers tell, until `stop` is set. SetupError when nothing more can come, because the socket's path is gone."""
    bound.settimeout(_LOOK_EVERY_SECONDS)
    while not stop.is_set():
        try:
            datagram = bound.recv(LONGEST_EVENT)
        except TimeoutError:
            if not path.exists():
                sentence = "No more can come: the socket was taken away, as workers do when events pile up. Start the trace anew."
                raise SetupError("trace-ended", sentence) from None
            continue
        with contextlib.suppress(ValueError, TypeError):
            yield Event.decode(datagram)


def describe(event: Event) -> str:
    """An event as one line of words."""
    words = words_for(event.says)
    facts = (
        event.device and f"device {event.device}",
        event.way and f"by {event.way}",
        event.access_point and f"at {event.access_point}",
        event.milliseconds is not None and f"in {event.milliseconds:g} ms",
        event.make,
        event.attributes and "has " + " ".join(event.attributes),
    )
    said = ", ".join(str(fact) for fact in facts if fact)
    return f"{event.at[11:23]} {event.port} {event.says}: {words.says} [{said}]"
