"""Vouchers that follow one another, and devices that come although they have not been there."""

import sqlalchemy as sa
from alembic import op

revision = "0013"
down_revision = "0012"
branch_labels = None
depends_on = None

BIG_ID = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
MOMENT = sa.DateTime(timezone=True)
DEVICE = sa.LargeBinary(24)


def upgrade() -> None:
    """All devices that are remembered by now have been there."""
    op.add_column("voucher_device", sa.Column("promised_at", MOMENT))
    op.create_table(
        "extension",
        sa.Column("voucher_id", BIG_ID, nullable=False),
        sa.Column("device", DEVICE, nullable=False),
        sa.Column("next_voucher_id", BIG_ID, nullable=False),
        sa.Column("asked_at", MOMENT, nullable=False),
        sa.Column("told_at", MOMENT, nullable=False),
        sa.ForeignKeyConstraint(
            ["voucher_id"], ["voucher.id"], name=op.f("fk_extension_voucher_id"), ondelete="CASCADE"
        ),
        sa.ForeignKeyConstraint(
            ["next_voucher_id"], ["voucher.id"], name=op.f("fk_extension_next_voucher_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("voucher_id", "device", name=op.f("pk_extension")),
    )
    op.create_index("ix_extension_device", "extension", ["device"])


def downgrade() -> None:
    """Back to 0012: what was to follow is forgotten, and who was promised to come is not let in."""
    op.drop_table("extension")
    op.execute("DELETE FROM voucher_device WHERE promised_at IS NOT NULL")
    op.drop_column("voucher_device", "promised_at")
