"""Many rows in one statement, for the paths where thousands of rows a second go through.

PostgreSQL takes columns as arrays (`unnest`): the text of a statement stays the same whatever the number of rows, so that it
is parsed once, and an array costs less to send than as many parameters. SQLite runs one prepared statement once a row.

On PostgreSQL nothing is sent before an answer is wanted, another statement follows, or the transaction commits; then all goes
in one round trip. So an error of a row that is written may come as late as the commit.
"""

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from functools import cache
from typing import Any, Protocol, cast

from sqlalchemy import ARRAY, ColumnElement, Connection, Dialect, Select, Table, bindparam, func
from sqlalchemy import cast as sql_cast
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.orm import DeclarativeBase, Session
from sqlalchemy.sql.sqltypes import TypeEngine
from sqlalchemy.types import NullType

from hotspot.spelling import array_type, for_sqlite, plain, rows_for_sqlite, spell, spell_array
from hotspot.straight import Translated, announce, driver_of

Row = Sequence[object]
Rows = list[tuple[Any, ...]]
# SQLite takes 32,766 variables in a statement.
_MOST_VARIABLES = 30_000
# Lists up to this long are filled up, so that few statements have to be parsed; beyond it the filling costs more.
_FILLED_UP_TO = 1024


def is_postgresql(session: Session) -> bool:
    """Whether the session's database is PostgreSQL; else it is SQLite."""
    return session.get_bind().dialect.name == "postgresql"


def upsert(session: Session, table: type[DeclarativeBase]) -> postgresql.Insert | sqlite.Insert:
    """An INSERT of the session's database, which has `on_conflict_do_update` and `on_conflict_do_nothing`."""
    return postgresql.insert(table) if is_postgresql(session) else sqlite.insert(table)


class Asked:
    """A question that was asked, and need not have been answered yet."""

    def __init__(self, fetch: Callable[[], Rows]) -> None:
        self._fetch = fetch

    def rows(self) -> Rows:
        """All rows, with values of the columns' types."""
        return self._fetch()


def nothing_asked() -> Asked:
    """A question that needs no asking."""
    return Asked(list)


IsIn = Callable[[Any, str], ColumnElement[bool]]


class Query:
    """A query that is compiled once. `build` gets `is_in(column, name)`, a condition on as many values as it is given.

    Above 30,000 values SQLite is asked several times, and the rows are in order within each answer only.
    """

    def __init__(self, build: Callable[[IsIn], Select[*tuple[Any, ...]]]) -> None:
        self._build = build
        self._compiled: dict[str, _Compiled] = {}

    def ask(self, session: Session, **parameters: Any) -> Asked:
        """Ask, and have the rows when they are needed. A collection belongs to an `is_in`, anything else to a `bindparam`."""
        dialect = session.get_bind().dialect
        compiled = self._compiled.get(dialect.name)
        if compiled is None:
            kind = _OnPostgresql if dialect.name == "postgresql" else _OnSqlite
            compiled = self._compiled[dialect.name] = kind(self._build, dialect)
        return compiled.ask(session.connection(), parameters)

    def rows(self, session: Session, **parameters: Any) -> Rows:
        """All rows at once, with values of the columns' types."""
        return self.ask(session, **parameters).rows()


class _Compiled(Protocol):
    """A query in the words of one database."""

    def ask(self, connection: Connection, parameters: dict[str, Any]) -> Asked: ...


class _Results:
    """What SQLAlchemy's types make of the driver's values."""

    def __init__(self, query: Select[*tuple[Any, ...]], dialect: Dialect) -> None:
        kinds = [column.type.dialect_impl(dialect) for column in query.selected_columns]
        processors = [kind.result_processor(dialect, None) for kind in kinds]
        self._processors = [(i, processor) for i, processor in enumerate(processors) if processor]

    def of(self, rows: Rows) -> Rows:
        return [self._processed(row) for row in rows] if self._processors else rows

    def _processed(self, row: Sequence[Any]) -> tuple[Any, ...]:
        values = list(row)
        for i, processor in self._processors:
            values[i] = processor(values[i])
        return tuple(values)


class _OnPostgresql:
    def __init__(self, build: Callable[[IsIn], Select[*tuple[Any, ...]]], dialect: Dialect) -> None:
        self._kinds: dict[str, TypeEngine[Any]] = {}
        query = build(self._is_in)
        # As libpq counts parameters.
        compiled = query.compile(dialect=cast(Any, type(dialect))(paramstyle="numeric_dollar"))
        self._sql = str(compiled)
        self._octets = self._sql.encode()
        self._names: Sequence[str] = getattr(compiled, "positiontup", None) or ()
        self._fixed = compiled.params
        self._results = _Results(query, dialect)

    def _is_in(self, column: Any, name: str) -> ColumnElement[bool]:
        self._kinds[name] = column.type
        # Without a type of its own the parameter takes that of the array, and its text is read once and not for every row.
        literal = bindparam(name, type_=NullType())
        return cast(ColumnElement[bool], column == func.any(sql_cast(literal, ARRAY(plain(column.type)))))

    def ask(self, connection: Connection, parameters: dict[str, Any]) -> Asked:
        values = {**self._fixed, **parameters}
        spelled = [
            spell_array(self._kinds[name], list(values[name])) if name in self._kinds else spell(values[name])
            for name in self._names
        ]
        announce(connection, self._sql, spelled)
        pipeline = driver_of(connection).statements
        answer = pipeline.ask(self._octets, spelled)

        def fetch() -> Rows:
            if answer.rows is None:
                with Translated(connection):
                    pipeline.run()
            return self._results.of(answer.rows)

        return Asked(fetch)


class _OnSqlite:
    def __init__(self, build: Callable[[IsIn], Select[*tuple[Any, ...]]], dialect: Dialect) -> None:
        self._lists = set[str]()
        query = build(self._is_in)
        compiled = query.compile(dialect=dialect)
        self._sql = str(compiled)
        self._names: Sequence[str] = getattr(compiled, "positiontup", None) or ()
        self._fixed = compiled.params
        self._results = _Results(query, dialect)

    def _is_in(self, column: Any, name: str) -> ColumnElement[bool]:
        self._lists.add(name)
        return cast(ColumnElement[bool], column.in_(bindparam(name, expanding=True)))

    def ask(self, connection: Connection, parameters: dict[str, Any]) -> Asked:
        rows: Rows = []
        for some in self._bounded({**self._fixed, **parameters}):
            sql, values = self._spelled(some)
            announce(connection, sql, values)
            with Translated(connection):
                rows += driver_of(connection).execute(sql, values).fetchall()
        return Asked(lambda: self._results.of(rows))

    def _bounded(self, parameters: dict[str, Any]) -> Iterator[dict[str, Any]]:
        """The parameters as one statement can take them; else the longest list in parts, each value in one of them."""
        longest = max(self._lists, key=lambda name: len(parameters[name]), default="")
        rest = sum(len(parameters[name]) for name in self._lists if name != longest)
        if not longest or rest + len(parameters[longest]) <= _MOST_VARIABLES:
            yield parameters
            return
        values, step = list(dict.fromkeys(parameters[longest])), _MOST_VARIABLES - rest
        for start in range(0, len(values), step):
            yield {**parameters, longest: values[start : start + step]}

    def _spelled(self, parameters: Mapping[str, Any]) -> tuple[str, list[object]]:
        sql, values = self._sql, list[object]()
        for name in self._names:
            if name not in self._lists:
                values.append(for_sqlite(parameters[name]))
                continue
            several = list(map(for_sqlite, parameters[name])) or [None]
            if len(several) <= _FILLED_UP_TO:
                # The next power of two, filled up with the last value.
                several += several[-1:] * ((1 << (len(several) - 1).bit_length()) - len(several))
            sql = sql.replace(f"__[POSTCOMPILE_{name}]", ", ".join("?" * len(several)), 1)
            values += several
        return sql, values


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
