"""Gateways without RADIUS that have reported who is online: their signed reports count for more than their polls."""

import sqlalchemy as sa
from alembic import op

revision = "0017"
down_revision = "0016"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """No gateway has reported until its next report."""
    op.add_column("nas", sa.Column("reports_heard_at", sa.DateTime(timezone=True)))


def downgrade() -> None:
    """Back to 0016."""
    op.drop_column("nas", "reports_heard_at")
