"""Limits that are used up again and again, and alarms of guesses at codes."""

import sqlalchemy as sa
from alembic import op

revision = "0016"
down_revision = "0015"
branch_labels = None
depends_on = None

BIG_ID = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
MOMENT = sa.DateTime(timezone=True)


def upgrade() -> None:
    """Whoever has used a limit up is at the first step, and nobody guesses."""
    op.add_column("limit_counter", sa.Column("step", sa.Integer(), server_default="0", nullable=False))
    op.create_table(
        "guess_alarm",
        sa.Column("hour", MOMENT, nullable=False),
        sa.Column("site_id", BIG_ID, nullable=False),
        sa.Column("access_point_id", BIG_ID, nullable=False),
        sa.Column("limit", sa.String(40), nullable=False),
        sa.Column("count", sa.Integer(), nullable=False),
        sa.Column("last_at", MOMENT, nullable=False),
        sa.PrimaryKeyConstraint("hour", "site_id", "access_point_id", "limit", name=op.f("pk_guess_alarm")),
    )


def downgrade() -> None:
    """Back to 0015: all begin anew."""
    op.drop_table("guess_alarm")
    op.drop_column("limit_counter", "step")
