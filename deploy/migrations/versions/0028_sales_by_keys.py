"""Which key of the API a line of the sales ledger is by, where nobody was signed in."""

import sqlalchemy as sa
from alembic import op

revision = "0028"
down_revision = "0027"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Lines are never changed: those that there are go on naming nobody."""
    op.add_column("sales_line", sa.Column("api_key_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite")))


def downgrade() -> None:
    """Back to the revision before."""
    op.drop_column("sales_line", "api_key_id")
