"""What staff do to vouchers, with the visits that run on them: all in the caller's transaction, whichever door it came by."""

from collections.abc import Collection, Sequence
from datetime import datetime, timedelta

from sqlalchemy import and_, or_, select, tuple_
from sqlalchemy import delete as sql_delete
from sqlalchemy.orm import Session

from hotspot import audit
from hotspot.audit import Actor
from hotspot.directory import SiteRecord
from hotspot.errors import Refusal
from hotspot.place import Site
from hotspot.webhooks import Event
from sessions.closing import close
from sessions.connection_log import Journal
from sessions.endings import end_visits
from sessions.held import HeldVisit, hold, legs_of, write_visits
from sessions.outbox import ask_disconnect_ids, change_limits_of, withdraw_disconnects
from sessions.usage import lock_vouchers
from sessions.visit import CloseCause, Visit, VoucherDevice
from vouchers import changing, lengths, switching
from vouchers.announcing import announce
from vouchers.changing import Chosen, Done
from vouchers.deeds import Action, Deed
from vouchers.ledger import give_again, note_not_issued, take_back
from vouchers.once import may_do_again
from vouchers.voucher import Batch, Voucher


def by_ids(ids: Collection[int]) -> Chosen:
    """The vouchers with these ids."""
    return Chosen(Voucher.id.in_(ids))


def of_batch(batch: Batch) -> Chosen:
    """All vouchers of a batch."""
    return Chosen(Voucher.batch_id == batch.id, batch)


def revoke_vouchers(
    session: Session, actor: Actor, site: Site, chosen: Chosen, now: datetime,
    *, money_back: bool = False, reason: str = "",
) -> Done:  # fmt: skip
    """Make vouchers worthless, and have the visits that run on them ended; the price of those sold is given back or not."""
    done = changing.change(session, actor, site, chosen, Action.REVOKE, changing.revoked(now), now)
    if done.deed:
        done.deed.money_back = money_back
    end_visits(session, done.ids, CloseCause.REVOKED, now)
    take_back(session, actor, site, done.ids, now, money_back=money_back, reason=reason)
    announce(session, Event.REVOKED, site.id, done.ids, now)
    return done


def extend_vouchers(session: Session, actor: Actor, site: Site, chosen: Chosen, by: timedelta, now: datetime) -> Done:
    """Give vouchers more time, or less where `by` is negative; who is online has it at once where the gateway allows it.

    WrongUse for a length that is out of range.
    """
    new, detail = lengths.longer(by, now), _length(by)
    done = changing.change(session, actor, site, chosen, Action.EXTEND, new, now, detail=detail)
    change_limits_of(session, done.ids, now)
    return done


def credit_outage(
    session: Session, actor: Actor, site: Site, by: timedelta, now: datetime, since: datetime | None = None
) -> Done:
    """Give time to all passes that run at the site, and to those that have ended `since` then, as the hotspot was out of order.

    WrongUse for a length that is out of range or not more than nothing.
    """
    if by <= timedelta(0):
        raise Refusal("bad-length", "What is credited is more than nothing.")
    runs = or_(Voucher.ends_at > (since or now), Voucher.ends_at.is_(None))
    chosen = Chosen(and_(Voucher.first_used_at.is_not(None), Voucher.revoked_at.is_(None), runs))
    new, detail = lengths.credited(by, now), _length(by)
    done = changing.change(session, actor, site, chosen, Action.CREDIT, new, now, detail=detail)
    change_limits_of(session, done.ids, now)
    return done


def note_vouchers(session: Session, actor: Actor, site: Site, chosen: Chosen, note: str, now: datetime) -> Done:
    """Write a note for staff on vouchers; the record does not repeat it."""
    return changing.change(session, actor, site, chosen, Action.NOTE, changing.noted(note), now)


def set_good_until(session: Session, actor: Actor, site: Site, chosen: Chosen, moment: datetime, now: datetime) -> Done:
    """Set until when unused vouchers may be used first. Refusal for a moment that has passed."""
    new, detail = changing.good_until(moment, now), moment.isoformat(timespec="minutes")
    return changing.change(session, actor, site, chosen, Action.GOOD_UNTIL, new, now, detail=detail)


def switch_off(session: Session, actor: Actor, site: Site, batch: Batch, now: datetime) -> Done:
    """Switch a batch off, as when it is lost: nobody gets in with it any more, and who is online with it is cut off."""
    done = switching.switch_off(session, actor, site, batch, now)
    end_visits(session, done.ids, CloseCause.REVOKED, now)
    return done


def cancel_batch(session: Session, actor: Actor, site: Site, batch: Batch, now: datetime) -> Done:
    """Issue no more of a batch, and revoke what was issued. Refusal for one that is whole."""
    switching.stop_issuing(session, actor, site, batch, now)
    done = revoke_vouchers(session, actor, site, of_batch(batch), now)
    # The till is held last, as everywhere.
    note_not_issued(session, actor, batch, now)
    return done


def undo(session: Session, actor: Actor, site: Site, deed: Deed, now: datetime) -> Done:
    """Undo what was done less than a minute ago; what gateways were not told yet, they never hear.

    Refusal once the minute is over, or when it has been undone.
    """
    done = changing.undo(session, actor, site, deed, now)
    may_do_again(session, deed)
    if deed.action in (Action.REVOKE, Action.SWITCH_OFF):
        withdraw_disconnects(session, done.ids, CloseCause.REVOKED)
    change_limits_of(session, done.ids, now)
    if deed.action == Action.REVOKE:
        give_again(session, actor, site, done.ids, now, money_back=deed.money_back)
        announce(session, Event.RESTORED, site.id, done.ids, now)
    return done


def free_devices(
    session: Session, actor: Actor, site: Site, record: SiteRecord, ids: Collection[int], now: datetime
) -> int:
    """End on each voucher the visit of the device that came first, and forget that device: another may come.

    Returns how many devices were freed.
    """
    vouchers = {one.id: one for one in lock_vouchers(session, ids)}
    oldest = _oldest(hold(session, and_(Visit.voucher_id.in_(vouchers), Visit.runs)))
    legs, journal = legs_of(session, [visit.id for visit in oldest]), Journal(session)
    for visit in oldest:
        close(journal, record, visit, legs[visit.id], CloseCause.LOGGED_OUT, now)
    write_visits(session, oldest)
    journal.write()
    ask_disconnect_ids(session, [(visit.id, visit.nas_id) for visit in oldest], CloseCause.LOGGED_OUT, now)
    # It would be back by its MAC at once.
    pairs = [(visit.voucher_id, visit.device) for visit in oldest]
    session.execute(sql_delete(VoucherDevice).where(tuple_(VoucherDevice.voucher_id, VoucherDevice.device).in_(pairs)))
    subjects = [f"voucher {vouchers[visit.voucher_id or 0].public_id}" for visit in oldest]
    audit.record_many(session, actor, "device freed", subjects, now, customer_id=site.customer_id)
    return len(oldest)


def _oldest(visits: Sequence[HeldVisit]) -> list[HeldVisit]:
    """Of each voucher the visit that was let in first."""
    first: dict[int, HeldVisit] = {}
    for visit in sorted(visits, key=lambda one: (one.accepted_at or one.asked_at, one.id)):
        first.setdefault(visit.voucher_id or 0, visit)
    return list(first.values())


def running_devices(session: Session, voucher_id: int) -> int:
    """How many devices are online with a voucher."""
    return len(session.scalars(select(Visit.id).where(Visit.voucher_id == voucher_id, Visit.runs)).all())


def _length(by: timedelta) -> str:
    minutes = int(by.total_seconds()) // 60
    return f"{minutes:+} minutes"
