"""What the API answers when something is wrong: always a problem, with a code that stays the same."""

import sqlite3

import pytest
from flask import Flask
from sqlalchemy.exc import OperationalError
from werkzeug.test import TestResponse

from hotspot.limits import Limit
from portal.api.models import ProblemDetails
from tests.portal.api.conftest import Till, Venue, told
from tests.portal.conftest import MovableClock


def check(answer: TestResponse, status: int, code: str) -> None:
    """That this is such a problem, in every respect."""
    assert (answer.status_code, answer.mimetype) == (status, "application/problem+json"), answer.text
    problem = ProblemDetails.model_validate_json(answer.data)
    assert (problem.status, problem.code) == (status, code)


def test_addresses_and_methods_that_there_are_not_are_problems_too(venue: Venue) -> None:
    check(venue.till.ask("GET", "/nothing"), 404, "not-found")
    check(venue.till.ask("GET", ""), 404, "not-found")
    answer = venue.till.ask("PUT", "/sites")
    check(answer, 405, "bad-method")
    assert "GET" in answer.headers["Allow"]
    check(venue.till.ask("OPTIONS", "/sites"), 405, "bad-method")
    check(venue.till.ask("POST", "/vouchers/find?x=%00"), 400, "bad-request")


def test_elsewhere_errors_stay_pages(venue: Venue) -> None:
    assert venue.till.client.get("/nothing").mimetype == "text/html"
    assert venue.till.client.get("/api/v10/sites").mimetype == "text/html"


BODIES = [
    (b'{"code_or_serial": "x"}', "text/plain", 415, "not-json"),
    (b"code_or_serial=x", "application/x-www-form-urlencoded", 415, "not-json"),
    (b"{", "application/json", 400, "bad-json"),
    (b"", "application/json", 400, "bad-json"),
    (b"\xff", "application/json", 400, "bad-json"),
    (b"[" * 20_000, "application/json", 400, "bad-json"),
    (b"[]", "application/json", 422, "invalid"),
    (b'{"code_or_serial": 5}', "application/json", 422, "invalid"),
    (b'{"code_or_serial": ""}', "application/json", 422, "invalid"),
    (b'{"code_or_serial": "x", "more": 1}', "application/json", 422, "invalid"),
    (b'{"code_or_serial": "\\u0000"}', "application/json", 404, "mistyped"),
    (b'{"code_or_serial": "' + b"x" * 70_000 + b'"}', "application/json", 413, "too-large"),
]


def test_a_body_that_is_not_as_described_is_refused(venue: Venue) -> None:
    headers = {"Authorization": f"Bearer {venue.till.token}"}
    for body, kind, status, code in BODIES:
        answer = venue.till.client.post("/api/v1/vouchers/find", data=body, headers=headers, content_type=kind)
        check(answer, status, code)


def test_parameters_that_are_not_as_described_are_refused(venue: Venue) -> None:
    for query in ("limit=0", "limit=201", "limit=x", "limit=1&limit=2", "after=x", "after=", "more=1", "limit=1e400"):
        answer = venue.till.ask("GET", f"{venue.site}/vouchers?{query}")
        check(answer, 422, "invalid")
        assert told(answer)["errors"][0]["at"] == query.partition("=")[0]


def test_what_is_wrong_is_named_and_not_repeated(venue: Venue) -> None:
    secret = "K" * 11
    answer = venue.till.ask("POST", "/vouchers/find", {"code_or_serial": [secret], "a/b": 1})

    assert [one["at"] for one in told(answer)["errors"]] == ["/code_or_serial", "/a~1b"]
    assert secret not in answer.text


def test_requests_are_counted_per_key_and_told_in_headers(
    venue: Venue, neighbour: Venue, clock: MovableClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Limit, "allowed", property(lambda _limit: 3))
    left = [venue.till.ask("GET", "/sites").headers["RateLimit"] for _ in range(3)]

    assert left == ['"requests";r=2;t=60', '"requests";r=1;t=60', '"requests";r=0;t=60']
    clock.pass_by(seconds=20)
    answer = venue.till.ask("GET", "/sites")
    check(answer, 429, "too-many-requests")
    assert (answer.headers["Retry-After"], answer.headers["RateLimit"]) == ("40", '"requests";r=0;t=40')
    assert answer.headers["RateLimit-Policy"] == '"requests";q=3;w=60'
    assert neighbour.till.ask("GET", "/sites").status_code == 200
    clock.pass_by(seconds=40)
    assert venue.till.ask("GET", "/sites").status_code == 200


def test_a_defect_is_a_problem_that_tells_nothing(app: Flask, venue: Venue, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_args: object) -> None:
        raise RuntimeError("a secret")

    monkeypatch.setattr("portal.gate.sites", fail)
    answer = venue.till.ask("GET", "/sites")

    check(answer, 500, "defect")
    assert "secret" not in answer.text


def test_without_a_database_a_program_is_told_when_to_come_back(app: Flask, venue: Venue) -> None:
    def fail(*_args: object) -> None:
        raise OperationalError("SELECT", {}, sqlite3.DatabaseError("away"))

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("portal.api.caller.find_key", fail)
        answer = Till(app.test_client(), venue.till.token).ask("GET", "/sites")
    check(answer, 503, "try-again")
    assert int(answer.headers["Retry-After"]) > 0
