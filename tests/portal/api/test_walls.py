"""Every operation, walked by those who have no business there: they change nothing and learn nothing."""

import re
from collections.abc import Iterator
from datetime import timedelta
from typing import Any

from flask import Flask
from sqlalchemy import func, select
from werkzeug.test import TestResponse

from hotspot.api_keys import Scope, retire_key
from hotspot.audit import COMMAND_LINE
from hotspot.database import Database
from hotspot.place import Customer
from portal.api.models import Model
from portal.api.operations import OPERATIONS, Operation
from sessions.desk import by_ids, note_vouchers
from tests.conftest import NOON
from tests.factories import a_number
from tests.portal.api.conftest import ALL_SCOPES, MakeTill, Till, Venue, told
from tests.portal.conftest import MovableClock
from vouchers.voucher import Batch, Voucher

NOWHERE = "abcdefghijklmnop"


def names_of(venue: Venue, database: Database) -> dict[str, str]:
    """What the addresses of operations name, at a venue."""
    one = venue.vouchers[0].voucher
    with database.write() as session:
        batch = session.get_one(Batch, one.batch_id).public_id
        noted = note_vouchers(session, COMMAND_LINE, venue.place.site, by_ids([one.id]), f"note {a_number()}", NOON)
        assert noted.deed
        change = noted.deed.public_id
    place = venue.place
    named = {"site_id": place.site.public_id, "pass_id": place.article.public_id}
    return {**named, "batch_id": batch, "voucher_id": one.public_id, "change_id": change}


def body_of(model: type[Model] | None, venue: Venue) -> Any:
    """A body that an operation takes."""
    bodies: dict[str, Any] = {
        "Search": {"code_or_serial": venue.vouchers[0].code.value},
        "IssueOrder": {"pass_id": venue.place.article.public_id},
        "StockAlarm": {"below": 5},
        "VoucherChange": {"note": "a stranger was here"},
    }
    return bodies[model.__name__] if model else None


def ask(till: Till, one: Operation, venue: Venue, names: dict[str, str]) -> TestResponse:
    """Call an operation on what belongs to `venue`."""
    path = re.sub("<(.*?)>", lambda found: names[found[1]], one.path)
    headers = {"Idempotency_Key": "walker"} if one.once else {}
    return till.ask(one.method, path, body_of(one.body, venue), **headers)


def answers(till: Till, venue: Venue, names: dict[str, str]) -> Iterator[tuple[Operation, TestResponse]]:
    """What all operations answer."""
    for one in OPERATIONS:
        yield one, ask(till, one, venue, names)


def rows_of(database: Database) -> tuple[Any, ...]:
    """What anything that is not only looked at would change."""
    with database.read() as session:
        sums = func.count(Voucher.id), func.count(Voucher.revoked_at), func.sum(Voucher.changes)
        return tuple(session.execute(select(*sums)).one())


TOKENS = ("", "nonsense", "spk_aaaaaaaaaa_0000", "\u00fc", "_", "spk_" + "x" * 4000)


def test_a_stranger_gets_in_nowhere(app: Flask, venue: Venue, database: Database) -> None:
    names = names_of(venue, database)
    before = rows_of(database)
    for token in TOKENS:
        for one, answer in answers(Till(app.test_client(), token), venue, names):
            assert (answer.status_code, told(answer)["code"]) == (401, "no-key"), one
            assert answer.headers["WWW-Authenticate"].startswith("Bearer")
    assert rows_of(database) == before


def test_expired_retired_and_wrong_keys_look_like_none_at_all(
    venue: Venue, make_till: MakeTill, database: Database, clock: MovableClock
) -> None:
    names, customer = names_of(venue, database), venue.place.customer
    expired = make_till(customer, expires_at=clock.now + timedelta(hours=1))
    retired, orphan = make_till(customer), make_till(customer)
    assert expired.get("/sites")
    assert retired.get("/sites")
    clock.pass_by(hours=1)
    with database.write() as session:
        assert retired.key
        retire_key(session, COMMAND_LINE, session.merge(retired.key), clock.now)
    wrong = Till(venue.till.client, venue.till.token[:-1] + ("0" if venue.till.token[-1] != "0" else "1"))
    nobody = Till(venue.till.client, "")

    for one, plain in answers(nobody, venue, names):
        for till in (expired, retired, wrong):
            answer = ask(till, one, venue, names)
            assert (answer.status_code, answer.data) == (401, plain.data), one
    with database.write() as session:
        session.get_one(Customer, customer.id).retired_at = clock.now
    assert orphan.ask("GET", "/sites").status_code == 401


def test_a_foreign_key_finds_what_is_not_there(venue: Venue, neighbour: Venue, database: Database) -> None:
    names = names_of(venue, database)
    before = rows_of(database)
    nowhere = dict.fromkeys(names, NOWHERE)
    tried = 0
    for one in OPERATIONS:
        if "<" in one.path:
            answer, missing = (ask(neighbour.till, one, venue, these) for these in (names, nowhere))
            assert (answer.status_code, answer.data) == (404, missing.data), one
            tried += 1
    assert tried >= 15
    assert rows_of(database) == before


def test_a_key_without_the_scope_is_stopped_before_anything_is_looked_up(
    venue: Venue, make_till: MakeTill, database: Database
) -> None:
    names = names_of(venue, database)
    before = rows_of(database)
    for one in OPERATIONS:
        till = make_till(venue.place.customer, ALL_SCOPES - {one.scope})
        answer, missing = (ask(till, one, venue, these) for these in (names, dict.fromkeys(names, NOWHERE)))
        assert (answer.status_code, told(answer)["code"]) == (403, "no-scope"), one
        assert answer.data == missing.data
    assert rows_of(database) == before


def test_the_cursor_of_a_list_goes_through_the_gate_too(venue: Venue, neighbour: Venue, database: Database) -> None:
    foreign = names_of(neighbour, database)

    assert venue.till.ask("GET", f"{venue.site}/vouchers?after={foreign['voucher_id']}").status_code == 404
    assert venue.till.ask("GET", f"{venue.site}/batches?after={foreign['batch_id']}").status_code == 404


def test_a_cookie_of_the_staff_pages_opens_nothing(app: Flask, venue: Venue) -> None:
    assert Till(app.test_client(), "").ask("GET", "/sites").headers.get("Set-Cookie") is None


def test_no_operation_is_without_a_scope() -> None:
    assert {one.scope for one in OPERATIONS} <= set(Scope)
    assert len({one.name for one in OPERATIONS}) == len(OPERATIONS)
