"""Lengths of time, volumes, prices and moments, as the guest's language writes them."""

from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

from babel.dates import format_datetime, format_skeleton, format_time
from babel.numbers import format_currency, format_decimal
from babel.units import format_unit
from flask_babel import gettext as _
from flask_babel import ngettext

from portal.languages import language


def duration(seconds: int) -> str:
    """A length of time in its two largest units, rounded down: "3 days", "1 hour 30 minutes"."""
    minutes = max(0, seconds) // 60
    days, hours, minutes = minutes // 1440, minutes // 60 % 24, minutes % 60
    # Not from CLDR: in its data some languages have no word for days.
    largest = (
        (days, ngettext("%(num)s day", "%(num)s days", days)),
        (hours, ngettext("%(num)s hour", "%(num)s hours", hours)),
        (minutes, ngettext("%(num)s minute", "%(num)s minutes", minutes)),
    )
    start = next((i for i, (count, _words) in enumerate(largest) if count), None)
    if start is None:
        return str(_("less than a minute"))
    return " ".join(words.replace(" ", "\u00a0") for count, words in largest[start : start + 2] if count)


def volume(octets: int) -> str:
    """A volume in decimal units: "100 MB", "1.5 GB"."""
    if octets >= 1_000_000_000:
        return _unit(octets // 10_000_000 / 100, "digital-gigabyte")
    if octets >= 10_000_000:
        return _unit(octets // 1_000_000, "digital-megabyte")
    return _unit(octets // 100_000 / 10, "digital-megabyte")


def rate(kbit: int) -> str:
    """A transmission rate: "10 Mbit/s"."""
    if kbit >= 1000:
        return f"{format_decimal(kbit / 1000, '#,##0.##', locale=language())}\u00a0Mbit/s"
    return f"{kbit}\u00a0kbit/s"


def number(count: int) -> str:
    """A whole number with its thousands apart: "1,200"."""
    return str(format_decimal(count, locale=language()))


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


def _unit(value: float, unit: str) -> str:
    written = format_unit(value, unit, "short", locale=language())
    return str(written).replace(" ", "\u00a0")
