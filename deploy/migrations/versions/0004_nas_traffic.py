"""What arrives from each NAS, and from strangers."""

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None

# SQLite gives row numbers of its own only to a column declared INTEGER.
BIG_ID = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
MOMENT = sa.DateTime(timezone=True)


def upgrade() -> None:
    """Counts by the hour: one table for NAS, one for addresses that are no NAS's."""
    op.create_table(
        "nas_traffic",
        sa.Column("nas_id", BIG_ID, nullable=False),
        *_counted(),
        sa.ForeignKeyConstraint(["nas_id"], ["nas.id"], name=op.f("fk_nas_traffic_nas_id")),
        sa.PrimaryKeyConstraint("nas_id", "hour", "port", "what", name=op.f("pk_nas_traffic")),
    )
    op.create_index(op.f("ix_nas_traffic_hour"), "nas_traffic", ["hour"])
    op.create_table(
        "stranger_traffic",
        sa.Column("source", sa.String(45), nullable=False),
        *_counted(),
        sa.PrimaryKeyConstraint("source", "hour", "port", "what", name=op.f("pk_stranger_traffic")),
    )
    op.create_index(op.f("ix_stranger_traffic_hour"), "stranger_traffic", ["hour"])


def _counted() -> list[sa.Column[object]]:
    return [
        sa.Column("hour", MOMENT, nullable=False),
        sa.Column("port", sa.String(20), nullable=False),
        sa.Column("what", sa.String(64), nullable=False),
        sa.Column("count", sa.BigInteger(), nullable=False),
        sa.Column("first_at", MOMENT, nullable=False),
        sa.Column("last_at", MOMENT, nullable=False),
    ]


def downgrade() -> None:
    """Back to 0003: the counts are lost."""
    op.drop_table("stranger_traffic")
    op.drop_table("nas_traffic")
