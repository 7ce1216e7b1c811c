"""A site's own portal page, in versions."""

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None

# SQLite gives row numbers of its own only to a column declared INTEGER.
BIG_ID = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
MOMENT = sa.DateTime(timezone=True)
STATES = ("draft", "submitted", "returned", "released", "replaced")


def upgrade() -> None:
    """The switch, which is off, and the versions with their texts and pictures."""
    op.add_column("site", sa.Column("own_page", sa.Boolean(), server_default=sa.false(), nullable=False))
    op.create_table(
        "look",
        sa.Column("site_id", BIG_ID, nullable=False),
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column("state", _one_of("lookstate", *STATES), nullable=False),
        sa.Column("edits", sa.Integer(), nullable=False),
        sa.Column("accent", sa.String(7), nullable=False),
        sa.Column("ground", sa.String(7), nullable=False),
        sa.Column("note", sa.String(500), nullable=False),
        sa.Column("edited_at", MOMENT, nullable=False),
        sa.Column("submitted_at", MOMENT),
        sa.Column("released_at", MOMENT),
        sa.Column("id", BIG_ID, nullable=False),
        sa.Column("public_id", sa.String(16), nullable=False),
        sa.ForeignKeyConstraint(["site_id"], ["site.id"], name=op.f("fk_look_site_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_look")),
        sa.UniqueConstraint("public_id", name=op.f("uq_look_public_id")),
        sa.UniqueConstraint("site_id", "number", name=op.f("uq_look_site_id_number")),
    )
    _create_unique("uq_look_open", "state IN ('draft', 'submitted', 'returned')")
    _create_unique("uq_look_released", "state = 'released'")
    _create_parts()


def _create_parts() -> None:
    op.create_table(
        "look_text",
        sa.Column("id", BIG_ID, nullable=False),
        sa.Column("look_id", BIG_ID, nullable=False),
        sa.Column("language", sa.String(8), nullable=False),
        sa.Column("body", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(["look_id"], ["look.id"], name=op.f("fk_look_text_look_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_look_text")),
        sa.UniqueConstraint("look_id", "language", name=op.f("uq_look_text_look_id_language")),
    )
    op.create_table(
        "look_picture",
        sa.Column("id", BIG_ID, nullable=False),
        sa.Column("look_id", BIG_ID, nullable=False),
        sa.Column("kind", _one_of("picturekind", "logo", "background"), nullable=False),
        sa.Column("sha256", sa.String(64), nullable=False),
        sa.Column("width", sa.Integer(), nullable=False),
        sa.Column("height", sa.Integer(), nullable=False),
        sa.Column("body", sa.LargeBinary(), nullable=False),
        sa.ForeignKeyConstraint(["look_id"], ["look.id"], name=op.f("fk_look_picture_look_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_look_picture")),
        sa.UniqueConstraint("look_id", "kind", name=op.f("uq_look_picture_look_id_kind")),
    )
    op.create_index(op.f("ix_look_picture_sha256"), "look_picture", ["sha256"])


def _one_of(name: str, *values: str) -> sa.Enum:
    return sa.Enum(*values, name=name, native_enum=False, create_constraint=True, length=32)


def _create_unique(name: str, where: str) -> None:
    op.create_index(
        name, "look", ["site_id"], unique=True, sqlite_where=sa.text(where), postgresql_where=sa.text(where)
    )


def downgrade() -> None:
    """Back to 0005: all own pages are lost."""
    for name in ("look_picture", "look_text", "look"):
        op.drop_table(name)
    op.drop_column("site", "own_page")
