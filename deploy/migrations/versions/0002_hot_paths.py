"""What the hot paths of RADIUS need: arrivals at access points, and visits that cost few index entries and no key checks."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import sqlalchemy as sa
from alembic import op
from alembic.operations.base import BatchOperations

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None

BIG_ID = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
MOMENT = sa.DateTime(timezone=True)

# Rows that are never deleted need no key to watch over them (docs/decisions/0008).
FOREIGN_KEYS = {
    "visit": {
        "access_point_id": "access_point",
        "nas_id": "nas",
        "pass_id": "pass",
        "site_id": "site",
        "terms_id": "legal_version",
        "voucher_id": "voucher",
    },
    "leg": {"access_point_id": "access_point", "nas_id": "nas"},
    "log_entry": {"access_point_id": "access_point", "site_id": "site"},
}
OLD_INDEXES: tuple[tuple[str, list[str], dict[str, Any]], ...] = (
    ("ix_visit_running_access_point", ["access_point_id"], {"where": "state IN ('reserved', 'open')"}),
    ("ix_visit_site_device", ["site_id", "device"], {}),
    ("ix_visit_site_id", ["site_id"], {}),
    ("ix_visit_state", ["state", "closed_at"], {}),
    ("uq_visit_running_device", ["site_id", "device"], {"where": "state IN ('reserved', 'open')", "unique": True}),
)
NEW_INDEXES: tuple[tuple[str, list[str], dict[str, Any]], ...] = (
    ("ix_visit_running_access_point", ["access_point_id"], {"where": "runs AND nas_id > 0"}),
    ("ix_visit_running_site", ["site_id"], {"where": "runs AND nas_id > 0"}),
    ("uq_visit_running_device", ["device", "site_id"], {"where": "runs", "unique": True}),
    ("ix_visit_closed_device", ["device", "site_id"], {"where": "closed_at IS NOT NULL"}),
    ("ix_visit_closed_at", ["closed_at"], {"where": "closed_at IS NOT NULL"}),
    ("ix_visit_asked_device", ["device", "site_id"], {"where": "reserved_at IS NULL"}),
    ("ix_visit_asked_at", ["asked_at"], {"where": "reserved_at IS NULL"}),
    ("uq_visit_page_token", ["page_token"], {"where": "page_token IS NOT NULL", "unique": True}),
)
RUNS = sa.Computed("state IN ('reserved', 'open')", persisted=True)
# A row that grows or changes finds room on its page, so that no index has to learn of it.
ROOM = {"visit": 60, "leg": 70, "voucher": 80, "access_point": 40}


def upgrade() -> None:
    """From 0001."""
    op.add_column("access_point", sa.Column("arrivals", sa.BigInteger(), nullable=False, server_default="0"))
    for name, _columns, _more in OLD_INDEXES:
        op.drop_index(name, "visit")
    op.add_column("visit", sa.Column("accepted_at", MOMENT))
    op.add_column("visit", sa.Column("is_metered", sa.Boolean(), nullable=False, server_default=sa.false()))
    metered = "SELECT id FROM voucher WHERE megabytes IS NOT NULL OR clock = 'online'"
    op.execute("UPDATE visit SET accepted_at = last_heard_at")
    op.execute(f"UPDATE visit SET is_metered = true WHERE voucher_id IN ({metered})")  # noqa: S608  no foreign text in it
    with _altered_visit() as batch:
        _drop_foreign_keys(batch, "visit")
        batch.drop_constraint("uq_visit_page_token", type_="unique")
        batch.add_column(sa.Column("runs", sa.Boolean(), RUNS, nullable=False))
        batch.drop_column("current_leg_id")
        batch.drop_column("last_heard_at")
    for index in NEW_INDEXES:
        _create_index(*index)
    op.drop_index("ix_leg_nas_id", "leg")
    for table in ("leg", "log_entry"):
        with op.batch_alter_table(table) as batch:
            _drop_foreign_keys(batch, table)
    _leave_room(ROOM)


def downgrade() -> None:
    """Back to 0001."""
    _leave_room(dict.fromkeys(ROOM, 100))
    for table in ("leg", "log_entry"):
        with op.batch_alter_table(table) as batch:
            _create_foreign_keys(batch, table)
    op.create_index("ix_leg_nas_id", "leg", ["nas_id"])
    for name, _columns, _more in NEW_INDEXES:
        op.drop_index(name, "visit")
    with _altered_visit() as batch:
        batch.add_column(sa.Column("current_leg_id", BIG_ID))
        batch.add_column(sa.Column("last_heard_at", MOMENT))
        batch.drop_column("runs")
        batch.create_unique_constraint("uq_visit_page_token", ["page_token"])
        _create_foreign_keys(batch, "visit")
    last = "SELECT max({}) FROM leg WHERE leg.visit_id = visit.id"
    op.execute(f"UPDATE visit SET last_heard_at = coalesce(({last.format('last_heard_at')}), accepted_at)")  # noqa: S608
    op.execute(f"UPDATE visit SET current_leg_id = ({last.format('id')})")  # noqa: S608
    op.drop_column("visit", "accepted_at")
    op.drop_column("visit", "is_metered")
    for index in OLD_INDEXES:
        _create_index(*index)
    op.drop_column("access_point", "arrivals")


@contextmanager
def _altered_visit() -> Iterator[BatchOperations]:
    """On SQLite the copy that takes the table's place would sweep away the rows that refer to it: they are put aside."""
    children = ("leg", "disconnect") if op.get_bind().dialect.name == "sqlite" else ()
    for child in children:
        op.execute(f"CREATE TEMP TABLE kept_{child} AS SELECT * FROM {child}")  # noqa: S608
    with op.batch_alter_table("visit") as batch:
        yield batch
    for child in children:
        op.execute(f"INSERT INTO {child} SELECT * FROM kept_{child}")  # noqa: S608
        op.execute(f"DROP TABLE kept_{child}")


def _drop_foreign_keys(batch: BatchOperations, table: str) -> None:
    for column in FOREIGN_KEYS[table]:
        batch.drop_constraint(f"fk_{table}_{column}", type_="foreignkey")


def _create_foreign_keys(batch: BatchOperations, table: str) -> None:
    for column, parent in FOREIGN_KEYS[table].items():
        batch.create_foreign_key(f"fk_{table}_{column}", parent, [column], ["id"])


def _create_index(name: str, columns: list[str], more: dict[str, Any]) -> None:
    where = sa.text(more["where"]) if "where" in more else None
    sqlite_where = sa.text(more["where"].replace("runs", "runs = 1")) if where is not None else None
    conditions: dict[str, Any] = {} if where is None else {"sqlite_where": sqlite_where, "postgresql_where": where}
    op.create_index(name, "visit", columns, unique=more.get("unique", False), **conditions)


def _leave_room(percent: dict[str, int]) -> None:
    """How full PostgreSQL fills a page with new rows."""
    if op.get_bind().dialect.name == "postgresql":
        for table, filled in percent.items():
            op.execute(f"ALTER TABLE {table} SET (fillfactor = {filled})")
