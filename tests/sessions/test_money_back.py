"""What revoking, undoing and replacing write in the sales ledger."""

from datetime import timedelta

import pytest
from sqlalchemy import select, update

from hotspot.audit import COMMAND_LINE
from hotspot.database import Database
from hotspot.keys import Keyring
from hotspot.place import Site
from sessions.desk import by_ids, cancel_batch, revoke_vouchers, undo
from sessions.replacing import replace_slip
from tests.conftest import NOON
from tests.factories import Place, a_pass, a_place, directory, some_vouchers
from vouchers.changing import Chosen
from vouchers.deeds import Deed
from vouchers.issuing import CHUNK, Order, open_batch
from vouchers.ledger import SalesLine, sell
from vouchers.voucher import Voucher


@pytest.fixture
def place(database: Database, keyring: Keyring) -> Place:
    with database.write() as session:
        return a_place(session, keyring)


@pytest.fixture
def three(database: Database, keyring: Keyring, place: Place) -> list[int]:
    """Vouchers of 4.90: sold and used, sold, and neither."""
    with database.write() as session:
        issued = some_vouchers(session, keyring, place.site, a_pass(session, price_cents=490), 3, now=NOON)
        used, sold, kept = [one.voucher.id for one in issued]
        sell(session, COMMAND_LINE, place.site, by_ids([used, sold]).condition, NOON)
        session.execute(update(Voucher).where(Voucher.id == used).values(first_used_at=NOON))
    return [used, sold, kept]


def revoke(database: Database, place: Place, chosen: Chosen, *, money_back: bool) -> int:
    with database.write() as session:
        site = session.get_one(Site, place.site.id)
        done = revoke_vouchers(session, COMMAND_LINE, site, chosen, NOON, money_back=money_back, reason="Ill")
        assert done.deed
        return done.deed.id


def lines_after(database: Database, number: int) -> list[tuple[str, int, int]]:
    with database.read() as session:
        found = session.scalars(select(SalesLine).where(SalesLine.number > number).order_by(SalesLine.number))
        return sorted((line.kind.value, line.count, line.amount_cents) for line in found)


def test_money_goes_back_for_what_was_sold_alone(database: Database, place: Place, three: list[int]) -> None:
    revoke(database, place, by_ids(three), money_back=True)
    assert lines_after(database, 2) == [("cancelled", 1, -490), ("cancelled", 1, 0), ("refunded", 1, -490)]


def test_revoking_without_money_moves_none(database: Database, place: Place, three: list[int]) -> None:
    revoke(database, place, by_ids(three), money_back=False)
    assert lines_after(database, 2) == [("cancelled", 3, 0)]


def test_undoing_takes_the_money_again(database: Database, place: Place, three: list[int]) -> None:
    deed_id = revoke(database, place, by_ids(three), money_back=True)
    with database.write() as session:
        undo(session, COMMAND_LINE, session.get_one(Site, place.site.id), session.get_one(Deed, deed_id), NOON)
    assert lines_after(database, 5) == [("cancelled", -1, 0), ("cancelled", -1, 490), ("refunded", -1, 490)]


def test_a_slip_that_is_replaced_stays_sold(
    database: Database, keyring: Keyring, place: Place, three: list[int]
) -> None:
    with database.write() as session:
        site, old = session.get_one(Site, place.site.id), session.get_one(Voucher, three[1])
        record = directory(session, keyring).sites[site.id]
        batch = replace_slip(session, COMMAND_LINE, keyring, site, record, old, NOON + timedelta(hours=1))
        (new,) = session.scalars(select(Voucher).where(Voucher.batch_id == batch.id))
        assert new.sold_at == NOON
        new_id = new.id
    assert lines_after(database, 2) == [("cancelled", 1, 0), ("issued", 1, 0)]
    revoke(database, place, by_ids([new_id]), money_back=True)
    assert lines_after(database, 4) == [("cancelled", 1, -490)]


def test_the_rest_of_a_batch_that_is_cancelled_is_written_down(
    database: Database, keyring: Keyring, place: Place
) -> None:
    with database.write() as session:
        site = session.get_one(Site, place.site.id)
        order = Order(a_pass(session, price_cents=490), CHUNK + 7)
        batch = open_batch(session, COMMAND_LINE, keyring, site, order, NOON)
        cancel_batch(session, COMMAND_LINE, site, batch, NOON)
    assert lines_after(database, 0) == [("cancelled", 7, 0), ("cancelled", CHUNK, 0), ("issued", CHUNK + 7, 0)]
