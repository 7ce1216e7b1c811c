"""What guests have accepted: the prices too, by device, and counted."""

import sqlalchemy as sa
from alembic import op

revision = "0010"
down_revision = "0009"
branch_labels = None
depends_on = None

BIG_ID = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    """Remembered devices have accepted nothing that is known: each comes by the portal once more."""
    op.add_column("visit", sa.Column("prices_id", BIG_ID))
    op.add_column("voucher_device", sa.Column("terms_id", BIG_ID))
    op.add_column("voucher_device", sa.Column("prices_id", BIG_ID))
    op.create_table(
        "agreement_count",
        sa.Column("version_id", BIG_ID, nullable=False),
        sa.Column("site_id", BIG_ID, nullable=False),
        sa.Column("day", sa.Date(), nullable=False),
        sa.Column("accepted", sa.Integer(), nullable=False),
        sa.ForeignKeyConstraint(["version_id"], ["legal_version.id"], name=op.f("fk_agreement_count_version_id")),
        sa.ForeignKeyConstraint(["site_id"], ["site.id"], name=op.f("fk_agreement_count_site_id")),
        sa.PrimaryKeyConstraint("version_id", "site_id", "day", name=op.f("pk_agreement_count")),
    )


def downgrade() -> None:
    """Back to 0009: what was counted is lost."""
    op.drop_table("agreement_count")
    op.drop_column("voucher_device", "prices_id")
    op.drop_column("voucher_device", "terms_id")
    op.drop_column("visit", "prices_id")
