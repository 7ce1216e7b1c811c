"""Set-up of a database: tables, keys and standard terms of use. Doing it again changes nothing."""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime

from alembic import command
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, select, text
from sqlalchemy.orm import Session

from deploy.files import LANGUAGES, read_template
from hotspot.audit import COMMAND_LINE
from hotspot.clock import utc_now
from hotspot.database import Database
from hotspot.errors import SetupError
from hotspot.keys import create_missing_keys, load_keyring, read_master_key
from hotspot.legal import LegalKind, LegalVersion, NewText, publish
from hotspot.settings import Settings

# Any number that no other program uses in the same database.
_ADVISORY_LOCK = 0x5355_5246


def migrate(settings: Settings) -> None:
    """Bring the database to the newest revision, and give it what a portal cannot do without. SetupError for a wrong key."""
    database = Database(settings.database)
    try:
        upgrade(database)
        now, master = utc_now(), read_master_key(settings)
        with database.write() as session:
            _wait_for_others(session.connection())
            create_missing_keys(session, master, now)
            session.flush()
            load_keyring(session, master)
            _publish_standard_terms(session, now)
    finally:
        database.dispose()


def upgrade(database: Database, revision: str = "head") -> None:
    """Go forward to a revision, in one transaction."""
    with _exclusively(database) as connection:
        command.upgrade(_config(connection), revision)


def downgrade(database: Database, revision: str) -> None:
    """Go back to a revision, or to `base`, in one transaction."""
    with _exclusively(database) as connection:
        command.downgrade(_config(connection), revision)


def require_newest_schema(database: Database) -> None:
    """SetupError unless the database is at the revision this program was made for."""
    with database.engine.connect() as connection:
        revision = MigrationContext.configure(connection).get_current_revision()
    script = ScriptDirectory.from_config(_config(None))
    if revision == script.get_current_head():
        return
    if revision is None:
        raise SetupError("no-schema", "The database is not set up yet: run 'surfpass migrate' first.")
    if revision in {known.revision for known in script.walk_revisions()}:
        raise SetupError("old-schema", "The database is of an older version: run 'surfpass migrate' first.")
    raise SetupError(
        "new-schema", "The database is of a newer version of surfpass than this one: install that version."
    )


def _config(connection: Connection | None) -> Config:
    config = Config()
    config.set_main_option("script_location", "deploy:migrations")
    config.set_main_option("path_separator", "os")
    config.attributes["connection"] = connection
    return config


@contextmanager
def _exclusively(database: Database) -> Iterator[Connection]:
    """A transaction that no second `migrate` runs beside."""
    with database.engine.execution_options(surfpass_write=True).begin() as connection:
        _wait_for_others(connection)
        yield connection


def _wait_for_others(connection: Connection) -> None:
    """Race: machines that are set up at once come one after the other. SQLite has one writer anyway."""
    if connection.dialect.name == "postgresql":
        connection.execute(text("SELECT pg_advisory_xact_lock(:lock)"), {"lock": _ADVISORY_LOCK})


def _publish_standard_terms(session: Session, now: datetime) -> None:
    """Without terms of use no guest can accept any: the operator replaces these by `surfpass legal publish`."""
    if session.scalar(select(LegalVersion.id).where(LegalVersion.kind == LegalKind.TERMS).limit(1)):
        return
    texts = [NewText(language, read_template(f"legal/terms.{language}.txt")) for language in LANGUAGES]
    publish(session, COMMAND_LINE, LegalKind.TERMS, texts, now, now)
