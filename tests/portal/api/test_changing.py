"""Changing vouchers through the API, and undoing it."""

from datetime import datetime
from typing import Any

from sqlalchemy import select

from hotspot.database import Database, new_public_id
from tests.portal.api.conftest import Venue, told
from tests.portal.api.test_issuing import issue
from tests.portal.conftest import MovableClock
from vouchers.stock_alarms import StockAlarm
from vouchers.voucher import Voucher


def change(venue: Venue, status: int = 200, key: str = "", **body: Any) -> Any:
    """Change the venue's first voucher."""
    path = f"/vouchers/{venue.vouchers[0].voucher.public_id}"
    answer = venue.till.ask("PATCH", path, body, Idempotency_Key=key or new_public_id())
    assert answer.status_code == status, answer.text
    return told(answer)


def test_a_voucher_is_noted_extended_and_given_another_day(venue: Venue, database: Database) -> None:
    assert change(venue, note="for the band")["vouchers"][0]["note"] == "for the band"
    assert change(venue, extend_minutes=60)["changed"] == 1
    with database.read() as session:
        one = session.scalars(select(Voucher).where(Voucher.id == venue.vouchers[0].voucher.id)).one()
        assert one.minutes == 1500
    moved = change(venue, good_until="2026-07-01T14:00:00+02:00")["vouchers"][0]
    assert moved["good_until"] == "2026-07-01T12:00:00Z"


def test_a_request_that_is_repeated_extends_once_and_may_still_be_undone(venue: Venue, clock: MovableClock) -> None:
    first, again = (change(venue, key="k", extend_minutes=60) for _time in range(2))
    assert first == again
    assert change(venue, 422, key="k", extend_minutes=61)["code"] == "key-used"
    clock.pass_by(seconds=90)
    assert venue.till.post(f"/changes/{again['change_id']}/undo", status=409)["code"] == "too-late"
    path = f"/vouchers/{venue.vouchers[0].voucher.public_id}"
    assert told(venue.till.ask("PATCH", path, {"note": "a"}))["code"] == "no-idempotency-key"


def test_a_request_stays_a_repeat_though_what_it_did_is_undone(venue: Venue, database: Database) -> None:
    first = change(venue, key="k", extend_minutes=60)
    venue.till.post(f"/changes/{first['change_id']}/undo")
    again = change(venue, key="k", extend_minutes=60)
    assert (again["changed"], again["change_id"]) == (1, None)
    with database.read() as session:
        assert session.get_one(Voucher, venue.vouchers[0].voucher.id).minutes == 1440


def test_a_change_that_makes_no_sense_is_refused(venue: Venue) -> None:
    assert change(venue, 422)["code"] == "one-change"
    assert change(venue, 422, note="a", extend_minutes=5)["code"] == "one-change"
    assert change(venue, 422, extend_minutes=0)["code"] == "bad-length"
    assert change(venue, 422, extend_minutes=10**9)["code"] == "invalid"
    assert change(venue, 422, state="unused")["code"] == "invalid"
    assert change(venue, 409, good_until="2026-06-01T12:00:00Z")["code"] == "bad-dates"


def test_what_was_done_is_undone_for_a_minute_and_once(venue: Venue, clock: MovableClock) -> None:
    path = f"/vouchers/{venue.vouchers[0].voucher.public_id}"
    done = venue.till.post(f"{path}/revoke")
    assert done["vouchers"][0]["state"] == "revoked"
    assert datetime.fromisoformat(done["undo_until"]) > clock.now

    assert venue.till.post(f"/changes/{done['change_id']}/undo")["changed"] == 1
    assert venue.till.get(path)["state"] == "unused"
    assert venue.till.post(f"/changes/{done['change_id']}/undo", status=409)["code"] == "too-late"
    assert venue.till.post(f"{path}/revoke")["changed"] == 1
    again = venue.till.post(f"{path}/revoke")
    assert (again["changed"], again["change_id"], again["undo_until"]) == (0, None, None)


def test_printed_stock_is_switched_on_and_off_and_revoked(venue: Venue) -> None:
    issued = issue(venue, count=2, inactive=True)
    batch, voucher = f"/batches/{issued['batch']['id']}", f"/vouchers/{issued['vouchers'][0]['id']}"
    assert venue.till.get(voucher)["state"] == "inactive"
    assert venue.till.get(voucher)["good_until"] is None

    assert venue.till.post(f"{batch}/switch-on")["changed"] == 2
    assert venue.till.get(voucher)["state"] == "unused"
    assert venue.till.post(f"{batch}/switch-on", status=409)["code"] == "switched-on"
    venue.till.post(f"{batch}/switch-off")
    assert venue.till.get(batch)["inactive"]
    assert venue.till.post(f"{batch}/revoke")["changed"] == 2
    assert venue.till.get(voucher)["state"] == "revoked"


def test_a_till_says_when_it_is_told_that_a_pass_runs_low(venue: Venue, database: Database) -> None:
    path = f"{venue.site}/passes/{venue.place.article.public_id}/stock-alarm"
    assert told(venue.till.ask("PUT", path, {"below": 20})) == {"below": 20}
    assert venue.till.ask("PUT", path, {"below": 7}).status_code == 200
    assert venue.till.ask("PUT", path, {"below": -1}).status_code == 422
    assert venue.till.ask("PUT", f"{venue.site}/passes/{'a' * 16}/stock-alarm", {"below": 7}).status_code == 404
    with database.read() as session:
        assert session.scalars(select(StockAlarm.threshold)).all() == [7]
