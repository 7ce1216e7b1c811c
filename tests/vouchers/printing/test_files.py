"""Large prints: ordered, claimed, made, cancelled, thrown away; and never a code that is not to be there."""

from dataclasses import dataclass, replace
from datetime import datetime, timedelta

import pytest
from sqlalchemy import func, select

from hotspot.audit import Actor, AuditEntry
from hotspot.database import Database
from hotspot.errors import Refusal
from hotspot.keys import Keyring
from hotspot.place import Site
from tests.factories import a_place, a_user, some_vouchers
from tests.vouchers.printing.pages import ADDRESS, FACE
from vouchers.printing import cards, files
from vouchers.printing.card import Card
from vouchers.printing.files import FileState, PrintFile, PrintFileBody
from vouchers.printing.orders import Order, Output
from vouchers.printing.paper import STOCKS, Sheet
from vouchers.printing.sheets import Style
from vouchers.voucher import NOT_BEGUN, Batch, Voucher

ORDER = Order(FACE, Output.SHEETS, Sheet(STOCKS["avery-c32011"], 3, 0.5, -0.5), Style(black_only=True))
URL = ADDRESS.removesuffix("/v/")


@dataclass(frozen=True)
class Ordered:
    """A batch, and who wants it printed."""

    site: Site
    batch: Batch
    user_id: int


@pytest.fixture
def ordered(database: Database, keyring: Keyring, now: datetime) -> Ordered:
    """A batch of five, and its owner."""
    with database.write() as session:
        place = a_place(session, keyring)
        issued = some_vouchers(session, keyring, place.site, place.article, 5, now=now)
        user = a_user(session, customer=place.customer)
        return Ordered(place.site, session.get_one(Batch, issued[0].voucher.batch_id), user.id)


def order(database: Database, ordered: Ordered, now: datetime) -> PrintFile:
    with database.write() as session:
        actor = Actor(ordered.user_id)
        return files.order_file(session, actor, ordered.user_id, ordered.site, ordered.batch, ORDER, 5, now)


def state_of(database: Database, file: PrintFile) -> FileState:
    with database.read() as session:
        return session.get_one(PrintFile, file.id).state


def test_an_order_survives_its_way_through_the_database(database: Database, ordered: Ordered, now: datetime) -> None:
    order(database, ordered, now)
    with database.write() as session:
        claimed = files.claim(session, "one", now)
    assert claimed is not None
    assert Order.parse(claimed.order) == ORDER
    assert (claimed.batch_id, claimed.site_id) == (ordered.batch.id, ordered.site.id)


def test_ordering_a_print_is_recorded(database: Database, ordered: Ordered, now: datetime) -> None:
    order(database, ordered, now)
    with database.read() as session:
        entry = session.scalars(select(AuditEntry).where(AuditEntry.action == "vouchers printed")).one()
    assert entry.user_id == ordered.user_id
    assert entry.customer_id == ordered.site.customer_id
    assert (entry.subject, entry.detail) == (f"batch {ordered.batch.public_id}", "5 x")


def test_a_print_has_one_worker_at_a_time(database: Database, ordered: Ordered, now: datetime) -> None:
    file = order(database, ordered, now)
    with database.write() as session:
        first = files.claim(session, "one", now)
    with database.write() as session:
        assert files.claim(session, "two", now) is None
        assert not files.has_work(session, now)
        assert first is not None
        assert files.report(session, first, "one", 3, now)
        assert not files.report(session, first, "two", 4, now)
    with database.read() as session:
        assert session.get_one(PrintFile, file.id).done == 3


def test_a_print_of_a_worker_that_died_is_made_by_another(
    database: Database, keyring: Keyring, ordered: Ordered, now: datetime
) -> None:
    file = order(database, ordered, now)
    later = now + files.SILENCE + timedelta(seconds=1)
    with database.write() as session:
        first = files.claim(session, "one", now)
    with database.write() as session:
        assert files.has_work(session, later)
        second = files.claim(session, "two", later)
    assert first is not None
    assert second is not None
    with database.write() as session:
        assert not files.finish(session, keyring, first, "one", b"the late one's", later)
        assert files.finish(session, keyring, second, "two", b"the file", later)
    with database.read() as session:
        assert files.body_of(session, keyring, file) == b"the file"


def test_a_print_that_ends_every_worker_is_given_up(database: Database, ordered: Ordered, now: datetime) -> None:
    file = order(database, ordered, now)
    for number in range(files.MOST_TRIES + 1):
        with database.write() as session:
            given_up = files.give_up(session, now + number * 2 * files.SILENCE)
            claimed = files.claim(session, "one", now + number * 2 * files.SILENCE)
        assert (claimed is None, given_up) == ((True, 1) if number == files.MOST_TRIES else (False, 0))
    assert state_of(database, file) is FileState.FAILED


def test_a_worker_that_stops_gives_its_print_back_without_a_try(
    database: Database, ordered: Ordered, now: datetime
) -> None:
    file = order(database, ordered, now)
    for _ in range(files.MOST_TRIES + 2):
        with database.write() as session:
            claimed = files.claim(session, "one", now)
            assert claimed is not None
            files.give_back(session, claimed, "one")
    assert state_of(database, file) is FileState.QUEUED


def test_a_cancelled_print_is_not_kept(database: Database, keyring: Keyring, ordered: Ordered, now: datetime) -> None:
    file = order(database, ordered, now)
    with database.write() as session:
        claimed = files.claim(session, "one", now)
    with database.write() as session:
        files.cancel(session, session.get_one(PrintFile, file.id))
    assert claimed is not None
    with database.write() as session:
        assert not files.report(session, claimed, "one", 1, now)
        assert not files.finish(session, keyring, claimed, "one", b"the file", now)
    with database.read() as session:
        assert files.body_of(session, keyring, file) is None
    assert state_of(database, file) is FileState.CANCELLED


def test_a_file_is_encrypted_and_gone_after_an_hour(
    database: Database, keyring: Keyring, ordered: Ordered, now: datetime
) -> None:
    order(database, ordered, now)
    with database.write() as session:
        claimed = files.claim(session, "one", now)
        assert claimed is not None
        files.finish(session, keyring, claimed, "one", b"ABCDEFGHJKM", now)
    with database.read() as session:
        assert b"ABCDEFGHJKM" not in session.scalars(select(PrintFileBody.ciphertext)).one()
    with database.write() as session:
        assert files.forget_old(session, now + files.FILES_LIVE) == 0
        assert files.forget_old(session, now + files.FILES_LIVE + timedelta(seconds=1)) == 1
        assert session.scalar(select(func.count()).select_from(PrintFileBody)) == 0


def test_nobody_orders_more_than_a_few_at_once(database: Database, ordered: Ordered, now: datetime) -> None:
    for _ in range(files.MOST_WAITING):
        order(database, ordered, now)
    with pytest.raises(Refusal) as refused:
        order(database, ordered, now)
    assert refused.value.code == "too-many-prints"


def test_only_unused_vouchers_that_are_good_are_printed(
    database: Database, keyring: Keyring, ordered: Ordered, now: datetime
) -> None:
    with database.write() as session:
        rows = session.scalars(select(Voucher).where(Voucher.batch_id == ordered.batch.id).order_by(Voucher.id)).all()
        rows[0].revoked_at = now
        rows[1].first_used_at = now
        rows[2].good_until = now
        rows[3].until = now
    with database.read() as session:
        found = cards.cards_of_batch(session, keyring, URL, ordered.batch.id, now)
        assert cards.count_printable(session, ordered.batch.id, now) == 1
        assert [card.serial for card in found] == [rows[4].serial]
        assert found == cards.cards_of(session, keyring, URL, [one.id for one in rows], now)
        assert found[0].address == f"{URL}/v/{found[0].code.replace('-', '')}"
        assert cards.cards_of(session, keyring, URL, [], now) == []


def test_stock_that_is_to_be_switched_on_can_be_printed_however_long_it_lies(
    database: Database, ordered: Ordered, now: datetime
) -> None:
    with database.write() as session:
        for one in session.scalars(select(Voucher).where(Voucher.batch_id == ordered.batch.id)):
            one.good_until, one.inactive = NOT_BEGUN, True
    with database.read() as session:
        assert cards.count_printable(session, ordered.batch.id, now + timedelta(days=3660)) == 5


def test_a_code_is_not_shown_by_a_traceback() -> None:
    assert "ABCD" not in repr(Card("1", "ABCD-EFGH-JKM", f"{ADDRESS}ABCDEFGHJKM"))
    assert "logo" not in repr(replace(FACE, logo=b"picture"))
