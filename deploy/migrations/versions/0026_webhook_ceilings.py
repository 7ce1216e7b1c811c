"""How much may wait to be told to one webhook, and when something was not told for that."""

import sqlalchemy as sa
from alembic import op

revision = "0026"
down_revision = "0025"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Nothing has been lost yet."""
    op.add_column("webhook", sa.Column("lost_at", sa.DateTime(timezone=True)))
    waits = sa.text("next_try_at IS NOT NULL")
    op.create_index(
        "ix_webhook_delivery_waiting", "webhook_delivery", ["webhook_id"], sqlite_where=waits, postgresql_where=waits
    )


def downgrade() -> None:
    """Back to the revision before."""
    op.drop_index("ix_webhook_delivery_waiting", "webhook_delivery")
    op.drop_column("webhook", "lost_at")
