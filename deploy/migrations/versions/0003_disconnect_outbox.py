"""The disconnect outbox learns CoA, and says what became of each order.

The table is made anew: SQLite cannot add a column with a CHECK as the models describe it.
"""

from typing import Any

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None

# SQLite gives row numbers of its own only to a column declared INTEGER.
BIG_ID = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
MOMENT = sa.DateTime(timezone=True)
CAUSES = (
    "stopped", "silence", "never-started", "nas-restart", "superseded", "replaced", "logged-out", "revoked", "over",
)  # fmt: skip
KINDS = ("disconnect", "coa")
OUTCOMES = ("acknowledged", "already-gone", "refused", "not-taken", "moot", "given-up")
KEPT = "visit_id, nas_id, cause, created_at, due_at, attempts, done_at"


def upgrade() -> None:
    """From 0002: what waits is to be disconnected."""
    _put_aside("TRUE")
    _create(
        sa.Column("kind", _one_of("orderkind", *KINDS), nullable=False),
        sa.Column("outcome", _one_of("outcome", *OUTCOMES)),
        cause_is_known=False,
    )
    op.execute(f"INSERT INTO disconnect ({KEPT}, kind) SELECT {KEPT}, 'disconnect' FROM put_aside ORDER BY id")  # noqa: S608  constants
    op.execute("DROP TABLE put_aside")
    op.create_index(
        "uq_disconnect_pending", "disconnect", ["visit_id", "kind"], unique=True, **_where("done_at IS NULL")
    )


def downgrade() -> None:
    """Back to 0002: changed limits that wait are forgotten."""
    _put_aside("kind = 'disconnect' AND cause IS NOT NULL")
    _create(cause_is_known=True)
    op.execute(f"INSERT INTO disconnect ({KEPT}) SELECT {KEPT} FROM put_aside ORDER BY id")  # noqa: S608  constants
    op.execute("DROP TABLE put_aside")
    op.create_index("uq_disconnect_pending", "disconnect", ["visit_id"], unique=True, **_where("done_at IS NULL"))


def _put_aside(condition: str) -> None:
    op.execute(f"CREATE TEMPORARY TABLE put_aside AS SELECT id, {KEPT} FROM disconnect WHERE {condition}")  # noqa: S608  constants
    op.drop_table("disconnect")


def _create(*more: sa.Column[Any], cause_is_known: bool) -> None:
    op.create_table(
        "disconnect",
        sa.Column("id", BIG_ID, nullable=False),
        sa.Column("visit_id", BIG_ID, nullable=False),
        sa.Column("nas_id", BIG_ID, nullable=False),
        *more[:1],
        sa.Column("cause", _one_of("closecause", *CAUSES), nullable=not cause_is_known),
        sa.Column("created_at", MOMENT, nullable=False),
        sa.Column("due_at", MOMENT, nullable=False),
        sa.Column("attempts", sa.Integer(), nullable=False),
        sa.Column("done_at", MOMENT),
        *more[1:],
        sa.ForeignKeyConstraint(["nas_id"], ["nas.id"], name=op.f("fk_disconnect_nas_id")),
        sa.ForeignKeyConstraint(["visit_id"], ["visit.id"], name=op.f("fk_disconnect_visit_id"), ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_disconnect")),
    )
    op.create_index("ix_disconnect_due", "disconnect", ["due_at"], **_where("done_at IS NULL"))


def _one_of(name: str, *values: str) -> sa.Enum:
    """Text that a CHECK holds to these values."""
    return sa.Enum(*values, name=name, native_enum=False, create_constraint=True, length=32)


def _where(condition: str) -> dict[str, Any]:
    """What makes an index a partial one."""
    return {"sqlite_where": sa.text(condition), "postgresql_where": sa.text(condition)}
