"""Prints that are made outside of a request, printers that fetch their jobs, and what a site chose for its last print."""

import sqlalchemy as sa
from alembic import op

revision = "0020"
down_revision = "0023"
branch_labels = None
depends_on = None

BIG_ID = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
MOMENT = sa.DateTime(timezone=True)


def upgrade() -> None:
    """Nobody has printed anything so."""
    op.create_table(
        "print_choice",
        sa.Column("site_id", BIG_ID, nullable=False),
        sa.Column("choice", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(["site_id"], ["site.id"], name=op.f("fk_print_choice_site_id")),
        sa.PrimaryKeyConstraint("site_id", name=op.f("pk_print_choice")),
    )
    _create_files()
    _create_printers()


def _create_files() -> None:
    states = ("queued", "working", "done", "failed", "cancelled")
    op.create_table(
        "print_file",
        sa.Column("id", BIG_ID, nullable=False),
        sa.Column("public_id", sa.String(16), nullable=False),
        sa.Column("user_id", BIG_ID, nullable=False),
        sa.Column("site_id", BIG_ID, nullable=False),
        sa.Column("batch_id", BIG_ID, nullable=False),
        sa.Column("state", sa.Enum(*states, name="filestate", native_enum=False, create_constraint=True, length=32),
                  nullable=False),
        sa.Column("total", sa.Integer(), nullable=False),
        sa.Column("done", sa.Integer(), nullable=False),
        sa.Column("tries", sa.Integer(), nullable=False),
        sa.Column("print_order", sa.Text(), nullable=False),
        sa.Column("worker", sa.String(16), nullable=False),
        sa.Column("created_at", MOMENT, nullable=False),
        sa.Column("heard_at", MOMENT, nullable=False),
        sa.ForeignKeyConstraint(["user_id"], ["user_account.id"], name=op.f("fk_print_file_user_id")),
        sa.ForeignKeyConstraint(["site_id"], ["site.id"], name=op.f("fk_print_file_site_id")),
        sa.ForeignKeyConstraint(["batch_id"], ["batch.id"], name=op.f("fk_print_file_batch_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_print_file")),
        sa.UniqueConstraint("public_id", name=op.f("uq_print_file_public_id")),
    )  # fmt: skip
    op.create_index(op.f("ix_print_file_user_id"), "print_file", ["user_id"])
    op.create_index(op.f("ix_print_file_heard_at"), "print_file", ["heard_at"])
    op.create_table(
        "print_file_body",
        sa.Column("file_id", BIG_ID, nullable=False),
        sa.Column("ciphertext", sa.LargeBinary(), nullable=False),
        sa.ForeignKeyConstraint(
            ["file_id"], ["print_file.id"], name=op.f("fk_print_file_body_file_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("file_id", name=op.f("pk_print_file_body")),
    )


def _create_printers() -> None:
    kinds, states = ("star", "epson"), ("queued", "fetched", "done", "failed", "dropped")
    op.create_table(
        "printer",
        sa.Column("id", BIG_ID, nullable=False),
        sa.Column("public_id", sa.String(16), nullable=False),
        sa.Column("site_id", BIG_ID, nullable=False),
        sa.Column("name", sa.String(60), nullable=False),
        sa.Column("kind", sa.Enum(*kinds, name="printerkind", native_enum=False, create_constraint=True, length=32),
                  nullable=False),
        sa.Column("width", sa.Integer(), nullable=False),
        sa.Column("key_hash", sa.LargeBinary(24), nullable=False),
        sa.Column("created_at", MOMENT, nullable=False),
        sa.Column("last_seen_at", MOMENT, nullable=True),
        sa.Column("prints_taps", sa.Boolean(), server_default=sa.false(), nullable=False),
        sa.Column("retired_at", MOMENT, nullable=True),
        sa.ForeignKeyConstraint(["site_id"], ["site.id"], name=op.f("fk_printer_site_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_printer")),
        sa.UniqueConstraint("public_id", name=op.f("uq_printer_public_id")),
        sa.UniqueConstraint("key_hash", name=op.f("uq_printer_key_hash")),
    )  # fmt: skip
    op.create_index(op.f("ix_printer_site_id"), "printer", ["site_id"])
    op.create_table(
        "print_job",
        sa.Column("id", BIG_ID, nullable=False),
        sa.Column("public_id", sa.String(16), nullable=False),
        sa.Column("printer_id", BIG_ID, nullable=False),
        sa.Column("requested_by", BIG_ID, nullable=True),
        sa.Column("state", sa.Enum(*states, name="jobstate", native_enum=False, create_constraint=True, length=32),
                  nullable=False),
        sa.Column("vouchers", sa.Text(), nullable=False),
        sa.Column("face", sa.Text(), nullable=False),
        sa.Column("tries", sa.Integer(), nullable=False),
        sa.Column("trouble", sa.String(60), nullable=False),
        sa.Column("created_at", MOMENT, nullable=False),
        sa.Column("changed_at", MOMENT, nullable=False),
        sa.ForeignKeyConstraint(["printer_id"], ["printer.id"], name=op.f("fk_print_job_printer_id")),
        sa.ForeignKeyConstraint(["requested_by"], ["user_account.id"], name=op.f("fk_print_job_requested_by")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_print_job")),
        sa.UniqueConstraint("public_id", name=op.f("uq_print_job_public_id")),
    )  # fmt: skip
    op.create_index(op.f("ix_print_job_printer_id"), "print_job", ["printer_id"])
    op.create_index(op.f("ix_print_job_changed_at"), "print_job", ["changed_at"])


def downgrade() -> None:
    """Back to before: what waits to be printed is gone."""
    for table in ("print_job", "printer", "print_file_body", "print_file", "print_choice"):
        op.drop_table(table)
