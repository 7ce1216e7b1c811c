"""Stock whose days to be used first have not begun has no last day yet; it had the one that it would have had if sold at once."""

from datetime import UTC, datetime, timedelta

import sqlalchemy as sa
from alembic import op

revision = "0027"
down_revision = "0026"
branch_labels = None
depends_on = None

NOT_BEGUN = datetime(2200, 1, 1, tzinfo=UTC)
MOMENT = sa.DateTime(timezone=True)

voucher = sa.table(
    "voucher",
    *(
        sa.column("batch_id"),
        sa.column("good_until", MOMENT),
        sa.column("until", MOMENT),
        sa.column("first_used_at", MOMENT),
    ),
)
batch = sa.table(
    "batch",
    *(sa.column("id"), sa.column("inactive", sa.Boolean()), sa.column("good_days"), sa.column("activated_at", MOMENT)),
    sa.column("issued_at", MOMENT),
)
not_begun = sa.and_(batch.c.inactive, batch.c.good_days.is_not(None), batch.c.activated_at.is_(None))


def upgrade() -> None:
    """An end that was agreed for a voucher comes all the same.

    A day that staff have set on stock which is not switched on yet is forgotten: no column tells it from one that was reckoned.
    The audit record has it ("voucher good until"), for whoever wants to set it again.
    """
    op.execute(
        voucher.update()
        .where(voucher.c.batch_id.in_(sa.select(batch.c.id).where(not_begun)), voucher.c.first_used_at.is_(None))
        .values(good_until=sa.func.coalesce(voucher.c.until, sa.literal(NOT_BEGUN, MOMENT)))
    )


def downgrade() -> None:
    """The last day that stock would have if it were sold when it was issued."""
    stock = sa.select(batch.c.id, batch.c.good_days, batch.c.issued_at).where(not_begun)
    for id_, days, issued_at in op.get_bind().execute(stock):
        # 0 stands for the end of the third year after.
        last = issued_at + timedelta(days=days) if days else datetime(issued_at.year + 4, 1, 1, tzinfo=UTC)
        op.execute(
            voucher.update()
            .where(voucher.c.batch_id == id_, voucher.c.good_until == sa.literal(NOT_BEGUN, MOMENT))
            .values(good_until=last)
        )
