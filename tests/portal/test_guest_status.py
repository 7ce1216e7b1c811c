"""The guest's own pages: how a visit stands, and leaving."""

import html
import re
from datetime import timedelta

import pytest
from flask.testing import FlaskClient
from sqlalchemy import select

from hotspot.database import Database
from hotspot.keys import Keyring
from sessions.admit import Admitted
from sessions.endings import end_visits
from sessions.visit import CloseCause, Disconnect, VisitState
from tests.factories import a_mac
from tests.portal.conftest import MovableClock
from tests.portal.guest import GATEWAY, Stage, words_of
from vouchers.voucher import Voucher


def own_address(stage: Stage) -> str:
    """Where the guest's own page is, as the cookie knows."""
    cookie = stage.phone.client.get_cookie("surfpass_visit")
    assert cookie
    return f"/s/{cookie.value}"


def test_success_leads_to_the_guests_own_page_which_says_what_is_left(stage: Stage) -> None:
    with stage.database.write() as session:
        session.get_one(Voucher, stage.voucher.voucher.id).megabytes = 1500
    answer = stage.come_online()
    assert answer.status_code == 303
    assert answer.location.startswith(own_address(stage) + "?flow=")
    page = stage.phone.get(answer.location)
    words = words_of(page)
    for expected in ("You are online", stage.place.article.name, "1 day", "1.5 GB", "tomorrow, 14:00"):
        assert expected in words
    assert 'href="http://news.example/today?a=1&amp;b=2"' in page.text
    assert "In this browser you can come back" in words
    assert '<a href="/s">portal.example/s</a>' in page.text
    assert page.headers["Refresh"] == "60"
    still = re.search(r'href="([^"]+)">Do not refresh this page by itself', page.text)
    assert still
    quiet = stage.phone.get(html.unescape(still[1]))
    assert "You are online" in words_of(quiet)
    assert "Refresh" not in quiet.headers
    assert "by itself" not in words_of(quiet)
    assert f"form-action 'self' http://{GATEWAY};" in page.headers["Content-Security-Policy"]


def test_a_figure_that_stands_alone_takes_the_whole_line(stage: Stage) -> None:
    stage.come_online()
    alone = stage.phone.get(own_address(stage)).text
    assert '<div class="wide"><dt>Time left' in alone
    with stage.database.write() as session:
        session.get_one(Voucher, stage.voucher.voucher.id).megabytes = 100
    both = stage.phone.get(own_address(stage)).text
    assert "<div><dt>Time left" in both
    assert "<div><dt>Data left" in both


def test_time_runs_down_on_the_page(stage: Stage, clock: MovableClock) -> None:
    stage.come_online()
    clock.pass_by(minutes=90)
    ends = stage.voucher_row().ends_at
    assert ends == clock.now + timedelta(hours=22, minutes=30)
    assert "22 hours 30 minutes" in words_of(stage.phone.get(own_address(stage)))


def test_the_page_is_german_for_germans(stage: Stage) -> None:
    stage.come_online()
    stage.phone.language = "de"
    page = stage.phone.get(own_address(stage))
    assert "Sie sind online" in words_of(page)
    assert "morgen, 14:00 Uhr" in words_of(page)
    assert f'href="{own_address(stage)}?lang=en"' in page.text


def test_a_pass_that_counts_minutes_online_shows_no_end(stage: Stage) -> None:
    with stage.database.write() as session:
        voucher = session.get_one(Voucher, stage.voucher.voucher.id)
        voucher.clock, voucher.minutes = voucher.clock.ONLINE, 120
    stage.come_online()
    words = words_of(stage.phone.get(own_address(stage)))
    assert "Time left 2 hours" in words
    assert "Ends" not in words


def test_without_a_cookie_the_signed_return_shows_the_same_but_hands_out_no_token(stage: Stage) -> None:
    stage.come_online()
    stage.phone.client.delete_cookie("surfpass_visit")
    for state in ("success", "already"):
        page = stage.phone.arrive(state)
        assert page.status_code == 200
        assert "You are online" in words_of(page)
        assert "Time left 1 day" in words_of(page)
        assert f'href="http://{GATEWAY}/logoff"' in page.text
        assert "/s/" not in page.text
        assert "Set-Cookie" not in page.headers


def test_an_unsigned_return_shows_nothing_of_anybodys_visit(
    database: Database, keyring: Keyring, client: FlaskClient, clock: MovableClock
) -> None:
    stage = Stage(database, keyring, client, clock, uam_secret=None)
    stage.phone.chilli.secret = None
    stage.come_online()
    stage.phone.client.delete_cookie("surfpass_visit")
    page = stage.phone.arrive("success")
    assert "You are online" in words_of(page)
    assert "Time left" not in page.text
    assert "news.example" not in page.text
    assert f'href="http://{GATEWAY}/logoff"' in page.text


def test_another_device_sees_nothing_of_the_visit(stage: Stage) -> None:
    stage.come_online()
    stage.phone.client.delete_cookie("surfpass_visit")
    stage.phone.chilli.device = a_mac()
    assert "Time left" not in stage.phone.arrive("already").text


def test_a_cookie_of_an_earlier_visit_does_not_hide_the_present_one(stage: Stage) -> None:
    stage.come_online()
    stage.close_visits(CloseCause.STOPPED)
    stage.admit(stage.voucher.code.value)
    page = stage.phone.arrive("already")
    assert page.status_code == 200
    assert "Time left 1 day" in words_of(page)


def test_a_probe_of_the_phone_is_no_place_to_continue_to(stage: Stage) -> None:
    stage.come_online()
    answer = stage.phone.arrive("success", userurl="http://captive.apple.com/hotspot-detect.html")
    page = stage.phone.get(answer.location)
    assert "captive.apple.com" not in page.text
    assert "You can close this page" in words_of(page)


def test_logging_out_frees_the_place_and_goes_on_to_the_gateway(stage: Stage) -> None:
    stage.come_online()
    answer = stage.phone.client.post(f"{own_address(stage)}/logout")
    assert (answer.status_code, answer.location) == (303, f"http://{GATEWAY}/logoff")
    (visit,) = stage.visits()
    assert (visit.state, visit.close_cause) == (VisitState.CLOSED, CloseCause.LOGGED_OUT)
    with stage.database.read() as session:
        assert session.scalars(select(Disconnect.visit_id)).all() == [visit.id]
    returned = stage.phone.arrive("logoff")
    assert "You are logged out" in words_of(returned)
    assert f'href="http://{GATEWAY}/prelogin"' in returned.text
    page = stage.phone.get(own_address(stage))
    assert "You are logged out" in words_of(page)
    assert "Refresh" not in page.headers
    again = stage.phone.client.post(f"{own_address(stage)}/logout")
    assert again.location == own_address(stage)


def test_where_the_gateway_is_not_certain_logging_out_stays_here(
    database: Database, keyring: Keyring, client: FlaskClient, clock: MovableClock
) -> None:
    stage = Stage(database, keyring, client, clock, gateway_addresses=(GATEWAY, "10.1.0.2:3990"))
    stage.come_online()
    assert "form-action 'self';" in stage.phone.get(own_address(stage)).headers["Content-Security-Policy"]
    answer = stage.phone.client.post(f"{own_address(stage)}/logout")
    assert answer.location == own_address(stage)
    assert stage.visits()[0].state is VisitState.CLOSED


def test_a_page_whose_visit_is_still_asked_for_waits(stage: Stage, clock: MovableClock) -> None:
    stage.phone.log_in(stage.voucher.code.value, stage.terms)
    page = stage.phone.get(own_address(stage))
    assert "One moment, please" in words_of(page)
    assert page.headers["Refresh"] == "5"
    clock.pass_by(minutes=10)
    assert "That took too long" in words_of(stage.phone.get(own_address(stage)))


def test_a_page_whose_visit_was_refused_says_why(stage: Stage) -> None:
    stage.phone.log_in(stage.voucher.code.value, stage.terms)
    assert isinstance(stage.admit(stage.voucher.code.value, device=a_mac()), Admitted)
    stage.let_in()
    assert "in use on another device" in words_of(stage.phone.get(own_address(stage)))


@pytest.mark.parametrize(
    ("cause", "words"),
    [(CloseCause.STOPPED, "You are offline"), (CloseCause.REPLACED, "now used on another device")],
)
def test_an_ended_visit_says_how_it_ended_and_what_is_left(stage: Stage, cause: CloseCause, words: str) -> None:
    stage.come_online()
    stage.close_visits(cause)
    page = words_of(stage.phone.get(own_address(stage)))
    assert words in page
    assert "Time left 1 day" in page


def test_an_ended_voucher_says_so(stage: Stage, clock: MovableClock) -> None:
    stage.come_online()
    stage.close_visits(CloseCause.STOPPED)
    clock.pass_by(days=1)
    page = words_of(stage.phone.get(own_address(stage)))
    assert "Your access has ended" in page
    assert "Time left" not in page


def test_a_revoked_voucher_is_no_access_any_more(stage: Stage, clock: MovableClock) -> None:
    stage.come_online()
    with stage.database.write() as session:
        session.get_one(Voucher, stage.voucher.voucher.id).revoked_at = clock.now
        end_visits(session, [stage.voucher.voucher.id], CloseCause.REVOKED, clock.now)
    stage.close_visits(CloseCause.REVOKED)
    assert "has been withdrawn" in words_of(stage.phone.get(own_address(stage)))


def test_the_short_address_finds_the_page_by_the_cookie(stage: Stage) -> None:
    assert "No access to show" in words_of(stage.phone.get("/s"))
    stage.come_online()
    assert stage.phone.get("/s").location == own_address(stage)


@pytest.mark.parametrize("token", ["x", "A" * 27, "é", "a" * 3000])
def test_a_token_nobody_has_is_answered_kindly(client: FlaskClient, token: str) -> None:
    answer = client.get(f"/s/{token}")
    assert answer.status_code == 404
    assert "No access to show" in words_of(answer)
    assert client.post(f"/s/{token}/logout").status_code == 404


def test_a_foreign_flow_adds_nothing_to_the_page(stage: Stage) -> None:
    stage.come_online()
    assert stage.phone.get(f"{own_address(stage)}?flow=rubbish").status_code == 200
