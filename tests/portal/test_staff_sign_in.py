"""Signing in and out."""

import re
from dataclasses import replace

import pytest
from flask import Flask
from flask.testing import FlaskClient

from hotspot.database import Database
from hotspot.people import User
from portal.context import EXTENSION
from portal.overload import Turns
from tests.factories import PASSWORD, a_user
from tests.portal.conftest import MovableClock
from tests.portal.desk import Staff, form_of, signed_in, words_of

EMAIL = "owner@example.org"
WRONG = "not the password"


@pytest.fixture
def owner(database: Database) -> User:
    with database.write() as session:
        return a_user(session, email=EMAIL)


@pytest.fixture
def staff(client: FlaskClient, owner: User) -> Staff:
    return Staff(client)


def test_an_owner_signs_in_and_comes_to_the_overview(staff: Staff) -> None:
    answer = staff.sign_in(EMAIL)

    assert (answer.status_code, answer.location) == (303, "/desk")
    assert staff.get("/desk").status_code == 200
    assert staff.get("/login").location == "/desk"


def test_an_address_is_the_same_in_capitals_and_with_spaces_around(staff: Staff) -> None:
    assert staff.sign_in(f" {EMAIL.upper()} ").status_code == 303


def test_an_unknown_address_and_a_wrong_password_read_the_same(staff: Staff) -> None:
    wrong_password = staff.sign_in(EMAIL, WRONG)
    unknown = staff.sign_in("nobody@example.org", WRONG)

    assert wrong_password.status_code == unknown.status_code == 403
    assert words_of(wrong_password) == words_of(unknown)
    assert "wrong" in words_of(unknown)
    assert staff.get("/desk").status_code == 303


def test_after_ten_failures_even_the_right_password_has_to_wait(staff: Staff, clock: MovableClock) -> None:
    for _ in range(10):
        assert staff.sign_in(EMAIL, WRONG).status_code == 403

    assert staff.sign_in(EMAIL).status_code == 429
    assert Staff(staff.client, address="198.51.100.7").sign_in(EMAIL).status_code == 303

    clock.pass_by(minutes=15)
    staff.client.delete_cookie("surfpass_session")
    assert staff.sign_in(EMAIL).status_code == 303


def test_fifty_failures_of_one_address_close_it_for_every_account(staff: Staff) -> None:
    for number in range(50):
        assert staff.sign_in(f"nobody-{number}@example.org", WRONG).status_code == 403

    assert staff.sign_in(EMAIL).status_code == 429


def test_a_crowd_of_passwords_waits_and_pages_go_on(app: Flask, staff: Staff, owner: User) -> None:
    inside = signed_in(app, EMAIL)
    turns = Turns(at_once=1, patience=0.01)
    app.extensions[EXTENSION] = replace(app.extensions[EXTENSION], hashing=turns)
    account, new = inside.get("/desk/account"), "seven geese on a wet roof"
    with turns.take():
        for _ in range(12):
            answer = staff.sign_in(EMAIL)
            assert (answer.status_code, "One moment, please" in words_of(answer)) == (429, True)
        for path, filled in (
            ("/desk/account/password", {"old": PASSWORD, "new": new}),
            ("/desk/account/pin", {"password": PASSWORD, "pin": "2580"}),
        ):
            assert inside.submit(account, path, **filled).status_code == 429
        assert inside.get("/desk").status_code == 200
    assert staff.sign_in(EMAIL).status_code == 303  # who had to wait has used up no try


def test_the_addresses_of_one_ipv6_subscriber_count_as_one(staff: Staff) -> None:
    for number in range(10):
        Staff(staff.client, address=f"2001:db8:1:2::{number + 1:x}").sign_in(EMAIL, WRONG)

    assert Staff(staff.client, address="2001:db8:1:2:ffff::1").sign_in(EMAIL).status_code == 429
    assert Staff(staff.client, address="2001:db8:1:3::1").sign_in(EMAIL).status_code == 303


def test_signing_in_rightly_is_not_counted(app: Flask, owner: User) -> None:
    for _ in range(12):
        signed_in(app, EMAIL)


def test_a_session_is_made_anew_when_somebody_signs_in(staff: Staff) -> None:
    before = form_of(staff.get("/login"), "/login")["csrf_token"]
    with staff.client.session_transaction() as session:
        session["planted"] = "by somebody else"
    staff.sign_in(EMAIL)

    with staff.client.session_transaction() as session:
        assert "planted" not in session
    assert staff.post("/logout", csrf_token=before).status_code == 400


def test_signing_out_ends_the_session(staff: Staff) -> None:
    staff.sign_in(EMAIL)
    answer = staff.submit(staff.get("/desk"), "/logout")

    assert (answer.status_code, answer.location) == (303, "/login")
    assert staff.get("/desk").location == "/login"


def test_a_link_cannot_sign_anybody_out(staff: Staff) -> None:
    staff.sign_in(EMAIL)

    assert staff.get("/logout").status_code == 405
    assert staff.get("/desk").status_code == 200


def test_a_session_lasts_twelve_hours_and_no_longer(staff: Staff, clock: MovableClock) -> None:
    staff.sign_in(EMAIL)
    clock.pass_by(hours=11, minutes=59)
    assert staff.get("/desk").status_code == 200
    clock.pass_by(minutes=1)
    assert staff.get("/desk").status_code == 303


def test_who_is_retired_is_signed_out_at_once_and_stays_out(staff: Staff, owner: User, database: Database) -> None:
    staff.sign_in(EMAIL)
    with database.write() as session:
        session.get_one(User, owner.id).retired_at = owner.created_at

    assert staff.get("/desk").status_code == 303
    assert staff.sign_in(EMAIL).status_code == 403


def test_nobody_signs_in_or_out_without_the_token_of_the_form(staff: Staff) -> None:
    assert staff.post("/login", email=EMAIL, password=PASSWORD).status_code == 400
    assert staff.get("/desk").status_code == 303
    staff.sign_in(EMAIL)
    assert staff.post("/logout").status_code == 400
    assert staff.get("/desk").status_code == 200


def test_the_token_of_another_browser_is_none(app: Flask, staff: Staff) -> None:
    foreign = form_of(Staff(app.test_client()).get("/login"), "/login")["csrf_token"]
    staff.get("/login")

    assert staff.post("/login", email=EMAIL, password=PASSWORD, csrf_token=foreign).status_code == 400


def test_forms_work_over_https_though_no_referer_is_sent(staff: Staff) -> None:
    page = staff.client.get("/login", base_url="https://portal.example")
    filled = form_of(page, "/login") | {"email": EMAIL, "password": PASSWORD}

    assert staff.client.post("/login", data=filled, base_url="https://portal.example").status_code == 303


def test_the_session_cookie_is_out_of_reach_for_scripts_plain_http_and_other_sites(staff: Staff) -> None:
    cookie = staff.sign_in(EMAIL).headers["Set-Cookie"]

    assert all(mark in cookie for mark in ("Secure", "HttpOnly", "SameSite=Lax", "Expires="))


def test_a_page_asked_for_before_signing_in_comes_after_it(staff: Staff) -> None:
    asked = staff.get("/desk/sites/abcdefgh")

    assert (asked.status_code, asked.location) == (303, "/login?next=/desk/sites/abcdefgh")
    assert staff.sign_in(EMAIL, next="/desk/sites/abcdefgh").location == "/desk/sites/abcdefgh"


@pytest.mark.parametrize(
    "target",
    [
        "https://evil.example/",
        "//evil.example/desk/",
        "/\\evil.example/desk/",
        "\\\\evil.example",
        "/desk\\@evil.example",
        "/desk/\\..\\\\evil.example",
        "/deskevil.example",
        "/desk@evil.example",
        "/desk.evil.example/",
        "javascript:alert(1)",
        " https://evil.example",
        "/desk/\r\nLocation: https://evil.example",
        "/desk/\t/evil.example",
        "/g/markt",
    ],
)
def test_nobody_is_sent_on_to_a_foreign_address(staff: Staff, target: str) -> None:
    assert staff.sign_in(EMAIL, next=target).location == "/desk"


def test_the_language_chosen_by_hand_stays(staff: Staff) -> None:
    assert "Sign in" in words_of(staff.get("/login"))
    assert "Anmelden" in words_of(staff.get("/login?lang=de"))
    assert "Anmelden" in words_of(staff.get("/login"))
    assert "falsch" in words_of(staff.sign_in(EMAIL, WRONG))


def test_a_page_for_staff_speaks_german_and_english_alone(staff: Staff) -> None:
    staff.language = "fr"
    page = staff.get("/login?lang=tr")
    assert "Sign in" in words_of(page)
    assert re.findall(r'hreflang="(\w+)"', page.text) == ["de"]


@pytest.mark.parametrize("path", ["/desk/vouchers/a%00b", "/login?lang=%00", "/v/%00"])
def test_a_nul_in_an_address_is_a_bad_request(staff: Staff, path: str) -> None:
    assert staff.get(path).status_code == 400


def test_a_nul_in_a_form_is_a_bad_request(staff: Staff) -> None:
    assert staff.sign_in("owner\0@markt.example").status_code == 400
