"""What staff do to vouchers: revoking, extending, crediting, switching, freeing, replacing, and undoing it."""

import re
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta

import pytest
from sqlalchemy import func, select
from sqlalchemy.orm import Session

from hotspot.audit import COMMAND_LINE, AuditEntry
from hotspot.database import Database
from hotspot.errors import Refusal
from hotspot.keys import Keyring
from hotspot.mac import Mac
from hotspot.place import Site
from sessions.admit import Admitted, Outcome, admit
from sessions.desk import (
    by_ids,
    cancel_batch,
    credit_outage,
    extend_vouchers,
    free_devices,
    note_vouchers,
    of_batch,
    revoke_vouchers,
    running_devices,
    set_good_until,
    switch_off,
    undo,
)
from sessions.orders import Answer
from sessions.outbox import claim, settle
from sessions.replacing import replace_slip
from sessions.status import voucher_status
from sessions.visit import CloseCause, Disconnect, Leg, OrderKind, Visit, VoucherDevice
from tests.conftest import NOON
from tests.factories import Place, a_login, a_mac, a_pass, a_place, directory, some_vouchers
from tests.round_trips import sent_statements
from vouchers.admission import Reason, Refused
from vouchers.changing import Done, forget_deeds
from vouchers.codes import Code
from vouchers.deeds import Deed, FormerVoucher
from vouchers.finding import count_vouchers
from vouchers.forecast import stocks
from vouchers.issuing import CHUNK, Issued, Order, open_batch
from vouchers.ledger import sell
from vouchers.passes import Clock, Pass
from vouchers.stock import latest_batches
from vouchers.stock_alarms import check_stock, set_threshold
from vouchers.switching import switch_on
from vouchers.voucher import Batch, Voucher, VoucherState, clear_code

HOUR = timedelta(hours=1)
DAY = timedelta(days=1)


@dataclass
class Desk:
    """Somebody at the desk of a place, with its database."""

    database: Database
    keyring: Keyring
    place: Place
    now: datetime = NOON

    def issue(self, count: int = 1, article: Pass | None = None) -> list[Issued]:
        """Vouchers of the place's pass, or of another."""
        with self.database.write() as session:
            site = session.get_one(Site, self.place.site.id)
            return some_vouchers(session, self.keyring, site, article or self.place.article, count, now=self.now)

    def comes(self, code: Code, device: Mac | None = None) -> Outcome:
        """A device logs in with a voucher."""
        with self.database.write() as session:
            login = a_login(directory(session, self.keyring), self.place, code.value, device=device)
            return admit(session, self.keyring, [login], 300, self.now)[0]

    def do(self, act: Callable[[Session, Site], Done]) -> Done:
        """Do something in a transaction of its own."""
        with self.database.write() as session:
            return act(session, session.get_one(Site, self.place.site.id))

    def revoke(self, *issued: Issued) -> Done:
        """Revoke vouchers."""
        chosen = by_ids([one.voucher.id for one in issued])
        return self.do(lambda session, site: revoke_vouchers(session, COMMAND_LINE, site, chosen, self.now))

    def extend(self, by: timedelta, *issued: Issued) -> Done:
        """Give vouchers more time."""
        chosen = by_ids([one.voucher.id for one in issued])
        return self.do(lambda session, site: extend_vouchers(session, COMMAND_LINE, site, chosen, by, self.now))

    def undo(self, done: Done) -> Done:
        """Undo it."""
        assert done.deed
        deed_id = done.deed.id
        return self.do(
            lambda session, site: undo(session, COMMAND_LINE, site, session.get_one(Deed, deed_id), self.now)
        )

    def voucher(self, issued: Issued) -> Voucher:
        """A voucher as it stands."""
        with self.database.read() as session:
            return session.get_one(Voucher, issued.voucher.id)

    def state(self, issued: Issued) -> VoucherState:
        """What staff are told of it."""
        with self.database.read() as session:
            voucher = session.get_one(Voucher, issued.voucher.id)
            return voucher_status(session, directory(session, self.keyring), voucher, self.now).state

    def count(self, what: object) -> int:
        """How many rows there are."""
        with self.database.read() as session:
            return session.scalar(select(func.count()).select_from(what)) or 0  # type: ignore[arg-type]

    def orders(self, kind: OrderKind) -> int:
        """How many orders to gateways wait."""
        with self.database.read() as session:
            return len(session.scalars(select(Disconnect).where(Disconnect.kind == kind)).all())


@pytest.fixture
def desk(database: Database, keyring: Keyring) -> Desk:
    with database.write() as session:
        return Desk(database, keyring, a_place(session, keyring))


def test_what_is_revoked_is_back_with_its_code_when_it_is_undone_in_time(desk: Desk) -> None:
    unused, used = desk.issue(2)
    assert isinstance(desk.comes(used.code), Admitted)
    done = desk.revoke(unused, used)
    assert (len(done.ids), done.left, desk.state(unused)) == (2, 0, VoucherState.REVOKED)
    assert desk.voucher(unused).code_ciphertext is None
    assert desk.orders(OrderKind.DISCONNECT) == 1
    assert desk.revoke(unused).ids == ()

    desk.now += timedelta(seconds=60)
    assert len(desk.undo(done).ids) == 2
    assert (desk.state(unused), desk.state(used)) == (VoucherState.UNUSED, VoucherState.IN_USE)
    assert clear_code(desk.keyring, desk.voucher(unused)) == unused.code
    assert clear_code(desk.keyring, desk.voucher(used)) is None
    assert desk.orders(OrderKind.DISCONNECT) == 0, "nobody was told yet, and nobody is"
    with pytest.raises(Refusal, match="for a minute, and once"):
        desk.undo(done)


def test_whom_a_gateway_did_not_cut_off_at_once_is_not_cut_off_after_undoing(desk: Desk) -> None:
    (used,) = desk.issue()
    desk.comes(used.code)
    done = desk.revoke(used)
    with desk.database.write() as session:
        (tried,) = claim(session, desk.keyring, directory(session, desk.keyring), desk.now).orders
    desk.undo(done)

    assert desk.orders(OrderKind.DISCONNECT) == 0
    with desk.database.write() as session:
        places, acknowledged = directory(session, desk.keyring), [(tried, Answer.ACKNOWLEDGED)]
        assert settle(session, desk.keyring, places, acknowledged, desk.now) == 1, "it was too late to spare this one"


def test_undoing_one_deed_spares_nobody_whom_another_has_cut_off(desk: Desk) -> None:
    revoked, lost = desk.issue(2)
    desk.comes(revoked.code)
    desk.comes(lost.code)
    desk.revoke(revoked)
    batch_id = lost.voucher.batch_id or 0
    desk.undo(switch(desk, batch_id, on=False))
    with desk.database.read() as session:
        waits = select(Visit.voucher_id).join(Disconnect, Disconnect.visit_id == Visit.id)
        cut_off = waits.where(Disconnect.kind == OrderKind.DISCONNECT)
        assert list(session.scalars(cut_off)) == [revoked.voucher.id]


def test_after_a_minute_nothing_is_undone_and_no_code_is_kept_for_it(desk: Desk) -> None:
    done = desk.revoke(*desk.issue())
    desk.now += timedelta(seconds=61)
    with pytest.raises(Refusal, match="for a minute"):
        desk.undo(done)
    with desk.database.write() as session:
        forget_deeds(session, desk.now)
    assert (desk.count(Deed), desk.count(FormerVoucher)) == (0, 0)


def test_a_deed_that_can_still_be_undone_is_not_forgotten(desk: Desk) -> None:
    done = desk.revoke(*desk.issue())
    desk.now += timedelta(seconds=59)
    with desk.database.write() as session:
        forget_deeds(session, desk.now)
    assert len(desk.undo(done).ids) == 1


def test_undoing_leaves_alone_what_has_been_used_or_changed_since(desk: Desk) -> None:
    first, changed, untouched = desk.issue(3)
    done = desk.extend(HOUR, first, changed, untouched)
    assert isinstance(desk.comes(first.code), Admitted)
    desk.extend(HOUR, changed)
    undone = desk.undo(done)

    assert (list(undone.ids), undone.left) == ([untouched.voucher.id], 2)
    assert desk.voucher(untouched).minutes == 1440
    assert desk.voucher(changed).minutes == 1440 + 120
    assert desk.voucher(first).ends_at == NOON + DAY + HOUR


def test_more_time_goes_to_what_runs_and_to_what_is_unused(desk: Desk) -> None:
    unused, used = desk.issue(2)
    desk.comes(used.code)
    done = desk.extend(2 * HOUR, unused, used)

    assert len(done.ids) == 2
    assert desk.voucher(unused).minutes == 1440 + 120
    assert desk.voucher(used).ends_at == NOON + DAY + 2 * HOUR
    assert desk.voucher(used).minutes == 1440, "the clock that runs has its end"
    assert desk.orders(OrderKind.COA) == 1
    with desk.database.read() as session:
        entry = session.scalars(select(AuditEntry).where(AuditEntry.action == "voucher time changed")).first()
        assert entry is not None
        assert entry.detail == "+120 minutes"


def test_less_time_never_ends_a_voucher_in_the_past(desk: Desk) -> None:
    unused, used = desk.issue(2)
    desk.comes(used.code)
    desk.extend(-30 * HOUR, unused, used)

    assert desk.voucher(unused).minutes == 1
    assert desk.voucher(used).ends_at == NOON
    assert desk.state(used) is VoucherState.OVER
    assert desk.extend(-HOUR, used).left == 1, "what is over cannot be shortened"


def test_a_voucher_that_is_over_goes_on_from_now(desk: Desk) -> None:
    (used,) = desk.issue()
    desk.comes(used.code)
    desk.now += 3 * DAY
    desk.extend(HOUR, used)

    assert desk.voucher(used).ends_at == desk.now + HOUR
    assert desk.state(used) is VoucherState.IN_USE


def test_minutes_online_and_agreed_ends_are_extended_as_what_they_are(desk: Desk) -> None:
    with desk.database.write() as session:
        online = a_pass(session, Clock.ONLINE, minutes=90)
        festival = a_pass(session, Clock.UNTIL, minutes=None, until=NOON + DAY)
        today = a_pass(session, Clock.END_OF_DAY, minutes=None)
    (one,), (two,), (three,) = (desk.issue(1, article) for article in (online, festival, today))
    desk.comes(one.code)
    done = desk.extend(HOUR, one, two, three)

    assert (desk.voucher(one).minutes, desk.voucher(two).until) == (150, NOON + DAY + HOUR)
    assert done.left == 1, "the day of an unused day pass has no length to change"


@pytest.mark.parametrize("by", [timedelta(0), timedelta(seconds=59), timedelta(days=367), timedelta(days=-367)])
def test_lengths_out_of_range_are_refused(desk: Desk, by: timedelta) -> None:
    with pytest.raises(Refusal, match="one minute to a year"):
        desk.extend(by, *desk.issue())


def test_nobody_changes_another_sites_vouchers_or_free_passes(desk: Desk) -> None:
    with desk.database.write() as session:
        other = a_place(session, desk.keyring)
        (foreign,) = some_vouchers(session, desk.keyring, other.site, other.article)
    assert desk.revoke(foreign).ids == ()
    assert desk.state(foreign) is VoucherState.UNUSED


def test_a_note_and_a_last_day_are_written_on_vouchers(desk: Desk) -> None:
    unused, used = desk.issue(2)
    desk.comes(used.code)
    chosen = by_ids([unused.voucher.id, used.voucher.id])
    noted = desk.do(lambda session, site: note_vouchers(session, COMMAND_LINE, site, chosen, " room 7 ", desk.now))
    dated = desk.do(lambda session, site: set_good_until(session, COMMAND_LINE, site, chosen, NOON + 9 * DAY, desk.now))
    assert (len(noted.ids), desk.voucher(used).note) == (2, "room 7")
    assert (list(dated.ids), desk.voucher(unused).good_until) == ([unused.voucher.id], NOON + 9 * DAY)
    with desk.database.read() as session:
        assert not [one for one in session.scalars(select(AuditEntry)) if "room 7" in one.detail]
    with pytest.raises(Refusal):
        desk.do(lambda session, site: set_good_until(session, COMMAND_LINE, site, chosen, NOON, desk.now))


def test_an_outage_is_credited_to_all_that_ran(desk: Desk) -> None:
    with desk.database.write() as session:
        online = a_pass(session, Clock.ONLINE, minutes=90)
        short = a_pass(session, minutes=60)
    running, unused = desk.issue(2)
    (ended,), (of_minutes,) = desk.issue(1, short), desk.issue(1, online)
    with desk.database.write() as session:
        session.get_one(Voucher, of_minutes.voucher.id).until = NOON + DAY
    for one in (running, ended, of_minutes):
        desk.comes(one.code)
    desk.now += 2 * HOUR

    def credit(since: datetime | None) -> Done:
        return desk.do(lambda session, site: credit_outage(session, COMMAND_LINE, site, 3 * HOUR, desk.now, since))

    first = credit(None)
    assert sorted(first.ids) == sorted([running.voucher.id, of_minutes.voucher.id])
    assert desk.voucher(of_minutes).ends_at == NOON + DAY + 3 * HOUR, "its end, and not its minutes"
    assert desk.voucher(running).ends_at == NOON + DAY + 3 * HOUR
    desk.undo(first)
    assert len(credit(NOON).ids) == 3
    assert desk.voucher(ended).ends_at == desk.now + 3 * HOUR
    assert (desk.voucher(unused).minutes, desk.voucher(of_minutes).minutes) == (1440, 90)
    with pytest.raises(Refusal):
        desk.do(lambda session, site: credit_outage(session, COMMAND_LINE, site, -HOUR, desk.now))


def stock(desk: Desk, count: int = 2) -> tuple[int, list[Voucher], list[Code]]:
    """A batch that is printed and not switched on."""
    with desk.database.write() as session:
        site, article = session.get_one(Site, desk.place.site.id), session.get_one(Pass, desk.place.article.id)
        order = Order(article, count, inactive=True)
        batch = open_batch(session, COMMAND_LINE, desk.keyring, site, order, desk.now)
        vouchers = list(session.scalars(select(Voucher).where(Voucher.batch_id == batch.id).order_by(Voucher.id)))
        codes = [clear_code(desk.keyring, one) for one in vouchers]
    return batch.id, vouchers, [code for code in codes if code]


def switch(desk: Desk, batch_id: int, on: bool) -> Done:
    act = switch_on if on else switch_off
    return desk.do(lambda session, site: act(session, COMMAND_LINE, site, session.get_one(Batch, batch_id), desk.now))


def test_printed_stock_is_refused_until_it_is_switched_on_and_does_not_age_before(desk: Desk) -> None:
    batch_id, vouchers, codes = stock(desk)
    refused = desk.comes(codes[0])
    assert refused == Refused(Reason.INACTIVE)

    desk.now += 400 * DAY
    done = switch(desk, batch_id, on=True)
    with desk.database.read() as session:
        assert session.get_one(Voucher, vouchers[0].id).good_until == desk.now + 365 * DAY
    with pytest.raises(Refusal, match="on already"):
        switch(desk, batch_id, on=True)

    assert len(desk.undo(done).ids) == 2
    assert desk.comes(codes[0]) == Refused(Reason.INACTIVE)
    with desk.database.read() as session:
        batch = session.get_one(Batch, batch_id)
        assert (batch.inactive, batch.activated_at) == (True, None)


def test_stock_stays_in_stock_as_long_as_it_lies_there_and_a_day_that_was_set_stays_when_it_is_switched_on(
    desk: Desk,
) -> None:
    batch_id, vouchers, _codes = stock(desk)
    by_hand = NOON + 800 * DAY
    chosen = by_ids([vouchers[0].id])
    desk.do(lambda session, site: set_good_until(session, COMMAND_LINE, site, chosen, by_hand, desk.now))
    with desk.database.write() as session:
        set_threshold(session, COMMAND_LINE, session.get_one(Site, desk.place.site.id), desk.place.article, 2, desk.now)
    desk.now += 700 * DAY
    with desk.database.write() as session:
        site_id = desk.place.site.id
        assert count_vouchers(session, [site_id], desk.now) == {site_id: 2}
        assert [one.unused for one in stocks(session, [site_id], desk.now)] == [2]
        assert [one.unused for one in latest_batches(session, site_id, desk.now)] == [2]
        assert check_stock(session, desk.now) == 0
        assert session.get_one(Voucher, vouchers[1].id).first_use_by is None
    switch(desk, batch_id, on=True)
    with desk.database.read() as session:
        days = [session.get_one(Voucher, one.id).good_until for one in vouchers]
    assert days == [by_hand, desk.now + 365 * DAY]


def test_no_voucher_has_to_be_used_before_it_may_be(desk: Desk) -> None:
    (one,) = desk.issue()
    with desk.database.write() as session:
        session.get_one(Voucher, one.voucher.id).good_from = NOON + 2 * DAY
    chosen = by_ids([one.voucher.id])
    left = []
    for moment in (NOON + 2 * DAY, NOON + 3 * DAY):
        with desk.database.write() as session:
            site = session.get_one(Site, desk.place.site.id)
            left.append(set_good_until(session, COMMAND_LINE, site, chosen, moment, desk.now).left)
    assert left == [1, 0]


def test_switching_on_is_not_undone_once_a_guest_has_come_but_switched_off(desk: Desk) -> None:
    batch_id, vouchers, codes = stock(desk)
    done = switch(desk, batch_id, on=True)
    assert isinstance(desk.comes(codes[0]), Admitted)
    with pytest.raises(Refusal, match="used or changed since"):
        desk.undo(done)
    assert list(switch(desk, batch_id, on=False).ids) == [one.id for one in vouchers]
    assert desk.orders(OrderKind.DISCONNECT) == 1


def test_switching_is_not_undone_once_staff_have_changed_the_batch_or_its_vouchers(desk: Desk) -> None:
    batch_id, vouchers, _codes = stock(desk)
    done = switch(desk, batch_id, on=True)
    with desk.database.write() as session:
        site = session.get_one(Site, desk.place.site.id)
        note_vouchers(session, COMMAND_LINE, site, by_ids([vouchers[0].id]), "Table 4", desk.now)
    with pytest.raises(Refusal, match="changed since"):
        desk.undo(done)
    with desk.database.read() as session:
        assert not any(session.get_one(Voucher, one.id).inactive for one in vouchers)
        assert not session.get_one(Batch, batch_id).inactive


def test_switching_on_is_not_undone_once_a_voucher_was_sold(desk: Desk) -> None:
    batch_id, vouchers, codes = stock(desk)
    done = switch(desk, batch_id, on=True)
    desk.now += timedelta(seconds=20)
    with desk.database.write() as session:
        site = session.get_one(Site, desk.place.site.id)
        assert sell(session, COMMAND_LINE, site, Voucher.id == vouchers[1].id, desk.now) == 1
    with pytest.raises(Refusal, match="changed since"):
        desk.undo(done)
    assert isinstance(desk.comes(codes[1]), Admitted)


def test_stock_past_its_last_day_is_not_switched_on_until_it_has_another(desk: Desk) -> None:
    batch_id, vouchers, codes = stock(desk)
    every = by_ids([one.id for one in vouchers])

    def last_day(moment: datetime) -> None:
        desk.do(lambda session, site: set_good_until(session, COMMAND_LINE, site, every, moment, desk.now))

    last_day(NOON + DAY)
    desk.now += DAY
    with pytest.raises(Refusal, match="last day to use these first has passed"):
        switch(desk, batch_id, on=True)
    last_day(NOON + 3 * DAY)
    switch(desk, batch_id, on=True)
    assert isinstance(desk.comes(codes[0]), Admitted)
    switch(desk, batch_id, on=False)
    desk.now += timedelta(hours=1)
    desk.do(lambda session, site: extend_vouchers(session, COMMAND_LINE, site, every, 5 * DAY, desk.now))
    desk.now += 3 * DAY
    assert switch(desk, batch_id, on=True).ids, "one of them runs"


def test_the_code_of_a_voucher_outlives_its_first_use_in_no_table(desk: Desk) -> None:
    batch_id, _vouchers, codes = stock(desk)
    switch(desk, batch_id, on=True)
    assert isinstance(desk.comes(codes[0]), Admitted)
    with desk.database.read() as session:
        assert [one for one in session.scalars(select(FormerVoucher)) if one.code_ciphertext] == []


def test_a_lost_batch_is_switched_off_with_all_who_are_online_and_on_again_as_it_was(desk: Desk) -> None:
    used, unused = desk.issue(2)
    desk.comes(used.code)
    batch_id = used.voucher.batch_id or 0
    switch(desk, batch_id, on=False)

    assert (desk.state(used), desk.state(unused)) == (VoucherState.INACTIVE, VoucherState.INACTIVE)
    assert desk.orders(OrderKind.DISCONNECT) == 1
    assert desk.comes(unused.code) == Refused(Reason.INACTIVE)
    with pytest.raises(Refusal, match="off already"):
        switch(desk, batch_id, on=False)
    desk.now += DAY
    before = desk.voucher(unused).good_until
    switch(desk, batch_id, on=True)
    assert (desk.state(unused), desk.voucher(unused).good_until) == (VoucherState.UNUSED, before)


def test_a_batch_that_is_being_issued_can_be_cancelled_and_not_switched(desk: Desk) -> None:
    with desk.database.write() as session:
        site = session.get_one(Site, desk.place.site.id)
        batch = open_batch(session, COMMAND_LINE, desk.keyring, site, Order(desk.place.article, CHUNK + 1), NOON)
    with pytest.raises(Refusal, match="still being issued"):
        switch(desk, batch.id, on=False)

    def cancel(session: Session, site: Site) -> Done:
        return cancel_batch(session, COMMAND_LINE, site, session.get_one(Batch, batch.id), NOON)

    assert len(desk.do(cancel).ids) == CHUNK
    with pytest.raises(Refusal, match="as a whole"):
        desk.do(cancel)
    with desk.database.read() as session:
        states = session.execute(select(Voucher.revoked_at).where(of_batch(batch).condition).distinct()).all()
        assert states == [(NOON,)]


def test_the_record_tells_what_was_done_to_a_whole_batch_in_one_line(desk: Desk) -> None:
    first, second = desk.issue(2)
    desk.comes(first.code)
    with desk.database.read() as session:
        batch = session.get_one(Batch, first.voucher.batch_id)
    done = desk.do(lambda session, site: extend_vouchers(session, COMMAND_LINE, site, of_batch(batch), HOUR, desk.now))
    desk.comes(second.code)
    assert desk.undo(done).left == 1, "of a batch that is not switched, each voucher is undone by itself"
    desk.do(lambda session, site: revoke_vouchers(session, COMMAND_LINE, site, of_batch(batch), desk.now))
    desk.do(lambda session, site: revoke_vouchers(session, COMMAND_LINE, site, of_batch(batch), desk.now))
    with desk.database.read() as session:
        lines = session.execute(
            select(AuditEntry.action, AuditEntry.subject, AuditEntry.detail).order_by(AuditEntry.id)
        )
        told = [(action, detail) for action, subject, detail in lines if subject == f"batch {batch.public_id}"]
        one_by_one = session.scalars(select(AuditEntry).where(AuditEntry.subject.startswith("voucher "))).all()
    assert told[1:] == [
        ("voucher time changed", "2 x +60 minutes"), ("undone: voucher time changed", "1 x"), ("voucher revoked", "2 x"),
    ]  # fmt: skip
    assert not one_by_one


def test_a_device_is_freed_and_another_may_come(desk: Desk) -> None:
    with desk.database.write() as session:
        two = a_pass(session, devices=2)
    (one,) = desk.issue(1, two)
    old, new = a_mac(), a_mac()
    desk.comes(one.code, old)
    desk.now += timedelta(minutes=5)
    desk.comes(one.code, new)
    assert isinstance(desk.comes(one.code, a_mac()), Refused)
    with desk.database.write() as session:
        snapshot = directory(session, desk.keyring)
        site = session.get_one(Site, desk.place.site.id)
        record = snapshot.sites[site.id]
        assert free_devices(session, COMMAND_LINE, site, record, [one.voucher.id], desk.now) == 1
        assert running_devices(session, one.voucher.id) == 1
        (closed,) = session.scalars(select(Visit).where(Visit.close_cause == CloseCause.LOGGED_OUT)).all()
        assert closed.accepted_at == NOON
        assert len(session.scalars(select(VoucherDevice)).all()) == 1
    assert isinstance(desk.comes(one.code, a_mac()), Admitted)


def replace(desk: Desk, issued: Issued) -> tuple[Voucher, Code]:
    """Replace a slip; the new voucher and its code."""
    with desk.database.write() as session:
        site = session.get_one(Site, desk.place.site.id)
        record = directory(session, desk.keyring).sites[site.id]
        voucher = session.get_one(Voucher, issued.voucher.id)
        batch = replace_slip(session, COMMAND_LINE, desk.keyring, site, record, voucher, desk.now)
        new = session.scalars(select(Voucher).where(Voucher.batch_id == batch.id)).one()
        code = clear_code(desk.keyring, new)
        assert code
        return new, code


def test_a_lost_slip_is_replaced_by_what_remains_and_dies(desk: Desk) -> None:
    (lost,) = desk.issue()
    desk.comes(lost.code)
    desk.now += 20 * HOUR
    new, code = replace(desk, lost)

    assert (new.first_used_at, new.until, new.good_until) == (None, NOON + DAY, NOON + DAY)
    assert desk.state(lost) is VoucherState.REVOKED
    assert desk.orders(OrderKind.DISCONNECT) == 1, "whoever has found it is cut off"
    answer = desk.comes(code)
    assert isinstance(answer, Admitted)
    assert answer.granted.seconds_left == 4 * 3600
    with pytest.raises(Refusal, match="replaced once"):
        replace(desk, lost)


def test_a_replaced_slip_has_used_what_the_lost_one_had_used(desk: Desk) -> None:
    with desk.database.write() as session:
        metered = a_pass(session, Clock.ONLINE, minutes=90, megabytes=100)
    (lost,) = desk.issue(1, metered)
    desk.comes(lost.code)
    with desk.database.write() as session:
        visit = session.scalars(select(Visit)).one()
        session.add(
            Leg(visit_id=visit.id, nas_id=visit.nas_id, session=b"s" * 24, ordinal=0, started_at=NOON,
                last_heard_at=NOON + HOUR, stopped_at=NOON + HOUR, seconds=3600,
                octets_from_guest=10**7, octets_to_guest=3 * 10**7)
        )  # fmt: skip
    desk.now += 500 * DAY
    _new, code = replace(desk, lost)
    answer = desk.comes(code)

    assert isinstance(answer, Admitted)
    assert (answer.granted.seconds_left, answer.granted.octets_left) == (1800, 6 * 10**7)


def test_replacing_holds_the_till_last(desk: Desk) -> None:
    (lost,) = desk.issue()
    desk.comes(lost.code)
    with sent_statements(desk.database) as sent:
        replace(desk, lost)
    tills = [place for place, one in enumerate(sent) if one.startswith("INSERT INTO till")]
    visits = [place for place, one in enumerate(sent) if re.match(r"SELECT visit\.|INSERT INTO disconnect", one)]
    assert len(tills) == 2
    assert max(visits) < min(tills)


def test_an_unused_slip_is_replaced_by_its_like(desk: Desk) -> None:
    (lost,) = desk.issue()
    new, _code = replace(desk, lost)
    old = desk.voucher(lost)

    assert (new.terms, new.good_until, new.price_cents) == (old.terms, old.good_until, old.price_cents)
    assert old.serial != new.serial
    with desk.database.read() as session:
        details = session.scalars(select(AuditEntry.detail).where(AuditEntry.action == "voucher replaced")).all()
    assert sorted(details) == sorted([f"replaced by {new.serial}", f"in place of {old.serial}"])
