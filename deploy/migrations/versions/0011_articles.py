"""Articles in order, with texts in each language; free passes that may be taken again."""

from collections.abc import Iterator
from contextlib import contextmanager

import sqlalchemy as sa
from alembic import op
from alembic.operations.base import BatchOperations

revision = "0011"
down_revision = "0010"
branch_labels = None
depends_on = None

BIG_ID = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
OLD_KEY, NEW_KEY = (
    ["site_id", "pass_id", "free_device", "free_day"],
    ["site_id", "pass_id", "free_device", "free_day", "free_round"],
)


def upgrade() -> None:
    """What stands on a page, and how."""
    op.add_column("pass", sa.Column("always", sa.Boolean(), nullable=False, server_default=sa.false()))
    op.add_column("pass", sa.Column("position", sa.Integer()))
    op.add_column("pass", sa.Column("preselected", sa.Boolean(), nullable=False, server_default=sa.false()))
    op.add_column("pass", sa.Column("shown", sa.Boolean(), nullable=False, server_default=sa.true()))
    with _altered_voucher() as batch:
        batch.add_column(sa.Column("free_round", sa.Integer(), nullable=False, server_default="0"))
        batch.drop_constraint(_name(OLD_KEY), type_="unique")
        batch.create_unique_constraint(_name(NEW_KEY), NEW_KEY)
    op.create_table(
        "code_entry",
        sa.Column("scope", sa.String(40), nullable=False),
        sa.Column("position", sa.Integer()),
        sa.Column("preselected", sa.Boolean(), nullable=False, server_default=sa.false()),
        sa.Column("shown", sa.Boolean(), nullable=False, server_default=sa.true()),
        sa.PrimaryKeyConstraint("scope", name=op.f("pk_code_entry")),
    )
    op.create_table(
        "pass_text",
        sa.Column("pass_id", BIG_ID, nullable=False),
        *_texts(),
        sa.ForeignKeyConstraint(["pass_id"], ["pass.id"], name=op.f("fk_pass_text_pass_id")),
        sa.PrimaryKeyConstraint("pass_id", "language", name=op.f("pk_pass_text")),
    )
    op.create_table(
        "code_entry_text",
        sa.Column("scope", sa.String(40), nullable=False),
        *_texts(),
        sa.ForeignKeyConstraint(["scope"], ["code_entry.scope"], name=op.f("fk_code_entry_text_scope")),
        sa.PrimaryKeyConstraint("scope", "language", name=op.f("pk_code_entry_text")),
    )


def downgrade() -> None:
    """Back to 0010: texts are lost, and of free passes taken several times a day only the last keeps its device."""
    for table in ("code_entry_text", "pass_text", "code_entry"):
        op.drop_table(table)
    op.execute(
        "UPDATE voucher SET free_device = NULL WHERE EXISTS (SELECT 1 FROM voucher AS later"
        " WHERE later.site_id = voucher.site_id AND later.pass_id = voucher.pass_id"
        " AND later.free_device = voucher.free_device AND later.free_day = voucher.free_day"
        " AND later.free_round > voucher.free_round)"
    )
    with _altered_voucher() as batch:
        batch.drop_constraint(_name(NEW_KEY), type_="unique")
        batch.create_unique_constraint(_name(OLD_KEY), OLD_KEY)
        batch.drop_column("free_round")
    for column in ("shown", "preselected", "position", "always"):
        op.drop_column("pass", column)


def _texts() -> list[sa.Column[str]]:
    lengths = {"language": 8, "name": 80, "description": 300, "where_to_buy": 200}
    return [sa.Column(name, sa.String(length), nullable=False) for name, length in lengths.items()]


def _name(columns: list[str]) -> str:
    return f"uq_voucher_{'_'.join(columns)}"


@contextmanager
def _altered_voucher() -> Iterator[BatchOperations]:
    """On SQLite the copy that takes the table's place would be missed by the rows that refer to it: they are put aside."""
    put_aside = op.get_bind().dialect.name == "sqlite"
    if put_aside:
        op.execute("CREATE TEMP TABLE kept_voucher_device AS SELECT * FROM voucher_device")
        op.execute("DELETE FROM voucher_device")
    with op.batch_alter_table("voucher") as batch:
        yield batch
    if put_aside:
        op.execute("INSERT INTO voucher_device SELECT * FROM kept_voucher_device")
        op.execute("DROP TABLE kept_voucher_device")
