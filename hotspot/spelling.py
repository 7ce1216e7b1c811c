"""How PostgreSQL and SQLite are told values: arrays of a column's values, and single ones, as SQLAlchemy would store them."""

import enum
from collections.abc import Callable, Iterable, Sequence
from datetime import UTC, date, datetime
from functools import cache, lru_cache
from typing import Any

from sqlalchemy.sql.sqltypes import TypeEngine
from sqlalchemy.types import BigInteger, Boolean, Date, DateTime, Integer, LargeBinary, TypeDecorator

_ARRAY_TYPES: dict[type[TypeEngine[Any]], str] = {
    BigInteger: "bigint[]",
    Integer: "integer[]",
    Boolean: "boolean[]",
    DateTime: "timestamptz[]",
    Date: "date[]",
    LargeBinary: "bytea[]",
}


def plain(kind: TypeEngine[Any]) -> TypeEngine[Any]:
    """The type that a type of our own is stored as."""
    return kind.impl_instance if isinstance(kind, TypeDecorator) else kind


@cache
def array_type(kind: TypeEngine[Any]) -> str:
    """PostgreSQL's name of an array of a type."""
    stored = plain(kind)
    return next((name for known, name in _ARRAY_TYPES.items() if isinstance(stored, known)), "text[]")


def spell_array(kind: TypeEngine[Any], values: Sequence[object]) -> bytes:
    """PostgreSQL's spelling of an array."""
    spelled = _SPELLINGS.get(array_type(kind), _spell_text)
    if values and values.count(values[0]) == len(values):  # as most columns of a batch
        return ("{" + ",".join([_or_null(spelled, values[0])] * len(values)) + "}").encode()
    return ("{" + ",".join(["NULL" if value is None else spelled(value) for value in values]) + "}").encode()


def _or_null(spelled: Callable[[Any], str], value: object) -> str:
    return "NULL" if value is None else spelled(value)


def _spell_octets(value: Any) -> str:
    return f'"\\\\x{value.hex()}"'


@lru_cache(maxsize=1000)
def _spell_moment(value: Any) -> str:
    return f'"{value.isoformat()}"'


def _spell_text(value: Any) -> str:
    text = value.value if isinstance(value, enum.Enum) else str(value)
    if text.isalnum():
        return f'"{text}"'
    if "\0" in text:  # the driver would end the array there
        raise ValueError("PostgreSQL stores no NUL in a text")
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


def spell(value: object) -> bytes | None:
    """PostgreSQL's spelling of a single value."""
    if value is None:
        return None
    if isinstance(value, bytes):
        return b"\\x" + value.hex().encode()
    if isinstance(value, date):
        return value.isoformat().encode()
    return str(value.value if isinstance(value, enum.Enum) else value).encode()


def rows_for_sqlite(kinds: Sequence[TypeEngine[Any]], rows: Iterable[Sequence[object]]) -> list[tuple[object, ...]]:
    """Rows of columns of these types as SQLite stores them."""
    columns = zip(*rows, strict=True)
    return list(
        zip(*(_column_for_sqlite(kind, column) for kind, column in zip(kinds, columns, strict=True)), strict=True)
    )


def _column_for_sqlite(kind: TypeEngine[Any], column: Sequence[object]) -> Sequence[object]:
    if isinstance(plain(kind), (Integer, LargeBinary)):
        return column  # stored as it is
    if column.count(column[0]) == len(column):
        return [for_sqlite(column[0])] * len(column)
    return [for_sqlite(value) for value in column]


@lru_cache(maxsize=1000)
def _moment_for_sqlite(value: datetime) -> str:
    return value.astimezone(UTC).replace(tzinfo=None).isoformat(" ", "microseconds")


def for_sqlite(value: object) -> object:
    """As SQLAlchemy stores it, so that both read what the other wrote."""
    if value is None:
        return None
    if isinstance(value, datetime):
        return _moment_for_sqlite(value)
    if isinstance(value, date):
        return value.isoformat()
    if isinstance(value, enum.Enum):
        return value.value
    return value
