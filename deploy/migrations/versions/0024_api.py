"""Keys for other systems, which the audit record names as actors."""

import sqlalchemy as sa
from alembic import op

revision = "0024"
down_revision = "0020"
branch_labels = None
depends_on = None

BIG_ID = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
MOMENT = sa.DateTime(timezone=True)


def upgrade() -> None:
    """Nobody has a key yet."""
    op.add_column("audit_entry", sa.Column("api_key_id", BIG_ID))
    op.create_table(
        "api_key",
        sa.Column("customer_id", BIG_ID, nullable=False),
        sa.Column("name", sa.String(80), nullable=False),
        sa.Column("prefix", sa.String(24), nullable=False),
        sa.Column("key_hash", sa.LargeBinary(24), nullable=False),
        sa.Column("scopes", sa.JSON(), nullable=False),
        sa.Column("created_by", BIG_ID),
        sa.Column("created_at", MOMENT, nullable=False),
        sa.Column("expires_at", MOMENT, nullable=False),
        sa.Column("last_used_on", sa.Date()),
        sa.Column("retired_at", MOMENT),
        *_identified("api_key"),
        sa.ForeignKeyConstraint(["created_by"], ["user_account.id"], name=op.f("fk_api_key_created_by")),
        sa.ForeignKeyConstraint(["customer_id"], ["customer.id"], name=op.f("fk_api_key_customer_id")),
        sa.UniqueConstraint("prefix", name=op.f("uq_api_key_prefix")),
    )
    op.create_index(op.f("ix_api_key_customer_id"), "api_key", ["customer_id"])


def _identified(table: str) -> tuple[sa.schema.SchemaItem, ...]:
    return (
        sa.Column("id", BIG_ID, nullable=False),
        sa.Column("public_id", sa.String(16), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f(f"pk_{table}")),
        sa.UniqueConstraint("public_id", name=op.f(f"uq_{table}_public_id")),
    )


def downgrade() -> None:
    """Back to the revision before."""
    op.drop_table("api_key")
    op.drop_column("audit_entry", "api_key_id")
