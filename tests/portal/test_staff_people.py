"""People: inviting a colleague, the own account, and where somebody is signed in."""

import re
from datetime import timedelta

import pytest
from flask import Flask
from sqlalchemy import select

from hotspot.api_keys import ApiKey, NewKey, Scope, add_key
from hotspot.audit import COMMAND_LINE, Actor
from hotspot.database import Database
from hotspot.keys import Keyring
from hotspot.people import Role, User
from hotspot.people.accounts import invite
from hotspot.people.passwords import check_password
from hotspot.place import Customer
from hotspot.webhooks import Webhook, add_webhook
from portal.staff.device import describe
from tests.conftest import NOON
from tests.factories import PASSWORD, a_site, a_user
from tests.portal.conftest import MovableClock
from tests.portal.desk import Staff, form_of, signed_in, words_of
from tests.portal.guest import PORTAL_URL

OWNER = "owner@example.org"
GOOD = "seven geese on a wet roof"
LINK = re.compile(rf"{PORTAL_URL}(/login/invitation/[\w-]+)")
FIREFOX = "Mozilla/5.0 (Windows NT 10.0; Win64; x64; rv:150.0) Gecko/20100101 Firefox/150.0"


@pytest.fixture
def customer(database: Database) -> Customer:
    """A customer with a site, whose owner is OWNER; other@ owns another."""
    with database.write() as session:
        customer = a_site(session).customer
        a_user(session, customer=customer, email=OWNER)
        a_user(session, customer=a_site(session).customer, email="other@example.org")
    return customer


def link_in(page_text: str) -> str:
    """The path of the link on a page."""
    found = LINK.search(page_text)
    assert found
    return found[1]


def user_of(database: Database, **what: str) -> User:
    with database.read() as session:
        return session.scalars(select(User).filter_by(**what)).one()


def test_an_owner_invites_a_waiter_who_is_at_work_a_minute_later(
    app: Flask, database: Database, customer: Customer
) -> None:
    owner = signed_in(app, OWNER)
    shown = owner.submit(owner.get("/desk/people"), "/desk/people", name="Kim", role="front-desk")
    assert 'class="link-qr"' in shown.text
    waiter, path = Staff(app.test_client()), link_in(shown.text)
    page = waiter.get(path)
    assert form_of(page, path)["name"] == "Kim"
    answer = waiter.submit(page, path, name="Kim Roth", email="kim@example.org", password=GOOD)

    assert (answer.status_code, answer.location) == (303, "/desk")
    assert waiter.get("/desk").status_code == 200
    assert waiter.get("/desk/people").status_code == 404
    kim = user_of(database, email="kim@example.org")
    assert (kim.name, kim.role, kim.customer_id) == ("Kim Roth", Role.FRONT_DESK, customer.id)
    assert "Kim Roth" in words_of(owner.get("/desk/people"))


def test_no_link_is_written_into_the_log(app: Flask, customer: Customer, capsys: pytest.CaptureFixture[str]) -> None:
    owner, kim = signed_in(app, OWNER), Staff(app.test_client())
    path = link_in(owner.submit(owner.get("/desk/people"), "/desk/people", name="Kim", role="front-desk").text)
    kim.submit(kim.get(path), path, name="Kim", email="kim@example.org", password=GOOD)
    written = "".join(capsys.readouterr())

    assert "/login/invitation/<token>" in written
    assert path.rpartition("/")[2] not in written


def test_a_link_works_once(app: Flask, customer: Customer) -> None:
    owner = signed_in(app, OWNER)
    path = link_in(owner.submit(owner.get("/desk/people"), "/desk/people", name="Kim").text)
    first, second = Staff(app.test_client()), Staff(app.test_client())
    pages = [one.get(path) for one in (first, second)]
    filled = {"name": "Kim", "email": "kim@example.org", "password": GOOD}

    assert first.submit(pages[0], path, **filled).status_code == 303
    assert second.submit(pages[1], path, **filled).status_code == 404
    assert "This link is over" in words_of(second.get(path))


@pytest.mark.parametrize(
    ("filled", "words"),
    [
        ({"password": "too short"}, "12 to 200 characters"),
        ({"password": "passwortpasswort"}, "easy to guess"),
        ({"password": "kim@example.org"}, "easy to guess"),
        ({"password": "Stadtnetz Hotspot"}, "easy to guess"),
        ({"name": " "}, "at most 80 characters"),
        ({"email": "kim"}, "not an e-mail address"),
        ({"email": "OTHER@example.org"}, "an account for this address already"),
    ],
)
def test_an_invitation_that_is_filled_in_badly_says_what_is_wrong_and_stays_good(
    app: Flask, customer: Customer, filled: dict[str, str], words: str
) -> None:
    owner, kim = signed_in(app, OWNER), Staff(app.test_client())
    path = link_in(owner.submit(owner.get("/desk/people"), "/desk/people", name="Kim").text)
    good = {"name": "Kim", "email": "kim@example.org", "password": GOOD}
    answer = kim.submit(kim.get(path), path, **good | filled)

    assert answer.status_code == 400
    assert words in words_of(answer)
    assert kim.submit(answer, path, **good).status_code == 303


def test_an_owner_makes_owners_of_the_own_customer_only_and_no_operators(
    app: Flask, database: Database, customer: Customer
) -> None:
    owner = signed_in(app, OWNER)
    foreign = user_of(database, email="other@example.org").customer_id
    with database.read() as session:
        other = session.get_one(Customer, foreign).public_id
    page = owner.get("/desk/people")

    assert owner.submit(page, "/desk/people", name="Eve", role="operator").status_code == 400
    assert owner.submit(page, "/desk/people", name="Eve", role="owner", customer=other).status_code == 200
    assert user_of(database, name="Eve").customer_id == customer.id
    assert "other@example.org" not in owner.get("/desk/people").text


def test_a_colleague_is_changed_signed_out_reset_and_closed(app: Flask, database: Database, customer: Customer) -> None:
    with database.write() as session:
        kim = a_user(session, Role.READ_ONLY, customer=session.merge(customer), email="kim@example.org")
    owner, colleague, path = signed_in(app, OWNER), signed_in(app, "kim@example.org"), f"/desk/people/{kim.public_id}"
    page = owner.get(path)

    assert owner.submit(page, path, step="role", role="front-desk").status_code == 303
    assert user_of(database, email="kim@example.org").role is Role.FRONT_DESK
    assert owner.submit(page, path, step="role", role="operator").status_code == 400
    assert colleague.get("/desk").status_code == 200
    owner.submit(page, path, step="sign-out")
    assert "Signed out everywhere" in words_of(owner.get("/desk/record"))
    assert colleague.get("/desk").status_code == 303

    link = link_in(owner.submit(page, path, step="reset").text)
    assert colleague.sign_in("kim@example.org").status_code == 303  # until the link is used
    newcomer = Staff(app.test_client())
    newcomer.submit(newcomer.get(link), link, password=GOOD)
    assert colleague.get("/desk").status_code == 303
    assert check_password(user_of(database, email="kim@example.org"), GOOD)

    assert owner.submit(page, path, step="retire").status_code == 303
    assert newcomer.get("/desk").status_code == 303
    assert owner.get(path).status_code == 404


@pytest.mark.parametrize("withdraw", [{}, {"withdraw": "1"}])
def test_who_closes_an_account_sees_its_keys_and_may_withdraw_them_too(
    app: Flask, database: Database, keyring: Keyring, customer: Customer, withdraw: dict[str, str]
) -> None:
    with database.write() as session:
        here = session.merge(customer)
        kim = a_user(session, Role.OWNER, customer=here, email="kim@example.org")
        life = NOON + timedelta(days=30)
        for name, maker in (("Kasse", kim.id), ("Hotel", None)):
            add_key(session, Actor(maker), keyring, here, NewKey(name, {Scope.SITES_READ}, life), NOON)
        add_webhook(session, Actor(kim.id), keyring, here, "https://kasse.example/hook", NOON)
    owner, path = signed_in(app, OWNER), f"/desk/people/{kim.public_id}"
    page = owner.get(path)
    assert "Kasse (spk_" in words_of(page)
    assert "kasse.example" in words_of(page)
    assert "Hotel" not in words_of(page)
    assert f"made by {kim.name}" in words_of(owner.get("/desk/systems"))

    assert owner.submit(page, path, step="retire", **withdraw).status_code == 303
    with database.read() as session:
        good = session.scalars(select(ApiKey.name).where(ApiKey.retired_at.is_(None)).order_by(ApiKey.id)).all()
        hooks = session.scalars(select(Webhook.id).where(Webhook.retired_at.is_(None))).all()
    assert (good, len(hooks)) == ((["Hotel"], 0) if withdraw else (["Kasse", "Hotel"], 1))
    assert f"made by {kim.name}, whose account is closed" in words_of(owner.get("/desk/systems"))


def test_nobody_closes_the_own_account_by_mistake(app: Flask, database: Database, customer: Customer) -> None:
    owner = signed_in(app, OWNER)
    path = f"/desk/people/{user_of(database, email=OWNER).public_id}"
    token = form_of(owner.get(path), "/logout")["csrf_token"]

    assert owner.post(path, csrf_token=token, step="retire").status_code == 404
    assert owner.get("/desk").status_code == 200


def test_an_operator_resets_an_owner_and_cannot_be_touched_by_one(
    app: Flask, database: Database, customer: Customer
) -> None:
    with database.write() as session:
        operator = a_user(session, Role.OPERATOR, email="operator@example.org")
    owner_path = f"/desk/people/{user_of(database, email=OWNER).public_id}"
    staff = signed_in(app, "operator@example.org")

    assert link_in(staff.submit(staff.get(owner_path), owner_path, step="reset").text)
    assert staff.get(f"/desk/people/{operator.public_id}").status_code == 404
    assert signed_in(app, OWNER).get(f"/desk/people/{operator.public_id}").status_code == 404


def test_a_new_password_signs_out_everywhere_else(app: Flask, database: Database, customer: Customer) -> None:
    here, there = signed_in(app, OWNER), signed_in(app, OWNER)
    page = here.get("/desk/account")
    wrong = here.submit(page, "/desk/account/password", old="not the password", new=GOOD)
    assert (wrong.status_code, there.get("/desk").status_code) == (400, 200)
    common = here.submit(page, "/desk/account/password", old=PASSWORD, new="passwortpasswort")
    assert "easy to guess" in words_of(common)

    assert here.submit(page, "/desk/account/password", old=PASSWORD, new=GOOD).status_code == 303
    assert (here.get("/desk").status_code, there.get("/desk").status_code) == (200, 303)
    assert check_password(user_of(database, email=OWNER), GOOD)


def test_a_borrowed_browser_is_not_good_for_trying_passwords(
    app: Flask, customer: Customer, clock: MovableClock
) -> None:
    here = signed_in(app, OWNER)
    page = here.get("/desk/account")
    for _ in range(5):
        here.submit(page, "/desk/account/password", old="not the password", new=GOOD)
    assert "Too many" in words_of(here.submit(page, "/desk/account/password", old=PASSWORD, new=GOOD))
    clock.pass_by(minutes=15)
    assert here.submit(page, "/desk/account/password", old=PASSWORD, new=GOOD).status_code == 303


def test_browsers_are_listed_and_signed_out_one_by_one_or_all(app: Flask, customer: Customer) -> None:
    here, there, elsewhere = (signed_in(app, OWNER) for _ in range(3))
    page = here.get("/desk/account")
    assert words_of(page).count("since today, 14:00") == 3
    one = form_of(page, "/desk/account/sign-ins")
    there_id = re.search(r'name="sign_in" value="(\w{16})"', page.text)
    assert there_id
    here.post("/desk/account/sign-ins", csrf_token=one["csrf_token"], sign_in=there_id[1])
    assert sorted(staff.get("/desk").status_code for staff in (here, there, elsewhere)) == [200, 200, 303]
    here.post("/desk/account/sign-ins", csrf_token=one["csrf_token"], sign_in="others")
    assert [staff.get("/desk").status_code for staff in (here, there, elsewhere)] == [200, 303, 303]


def test_nobody_signs_somebody_else_out(app: Flask, customer: Customer) -> None:
    owner, other = signed_in(app, OWNER), signed_in(app, "other@example.org")
    with owner.client.session_transaction() as session:
        sign_in_id = session["_user_id"]
    token = form_of(other.get("/desk"), "/logout")["csrf_token"]
    other.post("/desk/account/sign-ins", csrf_token=token, sign_in=sign_in_id)

    assert owner.get("/desk").status_code == 200


def test_a_cookie_copied_before_signing_out_is_worth_nothing(app: Flask, customer: Customer) -> None:
    owner = signed_in(app, OWNER)
    copied = owner.client.get_cookie("surfpass_session")
    owner.submit(owner.get("/desk"), "/logout")
    thief = app.test_client()
    assert copied
    thief.set_cookie("surfpass_session", copied.value)

    assert thief.get("/desk").status_code == 303


def test_a_sign_in_from_a_new_browser_is_told_until_it_is_confirmed(
    app: Flask, customer: Customer, clock: MovableClock
) -> None:
    here = signed_in(app, OWNER)
    clock.pass_by(minutes=3)
    stranger = app.test_client()
    page = stranger.get("/login", headers={"User-Agent": FIREFOX})
    filled = form_of(page, "/login") | {"email": OWNER, "password": PASSWORD}
    stranger.post("/login", data=filled, headers={"User-Agent": FIREFOX})

    assert "New sign-in" not in stranger.get("/desk").text
    for _ in range(2):
        shown = here.get("/desk")
        assert "Firefox, Windows, today, 14:03" in words_of(shown)
    assert here.submit(shown, "/desk/account/alerts").status_code == 303
    assert "New sign-in" not in here.get("/desk").text


def test_who_was_there_before_gets_no_alert_by_coming_again(
    app: Flask, customer: Customer, clock: MovableClock
) -> None:
    here = signed_in(app, OWNER)
    clock.pass_by(hours=13)
    assert here.sign_in(OWNER).status_code == 303

    assert "New sign-in" not in here.get("/desk").text


def test_what_others_try_does_not_lock_out_the_browser_that_is_known(
    app: Flask, customer: Customer, clock: MovableClock
) -> None:
    known, stranger = signed_in(app, OWNER), Staff(app.test_client())
    known.submit(known.get("/desk"), "/logout")
    for _ in range(60):
        stranger.sign_in(OWNER, "not the password")

    assert stranger.sign_in(OWNER).status_code == 429
    assert known.sign_in(OWNER).status_code == 303
    known.submit(known.get("/desk"), "/logout")
    for _ in range(12):
        assert known.sign_in(OWNER, "not the password").status_code == 403
    assert known.sign_in(OWNER).status_code == 429


def test_a_browser_known_to_one_account_is_none_for_another(app: Flask, customer: Customer) -> None:
    browser = signed_in(app, "other@example.org")
    browser.submit(browser.get("/desk"), "/logout")
    for _ in range(10):
        browser.sign_in(OWNER, "not the password")

    assert browser.sign_in(OWNER).status_code == 429


def test_who_was_invited_and_has_no_password_cannot_sign_in(
    app: Flask, database: Database, keyring: Keyring, customer: Customer, clock: MovableClock
) -> None:
    with database.write() as session:
        invite(
            session, COMMAND_LINE, keyring, name="Kim", role=Role.FRONT_DESK, customer=session.merge(customer),
            email="kim@example.org", now=clock(),
        )  # fmt: skip
    kim = Staff(app.test_client())

    for password in ("", "nobody has this password"):
        assert kim.sign_in("kim@example.org", password).status_code == 403
    assert kim.sign_in("", "").status_code == 403


def test_when_somebody_was_last_seen_is_kept_to_five_minutes(
    app: Flask, customer: Customer, clock: MovableClock
) -> None:
    here = signed_in(app, OWNER)
    for minutes, seen in ((4, "14:00"), (2, "14:06"), (4, "14:06")):
        clock.pass_by(minutes=minutes)
        here.get("/desk")
        assert f"last seen today, {seen}" in words_of(here.get("/desk/account"))


@pytest.mark.parametrize(
    ("user_agent", "words"),
    [
        (FIREFOX, "Firefox, Windows"),
        (
            "Mozilla/5.0 (iPhone; CPU iPhone OS 19_0 like Mac OS X) Version/19.0 Mobile/15E148 Safari/604.1",
            "Safari, iPhone",
        ),
        ("Mozilla/5.0 (Linux; Android 15) AppleWebKit/537.36 Chrome/150.0 Mobile Safari/537.36", "Chrome, Android"),
        ("Mozilla/5.0 (Windows NT 10.0) Chrome/150.0 Safari/537.36 Edg/150.0", "Edge, Windows"),
        ("", ""),
        ("<script>" * 5000, ""),
    ],
)
def test_a_browser_is_named_as_people_call_it(user_agent: str, words: str) -> None:
    assert describe(user_agent) == words


def test_somebody_who_is_away_for_twelve_hours_is_no_longer_listed(
    app: Flask, customer: Customer, clock: MovableClock
) -> None:
    here = signed_in(app, OWNER)
    clock.now += timedelta(hours=12)
    here.sign_in(OWNER)

    assert words_of(here.get("/desk/account")).count("last seen") == 1
