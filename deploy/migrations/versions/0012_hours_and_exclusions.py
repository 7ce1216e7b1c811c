"""Opening hours of sites, and devices that are excluded."""

import sqlalchemy as sa
from alembic import op

revision = "0012"
down_revision = "0011"
branch_labels = None
depends_on = None

# SQLite gives row numbers of its own only to a column declared INTEGER.
BIG_ID = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
MOMENT = sa.DateTime(timezone=True)


def upgrade() -> None:
    """Every site is always open, and no device excluded."""
    op.create_table(
        "opening_span",
        sa.Column("id", BIG_ID, nullable=False),
        sa.Column("site_id", BIG_ID, nullable=False),
        sa.Column("weekday", sa.Integer()),
        sa.Column("day", sa.Date()),
        sa.Column("opens", sa.Time()),
        sa.Column("closes", sa.Time()),
        sa.CheckConstraint("(weekday IS NULL) <> (day IS NULL)", name=op.f("ck_opening_span_weekday_or_day")),
        sa.CheckConstraint("(opens IS NULL) = (closes IS NULL)", name=op.f("ck_opening_span_opens_and_closes")),
        sa.ForeignKeyConstraint(["site_id"], ["site.id"], name=op.f("fk_opening_span_site_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_opening_span")),
    )
    op.create_index(op.f("ix_opening_span_site_id"), "opening_span", ["site_id"])
    op.create_table(
        "excluded_device",
        sa.Column("device", sa.LargeBinary(24), nullable=False),
        sa.Column("site_id", BIG_ID),
        sa.Column("customer_id", BIG_ID),
        sa.Column("until", MOMENT),
        sa.Column("note", sa.String(200), nullable=False),
        sa.Column("created_at", MOMENT, nullable=False),
        sa.Column("id", BIG_ID, nullable=False),
        sa.Column("public_id", sa.String(16), nullable=False),
        sa.CheckConstraint("site_id IS NULL OR customer_id IS NULL", name=op.f("ck_excluded_device_one_scope")),
        sa.ForeignKeyConstraint(["customer_id"], ["customer.id"], name=op.f("fk_excluded_device_customer_id")),
        sa.ForeignKeyConstraint(["site_id"], ["site.id"], name=op.f("fk_excluded_device_site_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_excluded_device")),
        sa.UniqueConstraint("public_id", name=op.f("uq_excluded_device_public_id")),
    )
    for column in ("device", "site_id", "customer_id"):
        op.create_index(op.f(f"ix_excluded_device_{column}"), "excluded_device", [column])


def downgrade() -> None:
    """Back to 0011: every site is always open, and every device may come in."""
    op.drop_table("excluded_device")
    op.drop_table("opening_span")
