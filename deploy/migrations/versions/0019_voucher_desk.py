"""The voucher desk: presets, batches that grow and can be switched off, notes, requests that count once, and undoing."""

import sqlalchemy as sa
from alembic import op

revision = "0019"
down_revision = "0021"
branch_labels = None
depends_on = None

BIG_ID = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
MOMENT = sa.DateTime(timezone=True)

_PARTIAL = {
    "unused": (["site_id", "id", "good_until"], "first_used_at IS NULL AND revoked_at IS NULL AND serial IS NOT NULL"),
    "used": (["site_id", "ends_at"], "first_used_at IS NOT NULL AND serial IS NOT NULL"),
    "revoked": (["site_id", "id"], "revoked_at IS NOT NULL"),
    "inactive": (["site_id", "id"], "inactive"),
    "noted": (["site_id", "id"], "note <> ''"),
}


def upgrade() -> None:
    """Every batch is whole, and every voucher switched on."""
    _extend_batches_and_vouchers()
    op.create_index(op.f("ix_audit_entry_subject"), "audit_entry", ["subject"])
    op.create_table(
        "preset",
        sa.Column("site_id", BIG_ID, nullable=False),
        sa.Column("position", sa.Integer(), nullable=False),
        sa.Column("name", sa.String(40), nullable=False),
        sa.Column("pass_id", BIG_ID, nullable=False),
        sa.Column("asks_until", sa.Boolean(), server_default=sa.false(), nullable=False),
        sa.Column("note", sa.String(200), server_default="", nullable=False),
        *_identified("preset"),
        sa.ForeignKeyConstraint(["pass_id"], ["pass.id"], name=op.f("fk_preset_pass_id")),
        sa.ForeignKeyConstraint(["site_id"], ["site.id"], name=op.f("fk_preset_site_id")),
    )
    op.create_index(op.f("ix_preset_site_id"), "preset", ["site_id"])
    op.create_table(
        "issue_request",
        sa.Column("id", BIG_ID, nullable=False),
        sa.Column("site_id", BIG_ID, nullable=False),
        sa.Column("key", sa.String(64), nullable=False),
        sa.Column("asked", sa.String(64), nullable=False),
        sa.Column("batch_id", BIG_ID),
        sa.Column("created_at", MOMENT, nullable=False),
        sa.ForeignKeyConstraint(["batch_id"], ["batch.id"], name=op.f("fk_issue_request_batch_id")),
        sa.ForeignKeyConstraint(["site_id"], ["site.id"], name=op.f("fk_issue_request_site_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_issue_request")),
        sa.UniqueConstraint("site_id", "key", name=op.f("uq_issue_request_site_id_key")),
    )
    op.create_index(op.f("ix_issue_request_created_at"), "issue_request", ["created_at"])
    _create_deeds()


def _extend_batches_and_vouchers() -> None:
    op.add_column("batch", sa.Column("issued", sa.Integer(), server_default="0", nullable=False))
    op.execute("UPDATE batch SET issued = count")
    op.add_column("batch", sa.Column("cancelled_at", MOMENT))
    op.add_column("batch", sa.Column("inactive", sa.Boolean(), server_default=sa.false(), nullable=False))
    op.add_column("batch", sa.Column("good_days", sa.Integer()))
    op.add_column("batch", sa.Column("activated_at", MOMENT))
    op.add_column("voucher", sa.Column("note", sa.String(200), server_default="", nullable=False))
    op.add_column("voucher", sa.Column("inactive", sa.Boolean(), server_default=sa.false(), nullable=False))
    op.add_column("voucher", sa.Column("changes", sa.Integer(), server_default="0", nullable=False))
    for name, (columns, where) in _PARTIAL.items():
        # SQLite has no booleans, and takes a partial index only for the words it was made with.
        sqlite_where = sa.text(where.replace("inactive", "inactive = 1"))
        op.create_index(
            f"ix_voucher_{name}", "voucher", columns, sqlite_where=sqlite_where, postgresql_where=sa.text(where)
        )


def _create_deeds() -> None:
    op.create_table(
        "deed",
        sa.Column("site_id", BIG_ID, nullable=False),
        sa.Column("action", sa.String(20), nullable=False),
        sa.Column("user_id", BIG_ID),
        sa.Column("at", MOMENT, nullable=False),
        sa.Column("undone_at", MOMENT),
        sa.Column("batch_id", BIG_ID),
        sa.Column("was_inactive", sa.Boolean()),
        sa.Column("was_activated_at", MOMENT),
        *_identified("deed"),
        sa.ForeignKeyConstraint(["batch_id"], ["batch.id"], name=op.f("fk_deed_batch_id")),
        sa.ForeignKeyConstraint(["site_id"], ["site.id"], name=op.f("fk_deed_site_id")),
        sa.ForeignKeyConstraint(["user_id"], ["user_account.id"], name=op.f("fk_deed_user_id")),
    )
    op.create_index(op.f("ix_deed_at"), "deed", ["at"])
    op.create_table(
        "former_voucher",
        sa.Column("deed_id", BIG_ID, nullable=False),
        sa.Column("voucher_id", BIG_ID, nullable=False),
        sa.Column("good_until", MOMENT, nullable=False),
        sa.Column("minutes", sa.Integer()),
        sa.Column("until", MOMENT),
        sa.Column("ends_at", MOMENT),
        sa.Column("revoked_at", MOMENT),
        sa.Column("note", sa.String(200), nullable=False),
        sa.Column("inactive", sa.Boolean(), nullable=False),
        sa.Column("code_ciphertext", sa.LargeBinary()),
        sa.Column("first_used_at", MOMENT),
        sa.Column("changes", sa.Integer(), nullable=False),
        sa.ForeignKeyConstraint(["deed_id"], ["deed.id"], name=op.f("fk_former_voucher_deed_id"), ondelete="CASCADE"),
        sa.ForeignKeyConstraint(
            ["voucher_id"], ["voucher.id"], name=op.f("fk_former_voucher_voucher_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("deed_id", "voucher_id", name=op.f("pk_former_voucher")),
    )


def _identified(table: str) -> tuple[sa.schema.SchemaItem, ...]:
    return (
        sa.Column("id", BIG_ID, nullable=False),
        sa.Column("public_id", sa.String(16), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f(f"pk_{table}")),
        sa.UniqueConstraint("public_id", name=op.f(f"uq_{table}_public_id")),
    )


def downgrade() -> None:
    """Back to 0021: what is not switched on is revoked there, since it must not be used."""
    op.execute("UPDATE voucher SET revoked_at = good_until WHERE inactive AND revoked_at IS NULL")
    for table in ("former_voucher", "deed", "issue_request", "preset"):
        op.drop_table(table)
    op.drop_index(op.f("ix_audit_entry_subject"), "audit_entry")
    for name in _PARTIAL:
        op.drop_index(f"ix_voucher_{name}", "voucher")
    for column in ("note", "inactive", "changes"):
        op.drop_column("voucher", column)
    for column in ("issued", "cancelled_at", "inactive", "good_days", "activated_at"):
        op.drop_column("batch", column)
