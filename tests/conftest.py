"""Fixtures for all tests: every test that takes `database` runs on SQLite and on a real PostgreSQL."""

import os
import shutil
import uuid
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest
from hypothesis import settings as hypothesis_settings

from deploy.migrate import upgrade
from hotspot.database import Database
from hotspot.keys import Keyring, create_missing_keys, derive_master_key, load_keyring, read_master_key
from hotspot.settings import Settings
from tests.postgres import PostgresError, PostgresServer

SECRET_KEY = "a secret for tests only, long enough for everyone"
NOON = datetime(2026, 6, 15, 12, 0, tzinfo=UTC)
TEMPLATE = "surfpass_template"


def pytest_configure() -> None:
    """Tests run with the settings they give, not with those of the shell they are started from."""
    for name in [name for name in os.environ if name.startswith("SURFPASS_")]:
        del os.environ[name]
    # A busy machine must not make a property fail.
    hypothesis_settings.register_profile("surfpass", deadline=None)
    hypothesis_settings.load_profile("surfpass")


@pytest.fixture
def now() -> datetime:
    """A Monday at noon in UTC, 14:00 in Berlin."""
    return NOON


@pytest.fixture(scope="session")
def postgres_server() -> Iterator[PostgresServer]:
    """The PostgreSQL server of this run, started when the first test needs it; it never has to survive a crash."""
    try:
        server = PostgresServer({"fsync": "off", "full_page_writes": "off", "max_connections": "300"})
    except PostgresError as error:
        if os.environ.get("CI") == "true":
            raise
        pytest.skip(str(error))
    with server:
        yield server


@pytest.fixture(scope="session")
def sqlite_template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An empty, migrated SQLite file to copy."""
    path = tmp_path_factory.mktemp("template") / "surfpass.db"
    prepare(f"sqlite:///{path}")
    return path


@pytest.fixture(scope="session")
def postgres_template(postgres_server: PostgresServer) -> str:
    """The name of an empty, migrated database to copy."""
    prepare(postgres_server.create_database(TEMPLATE))
    return TEMPLATE


@pytest.fixture(params=["sqlite", "postgresql"])
def database_url(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    """The URL of an empty, migrated database of the test's own."""
    if request.param == "sqlite":
        path = tmp_path / "surfpass.db"
        shutil.copyfile(request.getfixturevalue("sqlite_template"), path)
        yield f"sqlite:///{path}"
        return
    template: str = request.getfixturevalue("postgres_template")
    server: PostgresServer = request.getfixturevalue("postgres_server")
    name = f"test_{uuid.uuid4().hex}"
    yield server.create_database(name, template)
    server.drop_database(name)


@pytest.fixture
def database(database_url: str) -> Iterator[Database]:
    """An empty, migrated database, with the data keys that SECRET_KEY opens."""
    database = Database(database_url)
    yield database
    database.dispose()


@pytest.fixture
def settings(database_url: str, tmp_path: Path) -> Settings:
    """Settings for this test's database, with a data folder of its own."""
    return Settings(data_dir=tmp_path / "data", database_url=database_url, secret_key=SECRET_KEY)


@pytest.fixture
def keyring(database: Database, settings: Settings) -> Keyring:
    """The data keys of `database`."""
    with database.read() as session:
        return load_keyring(session, read_master_key(settings))


def prepare(url: str) -> None:
    """Migrate an empty database and give it its data keys."""
    database = Database(url)
    try:
        upgrade(database)
        with database.write() as session:
            create_missing_keys(session, derive_master_key(SECRET_KEY), NOON)
    finally:
        database.dispose()
