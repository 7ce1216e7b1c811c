"""Indexes of what is in stock, and of what is not valid yet."""

import sqlalchemy as sa
from alembic import op

revision = "0029"
down_revision = "0028"
branch_labels = None
depends_on = None

IN_STOCK = "first_used_at IS NULL AND revoked_at IS NULL AND serial IS NOT NULL"
INDEXES = (
    ("ix_voucher_stock", ["site_id", "batch_id", "good_until"], IN_STOCK),
    ("ix_voucher_later", ["site_id", "id", "good_from"], f"good_from IS NOT NULL AND {IN_STOCK}"),
)


def upgrade() -> None:
    """Counts and lists read these alone, and not the vouchers."""
    for name, columns, where in INDEXES:
        op.create_index(name, "voucher", columns, sqlite_where=sa.text(where), postgresql_where=sa.text(where))


def downgrade() -> None:
    """Back to the revision before."""
    for name, _columns, _where in INDEXES:
        op.drop_index(name, "voucher")
