"""Tax rates, and a ledger of what was issued, sold, cancelled and refunded, with the shifts that were closed over it."""

import sqlalchemy as sa
from alembic import op

from hotspot.append_only import forbidding

revision = "0023"
down_revision = "0022"
branch_labels = None
depends_on = None

BIG_ID = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
MOMENT = sa.DateTime(timezone=True)
# Germany's rate, in basis points.
STANDARD_TAX = "1900"
KINDS = ("issued", "sold", "cancelled", "refunded")


def upgrade() -> None:
    """The ledger begins now; what was issued before is in no line."""
    for table in ("pass", "voucher"):
        op.add_column(table, sa.Column("tax_basis_points", sa.Integer(), server_default=STANDARD_TAX, nullable=False))
    op.add_column("voucher", sa.Column("sold_at", MOMENT))
    op.add_column("deed", sa.Column("money_back", sa.Boolean(), server_default=sa.false(), nullable=False))
    op.create_table(
        "till",
        sa.Column("site_id", BIG_ID, nullable=False),
        sa.Column("last_number", sa.Integer(), nullable=False),
        sa.ForeignKeyConstraint(["site_id"], ["site.id"], name=op.f("fk_till_site_id")),
        sa.PrimaryKeyConstraint("site_id", name=op.f("pk_till")),
    )
    _create_lines()
    _create_closings()


def _create_lines() -> None:
    op.create_table(
        "sales_line",
        sa.Column("id", BIG_ID, nullable=False),
        sa.Column("site_id", BIG_ID, nullable=False),
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column("at", MOMENT, nullable=False),
        sa.Column(
            "kind",
            sa.Enum(*KINDS, name="linekind", native_enum=False, create_constraint=True, length=32),
            nullable=False,
        ),
        sa.Column("count", sa.Integer(), nullable=False),
        sa.Column("amount_cents", sa.Integer(), nullable=False),
        sa.Column("pass_id", BIG_ID, nullable=False),
        sa.Column("name", sa.String(80), nullable=False),
        sa.Column("price_cents", sa.Integer(), nullable=False),
        sa.Column("tax_basis_points", sa.Integer(), nullable=False),
        sa.Column("currency", sa.String(3), nullable=False),
        sa.Column("batch_id", BIG_ID),
        sa.Column("user_id", BIG_ID),
        sa.Column("reason", sa.String(200), server_default="", nullable=False),
        sa.ForeignKeyConstraint(["batch_id"], ["batch.id"], name=op.f("fk_sales_line_batch_id")),
        sa.ForeignKeyConstraint(["pass_id"], ["pass.id"], name=op.f("fk_sales_line_pass_id")),
        sa.ForeignKeyConstraint(["site_id"], ["site.id"], name=op.f("fk_sales_line_site_id")),
        sa.ForeignKeyConstraint(["user_id"], ["user_account.id"], name=op.f("fk_sales_line_user_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_sales_line")),
        sa.UniqueConstraint("site_id", "number", name=op.f("uq_sales_line_site_id_number")),
    )
    op.create_index(op.f("ix_sales_line_site_id_at"), "sales_line", ["site_id", "at"])
    _forbid_changes("sales_line")


def _create_closings() -> None:
    money = ("after_number", "to_number", "carried_cents", "expected_cents", "counted_cents", "kept_cents")
    op.create_table(
        "shift_closing",
        sa.Column("site_id", BIG_ID, nullable=False),
        sa.Column("currency", sa.String(3), nullable=False),
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column("at", MOMENT, nullable=False),
        sa.Column("user_id", BIG_ID),
        *(sa.Column(name, sa.Integer(), nullable=False) for name in money),
        sa.Column("note", sa.String(200), nullable=False),
        sa.Column("id", BIG_ID, nullable=False),
        sa.Column("public_id", sa.String(16), nullable=False),
        sa.ForeignKeyConstraint(["site_id"], ["site.id"], name=op.f("fk_shift_closing_site_id")),
        sa.ForeignKeyConstraint(["user_id"], ["user_account.id"], name=op.f("fk_shift_closing_user_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_shift_closing")),
        sa.UniqueConstraint("public_id", name=op.f("uq_shift_closing_public_id")),
        sa.UniqueConstraint("site_id", "currency", "number", name=op.f("uq_shift_closing_site_id_currency_number")),
    )
    _forbid_changes("shift_closing")


def _forbid_changes(table: str) -> None:
    for statement in forbidding(table, op.get_bind().dialect.name):
        op.execute(statement)


def downgrade() -> None:
    """Back to the revision before: the ledger is lost."""
    for table in ("shift_closing", "sales_line"):
        # Its triggers go with it.
        op.drop_table(table)
    op.drop_table("till")
    op.drop_column("deed", "money_back")
    op.drop_column("voucher", "sold_at")
    for table in ("voucher", "pass"):
        op.drop_column(table, "tax_basis_points")
