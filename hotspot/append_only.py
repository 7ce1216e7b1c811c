"""Tables to which rows are only ever added: the database itself refuses to change or delete one."""

from collections.abc import Sequence
from typing import TypeVar

from sqlalchemy import Connection, Table, event, text

from hotspot.database import Base

Model = TypeVar("Model", bound=type[Base])

_POSTGRESQL_FUNCTION = """
    CREATE OR REPLACE FUNCTION refuse_change() RETURNS trigger LANGUAGE plpgsql AS
    $$ BEGIN RAISE EXCEPTION '% is append-only', TG_TABLE_NAME; END $$
"""


def append_only(model: Model) -> Model:
    """A model whose table is made so, as the migrations make it."""

    def forbid(_table: Table, connection: Connection, **_told: object) -> None:
        for statement in forbidding(model.__tablename__, connection.dialect.name):
            connection.execute(text(statement))

    event.listen(model.__table__, "after_create", forbid)
    return model


def forbidding(table: str, dialect: str) -> Sequence[str]:
    """The statements that make `table` append-only."""
    if dialect == "postgresql":
        return (
            _POSTGRESQL_FUNCTION,
            f"CREATE TRIGGER {table}_stays BEFORE UPDATE OR DELETE OR TRUNCATE ON {table}"
            " FOR EACH STATEMENT EXECUTE FUNCTION refuse_change()",
        )
    return tuple(
        f"CREATE TRIGGER {table}_stays_on_{change.lower()} BEFORE {change} ON {table}"
        f" BEGIN SELECT RAISE(ABORT, '{table} is append-only'); END"
        for change in ("UPDATE", "DELETE")
    )
