"""While the database does not answer, guests and staff are asked for a moment's patience, and nothing is told of it."""

import re
from collections.abc import Iterator

import pytest
import structlog
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy.exc import InterfaceError

from hotspot.database import Database
from hotspot.keys import Keyring
from hotspot.settings import Settings
from portal.app import create_app
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
    assert '<meta http-equiv="refresh" content="10">' in page.text
    assert re.search(r'<a class="button" href="">', page.text)
    assert "hreflang" not in page.text
    for secret in ("0123456789abcdef", "02-00-00", "letmein", "somebody", "psycopg", "Traceback"):
        assert secret not in page.text


def test_a_form_is_not_sent_again_by_itself(cut_off: FlaskClient) -> None:
    page = cut_off.post("/g/site/login", data={"variant": "voucher"}, headers={"Accept-Language": "de"})

    assert page.status_code == 503
    assert page.headers["Retry-After"] == "10"
    assert "gehen Sie dann eine Seite zurück" in words_of(page)
    assert "refresh" not in page.text
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
