"""Telling when a pass runs low at a site: once, and again only after it was refilled."""

from datetime import datetime

from sqlalchemy import CheckConstraint, ForeignKey, Integer, UniqueConstraint, func, select, update
from sqlalchemy.orm import Mapped, Session, mapped_column

from hotspot import audit
from hotspot.audit import Actor
from hotspot.bulk import upsert
from hotspot.database import Base, BigId
from hotspot.errors import WrongUse
from hotspot.place import Site
from hotspot.webhooks import Event, listeners, tell
from vouchers.passes import Pass
from vouchers.voucher import Batch, Voucher, in_stock

HIGHEST = 100_000


class StockAlarm(Base):
    """Below how many unused vouchers of a pass a site's webhooks are told; `low_since` once they were."""

    __tablename__ = "stock_alarm"
    __table_args__ = (UniqueConstraint("site_id", "pass_id"), CheckConstraint("threshold >= 0", name="threshold"))

    id: Mapped[int] = mapped_column(BigId, primary_key=True)
    site_id: Mapped[int] = mapped_column(ForeignKey("site.id"))
    pass_id: Mapped[int] = mapped_column(ForeignKey("pass.id"))
    threshold: Mapped[int] = mapped_column(Integer)
    low_since: Mapped[datetime | None]


def set_threshold(session: Session, actor: Actor, site: Site, article: Pass, threshold: int, now: datetime) -> None:
    """Tell when fewer than `threshold` are left; 0: never. WrongUse for what is out of range."""
    if not 0 <= threshold <= HIGHEST:
        raise WrongUse("bad-threshold", f"That is a number from 0 to {HIGHEST}.")
    fresh = upsert(session, StockAlarm).values(site_id=site.id, pass_id=article.id, threshold=threshold)
    keys = [StockAlarm.site_id, StockAlarm.pass_id]
    session.execute(fresh.on_conflict_do_update(index_elements=keys, set_={"threshold": threshold, "low_since": None}))
    subject, detail = f"site {site.public_id}", f"{article.slug} {threshold}"
    audit.record(session, actor, "stock alarm set", subject, now, customer_id=site.customer_id, detail=detail)


def thresholds_at(session: Session, site: Site) -> dict[int, int]:
    """The thresholds of a site, by the pass's id; none of a pass of which nothing is told."""
    query = select(StockAlarm.pass_id, StockAlarm.threshold).where(StockAlarm.site_id == site.id)
    return {row.pass_id: row.threshold for row in session.execute(query)}


def unused_at(session: Session, site: Site, now: datetime) -> dict[int, int]:
    """How many vouchers of each pass are unused at a site, by the pass's id."""
    of_batch = select(Batch.pass_id, func.count()).join(Voucher, Voucher.batch_id == Batch.id)
    rows = session.execute(of_batch.where(Voucher.site_id == site.id, in_stock(now)).group_by(Batch.pass_id))
    return dict(rows.all())


def check_stock(session: Session, now: datetime) -> int:
    """Tell of what has run low since it was looked at last; returns how many that were."""
    told = 0
    for alarm, left, name in _levels(session, now):
        is_low = left < alarm.threshold
        if is_low == (alarm.low_since is not None):
            continue
        # Race: of several processes that look, the one that changes the row tells.
        before = StockAlarm.low_since.is_(None) if is_low else StockAlarm.low_since.is_not(None)
        change = update(StockAlarm).where(StockAlarm.id == alarm.id, before).values(low_since=now if is_low else None)
        if session.scalar(change.returning(StockAlarm.id)) and is_low:
            _tell(session, alarm, left, name, now)
            told += 1
    return told


def _levels(session: Session, now: datetime) -> list[tuple[StockAlarm, int, str]]:
    """Each alarm of a pass that is still sold, how many vouchers are unused, and the name of the pass."""
    of_pass = select(Batch.id).where(Batch.site_id == StockAlarm.site_id, Batch.pass_id == StockAlarm.pass_id)
    left = (
        select(func.count())
        .select_from(Voucher)
        .where(Voucher.site_id == StockAlarm.site_id, Voucher.batch_id.in_(of_pass), in_stock(now))
        .scalar_subquery()
    )
    query = select(StockAlarm, left, Pass.name).join(Pass, Pass.id == StockAlarm.pass_id)
    rows = session.execute(query.where(StockAlarm.threshold > 0, Pass.retired_at.is_(None)))
    return [(row[0], row[1], row[2]) for row in rows]


def _tell(session: Session, alarm: StockAlarm, left: int, name: str, now: datetime) -> None:
    if told := listeners(session, alarm.site_id):
        site = session.get_one(Site, alarm.site_id)
        data = {"site_id": site.public_id, "name": name, "threshold": alarm.threshold, "left": left}
        tell(session, told, Event.STOCK_LOW, data, now)
