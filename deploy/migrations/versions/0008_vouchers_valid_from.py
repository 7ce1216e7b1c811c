"""Vouchers that are not valid before a moment."""

import sqlalchemy as sa
from alembic import op

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None

MOMENT = sa.DateTime(timezone=True)


def upgrade() -> None:
    """From when a voucher may be used; those there are may be used at once."""
    op.add_column("voucher", sa.Column("good_from", MOMENT))


def downgrade() -> None:
    """Back to 0007: vouchers whose time has not come are valid at once."""
    op.drop_column("voucher", "good_from")
