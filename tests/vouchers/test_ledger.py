"""The sales ledger and the shifts that are closed over it."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TypeVar

import pytest
from sqlalchemy import select, text, update
from sqlalchemy.exc import DBAPIError
from sqlalchemy.orm import Session

from hotspot.audit import Actor
from hotspot.database import Database
from hotspot.errors import Refusal
from hotspot.keys import Keyring
from hotspot.people import User
from hotspot.place import Site
from tests.conftest import NOON
from tests.factories import Place, a_pass, a_place, a_user, some_vouchers
from vouchers.issuing import Issued, Order, open_batch
from vouchers.ledger import SalesLine, sell
from vouchers.passes import STANDARD_TAX, TO_THIRD_YEAR, Pass
from vouchers.shifts import Count, ShiftClosing, close_shift, running_shift
from vouchers.switching import switch_on
from vouchers.voucher import Batch, Voucher

Result = TypeVar("Result")


@dataclass
class Counter:
    """A venue's counter: somebody, and a pass of 4.90."""

    database: Database
    keyring: Keyring
    place: Place
    article: Pass
    person: User

    def do(self, what: Callable[[Session, Actor, Site], Result]) -> Result:
        with self.database.write() as session:
            return what(session, Actor(self.person.id), session.get_one(Site, self.place.site.id))

    def issue(self, count: int = 1) -> list[Issued]:
        with self.database.write() as session:
            return some_vouchers(session, self.keyring, self.place.site, self.article, count, now=NOON)

    def sell(self, *issued: Issued) -> int:
        chosen = Voucher.id.in_([one.voucher.id for one in issued])
        return self.do(lambda session, actor, site: sell(session, actor, site, chosen, NOON))

    def close(self, counted: int, kept: int = 0, seen: tuple[int, int] | None = None) -> ShiftClosing:
        def do(session: Session, actor: Actor, site: Site) -> ShiftClosing:
            shift = running_shift(session, site, "EUR")
            return close_shift(
                session, actor, site, "EUR", seen or (shift.number, shift.expected_cents), Count(counted, kept), NOON
            )

        return self.do(do)

    def lines(self) -> list[tuple[str, int, int]]:
        with self.database.read() as session:
            found = session.scalars(select(SalesLine).order_by(SalesLine.number)).all()
        assert [line.number for line in found] == list(range(1, len(found) + 1))
        return [(line.kind.value, line.count, line.amount_cents) for line in found]


@pytest.fixture
def counter(database: Database, keyring: Keyring) -> Counter:
    with database.write() as session:
        place = a_place(session, keyring)
        person = a_user(session, customer=place.customer)
        article = a_pass(session, price_cents=490)
    return Counter(database, keyring, place, article, person)


def test_issuing_moves_no_money_and_selling_does(counter: Counter) -> None:
    three = counter.issue(3)
    assert counter.sell(*three[:2]) == 2
    assert counter.lines() == [("issued", 3, 0), ("sold", 2, 980)]
    with counter.database.read() as session:
        line = session.scalars(select(SalesLine).order_by(SalesLine.number.desc()).limit(1)).one()
        assert (line.name, line.price_cents, line.tax_basis_points) == (counter.article.name, 490, STANDARD_TAX)
        assert (line.user_id, line.batch_id, line.at) == (counter.person.id, three[0].voucher.batch_id, NOON)


def test_nothing_is_sold_twice(counter: Counter) -> None:
    (one,) = counter.issue()
    assert [counter.sell(one), counter.sell(one)] == [1, 0]
    assert counter.lines() == [("issued", 1, 0), ("sold", 1, 490)]


def test_two_who_sell_one_voucher_at_once_sell_it_once(counter: Counter) -> None:
    (one,) = counter.issue()
    with ThreadPoolExecutor(4) as pool:
        assert sum(pool.map(lambda _turn: counter.sell(one), range(4))) == 1
    assert counter.lines() == [("issued", 1, 0), ("sold", 1, 490)]


def test_lines_of_many_at_once_have_no_gap(counter: Counter) -> None:
    some = counter.issue(8)
    with ThreadPoolExecutor(4) as pool:
        list(pool.map(counter.sell, some))
    assert len(counter.lines()) == 9


def test_what_is_revoked_or_not_switched_on_is_not_sold(counter: Counter) -> None:
    revoked, inactive = counter.issue(2)
    with counter.database.write() as session:
        session.execute(update(Voucher).where(Voucher.id == revoked.voucher.id).values(revoked_at=NOON))
        session.execute(update(Voucher).where(Voucher.id == inactive.voucher.id).values(inactive=True))
    assert counter.sell(revoked, inactive) == 0


def test_another_sites_voucher_is_not_sold(counter: Counter) -> None:
    with counter.database.write() as session:
        other = a_place(session, counter.keyring)
        theirs = some_vouchers(session, counter.keyring, other.site, counter.article, 1, now=NOON)
    assert counter.sell(*theirs) == 0


@pytest.mark.parametrize("table", ["sales_line", "shift_closing"])
@pytest.mark.parametrize("statement", ["UPDATE {} SET site_id = site_id", "DELETE FROM {}"])
def test_the_database_refuses_to_change_a_line(counter: Counter, table: str, statement: str) -> None:
    counter.sell(*counter.issue())
    counter.close(490)
    with pytest.raises(DBAPIError, match="append-only"), counter.database.write() as session:
        session.execute(text(statement.format(table)))


def test_a_shift_adds_up(counter: Counter) -> None:
    counter.sell(*counter.issue(3))
    closing = counter.close(counted=1500, kept=200)
    assert (closing.number, closing.expected_cents, closing.difference_cents) == (1, 1470, 30)
    assert (closing.after_number, closing.to_number, closing.user_id) == (0, 2, counter.person.id)
    counter.sell(*counter.issue())
    second = counter.close(counted=600)
    assert (second.number, second.carried_cents, second.expected_cents) == (2, 200, 690)
    assert (second.difference_cents, second.after_number, second.to_number) == (-90, 2, 4)


def test_an_empty_shift_can_be_closed(counter: Counter) -> None:
    assert counter.close(0).expected_cents == 0


def test_who_counted_before_something_was_sold_counts_again(counter: Counter) -> None:
    counter.sell(*counter.issue())
    with pytest.raises(Refusal) as caught:
        counter.close(490, seen=(1, 0))
    assert caught.value.code == "till-moved"


def test_of_two_who_close_a_shift_at_once_one_does(counter: Counter) -> None:
    counter.sell(*counter.issue())

    def close(_turn: int) -> bool:
        try:
            return counter.close(490, seen=(1, 490)) is not None
        except Refusal:
            return False

    with ThreadPoolExecutor(2) as pool:
        assert sorted(pool.map(close, range(2))) == [False, True]


@pytest.mark.parametrize(("counted", "kept"), [(-1, 0), (100, 101), (100, -1), (10**9, 0)])
def test_amounts_that_cannot_be_are_refused(counter: Counter, counted: int, kept: int) -> None:
    with pytest.raises(Refusal) as caught:
        counter.close(counted, kept)
    assert caught.value.code == "bad-amount"


def test_another_currency_has_a_shift_of_its_own(counter: Counter) -> None:
    counter.sell(*counter.issue())
    with counter.database.read() as session:
        assert running_shift(session, session.get_one(Site, counter.place.site.id), "CHF").expected_cents == 0


# Until when what was paid is good


@pytest.mark.parametrize(
    ("now", "ends"),
    [
        # To the end of 2029 in Berlin, whenever in 2026 it was issued there.
        (datetime(2026, 6, 15, 12, tzinfo=UTC), datetime(2029, 12, 31, 23, tzinfo=UTC)),
        (datetime(2026, 12, 31, 22, 59, tzinfo=UTC), datetime(2029, 12, 31, 23, tzinfo=UTC)),
        (datetime(2026, 12, 31, 23, 0, tzinfo=UTC), datetime(2030, 12, 31, 23, tzinfo=UTC)),
    ],
)
@pytest.mark.parametrize("inactive", [False, True])
def test_what_was_paid_is_good_to_the_end_of_the_third_year(
    counter: Counter, now: datetime, ends: datetime, inactive: bool
) -> None:
    def begin(session: Session, actor: Actor, site: Site) -> datetime:
        article = a_pass(session, price_cents=490, good_days=TO_THIRD_YEAR)
        issued = now - timedelta(days=3 * 365) if inactive else now
        batch = open_batch(session, actor, counter.keyring, site, Order(article, inactive=inactive), issued)
        if inactive:
            switch_on(session, actor, site, session.get_one(Batch, batch.id), now)
        return session.scalars(select(Voucher.good_until).where(Voucher.batch_id == batch.id)).one()

    assert counter.do(begin) == ends


@pytest.mark.parametrize("ended", [{"good_until": NOON}, {"first_used_at": NOON, "ends_at": NOON}])
def test_what_is_over_is_not_sold(counter: Counter, ended: dict[str, datetime]) -> None:
    (one,) = counter.issue()
    with counter.database.write() as session:
        session.execute(update(Voucher).where(Voucher.id == one.voucher.id).values(**ended))
    assert counter.sell(one) == 0
