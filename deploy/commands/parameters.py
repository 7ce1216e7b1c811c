"""The kinds of values that options take."""

import re
from dataclasses import dataclass
from datetime import datetime, time, timedelta, tzinfo
from decimal import Decimal, InvalidOperation
from enum import StrEnum
from pathlib import Path
from typing import IO, Any

import click

from hotspot.mac import Mac
from hotspot.opening import WEEKDAYS, Span
from hotspot.place import LoginWay

LARGEST_FILE = 1_000_000


class MacType(click.ParamType[Mac]):
    """A MAC address in any spelling."""

    name = "MAC"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Mac:
        try:
            return value if isinstance(value, Mac) else Mac.parse(value)
        except ValueError as error:
            self.fail(str(error), param, ctx)


class _HundredthsType(click.ParamType[int]):
    """A number of at most two decimals, in hundredths."""

    example = ""

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> int:
        if isinstance(value, int):
            return value
        try:
            hundredths = Decimal(value) * 100
            if hundredths.is_finite() and hundredths == hundredths.to_integral_value():
                return int(hundredths)
        except InvalidOperation:
            pass
        self.fail(f"{value[:40]!r} is not {self.example}", param, ctx)


class PriceType(_HundredthsType):
    """A gross price such as 4.90, in cents."""

    name = "PRICE"
    example = "a price such as 4.90"


class PercentType(_HundredthsType):
    """A rate such as 19 or 8.1 per cent, in basis points."""

    name = "PERCENT"
    example = "a percentage such as 19 or 8.1"


class MomentType(click.ParamType[datetime]):
    """A moment in ISO 8601; one without an offset is completed by the command, which knows the zone."""

    name = "TIME"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> datetime:
        try:
            return value if isinstance(value, datetime) else datetime.fromisoformat(value)
        except ValueError:
            self.fail(f"{value[:40]!r} is not a time such as 2026-08-31T22:00 or 2026-08-31T22:00+02:00", param, ctx)


class DurationType(click.ParamType[timedelta]):
    """A length of time such as 7d, 12h or 30m."""

    name = "DURATION"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> timedelta:
        if isinstance(value, timedelta):
            return value
        found = re.fullmatch(r"([0-9]{1,5})([dhm])|0", value)
        if not found:
            self.fail(f"{value[:40]!r} is not a length of time such as 7d, 12h, 30m or 0", param, ctx)
        unit = {"d": "days", "h": "hours", "m": "minutes"}.get(found[2] or "d", "days")
        return timedelta(**{unit: int(found[1] or 0)})


class HourType(click.ParamType[time]):
    """A time of day, HH:MM."""

    name = "HH:MM"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> time:
        if isinstance(value, time):
            return value
        try:
            return datetime.strptime(value, "%H:%M").time()  # noqa: DTZ007  a wall clock has no zone
        except ValueError:
            self.fail(f"{value[:40]!r} is not a time of day such as 04:00", param, ctx)


class SpanType(click.ParamType[Span]):
    """Opening hours, HH:MM-HH:MM; 24:00 is the midnight that ends the day."""

    name = "HH:MM-HH:MM"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Span:
        if isinstance(value, Span):
            return value
        opens, _dash, closes = value.partition("-")
        hour = HourType()
        return Span(hour.convert(opens, param, ctx), hour.convert(closes.replace("24:00", "00:00"), param, ctx))


@dataclass(frozen=True)
class DaySpans:
    """Opening hours on some weekdays, 0 being Monday."""

    weekdays: tuple[int, ...]
    span: Span


class DaySpansType(click.ParamType[DaySpans]):
    """DAYS=HH:MM-HH:MM, the days being one or a range."""

    name = "DAYS=HH:MM-HH:MM"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> DaySpans:
        if isinstance(value, DaySpans):
            return value
        days, _equals, hours = value.partition("=")
        first, _dash, last = days.lower().partition("-")
        try:
            start, end = WEEKDAYS.index(first), WEEKDAYS.index(last or first)
        except ValueError:
            self.fail(f"{value[:40]!r} is not of the form mon-fri=08:00-22:00", param, ctx)
        count = (end - start) % len(WEEKDAYS) + 1
        weekdays = tuple((start + number) % len(WEEKDAYS) for number in range(count))
        return DaySpans(weekdays, SpanType().convert(hours, param, ctx))


class LoginsType(click.ParamType[tuple[LoginWay, ...]]):
    """Ways to log in, separated by commas."""

    name = "ticket,voucher,mac"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> tuple[LoginWay, ...]:
        if isinstance(value, tuple):
            return value
        try:
            return tuple(dict.fromkeys(LoginWay(one.strip()) for one in value.split(",")))
        except ValueError:
            self.fail(f"{value[:40]!r} is not a list of {', '.join(LoginWay)}", param, ctx)


@dataclass(frozen=True)
class LanguageFile:
    """A text file for one language."""

    language: str
    text: str


class LanguageFileType(click.ParamType[LanguageFile]):
    """LANGUAGE=FILE."""

    name = "LANGUAGE=FILE"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> LanguageFile:
        if isinstance(value, LanguageFile):
            return value
        language, equals, path = value.partition("=")
        if not equals:
            self.fail(f"{value[:40]!r} is not LANGUAGE=FILE such as de=terms.txt", param, ctx)
        return LanguageFile(language, read_text(TEXT_FILE.convert(path, param, ctx)))


TEXT_FILE = click.File("r", encoding="utf-8-sig")


def one_of(kind: type[StrEnum]) -> click.Choice[str]:
    """A choice by value; click by itself offers the names of an enum's members."""
    return click.Choice([member.value for member in kind])


def in_zone(moment: datetime, zone: tzinfo) -> datetime:
    """The moment as it is meant: where it has no offset, on the clock of `zone`."""
    return moment if moment.tzinfo else moment.replace(tzinfo=zone)


def read_text(file: IO[str]) -> str:
    """The content of a text file; wrong use when it is too large or not UTF-8."""
    name = Path(str(getattr(file, "name", "the input"))).name
    try:
        text = file.read(LARGEST_FILE + 1)
    except UnicodeDecodeError as error:
        raise click.UsageError(f"{name}: not a text in UTF-8") from error
    if len(text) > LARGEST_FILE:
        raise click.UsageError(f"{name}: larger than {LARGEST_FILE} characters")
    return text


def secret_of(name: str, value: str | None, file: IO[str] | None) -> str | None:
    """A secret given as an option or in a file, without the line's end; None where neither is; wrong use for both."""
    if value is not None and file is not None:
        raise click.UsageError(f"give --{name} or --{name}-file, not both")
    return read_text(file).rstrip("\r\n") if file is not None else value


def only_one(**given: object) -> None:
    """Wrong use when more than one of these options is given."""
    named = [f"--{name.replace('_', '-')}" for name, value in given.items() if value is not None]
    if len(named) > 1:
        raise click.UsageError(f"give only one of {', '.join(named)}")
