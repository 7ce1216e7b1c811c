"""Many rows in one statement, for the paths where thousands of rows a second go through.

PostgreSQL takes columns as arrays (`unnest`): the text of a statement stays the same whatever the number of rows, so that it
is parsed once, and an array costs less to send than as many parameters. SQLite runs one prepared statement once a row.
"""

import enum
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from datetime import UTC, date, datetime
from functools import cache, lru_cache
from typing import Any, cast

from sqlalchemy import ARRAY, ColumnElement, Dialect, Select, Table, bindparam, func
from sqlalchemy import cast as sql_cast
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.orm import DeclarativeBase, Session
from sqlalchemy.sql.sqltypes import TypeEngine
from sqlalchemy.types import BigInteger, Boolean, Date, DateTime, Integer, LargeBinary, NullType, TypeDecorator

Row = Sequence[object]
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


class Query:
    """A query that is compiled once. `build` gets `is_in(column, name)`, a condition on as many values as `rows` is given.

    Above 30,000 values SQLite is asked several times, and the rows are in order within each answer only.
    """

    def __init__(self, build: Callable[["IsIn"], Select[*tuple[Any, ...]]]) -> None:
        self._build = build
        self._compiled: dict[str, _Compiled] = {}

    def rows(self, session: Session, **parameters: Any) -> list[tuple[Any, ...]]:
        """All rows, with values of the columns' types. A collection belongs to an `is_in`, anything else to a `bindparam`."""
        dialect = session.get_bind().dialect
        compiled = self._compiled.get(dialect.name)
        if compiled is None:
            compiled = self._compiled[dialect.name] = _Compiled(self._build, dialect)
        return compiled.rows(session, parameters)


IsIn = Callable[[Any, str], ColumnElement[bool]]


class _Compiled:
    """A query in the words of one database."""

    def __init__(self, build: Callable[[IsIn], Select[*tuple[Any, ...]]], dialect: Dialect) -> None:
        self._postgresql = dialect.name == "postgresql"
        self._kinds: dict[str, TypeEngine[Any]] = {}
        query = build(self._is_in)
        compiled = query.compile(dialect=dialect)
        self._sql = str(compiled)
        self._names: Sequence[str] = getattr(compiled, "positiontup", None) or ()
        self._fixed = compiled.params
        kinds = [column.type.dialect_impl(dialect) for column in query.selected_columns]
        processors = [kind.result_processor(dialect, None) for kind in kinds]
        self._processors = [(i, processor) for i, processor in enumerate(processors) if processor]

    def _is_in(self, column: Any, name: str) -> ColumnElement[bool]:
        self._kinds[name] = column.type
        if self._postgresql:
            # Without a type of its own the parameter takes that of the array, and its text is read once and not for every row.
            literal = bindparam(name, type_=NullType())
            return cast(ColumnElement[bool], column == func.any(sql_cast(literal, ARRAY(_plain(column.type)))))
        return cast(ColumnElement[bool], column.in_(bindparam(name, expanding=True)))

    def rows(self, session: Session, parameters: dict[str, Any]) -> list[tuple[Any, ...]]:
        connection = session.connection()
        if self._postgresql:
            spelled = {
                name: _array(self._kinds[name], value) if name in self._kinds else value
                for name, value in {**self._fixed, **parameters}.items()
            }
            statements = [(self._sql, cast(Any, spelled))]
        else:
            statements = [self._for_sqlite(some) for some in self._bounded({**self._fixed, **parameters})]
        rows = list[tuple[Any, ...]]()
        for statement in statements:
            result = connection.exec_driver_sql(*statement)
            rows += result.cursor.fetchall() if result.cursor else []
        return [self._processed(row) for row in rows] if self._processors else rows

    def _bounded(self, parameters: dict[str, Any]) -> Iterator[dict[str, Any]]:
        """The parameters as one statement can take them; else the longest list in parts, each value in one of them."""
        longest = max(self._kinds, key=lambda name: len(parameters[name]), default="")
        rest = sum(len(parameters[name]) for name in self._kinds if name != longest)
        if not longest or rest + len(parameters[longest]) <= _MOST_VARIABLES:
            yield parameters
            return
        values, step = list(dict.fromkeys(parameters[longest])), _MOST_VARIABLES - rest
        for start in range(0, len(values), step):
            yield {**parameters, longest: values[start : start + step]}

    def _for_sqlite(self, parameters: dict[str, Any]) -> tuple[str, tuple[object, ...]]:
        sql, values = self._sql, list[object]()
        for name in self._names:
            if name not in self._kinds:
                values.append(_for_sqlite(parameters[name]))
                continue
            several = list(map(_for_sqlite, parameters[name])) or [None]
            if len(several) <= _FILLED_UP_TO:
                # The next power of two, filled up with the last value.
                several += several[-1:] * ((1 << (len(several) - 1).bit_length()) - len(several))
            sql = sql.replace(f"__[POSTCOMPILE_{name}]", ", ".join("?" * len(several)), 1)
            values += several
        return sql, tuple(values)

    def _processed(self, row: Sequence[Any]) -> tuple[Any, ...]:
        values = list(row)
        for i, processor in self._processors:
            values[i] = processor(values[i])
        return tuple(values)


def insert(session: Session, table: Table, columns: tuple[str, ...], rows: Collection[Row]) -> None:
    """Insert rows; each has a value for each of `columns`, in that order."""
    _run(session, _insert_statement, table, columns, rows)


def update(session: Session, table: Table, columns: tuple[str, ...], rows: Collection[Row]) -> None:
    """Set `columns` after the first, which is the key, in the row that has the key."""
    _run(session, _update_statement, table, columns, rows)


Statement = Callable[[Table, tuple[str, ...], bool], str]


def _run(session: Session, make: Statement, table: Table, columns: tuple[str, ...], rows: Collection[Row]) -> None:
    if not rows:
        return
    connection = session.connection()
    if is_postgresql(session):
        kinds = (table.c[name].type for name in columns)
        parameters = tuple(_array(kind, values) for kind, values in zip(kinds, zip(*rows, strict=True), strict=True))
        connection.exec_driver_sql(make(table, columns, True), parameters)
        return
    keyed_last = [(*row[1:], row[0]) for row in rows] if make is _update_statement else rows
    connection.exec_driver_sql(make(table, columns, False), [tuple(map(_for_sqlite, row)) for row in keyed_last])


@cache
def _insert_statement(table: Table, columns: tuple[str, ...], postgresql: bool) -> str:
    names = ", ".join(columns)
    if postgresql:
        return f"INSERT INTO {table.name} ({names}) SELECT * FROM {_unnest(table, columns)}"  # noqa: S608
    return f"INSERT INTO {table.name} ({names}) VALUES ({', '.join('?' * len(columns))})"  # noqa: S608


@cache
def _update_statement(table: Table, columns: tuple[str, ...], postgresql: bool) -> str:
    key, *rest = columns
    if not postgresql:
        changes = ", ".join(f"{name} = ?" for name in rest)
        return f"UPDATE {table.name} SET {changes} WHERE {key} = ?"  # noqa: S608  names of our own tables
    changes = ", ".join(f"{name} = fresh.{name}" for name in rest)
    fresh = f"{_unnest(table, columns)} AS fresh ({', '.join(columns)})"
    return f"UPDATE {table.name} SET {changes} FROM {fresh} WHERE {table.name}.{key} = fresh.{key}"  # noqa: S608


def _unnest(table: Table, columns: tuple[str, ...]) -> str:
    return f"unnest({', '.join(f'%s::{_array_type(table.c[name].type)}' for name in columns)})"


_ARRAY_TYPES: dict[type[TypeEngine[Any]], str] = {
    BigInteger: "bigint[]",
    Integer: "integer[]",
    Boolean: "boolean[]",
    DateTime: "timestamptz[]",
    Date: "date[]",
    LargeBinary: "bytea[]",
}


def _plain(kind: TypeEngine[Any]) -> TypeEngine[Any]:
    return kind.impl_instance if isinstance(kind, TypeDecorator) else kind


@cache
def _array_type(kind: TypeEngine[Any]) -> str:
    plain = _plain(kind)
    return next((name for known, name in _ARRAY_TYPES.items() if isinstance(plain, known)), "text[]")


def _array(kind: TypeEngine[Any], values: Iterable[object]) -> str:
    """PostgreSQL's spelling of an array."""
    spell = _SPELLINGS.get(_array_type(kind), _spell_text)
    return "{" + ",".join(["NULL" if value is None else spell(value) for value in values]) + "}"


def _spell_octets(value: Any) -> str:
    return f'"\\\\x{value.hex()}"'


@lru_cache(maxsize=1000)
def _spell_moment(value: Any) -> str:
    return f'"{value.isoformat()}"'


def _spell_text(value: Any) -> str:
    text = value.value if isinstance(value, enum.Enum) else str(value)
    escaped = text.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'


_SPELLINGS: dict[str, Callable[[Any], str]] = {
    "bigint[]": str,
    "integer[]": str,
    "boolean[]": str,
    "timestamptz[]": _spell_moment,
    "date[]": _spell_moment,
    "bytea[]": _spell_octets,
}


def _for_sqlite(value: object) -> object:
    """As SQLAlchemy stores it, so that both read what the other wrote."""
    if isinstance(value, datetime):
        return value.astimezone(UTC).replace(tzinfo=None).isoformat(" ", "microseconds")
    if isinstance(value, date):
        return value.isoformat()
    if isinstance(value, enum.Enum):
        return value.value
    return value
