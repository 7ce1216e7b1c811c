"""Whether a CoovaChilli is handed passwords as PAP."""

import sqlalchemy as sa
from alembic import op

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """No gateway is, until the operator says so."""
    op.add_column("nas", sa.Column("uam_pap", sa.Boolean(), server_default=sa.false(), nullable=False))


def downgrade() -> None:
    """All take CHAP again."""
    op.drop_column("nas", "uam_pap")
