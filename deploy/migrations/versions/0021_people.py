"""People with a name, and roles for the front desk and for those who only look."""

from collections.abc import Iterator
from contextlib import contextmanager

import sqlalchemy as sa
from alembic import op
from alembic.operations import BatchOperations

revision = "0021"
down_revision = "0017"
branch_labels = None
depends_on = None

OLD_ROLES = ("operator", "owner")
NEW_ROLES = (*OLD_ROLES, "front-desk", "read-only")
# What refers to a person, and may do without one for a moment.
REFERRING = (("audit_entry", "user_id"), ("batch", "issued_by"))


def upgrade() -> None:
    """Whoever is there is called by their address until they say otherwise."""
    op.add_column("user_account", sa.Column("name", sa.String(80), server_default="", nullable=False))
    op.execute("UPDATE user_account SET name = substr(email, 1, 80)")
    with _altered_user() as batch:
        batch.drop_constraint(op.f("ck_user_account_owner_has_customer"), type_="check")
        batch.alter_column("name", existing_type=sa.String(80), existing_nullable=False, server_default=None)
        _allow(batch, OLD_ROLES, NEW_ROLES)
        batch.create_check_constraint(
            op.f("ck_user_account_only_operators_have_none"), "(role = 'operator') = (customer_id IS NULL)"
        )


def downgrade() -> None:
    """Back to 0017: those of the newer roles may do nothing any more, and are retired owners."""
    op.execute(
        "UPDATE user_account SET retired_at = coalesce(retired_at, created_at), role = 'owner'"
        " WHERE role NOT IN ('operator', 'owner')"
    )
    with _altered_user() as batch:
        batch.drop_constraint(op.f("ck_user_account_only_operators_have_none"), type_="check")
        _allow(batch, NEW_ROLES, OLD_ROLES)
        batch.drop_column("name")
        batch.create_check_constraint(
            op.f("ck_user_account_owner_has_customer"), "(role = 'owner') = (customer_id IS NOT NULL)"
        )


def _allow(batch: BatchOperations, before: tuple[str, ...], after: tuple[str, ...]) -> None:
    batch.alter_column("role", existing_type=_one_of(*before), type_=_one_of(*after), existing_nullable=False)


@contextmanager
def _altered_user() -> Iterator[BatchOperations]:
    """On SQLite the copy that takes the table's place would be missed by the rows that refer to it: they let go meanwhile."""
    let_go = op.get_bind().dialect.name == "sqlite"
    for table, column in REFERRING if let_go else ():
        op.execute(f"CREATE TEMP TABLE kept_{table} AS SELECT id, {column} FROM {table} WHERE {column} IS NOT NULL")  # noqa: S608
        op.execute(f"UPDATE {table} SET {column} = NULL WHERE {column} IS NOT NULL")  # noqa: S608
    with op.batch_alter_table("user_account") as batch:
        yield batch
    for table, column in REFERRING if let_go else ():
        op.execute(
            f"UPDATE {table} SET {column} = kept.{column} FROM kept_{table} AS kept WHERE kept.id = {table}.id"  # noqa: S608
        )
        op.execute(f"DROP TABLE kept_{table}")


def _one_of(*values: str) -> sa.Enum:
    """Text that a CHECK holds to these values."""
    return sa.Enum(*values, name="role", native_enum=False, create_constraint=True, length=32)
