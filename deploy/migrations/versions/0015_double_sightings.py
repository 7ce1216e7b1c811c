"""Devices that were seen at two places at once."""

import sqlalchemy as sa
from alembic import op

revision = "0015"
down_revision = "0014"
branch_labels = None
depends_on = None

BIG_ID = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
MOMENT = sa.DateTime(timezone=True)


def upgrade() -> None:
    """A row for two visits, or for one at two access points; it goes with them."""
    op.create_table(
        "double_sighting",
        sa.Column("visit_id", BIG_ID, nullable=False),
        sa.Column("other_visit_id", BIG_ID, nullable=False),
        sa.Column("first_seen_at", MOMENT, nullable=False),
        sa.Column("last_seen_at", MOMENT, nullable=False),
        sa.ForeignKeyConstraint(
            ["visit_id"], ["visit.id"], name=op.f("fk_double_sighting_visit_id"), ondelete="CASCADE"
        ),
        sa.ForeignKeyConstraint(
            ["other_visit_id"], ["visit.id"], name=op.f("fk_double_sighting_other_visit_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("visit_id", "other_visit_id", name=op.f("pk_double_sighting")),
    )
    op.create_index(op.f("ix_double_sighting_other_visit_id"), "double_sighting", ["other_visit_id"])


def downgrade() -> None:
    """Back to 0014."""
    op.drop_table("double_sighting")
