"""Fixtures for all tests: every test that takes `database` runs on SQLite and on a real PostgreSQL."""

import logging
import os
import shutil
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import psycopg
import pytest
import structlog
from argon2 import PasswordHasher
from hypothesis import settings as hypothesis_settings
from sqlalchemy import Engine

from deploy.migrate import upgrade
from hotspot.database import Database
from hotspot.keys import Keyring, create_missing_keys, derive_master_key, load_keyring, read_master_key
from hotspot.people import passwords
from hotspot.settings import Settings
from tests.postgres import PostgresError, PostgresServer

SECRET_KEY = "a secret for tests only, long enough for everyone"
NOON = datetime(2026, 6, 15, 12, 0, tzinfo=UTC)


def pytest_configure() -> None:
    """Tests run with the settings they give, not with those of the shell they are started from."""
    for name in [name for name in os.environ if name.startswith("SURFPASS_")]:
        del os.environ[name]
    # A busy machine must not make a property fail.
    hypothesis_settings.register_profile("surfpass", deadline=None)
    hypothesis_settings.load_profile("surfpass")


# What these start has to answer in time: a busy neighbour would make it late.
ALONE = tuple(Path(__file__).parent / folder for folder in ("radius", "deploy"))

# These are in the same folders, and start nothing that would be late.
BESIDE_OTHERS = (
    *(
        "test_commands",
        "test_migrations",
        "test_settings_documented",
        "test_voucher_status",
        "test_logging",
        "test_printing",
        "test_wheel",
        "test_housekeeper",
    ),
    *("test_codec", "test_packet", "test_makes", "test_observe"),
)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark the tests that `make test` does not run side by side with others."""
    for item in items:
        if any(item.path.is_relative_to(folder) for folder in ALONE) and not item.path.stem.startswith(BESIDE_OTHERS):
            item.add_marker(pytest.mark.alone)


@pytest.fixture(autouse=True)
def _plain_logging() -> Iterator[None]:
    """What a test does to logging ends with the test."""
    root = logging.getLogger()
    handlers, level = root.handlers, root.level
    yield
    structlog.reset_defaults()
    root.handlers, root.level = handlers, level


@pytest.fixture(autouse=True, scope="session")
def _quick_passwords() -> None:
    """Hashing that is slow on purpose would only make the tests slow."""
    passwords._hasher = PasswordHasher(time_cost=1, memory_cost=64, parallelism=1)


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
    path = tmp_path_factory.mktemp("sqlite") / "template.db"
    prepare(f"sqlite:///{path}")
    return path


@pytest.fixture(scope="session")
def reusable_postgres(postgres_server: PostgresServer) -> "ReusableDatabase":
    """The database that the tests on PostgreSQL use one after the other."""
    return ReusableDatabase(postgres_server)


@pytest.fixture(params=["sqlite", "postgresql"])
def database_url(request: pytest.FixtureRequest) -> Iterator[str]:
    """The URL of an empty, migrated database of the test's own."""
    if request.param == "sqlite":
        template: Path = request.getfixturevalue("sqlite_template")
        # Beside the file lies more than SQLite's own.
        folder = template.with_name("used")
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir()
        path = folder / "surfpass.db"
        shutil.copyfile(template, path)
        yield f"sqlite:///{path}"
        return
    reusable: ReusableDatabase = request.getfixturevalue("reusable_postgres")
    yield reusable.url
    reusable.empty()


@pytest.fixture(scope="session")
def kept_engines() -> dict[str, Engine]:
    """Engines by URL: to have statements compiled costs more than most tests."""
    return {}


@pytest.fixture
def database(database_url: str, kept_engines: dict[str, Engine]) -> Iterator[Database]:
    """An empty, migrated database, with the data keys that SECRET_KEY opens."""
    database = Database(database_url)
    # An engine derived from the one kept shares all but the listeners that a test may add.
    database.engine = kept_engines.setdefault(database_url, database.engine).execution_options()
    database._writing = database.engine.execution_options(**database._writing.get_execution_options())
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


# What a test may have done to the schema shows here; then the database is made anew.
SCHEMA = """
    SELECT (SELECT string_agg(oid::text, ' ' ORDER BY oid) FROM pg_class WHERE relnamespace = 'public'::regnamespace),
           (SELECT count(*) FROM pg_attribute JOIN pg_class ON pg_class.oid = attrelid
            WHERE relnamespace = 'public'::regnamespace AND NOT attisdropped),
           (SELECT version_num FROM alembic_version)
"""


class ReusableDatabase:
    """A migrated PostgreSQL database that is emptied after each test: that costs a tenth of a new one."""

    def __init__(self, server: PostgresServer) -> None:
        self._server = server
        self._number = 0
        self.url = ""
        self._create()

    def empty(self) -> None:
        """Throw out whoever is still connected, and all rows but the data keys, which become those of before."""
        try:
            with psycopg.connect(self.url.replace("+psycopg", ""), autocommit=True) as connection:
                connection.execute(
                    "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
                    " WHERE datname = current_database() AND pid <> pg_backend_pid()"
                )
                if connection.execute(SCHEMA).fetchone() == self._schema:
                    connection.execute(self._wipe)
                    return
        except psycopg.Error:
            pass
        self._server.drop_database(self.url.rpartition("/")[2])
        self._create()

    def _create(self) -> None:
        self._number += 1
        self.url = self._server.create_database(f"surfpass_{self._number}")
        prepare(self.url)
        with psycopg.connect(self.url.replace("+psycopg", ""), autocommit=True) as connection:
            tables = connection.execute("SELECT tablename FROM pg_tables WHERE schemaname = 'public'").fetchall()
            connection.execute("CREATE SCHEMA kept; CREATE TABLE kept.data_key AS TABLE data_key")
            self._schema = connection.execute(SCHEMA).fetchone()
        wiped = [name for (name,) in tables if name != "alembic_version"]
        # Without triggers the order of the tables does not matter.
        statements = ["SET session_replication_role = replica", *(f"DELETE FROM {name}" for name in wiped)]  # noqa: S608  our own tables
        self._wipe = "; ".join([*statements, "INSERT INTO data_key TABLE kept.data_key"]).encode()
