"""Guests whose address the portal sees: networks that no NAT hides, and the address of a running visit as a keyed hash."""

import sqlalchemy as sa
from alembic import op

revision = "0014"
down_revision = "0013"
branch_labels = None
depends_on = None

HASH = sa.LargeBinary(24)
IS_KNOWN = sa.text("address IS NOT NULL")


def upgrade() -> None:
    """No NAS says so until it is told to."""
    op.add_column("nas", sa.Column("guest_networks", sa.JSON(), nullable=False, server_default="[]"))
    op.add_column("visit", sa.Column("address", HASH))
    op.create_index("ix_visit_address", "visit", ["address"], sqlite_where=IS_KNOWN, postgresql_where=IS_KNOWN)


def downgrade() -> None:
    """Back to 0013."""
    op.drop_index("ix_visit_address", "visit")
    op.drop_column("visit", "address")
    op.drop_column("nas", "guest_networks")
