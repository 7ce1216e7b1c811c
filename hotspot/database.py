"""The database: one engine, two kinds of transaction, and the column types all tables share."""

import base64
import enum
import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, ClassVar

from sqlalchemy import (
    BigInteger,
    Connection,
    DateTime,
    Dialect,
    Engine,
    Enum,
    Integer,
    MetaData,
    String,
    create_engine,
    event,
    make_url,
)
from sqlalchemy.exc import ArgumentError, NoSuchModuleError
from sqlalchemy.orm import DeclarativeBase, Mapped, Session, mapped_column
from sqlalchemy.types import TypeDecorator

from hotspot.errors import SetupError
from hotspot.mac import Mac

# SQLite gives row numbers of its own only to a column declared INTEGER.
BigId = BigInteger().with_variant(Integer, "sqlite")


class UtcDateTime(TypeDecorator[datetime]):
    """An aware moment in UTC; SQLite would otherwise forget the zone."""

    impl = DateTime(timezone=True)
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        if value is None:
            return None
        if value.tzinfo is None:
            raise ValueError("a moment without a zone cannot be stored")
        value = value.astimezone(UTC)
        return value.replace(tzinfo=None) if dialect.name == "sqlite" else value

    def process_result_value(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        if value is None:
            return None
        return value.replace(tzinfo=UTC) if value.tzinfo is None else value.astimezone(UTC)


class MacColumn(TypeDecorator[Mac]):
    """A MAC address, stored as RFC 3580 spells it."""

    impl = String(17)
    cache_ok = True

    def process_bind_param(self, value: Mac | None, dialect: Dialect) -> str | None:
        return None if value is None else value.value

    def process_result_value(self, value: str | None, dialect: Dialect) -> Mac | None:
        return None if value is None else Mac(value)


def enum_column(kind: type[enum.Enum]) -> Enum:
    """A column type that stores an enum's values as text and holds others out by a CHECK."""
    return Enum(
        kind,
        native_enum=False,
        create_constraint=True,
        length=32,
        name=kind.__name__.lower(),
        values_callable=lambda members: [member.value for member in members],
    )


class Base(DeclarativeBase):
    """Root of all tables; the naming convention keeps constraint names the same on both databases."""

    metadata = MetaData(
        naming_convention={
            "ix": "ix_%(table_name)s_%(column_0_N_name)s",
            "uq": "uq_%(table_name)s_%(column_0_N_name)s",
            "ck": "ck_%(table_name)s_%(constraint_name)s",
            "fk": "fk_%(table_name)s_%(column_0_N_name)s",
            "pk": "pk_%(table_name)s",
        }
    )
    type_annotation_map: ClassVar = {datetime: UtcDateTime(), Mac: MacColumn()}


def new_public_id() -> str:
    """A random 80-bit name of a row for URLs and APIs: 16 characters a-z, 2-7."""
    return base64.b32encode(secrets.token_bytes(10)).decode().lower()


class Identified:
    """A row with a bigint key inside and a random public id outside."""

    id: Mapped[int] = mapped_column(BigId, primary_key=True)
    public_id: Mapped[str] = mapped_column(String(16), unique=True, default=new_public_id)


class Database:
    """An engine and the two ways to use it: `read()` and `write()`."""

    def __init__(self, url: str) -> None:
        try:
            self.engine = _create_engine(url)
        except (ArgumentError, NoSuchModuleError, ImportError) as error:
            raise SetupError(
                "bad-setting", "SURFPASS_DATABASE_URL is not a URL such as postgresql+psycopg://user@host/name."
            ) from error
        self.url = self.engine.url
        self._writing = self.engine.execution_options(surfpass_write=True)

    @contextmanager
    def read(self) -> Iterator[Session]:
        """A transaction that only reads; nothing done in it is kept."""
        with Session(self.engine, expire_on_commit=False) as session:
            yield session

    @contextmanager
    def write(self) -> Iterator[Session]:
        """A transaction that commits when the block ends and rolls back when it raises.

        On SQLite it takes the write lock at once: a deferred transaction that has read cannot wait for another writer.
        """
        with Session(self._writing, expire_on_commit=False) as session, session.begin():
            session.connection()
            yield session

    def dispose(self) -> None:
        """Close all pooled connections."""
        self.engine.dispose()


def _create_engine(url: str) -> Engine:
    """An engine whose errors do not repeat the values of a statement: they may be a guest's."""
    parsed = make_url(url)
    if parsed.get_backend_name() != "sqlite":
        return create_engine(parsed, hide_parameters=True, pool_pre_ping=True, pool_size=10)
    if parsed.database:
        _create_private_file(Path(parsed.database))
    engine = create_engine(parsed, hide_parameters=True)
    event.listen(engine, "connect", _prepare_sqlite)
    event.listen(engine, "begin", _begin_sqlite)
    return engine


def _create_private_file(path: Path) -> None:
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    path.touch(mode=0o600)


def _prepare_sqlite(connection: Any, _record: Any) -> None:
    connection.isolation_level = None  # we say BEGIN ourselves, below
    for pragma in ("busy_timeout=10000", "journal_mode=WAL", "synchronous=FULL", "foreign_keys=ON"):
        connection.execute(f"PRAGMA {pragma}").close()


def _begin_sqlite(connection: Connection) -> None:
    writing = connection.get_execution_options().get("surfpass_write")
    connection.exec_driver_sql("BEGIN IMMEDIATE" if writing else "BEGIN")
