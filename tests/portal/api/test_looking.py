"""Sites, passes, batches and vouchers as other systems read them."""

from datetime import timedelta

from sqlalchemy import select

from hotspot.api_keys import ApiKey
from hotspot.database import Database
from hotspot.keys import Keyring
from tests.factories import a_pass, revoke, some_vouchers
from tests.portal.api.conftest import Till, Venue
from tests.portal.conftest import MovableClock
from tests.portal.desk import counting_queries
from vouchers.codes import Code


def test_a_key_sees_the_sites_and_passes_of_its_customer_alone(
    venue: Venue, neighbour: Venue, database: Database
) -> None:
    with database.write() as session:
        a_pass(session, site=venue.place.site, free=True, minutes=30, slug="gift")
    sites = venue.till.get("/sites")["items"]

    assert [one["id"] for one in sites] == [venue.place.site.public_id]
    assert sites[0]["ssids"] == ["Surf Pass"]
    assert venue.till.get(venue.site) == sites[0]
    passes = venue.till.get(f"{venue.site}/passes")["items"]
    assert venue.place.article.public_id in [one["id"] for one in passes]
    assert "Pass gift" not in [one["name"] for one in passes]


def test_a_voucher_is_told_with_its_state_and_without_code_or_use(venue: Venue, database: Database) -> None:
    one = venue.vouchers[0]
    with database.write() as session:
        revoke(session, session.merge(one.voucher))
    told = venue.till.get(f"/vouchers/{one.voucher.public_id}")

    assert told["state"] == "revoked"
    assert set(told) == {"id", "serial", "site_id", "batch_id", "name", "state", "note", "good_from", "good_until"}
    assert told["good_until"] == "2027-06-15T12:00:00Z"


def test_a_foreign_voucher_is_refused_in_the_words_for_one_that_does_not_exist(venue: Venue, neighbour: Venue) -> None:
    foreign = neighbour.vouchers[0]
    wanted = (foreign.serial, foreign.code.printed, "000000000", Code.new().printed)
    answers = [venue.till.ask("POST", "/vouchers/find", {"code_or_serial": one}) for one in wanted]

    assert [one.status_code for one in answers] == [404] * 4
    assert len({one.text for one in answers}) == 1


def test_a_voucher_is_found_by_its_code_or_serial_in_the_body(venue: Venue, neighbour: Venue) -> None:
    mine, foreign = venue.vouchers[1], neighbour.vouchers[0]

    for wanted in (mine.code.value, mine.code.printed.lower(), mine.serial):
        assert venue.till.post("/vouchers/find", {"code_or_serial": wanted})["id"] == mine.voucher.public_id
    for wanted in (foreign.code.value, foreign.serial):
        problem = venue.till.post("/vouchers/find", {"code_or_serial": wanted}, status=404)
        assert problem["code"] == "no-voucher"
    unknown = venue.till.post("/vouchers/find", {"code_or_serial": "000000000"}, status=404)
    assert unknown["code"] == "no-voucher"
    assert venue.till.post("/vouchers/find", {"code_or_serial": "hm"}, status=404)["code"] == "mistyped"


def walk(till: Till, path: str, limit: int) -> list[str]:
    """All ids of a list, page by page."""
    ids: list[str] = []
    after = ""
    while True:
        page = till.get(f"{path}?limit={limit}{after}")
        assert len(page["items"]) <= limit
        ids += [one["id"] for one in page["items"]]
        if page["next"] is None:
            return ids
        after = f"&after={page['next']}"


def test_lists_come_page_by_page_and_miss_nothing(venue: Venue, database: Database, keyring: Keyring) -> None:
    with database.write() as session:
        place = venue.place
        for _ in range(3):
            some_vouchers(session, keyring, place.site, place.article, 2)
    everything = walk(venue.till, f"{venue.site}/vouchers", 200)

    assert len(everything) == len(set(everything)) == 9
    for limit in (1, 2, 4):
        assert walk(venue.till, f"{venue.site}/vouchers", limit) == everything
    batches = walk(venue.till, f"{venue.site}/batches", 200)
    assert len(batches) == 4
    assert walk(venue.till, f"{venue.site}/batches", 2) == batches
    of_first = walk(venue.till, f"/batches/{batches[-1]}/vouchers", 2)
    assert of_first == [one.voucher.public_id for one in venue.vouchers]


def test_a_page_costs_as_many_queries_whatever_its_length(venue: Venue, database: Database, keyring: Keyring) -> None:
    def cost() -> int:
        with counting_queries(database) as seen:
            venue.till.get(f"{venue.site}/vouchers?limit=200")
        return len(seen)

    cost()
    before = cost()
    with database.write() as session:
        some_vouchers(session, keyring, venue.place.site, venue.place.article, 40)
    assert cost() == before


def test_the_day_of_the_last_use_is_kept(venue: Venue, database: Database, clock: MovableClock) -> None:
    def used_on() -> object:
        with database.read() as session:
            return session.scalar(select(ApiKey.last_used_on))

    assert used_on() is None
    venue.till.get("/sites")
    assert used_on() == clock.now.date()
    clock.now += timedelta(days=1)
    venue.till.get("/sites")
    assert used_on() == clock.now.date()
