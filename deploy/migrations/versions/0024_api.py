"""Keys for other systems, which the audit record names as actors, and webhooks with what is to be told there."""

import sqlalchemy as sa
from alembic import op

revision = "0024"
down_revision = "0020"
branch_labels = None
depends_on = None

BIG_ID = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
MOMENT = sa.DateTime(timezone=True)


def upgrade() -> None:
    """Nobody has a key yet."""
    op.add_column("audit_entry", sa.Column("api_key_id", BIG_ID))
    op.create_table(
        "api_key",
        sa.Column("customer_id", BIG_ID, nullable=False),
        sa.Column("name", sa.String(80), nullable=False),
        sa.Column("prefix", sa.String(24), nullable=False),
        sa.Column("key_hash", sa.LargeBinary(24), nullable=False),
        sa.Column("scopes", sa.JSON(), nullable=False),
        sa.Column("created_by", BIG_ID),
        sa.Column("created_at", MOMENT, nullable=False),
        sa.Column("expires_at", MOMENT, nullable=False),
        sa.Column("last_used_on", sa.Date()),
        sa.Column("retired_at", MOMENT),
        *_identified("api_key"),
        sa.ForeignKeyConstraint(["created_by"], ["user_account.id"], name=op.f("fk_api_key_created_by")),
        sa.ForeignKeyConstraint(["customer_id"], ["customer.id"], name=op.f("fk_api_key_customer_id")),
        sa.UniqueConstraint("prefix", name=op.f("uq_api_key_prefix")),
    )
    op.create_index(op.f("ix_api_key_customer_id"), "api_key", ["customer_id"])
    _create_webhooks()


def _create_webhooks() -> None:
    op.create_table(
        "webhook",
        sa.Column("customer_id", BIG_ID, nullable=False),
        sa.Column("url", sa.String(500), nullable=False),
        sa.Column("secret", sa.LargeBinary(), nullable=False),
        sa.Column("created_by", BIG_ID),
        sa.Column("created_at", MOMENT, nullable=False),
        sa.Column("retired_at", MOMENT),
        *_identified("webhook"),
        sa.ForeignKeyConstraint(["created_by"], ["user_account.id"], name=op.f("fk_webhook_created_by")),
        sa.ForeignKeyConstraint(["customer_id"], ["customer.id"], name=op.f("fk_webhook_customer_id")),
    )
    op.create_index(op.f("ix_webhook_customer_id"), "webhook", ["customer_id"])
    op.create_table(
        "webhook_delivery",
        sa.Column("webhook_id", BIG_ID, nullable=False),
        sa.Column("event", sa.String(20), nullable=False),
        sa.Column("body", sa.Text(), nullable=False),
        sa.Column("created_at", MOMENT, nullable=False),
        sa.Column("attempts", sa.Integer(), nullable=False),
        sa.Column("next_try_at", MOMENT),
        sa.Column("delivered_at", MOMENT),
        sa.Column("status", sa.Integer()),
        sa.Column("outcome", sa.String(40), nullable=False),
        *_identified("webhook_delivery"),
        sa.ForeignKeyConstraint(["webhook_id"], ["webhook.id"], name=op.f("fk_webhook_delivery_webhook_id")),
    )
    op.create_index(op.f("ix_webhook_delivery_created_at"), "webhook_delivery", ["created_at"])
    op.create_index("ix_webhook_delivery_webhook_id_id", "webhook_delivery", ["webhook_id", "id"])
    is_due = sa.text("next_try_at IS NOT NULL")
    op.create_index(
        "ix_webhook_delivery_due", "webhook_delivery", ["next_try_at"], sqlite_where=is_due, postgresql_where=is_due
    )
    op.create_table(
        "stock_alarm",
        sa.Column("id", BIG_ID, nullable=False),
        sa.Column("site_id", BIG_ID, nullable=False),
        sa.Column("pass_id", BIG_ID, nullable=False),
        sa.Column("threshold", sa.Integer(), nullable=False),
        sa.Column("low_since", MOMENT),
        sa.CheckConstraint("threshold >= 0", name=op.f("ck_stock_alarm_threshold")),
        sa.ForeignKeyConstraint(["pass_id"], ["pass.id"], name=op.f("fk_stock_alarm_pass_id")),
        sa.ForeignKeyConstraint(["site_id"], ["site.id"], name=op.f("fk_stock_alarm_site_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_stock_alarm")),
        sa.UniqueConstraint("site_id", "pass_id", name=op.f("uq_stock_alarm_site_id_pass_id")),
    )


def _identified(table: str) -> tuple[sa.schema.SchemaItem, ...]:
    return (
        sa.Column("id", BIG_ID, nullable=False),
        sa.Column("public_id", sa.String(16), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f(f"pk_{table}")),
        sa.UniqueConstraint("public_id", name=op.f(f"uq_{table}_public_id")),
    )


def downgrade() -> None:
    """Back to the revision before."""
    for table in ("stock_alarm", "webhook_delivery", "webhook", "api_key"):
        op.drop_table(table)
    op.drop_column("audit_entry", "api_key_id")
