"""Issuing vouchers and replacing lost slips through the API."""

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from flask import Flask
from sqlalchemy import func, select

from deploy.schema import METADATA
from hotspot.api_keys import ApiKey
from hotspot.audit import AuditEntry
from hotspot.database import Database
from hotspot.keys import Keyring
from portal.api import issuing
from portal.context import EXTENSION
from sessions.admit import Admitted, admit
from tests.factories import a_login, a_mac, a_pass, directory
from tests.portal.api.conftest import MakeTill, Venue, told
from tests.portal.conftest import MovableClock
from vouchers.codes import Code
from vouchers.finding import find_by_code
from vouchers.passes import Pass
from vouchers.voucher import Voucher


def order(venue: Venue, **more: Any) -> dict[str, Any]:
    """An order of the venue's pass."""
    return {"pass_id": venue.place.article.public_id, **more}


def issue(venue: Venue, key: str = "first", status: int = 201, **more: Any) -> Any:
    """Issue by the venue's till."""
    return venue.till.post(f"{venue.site}/batches", order(venue, **more), status, Idempotency_Key=key)


def use(database: Database, keyring: Keyring, venue: Venue, code: str, clock: MovableClock) -> None:
    """Let a guest in with a code."""
    with database.write() as session:
        login = a_login(directory(session, keyring), venue.place, code, device=a_mac())
        assert isinstance(admit(session, keyring, [login], 300, clock.now)[0], Admitted)


def count_vouchers(database: Database) -> int:
    with database.read() as session:
        return session.scalar(select(func.count(Voucher.id))) or 0


def test_what_is_issued_opens_the_hotspot_and_the_record_names_the_key(
    venue: Venue, database: Database, keyring: Keyring
) -> None:
    issued = issue(venue, count=3, note="Room 12")

    assert (issued["batch"]["count"], issued["batch"]["issued"], issued["batch"]["note"]) == (3, 3, "Room 12")
    codes = [one["code"] for one in issued["vouchers"]]
    with database.read() as session:
        found = [find_by_code(session, keyring, Code.parse(code)) for code in codes]
        assert [one.public_id for one in found if one] == [one["id"] for one in issued["vouchers"]]
        entry = session.scalars(select(AuditEntry).order_by(AuditEntry.id.desc())).first()
        key_id = session.scalar(select(ApiKey.id))
    assert entry
    assert (entry.action, entry.user_id, entry.api_key_id) == ("vouchers issued", None, key_id)


def test_a_repeated_order_gets_what_the_first_one_made(venue: Venue, database: Database) -> None:
    first, before = issue(venue, count=2), count_vouchers(database)

    assert issue(venue, count=2) == first
    assert issue(venue, '"first"', count=2) == first
    assert count_vouchers(database) == before
    assert issue(venue, "second", count=2)["batch"]["id"] != first["batch"]["id"]


def test_a_repeated_order_has_its_answer_though_it_could_not_be_given_again(
    venue: Venue, database: Database, clock: MovableClock
) -> None:
    first = issue(venue, count=2, until="2026-06-16T12:00:00Z")
    with database.write() as session:
        session.get_one(Pass, venue.place.article.id).retired_at = clock.now
    clock.pass_by(hours=25)

    assert issue(venue, count=2, until="2026-06-16T12:00:00Z", note="", inactive=False) == first
    assert issue(venue, "second", status=404)["code"] == "no-pass"


def test_a_key_issues_a_bounded_number_of_vouchers_an_hour(
    app: Flask, venue: Venue, make_till: MakeTill, database: Database, clock: MovableClock
) -> None:
    portal = app.extensions[EXTENSION]
    few = portal.settings.model_copy(update={"api_vouchers_per_hour": 5})
    app.extensions[EXTENSION] = replace(portal, settings=few)
    first = issue(venue, count=3)
    path, more = f"{venue.site}/batches", order(venue, count=3)
    clock.pass_by(minutes=10)
    refused = venue.till.ask("POST", path, more, Idempotency_Key="second")

    assert (refused.status_code, told(refused)["code"]) == (429, "too-many-vouchers")
    assert (refused.headers["Retry-After"], refused.headers["RateLimit"]) == ("3000", '"vouchers";r=2;t=3000')
    assert refused.headers["RateLimit-Policy"] == '"vouchers";q=5;w=3600'
    # What was refused does not count, nor does a repetition.
    assert issue(venue, count=3) == first
    issue(venue, "third", count=1)
    old = first["vouchers"][0]["id"]
    venue.till.post(f"/vouchers/{old}/replace", status=201, Idempotency_Key="slip")
    assert venue.till.post(f"/vouchers/{old}/replace", status=429, Idempotency_Key="slip 2")["status"] == 429
    assert issue(venue, "fourth", status=422, count=6)["code"] == "too-many-vouchers"
    make_till(venue.place.customer).post(path, more, 201, Idempotency_Key="second")
    clock.pass_by(minutes=50)
    issue(venue, "second", count=3)


def test_a_key_of_repeating_stands_for_one_order_of_one_system(
    venue: Venue, make_till: MakeTill, database: Database
) -> None:
    issue(venue, count=2)
    before = count_vouchers(database)

    assert issue(venue, count=3, status=422)["code"] == "key-used"
    assert count_vouchers(database) == before
    other = make_till(venue.place.customer)
    issued = other.post(f"{venue.site}/batches", order(venue, count=3), 201, Idempotency_Key="first")
    assert issued["batch"]["count"] == 3


def test_without_a_key_of_repeating_nothing_is_issued(venue: Venue, database: Database) -> None:
    before = count_vouchers(database)
    for headers in ({}, {"Idempotency_Key": ""}, {"Idempotency_Key": '""'}, {"Idempotency_Key": "x" * 201}):
        answer = venue.till.ask("POST", f"{venue.site}/batches", order(venue), **headers)
        assert (answer.status_code, told(answer)["code"]) == (400, "no-idempotency-key")
    assert count_vouchers(database) == before


def test_a_large_order_that_was_cut_off_goes_on_when_it_is_repeated(
    venue: Venue, database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_args: object) -> None:
        raise RuntimeError("the power went out")

    with monkeypatch.context() as patch:
        patch.setattr(issuing, "issue_more", fail)
        answer = venue.till.ask("POST", f"{venue.site}/batches", order(venue, count=1201), Idempotency_Key="large")
        assert answer.status_code == 500
    issued = issue(venue, "large", count=1201)

    assert len({one["code"] for one in issued["vouchers"]}) == issued["batch"]["issued"] == 1201


NONSENSE: list[tuple[dict[str, Any], int, str]] = [
    ({"count": 0}, 422, "invalid"),
    ({"count": 10_001}, 422, "invalid"),
    ({"count": "5"}, 422, "invalid"),
    ({"count": True}, 422, "invalid"),
    ({"note": "x" * 201}, 422, "invalid"),
    ({"note": "a\nb"}, 422, "invalid"),
    ({"pass_id": "abcdefghijklmnop"}, 404, "no-pass"),
    ({"good_until": "2026-06-14T12:00:00Z"}, 409, "bad-dates"),
    ({"until": "2026-06-14T12:00:00Z"}, 409, "bad-until"),
    ({"good_until": "2026-07-14T12:00:00"}, 422, "invalid"),
    ({"good_until": "0001-01-01T00:00:00+14:00"}, 422, "invalid"),
    ({"good_until": "9999-12-31T23:59:59-14:00"}, 422, "invalid"),
    ({"good_until": 1784030400}, 422, "invalid"),
    ({"customer_id": 1}, 422, "invalid"),
]


def test_an_order_that_makes_no_sense_issues_nothing(venue: Venue, database: Database) -> None:
    before = count_vouchers(database)
    for more, status, code in NONSENSE:
        assert issue(venue, status=status, **more)["code"] == code, more
    assert count_vouchers(database) == before
    # The key has not been used up by it.
    issue(venue, count=1)


def test_a_pass_of_another_venue_and_a_free_one_are_not_issued(
    venue: Venue, neighbour: Venue, database: Database
) -> None:
    with database.write() as session:
        foreign = a_pass(session, site=neighbour.place.site).public_id
        free = a_pass(session, site=venue.place.site, free=True, minutes=30).public_id

    assert issue(venue, status=404, pass_id=foreign)["code"] == "no-pass"
    assert issue(venue, status=409, pass_id=free)["code"] == "pass-is-free"


def test_codes_are_told_again_until_a_voucher_is_used_and_never_after(
    venue: Venue, database: Database, keyring: Keyring, clock: MovableClock
) -> None:
    issued = issue(venue, count=2)
    path = f"/batches/{issued['batch']['id']}/codes"
    assert venue.till.get(path)["items"] == issued["vouchers"]
    first, second = issued["vouchers"]
    use(database, keyring, venue, first["code"], clock)
    venue.till.post(f"/vouchers/{second['id']}/revoke")

    assert [one["code"] for one in venue.till.get(path)["items"]] == [None, None]
    assert [one["code"] for one in issue(venue, count=2)["vouchers"]] == [None, None]


def test_a_lost_slip_is_replaced_once(venue: Venue, database: Database, clock: MovableClock) -> None:
    old = venue.vouchers[0].voucher.public_id
    path = f"/vouchers/{old}/replace"
    replaced = venue.till.post(path, status=201, Idempotency_Key="lost")

    assert venue.till.get(f"/vouchers/{old}")["state"] == "revoked"
    assert venue.till.get(f"/vouchers/{replaced['voucher']['id']}")["state"] == "unused"
    clock.now += timedelta(hours=23)
    assert venue.till.post(path, status=201, Idempotency_Key="lost") == replaced
    assert venue.till.post(path, status=409, Idempotency_Key="again")["code"] == "nothing-left"


def test_codes_stand_in_answers_alone(
    app: Flask, venue: Venue, database: Database, capsys: pytest.CaptureFixture[str]
) -> None:
    issued = issue(venue, count=1, note="plain")
    replaced = venue.till.post(f"/vouchers/{issued['vouchers'][0]['id']}/replace", status=201, Idempotency_Key="r")
    venue.till.post("/vouchers/find", {"code_or_serial": replaced["voucher"]["code"]})
    venue.till.ask("POST", "/vouchers/find", {"code_or_serial": [replaced["voucher"]["code"]]})
    codes = [issued["vouchers"][0]["code"], replaced["voucher"]["code"]]

    captured = capsys.readouterr()
    written = captured.out + captured.err + everything_in(database)
    for code in codes:
        assert code not in written
        assert code.replace("-", "") not in written


def everything_in(database: Database) -> str:
    """Every value of every row, as text."""
    with database.read() as session:
        return "\n".join(str(tuple(row)) for table in METADATA.sorted_tables for row in session.execute(select(table)))
