"""Lengths of time, volumes, prices and moments, as the guest's language writes them."""

from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

from babel.dates import format_datetime, format_skeleton, format_time
from babel.numbers import format_currency, format_decimal
from babel.units import format_unit
from flask_babel import gettext as _

from portal.languages import language

_UNITS = (("duration-day", 86400), ("duration-hour", 3600), ("duration-minute", 60))


def duration(seconds: int) -> str:
    """A length of time in its two largest units, rounded down: "3 days", "1 hour 30 minutes"."""
    parts, rest = [], max(0, seconds)
    for unit, size in _UNITS:
        count, rest = divmod(rest, size)
        if count:
            parts.append(_unit(count, unit, "long"))
        if len(parts) == 2 or (parts and not count):
            break
    return " ".join(parts) if parts else _("less than a minute")


def volume(octets: int) -> str:
    """A volume in decimal units: "100 MB", "1.5 GB"."""
    if octets >= 1_000_000_000:
        return _unit(octets // 10_000_000 / 100, "digital-gigabyte", "short")
    if octets >= 10_000_000:
        return _unit(octets // 1_000_000, "digital-megabyte", "short")
    return _unit(octets // 100_000 / 10, "digital-megabyte", "short")


def rate(kbit: int) -> str:
    """A transmission rate: "10 Mbit/s"."""
    if kbit >= 1000:
        return f"{format_decimal(kbit / 1000, '#,##0.##', locale=language())}\u00a0Mbit/s"
    return f"{kbit}\u00a0kbit/s"


def price(cents: int, currency: str) -> str:
    """An amount of money: "4,90 €"."""
    return str(format_currency(cents / 100, currency, locale=language()))


def moment(when: datetime, zone: ZoneInfo, now: datetime) -> str:
    """A moment in the site's zone: the hour alone when it is on the date that `now` has there, else the date too."""
    local, today = when.astimezone(zone), now.astimezone(zone).date()
    if local.date() == today:
        return str(_("today, %(time)s", time=_hour(local)))
    if local.date() == today + timedelta(days=1):
        return str(_("tomorrow, %(time)s", time=_hour(local)))
    date = _date(local, with_year=local.year != today.year)
    return str(_("%(date)s, %(time)s", date=date, time=_hour(local)))


# Where CLDR's own pattern for day and date is the shortened or the American one.
_DATES = {"de": "EEEE, d. MMMM", "en": "EEEE, d MMMM"}


def _date(local: datetime, *, with_year: bool) -> str:
    if pattern := _DATES.get(language()):
        return str(format_datetime(local, f"{pattern} yyyy" if with_year else pattern, locale=language()))
    return str(format_skeleton("yMMMMEEEEd" if with_year else "MMMMEEEEd", local, locale=language()))


def _hour(local: datetime) -> str:
    return str(format_time(local.time(), "HH:mm", locale=language()))


def _unit(value: float, unit: str, length: str) -> str:
    written = format_unit(value, unit, length, locale=language())  # type: ignore[arg-type]
    return str(written).replace(" ", "\u00a0")
