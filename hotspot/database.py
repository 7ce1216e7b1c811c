"""The database: one engine, two kinds of transaction, and the column types all tables share."""

import enum
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from functools import lru_cache
from pathlib import Path
from typing import Any, ClassVar

from sqlalchemy import (
    URL,
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
_LOCK_SECONDS = 10.0
# Whoever commits writes the log back to the file, once it has so many pages: by default every few batches of a busy hour. The
# cache, in KiB if negative, has to hold the upper pages of all indexes.
_PRAGMAS = (
    "journal_mode=WAL",
    "synchronous=FULL",
    "foreign_keys=ON",
    "wal_autocheckpoint=4000",
    "cache_size=-16000",
)


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
        return None if value is None else value.replace(tzinfo=UTC)

    def result_processor(self, dialect: Dialect, coltype: object) -> Callable[[Any], Any] | None:
        """None on PostgreSQL, whose connections speak UTC."""
        return None if dialect.name == "postgresql" else _read_moment


@lru_cache(maxsize=10_000)
def _read_moment(text: str | None) -> datetime | None:
    """A moment as SQLite has it; many rows share theirs."""
    return None if text is None else datetime.fromisoformat(text).replace(tzinfo=UTC)


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


_PAIRS = [
    first + second for first in "abcdefghijklmnopqrstuvwxyz234567" for second in "abcdefghijklmnopqrstuvwxyz234567"
]


def new_public_id() -> str:
    """A random 80-bit name of a row for URLs and APIs: 16 characters a-z, 2-7."""
    number = int.from_bytes(os.urandom(10))
    return "".join([_PAIRS[number >> shift & 1023] for shift in range(0, 80, 10)])


class Identified:
    """A row with a bigint key inside and a random public id outside."""

    id: Mapped[int] = mapped_column(BigId, primary_key=True)
    public_id: Mapped[str] = mapped_column(String(16), unique=True, default=new_public_id)


class Database:
    """An engine and the two ways to use it: `read()` and `write()`.

    Limits in seconds, for those who would rather fail than wait: `lock_timeout` for another's lock, `statement_timeout`
    for a statement other than COMMIT (PostgreSQL only). None: 10 s for the lock on SQLite, else what the server says.
    `by_index` is for those whose every question has an index: no statement may read a whole table.
    """

    def __init__(
        self,
        url: str,
        *,
        lock_timeout: float | None = None,
        statement_timeout: float | None = None,
        by_index: bool = False,
    ) -> None:
        try:
            self.engine = _create_engine(url, lock_timeout, statement_timeout, by_index=by_index)
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


def _create_engine(url: str, lock_timeout: float | None, statement_timeout: float | None, *, by_index: bool) -> Engine:
    """An engine whose errors do not repeat the values of a statement: they may be a guest's."""
    parsed = make_url(url)
    if parsed.get_backend_name() == "postgresql":
        # Who runs on SQLite does not load psycopg.
        from hotspot.postgresql import create_postgresql_engine

        return create_postgresql_engine(parsed, lock_timeout, statement_timeout, by_index=by_index)
    if parsed.get_backend_name() != "sqlite":
        raise ArgumentError("neither SQLite nor PostgreSQL")
    return _create_sqlite_engine(parsed, _LOCK_SECONDS if lock_timeout is None else lock_timeout)


def _create_sqlite_engine(url: URL, lock_timeout: float) -> Engine:
    if url.database:
        _create_private_file(Path(url.database))
    engine = create_engine(url, hide_parameters=True)

    def prepare(connection: Any, _record: Any) -> None:
        connection.isolation_level = None  # we say BEGIN ourselves, below
        for pragma in (f"busy_timeout={round(lock_timeout * 1000)}", *_PRAGMAS):
            connection.execute(f"PRAGMA {pragma}").close()

    event.listen(engine, "connect", prepare)
    event.listen(engine, "begin", _begin_sqlite)
    return engine


def _create_private_file(path: Path) -> None:
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    path.touch(mode=0o600)


def _begin_sqlite(connection: Connection) -> None:
    writing = connection.get_execution_options().get("surfpass_write")
    connection.exec_driver_sql("BEGIN IMMEDIATE" if writing else "BEGIN")
