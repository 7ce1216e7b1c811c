"""The shared tablet: a tile for each person, a PIN, and front-desk work alone."""

import re

import pytest
from flask import Flask
from sqlalchemy import select

from hotspot import limits
from hotspot.audit import COMMAND_LINE, AuditEntry
from hotspot.database import Database
from hotspot.keys import Keyring
from hotspot.people import Role, User
from hotspot.people.accounts import change_pin
from hotspot.people.passwords import hash_new_pin
from hotspot.rights import AT_TABLET, Right
from tests.conftest import NOON
from tests.factories import PASSWORD, Place, a_place, a_site, a_user
from tests.portal.conftest import MovableClock
from tests.portal.desk import Staff, form_of, signed_in, words_of

OWNER, PIN = "owner@example.org", "2580"


@pytest.fixture
def place(database: Database, keyring: Keyring) -> Place:
    """A place whose owner is OWNER; Kim and Ali work at its desk, Rita only looks; other@ owns another place."""
    with database.write() as session:
        place = a_place(session, keyring)
        a_user(session, customer=place.customer, email=OWNER)
        for name, role in (("Kim", Role.FRONT_DESK), ("Ali", Role.FRONT_DESK), ("Rita", Role.READ_ONLY)):
            person = a_user(session, role, customer=place.customer, email=f"{name.lower()}@example.org")
            person.name = name
            change_pin(session, COMMAND_LINE, person, hash_new_pin(PIN), NOON)
        other = a_user(session, customer=a_site(session).customer, email="other@example.org")
        change_pin(session, COMMAND_LINE, other, hash_new_pin(PIN), NOON)
    return place


def enrolled(app: Flask, site: str = "") -> Staff:
    """A tablet, enrolled by the owner on the very device."""
    tablet = signed_in(app, OWNER)
    answer = tablet.submit(tablet.get("/desk/people"), "/desk/tablets", name="bar", site=site)
    assert (answer.status_code, answer.location) == (303, "/login/tablet")
    return tablet


def tile(tablet: Staff, name: str) -> str:
    """Where somebody's tile leads."""
    found = re.search(rf'href="(/login/tablet/\w+)">{name}<', tablet.get("/login/tablet").text)
    assert found, name
    return found[1]


def come(tablet: Staff, name: str, pin: str = PIN) -> int:
    path = tile(tablet, name)
    return tablet.submit(tablet.get(path), path, pin=pin).status_code


def test_a_slip_has_the_name_of_whoever_typed_the_pin_behind_it(app: Flask, database: Database, place: Place) -> None:
    tablet = enrolled(app)
    assert tablet.get("/desk").location == "/login/tablet"  # the owner is signed out of it
    assert come(tablet, "Kim") == 303
    assert "Kim: switch person" in words_of(tablet.get("/desk"))
    answer = tablet.submit(tablet.get("/desk"), "/logout")
    assert answer.location == "/login/tablet"
    assert come(tablet, "Ali") == 303
    site = f"/desk/sites/{place.site.public_id}"
    assert tablet.submit(tablet.get(site), site, article=place.article.public_id, count="1").status_code == 303

    with database.read() as session:
        query = select(User.name).join(AuditEntry, AuditEntry.user_id == User.id)
        assert session.scalars(query.where(AuditEntry.action == "vouchers issued")).all() == ["Ali"]


def test_only_those_of_the_desk_with_a_pin_have_tiles(app: Flask, place: Place) -> None:
    words = words_of(enrolled(app).get("/login/tablet"))
    assert all(name in words for name in ("bar", "Kim", "Ali"))
    assert "Rita" not in words
    assert "example.org" not in words


def test_a_tablet_does_front_desk_work_and_nothing_else_whoever_it_is(app: Flask, place: Place) -> None:
    owner = signed_in(app, OWNER)
    page = owner.get("/desk/account")
    assert owner.submit(page, "/desk/account/pin", pin="7410", password=PASSWORD).status_code == 303
    tablet = enrolled(app)
    assert come(tablet, OWNER, "7410") == 303
    token = form_of(tablet.get("/desk"), "/logout")["csrf_token"]
    for path in ("/desk/people", "/desk/account", "/desk/record", f"/desk/sites/{place.site.public_id}/page"):
        assert tablet.get(path).status_code == 404, path
    for path in ("/desk/tablets", "/desk/account/pin", "/desk/account/password", "/desk/account/sign-ins"):
        assert tablet.post(path, csrf_token=token).status_code == 404, path
    assert tablet.get("/desk").status_code == 200


def test_a_tablet_of_one_site_knows_no_other(app: Flask, database: Database, place: Place) -> None:
    with database.write() as session:
        second = a_site(session, customer=session.merge(place.customer))
    tablet = enrolled(app, site=place.site.public_id)
    come(tablet, "Kim")
    assert tablet.get(f"/desk/sites/{place.site.public_id}").status_code == 200
    assert tablet.get(f"/desk/sites/{second.public_id}").status_code == 404
    assert second.public_id not in tablet.get("/desk").text


def test_a_tablet_locks_after_five_minutes_and_not_while_somebody_works(
    app: Flask, place: Place, clock: MovableClock
) -> None:
    tablet = enrolled(app)
    come(tablet, "Kim")
    for _ in range(3):
        clock.pass_by(minutes=4)
        page = tablet.get("/desk")
        assert page.status_code == 200
        assert page.headers["Refresh"] == "300; url=/login/tablet"
    clock.pass_by(minutes=5)
    assert tablet.get("/desk").location == "/login/tablet"


def test_pins_cannot_be_tried_out_and_nobody_is_locked_out_elsewhere(
    app: Flask, place: Place, clock: MovableClock
) -> None:
    tablet, second = enrolled(app), enrolled(app)
    for _ in range(5):
        assert come(tablet, "Kim", "0000") == 403
    assert come(tablet, "Kim") == 429
    assert come(tablet, "Ali") == 303
    assert come(second, "Kim") == 303
    assert Staff(app.test_client()).sign_in("kim@example.org").status_code == 303
    clock.pass_by(minutes=15)
    assert come(tablet, "Kim", "0000") == 403
    assert [come(tablet, "Kim", "0000") for _ in range(5)][-1] == 429
    clock.pass_by(minutes=15)
    assert come(tablet, "Kim") == 429  # the second wait is twice as long
    clock.pass_by(minutes=15)
    assert come(tablet, "Kim") == 303


def test_pins_tried_at_once_are_no_more_than_one_after_the_other(
    app: Flask, place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    tablet = enrolled(app)
    monkeypatch.setattr(limits, "reached", lambda *_: {})  # as each of those who come at once sees it
    assert [come(tablet, "Kim", "0000") for _ in range(5)] == [403] * 5
    assert come(tablet, "Kim") == 429


def test_a_right_pin_gives_a_guesser_no_further_tries(app: Flask, place: Place) -> None:
    tablet = enrolled(app)
    assert [come(tablet, "Kim", pin) for pin in ("0000", "0001", "0002", "0003", PIN, "0004", PIN)] == [
        *(403, 403, 403, 403, 303, 403, 429),
    ]


def test_right_pins_are_not_counted(app: Flask, place: Place) -> None:
    tablet = enrolled(app)
    assert [come(tablet, name) for name in ("Kim", "Ali") * 6] == [303] * 12


def test_a_tablet_that_is_removed_is_good_for_nothing(app: Flask, place: Place) -> None:
    tablet, owner = enrolled(app), signed_in(app, OWNER)
    come(tablet, "Kim")
    path = tile(tablet, "Kim")
    page = owner.get("/desk/people")
    drop = re.findall(r'action="(/desk/tablets/\w+)"', page.text)[0]
    assert signed_in(app, "other@example.org").post(drop).status_code in (400, 404)
    assert owner.submit(page, drop).status_code == 303

    assert tablet.get("/desk").location == "/login/tablet"
    assert tablet.get("/login/tablet").location == "/login"
    assert tablet.get(path).location == "/login"
    assert tablet.get("/desk").location.startswith("/login")


def test_a_link_to_the_tiles_signs_nobody_out(app: Flask, place: Place) -> None:
    owner = signed_in(app, OWNER)
    owner.client.set_cookie("surfpass_tablet", "invented")
    assert owner.get("/login/tablet").location == "/login"
    assert owner.get("/desk").status_code == 200


def test_a_tablet_takes_nobody_of_another_customer(app: Flask, database: Database, place: Place) -> None:
    tablet = enrolled(app)
    with database.read() as session:
        strangers = session.scalars(select(User).where(User.email.in_(["other@example.org", "rita@example.org"]))).all()
    token = form_of(tablet.get(tile(tablet, "Kim")), tile(tablet, "Kim"))["csrf_token"]
    for one in strangers:
        assert tablet.get(f"/login/tablet/{one.public_id}").status_code == 404
        assert tablet.post(f"/login/tablet/{one.public_id}", csrf_token=token, pin=PIN).status_code == 404


def test_without_its_cookie_nobody_sees_names_or_types_pins(app: Flask, place: Place) -> None:
    tablet = enrolled(app)
    path, stranger = tile(tablet, "Kim"), Staff(app.test_client())
    token = form_of(stranger.get("/login"), "/login")["csrf_token"]
    for cookie in ("", "invented", "x" * 500):
        stranger.client.set_cookie("surfpass_tablet", cookie)
        assert stranger.get("/login/tablet").location == "/login"
        assert stranger.get(path).location == "/login"
        assert stranger.post(path, csrf_token=token, pin=PIN).status_code in (303, 400)
        assert stranger.get("/desk").status_code == 303


@pytest.mark.parametrize("pin", ["123", "1111", "1234", "9876", "12a4", "1" * 13, "１２５８"])
def test_a_pin_that_everybody_tries_first_is_refused(app: Flask, place: Place, pin: str) -> None:
    kim = signed_in(app, "kim@example.org")
    page = kim.get("/desk/account")
    kim.submit(page, "/desk/account/pin", pin=pin, password=PASSWORD)
    assert "PIN" in words_of(kim.get("/desk/account"))
    assert "Your PIN is set" not in kim.get("/desk/account").text
    assert come(enrolled(app), "Kim") == 303  # the one of before


def test_a_pin_is_changed_with_the_password_alone(app: Flask, place: Place) -> None:
    kim, tablet = signed_in(app, "kim@example.org"), enrolled(app)
    page = kim.get("/desk/account")
    kim.submit(page, "/desk/account/pin", pin="7410", password="not the password")
    assert come(tablet, "Kim", "7410") == 403
    kim.submit(page, "/desk/account/pin", pin="7410", password=PASSWORD)
    assert come(tablet, "Kim", "7410") == 303


def test_no_token_of_a_tablet_and_no_pin_is_stored_as_it_is(app: Flask, database: Database, place: Place) -> None:
    tablet = enrolled(app)
    cookie = tablet.client.get_cookie("surfpass_tablet")
    assert cookie
    assert cookie.http_only
    with database.read() as session:
        for table in ("tablet", "user_account"):
            rows = repr(session.connection().exec_driver_sql(f"SELECT * FROM {table}").all())  # noqa: S608
            assert cookie.value not in rows
            assert PIN not in rows


def test_everything_that_a_tablet_may_do_is_named_here() -> None:
    """What a new address lets people do at a tablet, where everybody comes by, somebody should have thought about."""
    assert {Right.LOOK_UP, Right.ISSUE, Right.PRINT} == AT_TABLET
