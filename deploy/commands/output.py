"""How commands print what they made or found: text for people, CSV and JSON for programs."""

import csv
import io
import json
from collections.abc import Mapping, Sequence
from datetime import datetime, time
from typing import Any

import click

from hotspot.mac import Mac

# Column or field name -> value, in the order to be shown.
Shown = Mapping[str, object]

format_of_one = click.option(
    "--format", "form", type=click.Choice(["text", "json"]), default="text", show_default=True, help="How to print it."
)
format_of_many = click.option(
    "--format",
    "form",
    type=click.Choice(["table", "csv", "json"]),
    default="table",
    show_default=True,
    help="How to print them.",
)


def print_added(kind: str, name: str, shown: Shown, form: str) -> None:
    """Say what was added: a sentence, or the whole object."""
    click.echo(_json(shown) if form == "json" else f"Added {kind} {name} (id {shown['id']}).")


def print_one(shown: Shown, form: str) -> None:
    """Print one object, a field a line, or as JSON."""
    if form == "json":
        click.echo(_json(shown))
        return
    width = max(map(len, shown))
    for name, value in shown.items():
        click.echo(f"{name.replace('_', ' '):{width}}  {_cell(value)}".rstrip())


def print_many(columns: Sequence[str], rows: Sequence[Shown], form: str) -> None:
    """Print objects as a table, as CSV with a head line, or as a JSON list."""
    if form == "json":
        click.echo(_json(rows))
    elif form == "csv":
        click.echo(_csv(columns, rows), nl=False)
    else:
        click.echo(_table(columns, rows), nl=False)


def _json(value: object) -> str:
    return json.dumps(value, ensure_ascii=False, indent=2, default=_plain)


def _plain(value: Any) -> object:
    """What JSON has no form for."""
    if isinstance(value, datetime):
        return value.isoformat(timespec="seconds")
    if isinstance(value, time):
        return value.isoformat(timespec="minutes")
    if isinstance(value, Mac):
        return value.value
    raise TypeError(f"{type(value).__name__} cannot be printed")


def _cell(value: object) -> str:
    if value is None:
        return ""
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, list | tuple):
        return " ".join(map(_cell, value))
    return str(value if isinstance(value, str | int | float) else _plain(value))


def _csv(columns: Sequence[str], rows: Sequence[Shown]) -> str:
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(columns)
    writer.writerows([_cell(row[column]) for column in columns] for row in rows)
    return out.getvalue()


def _table(columns: Sequence[str], rows: Sequence[Shown]) -> str:
    lines = [[column.replace("_", " ") for column in columns], *([_cell(row[c]) for c in columns] for row in rows)]
    widths = [max(len(line[i]) for line in lines) for i in range(len(columns))]
    return "".join(
        "  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip() + "\n" for line in lines
    )
