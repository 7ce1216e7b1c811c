"""Old and new RADIUS secrets, both valid for a set time."""

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None

# SQLite gives row numbers of its own only to a column declared INTEGER.
BIG_ID = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
MOMENT = sa.DateTime(timezone=True)


def upgrade() -> None:
    """Replaced secrets, each with its end, and when a NAS was last heard to use one."""
    op.add_column("nas", sa.Column("old_secret_used_at", MOMENT))
    op.create_table(
        "nas_old_secret",
        sa.Column("id", BIG_ID, nullable=False),
        sa.Column("nas_id", BIG_ID, nullable=False),
        sa.Column("secret", sa.LargeBinary(), nullable=False),
        sa.Column("valid_until", MOMENT, nullable=False),
        sa.ForeignKeyConstraint(["nas_id"], ["nas.id"], name=op.f("fk_nas_old_secret_nas_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_nas_old_secret")),
    )
    op.create_index(op.f("ix_nas_old_secret_nas_id"), "nas_old_secret", ["nas_id"])


def downgrade() -> None:
    """Back to 0004: replaced secrets end at once."""
    op.drop_table("nas_old_secret")
    op.drop_column("nas", "old_secret_used_at")
