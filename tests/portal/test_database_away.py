"""While the database does not answer, guests and staff are asked for a moment's patience, and nothing is told of it."""

import re
from collections.abc import Iterator
from dataclasses import replace

import pytest
import structlog
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy.exc import InterfaceError, TimeoutError
from werkzeug.test import TestResponse

from hotspot.database import Database
from hotspot.keys import Keyring
from hotspot.settings import Settings
from portal.app import create_app
from portal.context import EXTENSION
from portal.overload import Turns
from tests.factories import a_place, a_user
from tests.portal.conftest import MovableClock
from tests.portal.desk import signed_in
from tests.portal.guest import Stage, words_of

# Nobody listens on the discard port of a machine that runs tests.
NOWHERE = "postgresql+psycopg://somebody:letmein@127.0.0.1:9/nothing"
GATEWAY_QUERY = "res=notyet&challenge=0123456789abcdef&mac=02-00-00-00-00-01"


@pytest.fixture
def away() -> Iterator[Database]:
    """A database that refuses every connection."""
    database = Database(NOWHERE)
    yield database
    database.dispose()


@pytest.fixture
def cut_off(portal_settings: Settings, away: Database, keyring: Keyring, clock: MovableClock) -> FlaskClient:
    """A browser at a portal without its database."""
    return create_app(portal_settings, away, keyring, clock).test_client()


@pytest.mark.parametrize("path", ["/g/site", "/s", "/s/" + "a" * 22, "/terms"])
def test_a_page_asks_again_by_itself_and_by_a_link_without_repeating_its_address(
    cut_off: FlaskClient, path: str
) -> None:
    cut_off.set_cookie("surfpass_visit", "a" * 22)
    page = cut_off.get(f"{path}?{GATEWAY_QUERY}", headers={"Accept-Language": "en"})

    assert page.status_code == 503
    assert page.headers["Retry-After"] == "10"
    assert page.headers["Cache-Control"] == "no-store"
    assert "Please try again in a moment" in words_of(page)
    assert page.headers["Refresh"] == "10"
    assert re.search(r'<a class="button" href="">', page.text)
    assert "hreflang" not in page.text
    for secret in ("0123456789abcdef", "02-00-00", "letmein", "somebody", "psycopg", "Traceback"):
        assert secret not in page.text


def waiting_form(page: TestResponse) -> str:
    """The address that the page of a form asks for by itself."""
    found = re.fullmatch(r"[0-9]+; url=(.+)", page.headers["Refresh"])
    assert found
    return found[1]


def test_a_login_waits_in_its_browser_and_is_sent_again_with_all_that_was_filled_in(
    stage: Stage, away: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    page = stage.phone.arrive().text
    code = stage.voucher.code.value
    filled = {"variant": "voucher", "code": code, "terms": str(stage.terms.id), "lang": "de"}
    with monkeypatch.context() as patch:
        patch.setattr(stage.database, "write", away.write)
        answer = stage.phone.post(page, **filled)
        assert answer.status_code == 503
        assert "Was Sie eingegeben haben, bleibt erhalten." in words_of(answer)
        assert code not in answer.text
        address = waiting_form(answer)
        again = stage.phone.get(address)
        assert (again.status_code, again.headers["Retry-After"]) == (503, "10")
    assert stage.phone.get(address).status_code == 303
    assert stage.visits()[-1].voucher_id == stage.voucher.voucher.id


def test_a_form_that_waited_too_long_or_was_made_by_others_leads_back_to_the_page(
    stage: Stage, away: Database, clock: MovableClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    page = stage.phone.arrive().text
    with monkeypatch.context() as patch:
        patch.setattr(stage.database, "read", away.read)
        answer = stage.phone.post(page, variant="voucher", code=stage.voucher.code.value)
    clock.pass_by(minutes=10)
    assert "This page has been open too long" in words_of(stage.phone.get(waiting_form(answer)))
    for token in ("", "abc", "A" * 200, "=" * 7000):
        assert stage.phone.get(f"/g/{stage.place.site.slug}/login?form={token}").status_code == 303
    assert stage.visits() == []


def test_whoever_finds_no_turn_in_time_is_asked_to_wait_and_pages_go_on(stage: Stage, app: Flask) -> None:
    portal = app.extensions[EXTENSION]
    turns = Turns(at_once=1, patience=0.01)
    app.extensions[EXTENSION] = replace(portal, logins=turns)
    page = stage.phone.arrive().text
    filled = {"variant": "voucher", "code": stage.voucher.code.value, "terms": str(stage.terms.id)}
    with turns.take():
        answer = stage.phone.post(page, **filled)
        assert answer.status_code == 429
        assert answer.headers["Retry-After"] == "10"
        assert stage.phone.arrive().status_code == 200
    assert stage.phone.get(waiting_form(answer)).status_code == 303


def test_a_database_without_a_free_connection_is_answered_alike(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail() -> None:
        raise TimeoutError("QueuePool limit reached")

    monkeypatch.setattr(stage.database, "read", fail)
    assert stage.phone.arrive().status_code == 503


def test_other_forms_are_not_sent_again_by_themselves(cut_off: FlaskClient) -> None:
    page = cut_off.post("/s/" + "a" * 22 + "/logout", headers={"Accept-Language": "de"})

    assert page.status_code == 503
    assert page.headers["Retry-After"] == "10"
    assert "gehen Sie dann eine Seite zurück" in words_of(page)
    assert "Refresh" not in page.headers
    assert 'href=""' not in page.text


def test_one_line_of_the_log_says_so_and_gives_nothing_but_the_kind_of_error(cut_off: FlaskClient) -> None:
    with structlog.testing.capture_logs() as lines:
        cut_off.get(f"/g/site?{GATEWAY_QUERY}")

    assert lines[0] == {"event": "database away", "log_level": "error", "error": "OperationalError"}
    assert [line["event"] for line in lines] == ["database away", "request"]


def test_staff_are_told_too_although_nobody_can_say_who_they_are(
    app: Flask, database: Database, keyring: Keyring, monkeypatch: pytest.MonkeyPatch, away: Database
) -> None:
    with database.write() as session:
        place = a_place(session, keyring)
        a_user(session, customer=place.customer, email="owner@example.org")
    staff = signed_in(app, "owner@example.org")
    with monkeypatch.context() as patch:
        patch.setattr(database, "read", away.read)
        for path in ("/desk", f"/desk/sites/{place.site.public_id}"):
            page = staff.get(path)
            assert page.status_code == 503
            assert "Please try again in a moment" in words_of(page)
    assert staff.get("/desk").status_code == 200


def test_a_broken_interface_to_the_database_is_answered_alike(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail() -> None:
        raise InterfaceError("SELECT", None, RuntimeError("the connection is closed"))

    monkeypatch.setattr(stage.database, "read", fail)
    assert stage.phone.arrive().status_code == 503


def test_a_missing_table_is_a_failure_of_ours_and_no_reason_to_ask_again(stage: Stage) -> None:
    with structlog.testing.capture_logs() as lines:
        stage.fail_inside(f"/v/{stage.voucher.code.value}")
        page = stage.phone.get(f"/v/{stage.voucher.code.value}")

    assert page.status_code == 500
    assert "Something went wrong on our side" in words_of(page)
    assert "request failed" in [line["event"] for line in lines]
    assert "database away" not in [line["event"] for line in lines]
