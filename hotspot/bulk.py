"""Many rows in one statement, for the paths where thousands of rows a second go through.

PostgreSQL takes columns as arrays (`unnest`): the text of a statement stays the same whatever the number of rows, so that it
is parsed once, and an array costs less to send than as many parameters. SQLite runs one prepared statement once a row.

On PostgreSQL nothing is sent before an answer is wanted, another statement follows, or the transaction commits; then all goes
in one round trip. So an error of a row that is written may come as late as the commit.
"""

from collections.abc import Callable, Collection, Sequence
from functools import cache

from sqlalchemy import Table
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.orm import DeclarativeBase, Session

from hotspot.spelling import array_type, rows_for_sqlite, spell_array
from hotspot.straight import Translated, announce, driver_of

Row = Sequence[object]


def is_postgresql(session: Session) -> bool:
    """Whether the session's database is PostgreSQL; else it is SQLite."""
    return session.get_bind().dialect.name == "postgresql"


def upsert(session: Session, table: type[DeclarativeBase]) -> postgresql.Insert | sqlite.Insert:
    """An INSERT of the session's database, which has `on_conflict_do_update` and `on_conflict_do_nothing`."""
    return postgresql.insert(table) if is_postgresql(session) else sqlite.insert(table)


def insert(session: Session, table: Table, columns: tuple[str, ...], rows: Collection[Row]) -> None:
    """Insert rows; each has a value for each of `columns`, in that order."""
    _run(session, _insert_statement, table, columns, rows)


def update(session: Session, table: Table, columns: tuple[str, ...], rows: Collection[Row]) -> None:
    """Set `columns` after the first, which is the key, in the row that has the key."""
    _run(session, _update_statement, table, columns, rows)


def put(session: Session, table: Table, columns: tuple[str, ...], rows: Collection[Row]) -> None:
    """Insert rows, or where one with the same primary key stands, set its other columns. No key may be there twice."""
    _run(session, _put_statement, table, columns, rows)


def delete(session: Session, table: Table, key: str, values: Collection[object]) -> None:
    """Delete the rows that have one of these values in the column `key`."""
    _run(session, _delete_statement, table, (key,), [(value,) for value in values])


Statement = Callable[[Table, tuple[str, ...], bool], str]


def _run(session: Session, make: Statement, table: Table, columns: tuple[str, ...], rows: Collection[Row]) -> None:
    if not rows:
        return
    connection, kinds = session.connection(), [table.c[name].type for name in columns]
    if is_postgresql(session):
        arrays = [spell_array(kind, values) for kind, values in zip(kinds, zip(*rows, strict=True), strict=True)]
        sql = make(table, columns, True)
        announce(connection, sql, arrays)
        driver_of(connection).statements.ask(sql.encode(), arrays)
        return
    values = rows_for_sqlite(kinds, rows)
    sql = make(table, columns, False)
    announce(connection, sql, values, many=True)
    with Translated(connection):
        driver_of(connection).executemany(sql, values)


@cache
def _insert_statement(table: Table, columns: tuple[str, ...], postgresql: bool) -> str:
    names = ", ".join(columns)
    if postgresql:
        return f"INSERT INTO {table.name} ({names}) SELECT * FROM {_unnest(table, columns)}"  # noqa: S608
    return f"INSERT INTO {table.name} ({names}) VALUES ({', '.join('?' * len(columns))})"  # noqa: S608


@cache
def _put_statement(table: Table, columns: tuple[str, ...], postgresql: bool) -> str:
    keys = [column.name for column in table.primary_key]
    changes = ", ".join(f"{name} = excluded.{name}" for name in columns if name not in keys)
    return f"{_insert_statement(table, columns, postgresql)} ON CONFLICT ({', '.join(keys)}) DO UPDATE SET {changes}"


@cache
def _update_statement(table: Table, columns: tuple[str, ...], postgresql: bool) -> str:
    key, *rest = columns
    if not postgresql:
        changes = ", ".join(f"{name} = ?{number}" for number, name in enumerate(rest, 2))
        return f"UPDATE {table.name} SET {changes} WHERE {key} = ?1"  # noqa: S608  names of our own tables
    changes = ", ".join(f"{name} = fresh.{name}" for name in rest)
    fresh = f"{_unnest(table, columns)} AS fresh ({', '.join(columns)})"
    return f"UPDATE {table.name} SET {changes} FROM {fresh} WHERE {table.name}.{key} = fresh.{key}"  # noqa: S608


@cache
def _delete_statement(table: Table, columns: tuple[str, ...], postgresql: bool) -> str:
    (key,) = columns
    values = f"= ANY($1::{array_type(table.c[key].type)})" if postgresql else "= ?"
    return f"DELETE FROM {table.name} WHERE {key} {values}"  # noqa: S608  names of our own tables


def _unnest(table: Table, columns: tuple[str, ...]) -> str:
    arrays = (f"${number}::{array_type(table.c[name].type)}" for number, name in enumerate(columns, 1))
    return f"unnest({', '.join(arrays)})"
