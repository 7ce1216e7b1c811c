"""Migrations lead exactly to the models, forwards and backwards, with data in the tables, on both databases."""

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy import Connection, func, inspect, select, text

from deploy import migrations
from deploy.demo import lay_out_demo
from deploy.installation import Installation
from deploy.migrate import downgrade, migrate, require_newest_schema, upgrade
from deploy.schema import COMPARISON, DAY_KEY_TABLES, METADATA
from hotspot.clock import utc_now
from hotspot.database import Database
from hotspot.errors import SetupError
from hotspot.keys import DataKey
from hotspot.legal import LegalKind, LegalVersion, current_version
from hotspot.place import AccessPoint, LoginWay, Nas, Site
from hotspot.settings import Settings
from sessions.connection_log import LogEntry
from sessions.outbox import ask_disconnect_ids
from sessions.visit import CloseCause, Leg, Visit, VisitState
from tests.conftest import NOON, SECRET_KEY
from tests.deploy.processes import inherited_environment
from tests.postgres import PostgresServer
from vouchers.passes import Pass


@pytest.fixture(params=["sqlite", "postgresql"])
def empty_database(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Database]:
    """A database in which there is nothing."""
    if request.param == "sqlite":
        database = Database(f"sqlite:///{tmp_path / 'empty.db'}")
        yield database
        database.dispose()
        return
    server: PostgresServer = request.getfixturevalue("postgres_server")
    name = f"empty_{tmp_path.name.lower()}".replace("-", "_")[:60]
    database = Database(server.create_database(name))
    yield database
    database.dispose()
    server.drop_database(name)


def catalogue(connection: Connection) -> set[tuple[str, ...]]:
    """Every column, constraint and index as the database itself describes it, without the table of revisions."""
    if connection.dialect.name == "sqlite":
        rows = connection.execute(text("SELECT type, name, tbl_name, sql FROM sqlite_master WHERE sql IS NOT NULL"))
        return {(kind, name, *clauses(sql)) for kind, name, table, sql in rows if table != "alembic_version"}
    described = """
        SELECT 'constraint', conrelid::regclass::text, conname, pg_get_constraintdef(oid)
          FROM pg_constraint WHERE connamespace = 'public'::regnamespace
        UNION ALL SELECT 'index', tablename, indexname, indexdef FROM pg_indexes WHERE schemaname = 'public'
        UNION ALL SELECT 'column', table_name, column_name,
                  concat_ws(' ', data_type, character_maximum_length, is_nullable, column_default)
          FROM information_schema.columns WHERE table_schema = 'public'
    """
    ours = {"alembic_version", *DAY_KEY_TABLES}
    return {tuple(row) for row in connection.execute(text(described)) if row[1] not in ours}


def clauses(sql: str) -> list[str]:
    """The columns and constraints of a CREATE statement, in the order of the alphabet."""
    found, depth = [""], 0
    for character in " ".join(sql.replace('"', "").split()):
        depth += {"(": 1, ")": -1}.get(character, 0)
        if (character, depth) in {(",", 1), ("(", 1), (")", 0)}:
            found.append("")
        else:
            found[-1] += character
    return sorted(clause.strip() for clause in found)


def test_migrations_and_models_agree(empty_database: Database) -> None:
    upgrade(empty_database)
    with empty_database.engine.connect() as connection:
        context = MigrationContext.configure(connection, opts={"target_metadata": METADATA, **COMPARISON})
        assert compare_metadata(context, METADATA) == []


def test_migrations_make_the_very_tables_that_the_models_describe(empty_database: Database) -> None:
    """Alembic's own comparison overlooks CHECK constraints and conditions of indexes."""
    upgrade(empty_database)
    with empty_database.engine.connect() as connection:
        migrated = catalogue(connection)
    downgrade(empty_database, "base")
    METADATA.create_all(empty_database.engine)
    with empty_database.engine.connect() as connection:
        assert migrated == catalogue(connection)
    assert len(migrated) > 30


def test_migrations_go_up_down_and_up_again_with_data_in_the_tables(empty_database: Database, tmp_path: Path) -> None:
    url = empty_database.url.render_as_string(hide_password=False)
    environment_free = Settings(database_url=url, data_dir=tmp_path / "data", secret_key=SECRET_KEY)
    for _ in range(2):
        migrate(environment_free)
        installation = Installation()
        installation.__dict__["settings"] = environment_free
        lay_out_demo(installation)
        installation.close()
        add_guest(empty_database)
        before = what_is_known(empty_database)
        # Each of the newest, and then all of them at once: older ones were among the newest when they could still change.
        for revision in (*older_revisions()[:3], older_revisions()[-1]):
            downgrade(empty_database, revision)
            upgrade(empty_database)
            assert what_is_known(empty_database) == before, revision
        downgrade(empty_database, "base")
        assert inspect(empty_database.engine).get_table_names() == ["alembic_version"]


def older_revisions() -> list[str]:
    """All revisions but the newest, the latest first."""
    files = Path(migrations.__file__).parent.glob("versions/[0-9]*.py")
    return sorted((file.name[:4] for file in files), reverse=True)[1:]


def add_guest(database: Database) -> None:
    """A guest online who has roamed and is to be sent away, and one of before with an entry in the log."""
    with database.write() as session:
        place = {"site_id": session.scalars(select(Site.id)).first(), "nas_id": session.scalars(select(Nas.id)).first()}
        point, article = session.scalars(select(AccessPoint.id)).first(), session.scalars(select(Pass.id)).first()
        entry = LogEntry(
            site_id=place["site_id"],
            access_point_id=point,
            day=NOON.date(),
            token=bytes(8),
            started_at=NOON,
            minutes=5,
            octets=10**5,
        )
        session.add(entry)
        session.flush()
        shared = {"pass_id": article, "access_point_id": point, "way": LoginWay.VOUCHER, "asked_at": NOON, **place}
        online = Visit(state=VisitState.OPEN, device=b"o" * 20, identifiers=b"sealed", opened_at=NOON, **shared)
        gone = Visit(
            state=VisitState.CLOSED,
            device=b"g" * 20,
            reserved_at=NOON,
            closed_at=NOON,
            close_cause=CloseCause.STOPPED,
            log_reference=entry.reference,
            page_token=b"p" * 20,
            **shared,
        )
        session.add_all((online, gone))
        session.flush()
        for visit, count in ((online, 2), (gone, 1)):
            session.add_all(
                Leg(
                    visit_id=visit.id,
                    nas_id=place["nas_id"],
                    access_point_id=point,
                    session=b"s" * 20,
                    ordinal=ordinal,
                    started_at=NOON,
                    last_heard_at=NOON,
                    seconds=60,
                    octets_to_guest=2**40,
                )
                for ordinal in range(count)
            )
        ask_disconnect_ids(session, [(online.id, online.nas_id)], CloseCause.REVOKED, NOON)


def what_is_known(database: Database) -> dict[str, list[tuple[object, ...]]]:
    """The rows of all tables of visits, but what the tables of before had no place for."""
    anew = {"accepted_at", "prices_id"}
    with database.read() as session:
        return {
            table.name: sorted(
                (tuple(row) for row in session.execute(select(*(c for c in table.columns if c.name not in anew)))),
                key=repr,
            )
            for table in (METADATA.tables[name] for name in ("visit", "leg", "log_entry", "disconnect"))
        }


def test_day_keys_are_in_tables_that_no_backup_holds(postgres_server: PostgresServer) -> None:
    database = Database(postgres_server.create_database("day_keys"))
    upgrade(database)
    with database.engine.connect() as connection:
        query = text("SELECT relpersistence FROM pg_class WHERE relname LIKE 'log_day_key_%' AND relkind = 'r'")
        assert list(connection.execute(query).scalars()) == ["u", "u"]
    database.dispose()
    postgres_server.drop_database("day_keys")


def test_migrate_twice_is_migrate_once_and_a_portal_has_terms_of_use(empty_database: Database, tmp_path: Path) -> None:
    settings = Settings(
        database_url=empty_database.url.render_as_string(hide_password=False),
        data_dir=tmp_path / "data",
        secret_key=SECRET_KEY,
    )
    migrate(settings)
    migrate(settings)
    with empty_database.read() as session:
        terms = current_version(session, LegalKind.TERMS, utc_now())
        assert terms is not None
        assert terms.number == 1
        assert {one.language for one in terms.texts} == {"de", "en"}
        assert session.scalar(text("SELECT count(*) FROM data_key")) == 7


def test_another_secret_key_is_named_at_once(empty_database: Database, tmp_path: Path) -> None:
    url = empty_database.url.render_as_string(hide_password=False)
    migrate(Settings(database_url=url, data_dir=tmp_path, secret_key=SECRET_KEY))
    with pytest.raises(SetupError, match="does not fit this database"):
        migrate(Settings(database_url=url, data_dir=tmp_path, secret_key=SECRET_KEY[::-1]))


def test_a_database_of_another_version_is_told_from_one_not_set_up(empty_database: Database) -> None:
    with pytest.raises(SetupError, match="not set up yet"):
        require_newest_schema(empty_database)
    upgrade(empty_database)
    require_newest_schema(empty_database)
    with empty_database.write() as session:
        session.execute(text("UPDATE alembic_version SET version_num = '9999'"))
    with pytest.raises(SetupError, match="newer version"):
        require_newest_schema(empty_database)


def test_several_machines_may_migrate_at_once(postgres_server: PostgresServer, tmp_path: Path) -> None:
    url = postgres_server.create_database("at_once")
    environment = {"SURFPASS_DATABASE_URL": url, "SURFPASS_DATA_DIR": str(tmp_path), "SURFPASS_SECRET_KEY": SECRET_KEY}
    command = [sys.executable, "-m", "deploy", "migrate"]
    processes = [
        subprocess.Popen(
            command, env=inherited_environment() | environment, stderr=subprocess.PIPE, stdout=subprocess.DEVNULL
        )
        for _ in range(4)
    ]
    for process in processes:
        _out, errors = process.communicate(timeout=60)
        assert (process.returncode, errors) == (0, b"")
    database = Database(url)
    with database.read() as session:
        counts = [session.scalar(select(func.count()).select_from(table)) for table in (DataKey, LegalVersion)]
    database.dispose()
    assert counts == [7, 1]
    postgres_server.drop_database("at_once")
