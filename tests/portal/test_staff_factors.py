"""Signing in with a second factor, and setting one up."""

import re

import pytest
from flask import Flask

from hotspot.database import Database
from hotspot.keys import Keyring
from hotspot.people import Role
from hotspot.people.factors import code_at, step_at
from hotspot.settings import Settings
from portal.app import create_app
from tests.factories import PASSWORD, a_site, a_user
from tests.portal.conftest import MovableClock
from tests.portal.desk import Staff, form_of, signed_in, words_of

OWNER, OPERATOR = "owner@example.org", "operator@example.org"
APP = "/desk/account/factor/app"


@pytest.fixture(autouse=True)
def _people(database: Database) -> None:
    with database.write() as session:
        a_user(session, customer=a_site(session).customer, email=OWNER)
        a_user(session, Role.OPERATOR, email=OPERATOR)
        a_user(session, Role.OPERATOR, email="new@example.org").totp_secret = None


def set_up(staff: Staff, clock: MovableClock) -> tuple[str, list[str]]:
    """Set an app up by the pages: its secret, and the recovery codes."""
    page = staff.get(APP)
    found = re.search(r'class="mono unbroken">([A-Z2-7 ]+)<', page.text)
    assert found
    secret = found[1].replace(" ", "")
    shown = staff.submit(page, APP, code=code_at(secret, step_at(clock()) - 1), password=PASSWORD)
    return secret, re.findall(r'class="mono">([\w-]+)<', shown.text)


def test_an_owner_sets_an_app_up_and_types_its_code_from_then_on(app: Flask, clock: MovableClock) -> None:
    secret, codes = set_up(signed_in(app, OWNER), clock)
    assert len(codes) == 10
    staff = Staff(app.test_client())
    page = staff.submit(staff.get("/login"), "/login", email=OWNER, password=PASSWORD, next="/desk/people")
    assert (page.status_code, page.location) == (303, "/login/second")
    assert staff.get("/desk").status_code == 303

    wrong = staff.submit(staff.get("/login/second"), "/login/second", code="000000")
    assert (wrong.status_code, "not right" in words_of(wrong)) == (403, True)
    right = staff.submit(wrong, "/login/second", code=code_at(secret, step_at(clock())))
    assert (right.status_code, right.location) == (303, "/desk/people")
    assert staff.get("/desk").status_code == 200


def test_a_recovery_code_stands_in_once(app: Flask, clock: MovableClock) -> None:
    _secret, codes = set_up(signed_in(app, OWNER), clock)
    for status in (303, 403):
        staff = Staff(app.test_client())
        staff.submit(staff.get("/login"), "/login", email=OWNER, password=PASSWORD)
        assert staff.submit(staff.get("/login/second"), "/login/second", code=codes[0]).status_code == status


def test_nobody_skips_the_first_step_or_waits_too_long_before_the_second(app: Flask, clock: MovableClock) -> None:
    stranger = Staff(app.test_client())
    assert stranger.get("/login/second").location == "/login"
    stranger.submit(stranger.get("/login"), "/login", email=OPERATOR, password=PASSWORD)
    page = stranger.get("/login/second")
    clock.pass_by(minutes=10)
    assert stranger.submit(page, "/login/second", code="000000").location == "/login"


def test_codes_cannot_be_tried_out_and_the_owner_is_not_locked_out_by_it(app: Flask, clock: MovableClock) -> None:
    known = signed_in(app, OPERATOR)
    known.submit(known.get("/desk"), "/logout")
    clock.pass_by(minutes=2)
    for number in range(20):
        thief = Staff(app.test_client(), address=f"192.0.2.{number}")
        thief.submit(thief.get("/login"), "/login", email=OPERATOR, password=PASSWORD)
        assert thief.submit(thief.get("/login/second"), "/login/second", code="000000").status_code == 403

    assert thief.type_code().status_code == 429
    assert known.sign_in(OPERATOR).status_code == 303
    assert known.get("/desk").status_code == 200


def test_an_operator_sets_a_second_factor_up_before_anything_else(app: Flask, clock: MovableClock) -> None:
    operator = signed_in(app, "new@example.org")
    for path in ("/desk", "/desk/texts", "/desk/account", "/desk/account/factor"):
        assert operator.get(path).location == APP
    assert "before anything else" in words_of(operator.get(APP))
    set_up(operator, clock)
    assert operator.get("/desk").status_code == 200
    token = form_of(operator.get("/desk"), "/logout")["csrf_token"]
    operator.post("/desk/account/factor/remove", csrf_token=token, password=PASSWORD)
    assert operator.get("/desk").location == APP


def test_a_borrowed_browser_changes_no_factor(app: Flask, clock: MovableClock) -> None:
    owner = signed_in(app, OWNER)
    secret, codes = set_up(owner, clock)
    token = form_of(owner.get("/desk"), "/logout")["csrf_token"]
    page = owner.get(APP)
    assert owner.submit(page, APP, code="000000", password="not the password").status_code == 400
    for path in ("remove", "codes", "passkey", "passkey/drop"):
        answer = owner.post(f"/desk/account/factor/{path}", csrf_token=token, password="not the password")
        assert answer.status_code == 303
    clock.pass_by(minutes=20)
    staff = Staff(app.test_client())
    staff.submit(staff.get("/login"), "/login", email=OWNER, password=PASSWORD)
    assert staff.submit(staff.get("/login/second"), "/login/second", code=codes[9]).status_code == 303
    assert secret not in owner.get(APP).text.replace(" ", "")


def test_who_takes_a_link_types_the_code_too(app: Flask, clock: MovableClock) -> None:
    set_up(signed_in(app, OWNER), clock)
    operator = signed_in(app, OPERATOR)
    person = re.findall(r'href="(/desk/people/\w+)"', operator.get("/desk/people").text)[0]
    link = re.search(r"/login/invitation/[\w-]+", operator.submit(operator.get(person), person, step="reset").text)
    assert link
    thief = Staff(app.test_client())
    answer = thief.submit(thief.get(link[0]), link[0], password="seven geese on a wet roof")

    assert answer.location == "/login/second"
    operator.submit(operator.get(person), person, step="factor")
    assert thief.sign_in(OWNER, "seven geese on a wet roof").location == "/desk"


def test_without_https_there_is_no_talk_of_passkeys(
    portal_settings: Settings, database: Database, keyring: Keyring
) -> None:
    plain = portal_settings.model_copy(update={"portal_url": "http://192.0.2.1"})
    staff = Staff(create_app(plain, database, keyring).test_client())
    page = staff.get("/login")
    assert "data-passkey" not in page.text
    assert "script-src" not in page.headers["Content-Security-Policy"]
    assert staff.submit(page, "/login", email=OWNER, password=PASSWORD).status_code == 303
    assert staff.get("/desk/account/factor/passkey").status_code == 303


def test_an_invented_answer_signs_nobody_in(app: Flask) -> None:
    stranger = Staff(app.test_client())
    page = stranger.get("/login")
    for answer in ("", "{}", '{"rawId": "AAAA"}'):
        assert stranger.submit(page, "/login/passkey", answer=answer).location == "/login?passkey=unknown"
    assert "not known here" in words_of(stranger.get("/login?passkey=unknown"))
