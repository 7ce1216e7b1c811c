"""Queries for the paths where thousands of rows a second go through: compiled once, and answered when the answer is wanted.

PostgreSQL takes a list as one array, so that the text of a statement stays the same whatever the number of values, and is parsed
once. What is asked together there goes in one round trip (hotspot/pipeline.py). SQLite answers at once.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, Protocol, cast

from sqlalchemy import ARRAY, ColumnElement, Connection, Dialect, Select, bindparam, func
from sqlalchemy import cast as sql_cast
from sqlalchemy.orm import Session
from sqlalchemy.sql.sqltypes import TypeEngine
from sqlalchemy.types import NullType

from hotspot.spelling import for_sqlite, plain, spell, spell_array
from hotspot.straight import Translated, announce, driver_of

Rows = list[tuple[Any, ...]]
# SQLite takes 32,766 variables in a statement.
_MOST_VARIABLES = 30_000
# Lists up to this long are filled up, so that few statements have to be parsed; beyond it the filling costs more.
_FILLED_UP_TO = 1024


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
