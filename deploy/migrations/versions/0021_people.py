"""People with a name, more roles, invitations by a link, and where people are signed in."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import sqlalchemy as sa
from alembic import op
from alembic.operations import BatchOperations

from hotspot.append_only import forbidding

revision = "0021"
down_revision = "0017"
branch_labels = None
depends_on = None

BIG_ID = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
MOMENT = sa.DateTime(timezone=True)
OLD_ROLES = ("operator", "owner")
NEW_ROLES = (*OLD_ROLES, "front-desk", "read-only")
# What refers to a person, and may do without one for a moment.
REFERRING = (("audit_entry", "user_id"), ("batch", "issued_by"))

CHANGEABLE = {
    "sqlite": ("DROP TRIGGER audit_entry_stays_on_update", "DROP TRIGGER audit_entry_stays_on_delete"),
    "postgresql": ("DROP TRIGGER audit_entry_stays ON audit_entry", "DROP FUNCTION refuse_change()"),
}


def upgrade() -> None:
    """Whoever is there is called by their address until they say otherwise."""
    op.add_column("user_account", sa.Column("name", sa.String(80), server_default="", nullable=False))
    op.execute("UPDATE user_account SET name = substr(email, 1, 80)")
    with _altered_user() as batch:
        batch.drop_constraint(op.f("ck_user_account_owner_has_customer"), type_="check")
        batch.alter_column("name", existing_type=sa.String(80), existing_nullable=False, server_default=None)
        _allow(batch, OLD_ROLES, NEW_ROLES)
        batch.alter_column("email", existing_type=sa.String(254), nullable=True)
        batch.alter_column("password_hash", existing_type=sa.String(200), nullable=True)
        for column in _new_columns():
            batch.add_column(column)
        batch.create_unique_constraint(op.f("uq_user_account_invitation_hash"), ["invitation_hash"])
        batch.create_check_constraint(
            op.f("ck_user_account_only_operators_have_none"), "(role = 'operator') = (customer_id IS NULL)"
        )
    _create_tablet()
    _create_sign_in()
    _create_known_device()
    _create_recovery_code()
    _create_passkey()
    op.drop_index(op.f("ix_audit_entry_customer_id"), "audit_entry")
    op.create_index("ix_audit_entry_customer_id_id", "audit_entry", ["customer_id", "id"])
    for statement in forbidding("audit_entry", op.get_bind().dialect.name):
        op.execute(statement)


def downgrade() -> None:
    """Back to 0017: those of the newer roles, and who has no password yet, may do nothing any more, and are retired."""
    for statement in CHANGEABLE[op.get_bind().dialect.name]:
        op.execute(statement)
    op.drop_index("ix_audit_entry_customer_id_id", "audit_entry")
    op.create_index(op.f("ix_audit_entry_customer_id"), "audit_entry", ["customer_id"])
    for table in ("passkey", "recovery_code", "known_device"):
        op.drop_table(table)
    op.drop_table("sign_in")
    op.drop_table("tablet")
    op.execute(
        "UPDATE user_account SET retired_at = coalesce(retired_at, created_at)"
        " WHERE role NOT IN ('operator', 'owner') OR email IS NULL OR password_hash IS NULL"
    )
    op.execute("UPDATE user_account SET role = 'owner' WHERE role NOT IN ('operator', 'owner')")
    op.execute("UPDATE user_account SET email = public_id || '@retired.invalid' WHERE email IS NULL")
    op.execute("UPDATE user_account SET password_hash = '' WHERE password_hash IS NULL")
    with _altered_user() as batch:
        batch.drop_constraint(op.f("ck_user_account_only_operators_have_none"), type_="check")
        _allow(batch, NEW_ROLES, OLD_ROLES)
        batch.drop_constraint(op.f("uq_user_account_invitation_hash"), type_="unique")
        batch.alter_column("email", existing_type=sa.String(254), nullable=False)
        batch.alter_column("password_hash", existing_type=sa.String(200), nullable=False)
        for name in ("name", *(column.name for column in _new_columns())):
            batch.drop_column(name)
        batch.create_check_constraint(
            op.f("ck_user_account_owner_has_customer"), "(role = 'owner') = (customer_id IS NOT NULL)"
        )


def _new_columns() -> list[sa.Column[Any]]:
    return [
        sa.Column("pin_hash", sa.String(200)),
        sa.Column("invitation_hash", sa.LargeBinary(24)),
        sa.Column("invitation_ends_at", MOMENT),
        sa.Column("totp_secret", sa.LargeBinary()),
        sa.Column("totp_step", sa.BigInteger()),
    ]


def _create_tablet() -> None:
    op.create_table(
        "tablet",
        sa.Column("customer_id", BIG_ID, nullable=False),
        sa.Column("site_id", BIG_ID),
        sa.Column("name", sa.String(60), nullable=False),
        sa.Column("token_hash", sa.LargeBinary(24), nullable=False),
        sa.Column("created_at", MOMENT, nullable=False),
        sa.Column("retired_at", MOMENT),
        sa.Column("id", BIG_ID, nullable=False),
        sa.Column("public_id", sa.String(16), nullable=False),
        sa.ForeignKeyConstraint(["customer_id"], ["customer.id"], name=op.f("fk_tablet_customer_id")),
        sa.ForeignKeyConstraint(["site_id"], ["site.id"], name=op.f("fk_tablet_site_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_tablet")),
        sa.UniqueConstraint("public_id", name=op.f("uq_tablet_public_id")),
        sa.UniqueConstraint("token_hash", name=op.f("uq_tablet_token_hash")),
    )
    op.create_index(op.f("ix_tablet_customer_id"), "tablet", ["customer_id"])


def _create_sign_in() -> None:
    op.create_table(
        "sign_in",
        sa.Column("user_id", BIG_ID, nullable=False),
        sa.Column("tablet_id", BIG_ID),
        sa.Column("device", sa.String(60), nullable=False),
        sa.Column("started_at", MOMENT, nullable=False),
        sa.Column("seen_at", MOMENT, nullable=False),
        sa.Column("ended_at", MOMENT),
        sa.Column("device_since", MOMENT, nullable=False),
        sa.Column("alert", sa.Boolean(), nullable=False),
        sa.Column("id", BIG_ID, nullable=False),
        sa.Column("public_id", sa.String(16), nullable=False),
        sa.ForeignKeyConstraint(["user_id"], ["user_account.id"], name=op.f("fk_sign_in_user_id")),
        sa.ForeignKeyConstraint(["tablet_id"], ["tablet.id"], name=op.f("fk_sign_in_tablet_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_sign_in")),
        sa.UniqueConstraint("public_id", name=op.f("uq_sign_in_public_id")),
    )
    op.create_index("ix_sign_in_user_id_started_at", "sign_in", ["user_id", "started_at"])
    op.create_index(op.f("ix_sign_in_tablet_id"), "sign_in", ["tablet_id"])
    op.create_index(op.f("ix_sign_in_started_at"), "sign_in", ["started_at"])


def _create_known_device() -> None:
    op.create_table(
        "known_device",
        sa.Column("id", BIG_ID, nullable=False),
        sa.Column("user_id", BIG_ID, nullable=False),
        sa.Column("token_hash", sa.LargeBinary(24), nullable=False),
        sa.Column("since", MOMENT, nullable=False),
        sa.Column("used_at", MOMENT, nullable=False),
        sa.ForeignKeyConstraint(["user_id"], ["user_account.id"], name=op.f("fk_known_device_user_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_known_device")),
        sa.UniqueConstraint("user_id", "token_hash", name=op.f("uq_known_device_user_id_token_hash")),
    )
    op.create_index(op.f("ix_known_device_used_at"), "known_device", ["used_at"])


def _create_recovery_code() -> None:
    op.create_table(
        "recovery_code",
        sa.Column("id", BIG_ID, nullable=False),
        sa.Column("user_id", BIG_ID, nullable=False),
        sa.Column("code_hash", sa.LargeBinary(24), nullable=False),
        sa.ForeignKeyConstraint(["user_id"], ["user_account.id"], name=op.f("fk_recovery_code_user_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_recovery_code")),
        sa.UniqueConstraint("user_id", "code_hash", name=op.f("uq_recovery_code_user_id_code_hash")),
    )


def _create_passkey() -> None:
    op.create_table(
        "passkey",
        sa.Column("user_id", BIG_ID, nullable=False),
        sa.Column("name", sa.String(60), nullable=False),
        sa.Column("credential", sa.LargeBinary(1023), nullable=False),
        sa.Column("public_key", sa.LargeBinary(), nullable=False),
        sa.Column("uses", sa.BigInteger(), nullable=False),
        sa.Column("created_at", MOMENT, nullable=False),
        sa.Column("used_at", MOMENT),
        sa.Column("id", BIG_ID, nullable=False),
        sa.Column("public_id", sa.String(16), nullable=False),
        sa.ForeignKeyConstraint(["user_id"], ["user_account.id"], name=op.f("fk_passkey_user_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_passkey")),
        sa.UniqueConstraint("credential", name=op.f("uq_passkey_credential")),
        sa.UniqueConstraint("public_id", name=op.f("uq_passkey_public_id")),
    )
    op.create_index(op.f("ix_passkey_user_id"), "passkey", ["user_id"])


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
