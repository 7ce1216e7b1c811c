"""Fixtures for the portal: the application on a real database, with a clock that stands still until it is moved."""

from datetime import datetime, timedelta
from pathlib import Path

import pytest
from flask import Flask
from flask.testing import FlaskClient

from hatch_build import CATALOGUES, compile_catalogue
from hotspot.database import Database
from hotspot.keys import Keyring
from hotspot.settings import Settings
from portal import languages
from portal.app import create_app, furnish
from portal.context import Portal
from portal.tally import Tally
from radius.makes import COA_MAKES
from tests.portal.guest import PORTAL_URL as PORTAL_URL
from tests.portal.guest import Stage

ROOT = Path(__file__).parents[2]


class MovableClock:
    """A clock that shows what it is set to."""

    def __init__(self, now: datetime) -> None:
        self.now = now

    def __call__(self) -> datetime:
        return self.now

    def pass_by(self, **time: float) -> None:
        """Let time pass: `minutes=5`."""
        self.now += timedelta(**time)


@pytest.fixture(scope="session", autouse=True)
def _catalogues() -> None:
    """The pages speak German only from compiled catalogues; the build makes them, and so does this."""
    for source in ROOT.glob(CATALOGUES):
        compiled = source.with_suffix(".mo")
        if not compiled.exists() or compiled.stat().st_mtime < source.stat().st_mtime:
            compile_catalogue(source)


@pytest.fixture
def clock(now: datetime) -> MovableClock:
    """The portal's clock."""
    return MovableClock(now)


@pytest.fixture
def portal_settings(settings: Settings) -> Settings:
    """Settings of a portal that the world knows as PORTAL_URL."""
    return settings.model_copy(
        update={"portal_url": PORTAL_URL, "operator_name": "Stadtnetz GmbH", "product_name": "Stadtnetz Hotspot"}
    )


@pytest.fixture(scope="session")
def kept_apps() -> list[Flask]:
    """The application once it is built: to have its rules and templates compiled costs more than most tests."""
    return []


@pytest.fixture
def app(
    portal_settings: Settings, database: Database, keyring: Keyring, clock: MovableClock, kept_apps: list[Flask]
) -> Flask:
    """The portal."""
    if not kept_apps:
        kept_apps.append(create_app(portal_settings, database, keyring, clock, COA_MAKES))
    tally = Tally(portal_settings.data_dir)
    furnish(kept_apps[0], Portal(portal_settings, database, keyring, clock, tally, COA_MAKES))
    return kept_apps[0]


@pytest.fixture
def client(app: Flask) -> FlaskClient:
    """A browser that keeps cookies."""
    return app.test_client()


@pytest.fixture
def stage(database: Database, keyring: Keyring, client: FlaskClient, clock: MovableClock) -> Stage:
    """A site behind a CoovaChilli, and a phone at it."""
    return Stage(database, keyring, client, clock)


@pytest.fixture(scope="session")
def app_without_database() -> Flask:
    """A Flask application that speaks both languages, for what needs nothing else."""
    app = Flask("portal", template_folder=str(ROOT / "templates"))
    languages.init_app(app)
    return app
