from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from flask import Flask
from flask_babel import force_locale

from portal import formats
from portal.languages import LANGUAGE_NAMES

BERLIN = ZoneInfo("Europe/Berlin")
NOON = datetime(2026, 6, 15, 12, tzinfo=UTC)


@pytest.mark.parametrize(
    ("seconds", "english", "german"),
    [
        (-5, "less than a minute", "weniger als eine Minute"),
        (59, "less than a minute", "weniger als eine Minute"),
        (60, "1 minute", "1 Minute"),
        (3600, "1 hour", "1 Stunde"),
        (5400, "1 hour 30 minutes", "1 Stunde 30 Minuten"),
        (86400, "1 day", "1 Tag"),
        (86400 + 59, "1 day", "1 Tag"),
        (86400 + 60, "1 day", "1 Tag"),
        (3 * 86400 + 7205, "3 days 2 hours", "3 Tage 2 Stunden"),
    ],
)
def test_durations(app_without_database: Flask, seconds: int, english: str, german: str) -> None:
    assert both(app_without_database, formats.duration, seconds) == (english, german)


@pytest.mark.parametrize(
    ("octets", "english", "german"),
    [
        (0, "0 MB", "0 MB"),
        (1_550_000, "1.5 MB", "1,5 MB"),
        (99_999_999, "99 MB", "99 MB"),
        (1_500_000_000, "1.5 GB", "1,5 GB"),
        (20_000_000_000, "20 GB", "20 GB"),
    ],
)
def test_volumes_are_never_rounded_up(app_without_database: Flask, octets: int, english: str, german: str) -> None:
    assert both(app_without_database, formats.volume, octets) == (english, german)


@pytest.mark.parametrize("language", LANGUAGE_NAMES)
def test_no_language_falls_back_to_names_of_units(app_without_database: Flask, language: str) -> None:
    with app_without_database.test_request_context(), force_locale(language):
        written = [formats.duration(90_061), formats.volume(2_000_000), formats.volume(3_500_000_000)]
    assert not [text for text in written if "duration" in text or "digital" in text]


def test_rates_and_prices(app_without_database: Flask) -> None:
    assert both(app_without_database, formats.rate, 512) == ("512 kbit/s", "512 kbit/s")
    assert both(app_without_database, formats.rate, 2500) == ("2.5 Mbit/s", "2,5 Mbit/s")
    assert both(app_without_database, formats.price, 490, "EUR") == ("€4.90", "4,90 €")


@pytest.mark.parametrize(
    ("later", "english", "german"),
    [
        (timedelta(hours=1), "today, 15:00", "heute, 15:00 Uhr"),
        (timedelta(hours=10), "tomorrow, 00:00", "morgen, 00:00 Uhr"),
        (timedelta(days=7), "Monday, 22 June, 14:00", "Montag, 22. Juni, 14:00 Uhr"),
        (timedelta(days=250), "Saturday, 20 February 2027, 13:00", "Samstag, 20. Februar 2027, 13:00 Uhr"),
    ],
)
def test_moments_are_the_sites(app_without_database: Flask, later: timedelta, english: str, german: str) -> None:
    assert both(app_without_database, formats.moment, NOON + later, BERLIN, NOON) == (english, german)


def both(app: Flask, function: object, *values: object) -> tuple[str, ...]:
    """What a function writes in English and in German, with plain spaces."""
    assert callable(function)
    written = []
    with app.test_request_context():
        for locale in ("en", "de"):
            with force_locale(locale):
                written.append(str(function(*values)).replace("\u00a0", " "))
    return tuple(written)
