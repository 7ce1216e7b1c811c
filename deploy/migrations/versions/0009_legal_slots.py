"""Slots for the price list, the contract summary and the accessibility statement."""

import sqlalchemy as sa
from alembic import op

revision = "0009"
down_revision = "0008"
branch_labels = None
depends_on = None

OLD_KINDS = ("terms", "imprint", "privacy")
NEW_KINDS = ("terms", "prices", "contract-summary", "privacy", "imprint", "accessibility")


def upgrade() -> None:
    """Three more kinds of text."""
    _allow(OLD_KINDS, NEW_KINDS)


def downgrade() -> None:
    """Back to 0008: texts of the newer kinds are lost."""
    newer = "kind IN ('prices', 'contract-summary', 'accessibility')"
    op.execute(f"DELETE FROM legal_text WHERE version_id IN (SELECT id FROM legal_version WHERE {newer})")  # noqa: S608
    op.execute(f"DELETE FROM legal_version WHERE {newer}")  # noqa: S608
    _allow(NEW_KINDS, OLD_KINDS)


def _allow(before: tuple[str, ...], after: tuple[str, ...]) -> None:
    """On SQLite the copy that takes the table's place would sweep away the texts that refer to it: they are put aside."""
    put_aside = op.get_bind().dialect.name == "sqlite"
    if put_aside:
        op.execute("CREATE TEMP TABLE kept_legal_text AS SELECT * FROM legal_text")
        op.execute("DELETE FROM legal_text")
    with op.batch_alter_table("legal_version") as batch:
        batch.alter_column("kind", existing_type=_one_of(*before), type_=_one_of(*after), existing_nullable=False)
    if put_aside:
        op.execute("INSERT INTO legal_text SELECT * FROM kept_legal_text")
        op.execute("DROP TABLE kept_legal_text")


def _one_of(*values: str) -> sa.Enum:
    """Text that a CHECK holds to these values."""
    return sa.Enum(*values, name="legalkind", native_enum=False, create_constraint=True, length=32)
