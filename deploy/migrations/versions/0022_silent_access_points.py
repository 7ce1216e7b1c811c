"""Access points that went silent with guests on them."""

import sqlalchemy as sa
from alembic import op

revision = "0022"
down_revision = "0019"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """None is known to be silent."""
    op.add_column("access_point", sa.Column("silent_since", sa.DateTime(timezone=True)))


def downgrade() -> None:
    """Back to the revision before."""
    op.drop_column("access_point", "silent_since")
