"""What a repeated request to change vouchers is told: how many it has changed, and what undoes it."""

import sqlalchemy as sa
from alembic import op

revision = "0025"
down_revision = "0024"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """No request has changed any yet."""
    op.add_column("issue_request", sa.Column("changed", sa.Integer()))
    op.add_column("issue_request", sa.Column("deed", sa.String(16)))


def downgrade() -> None:
    """Back to the revision before."""
    op.drop_column("issue_request", "deed")
    op.drop_column("issue_request", "changed")
