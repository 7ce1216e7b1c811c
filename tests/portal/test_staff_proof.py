"""What lets others in asks for a proof when the last one is not fresh, and then goes on with what was filled in."""

import pytest
from flask import Flask
from sqlalchemy import select

from hotspot.audit import COMMAND_LINE
from hotspot.database import Database
from hotspot.keys import Keyring
from hotspot.people import Role, User
from hotspot.people.accounts import reset
from hotspot.people.passkeys import Passkey
from portal.staff import challenge, proof
from tests.factories import PASSWORD, Place, a_place, a_user
from tests.portal.conftest import MovableClock
from tests.portal.desk import Staff, form_of, signed_in, words_of
from tests.portal.test_staff_people import link_in

OWNER = "owner@example.org"
ASKED = "Is it still you?"


@pytest.fixture
def place(database: Database, keyring: Keyring) -> Place:
    with database.write() as session:
        place = a_place(session, keyring)
        a_user(session, customer=place.customer, email=OWNER)
        a_user(session, Role.READ_ONLY, customer=place.customer, email="kim@example.org")
    return place


@pytest.fixture
def owner(app: Flask, place: Place, clock: MovableClock) -> Staff:
    """The owner, who signed in a while ago."""
    staff = signed_in(app, OWNER)
    clock.pass_by(minutes=11)
    return staff


def user_of(database: Database, email: str) -> User | None:
    with database.read() as session:
        return session.scalar(select(User).where(User.email == email))


def test_an_invitation_is_kept_while_the_password_is_typed(
    owner: Staff, database: Database, clock: MovableClock
) -> None:
    filled = {"name": "Ali <b>", "role": "owner", "email": "ali@example.org"}
    asked = owner.submit(owner.get("/desk/people"), "/desk/people", **filled)
    assert (asked.status_code, ASKED in words_of(asked)) == (403, True)
    assert form_of(asked, "/desk/people").items() >= filled.items()
    wrong = owner.submit(asked, "/desk/people", proof="not the password")
    assert (wrong.status_code, "not your password" in words_of(wrong)) == (403, True)
    assert user_of(database, "ali@example.org") is None

    assert link_in(owner.submit(wrong, "/desk/people", proof=PASSWORD).text)
    found = user_of(database, "ali@example.org")
    assert found
    assert (found.name, found.role) == ("Ali <b>", Role.OWNER)
    clock.pass_by(minutes=9)
    page = owner.get("/desk/people")
    assert owner.submit(page, "/desk/people", name="Eve", role="front-desk").status_code == 200
    clock.pass_by(minutes=1)
    assert owner.submit(page, "/desk/people", name="Eve", role="front-desk").status_code == 403


def test_what_lets_others_in_asks_and_the_work_of_the_desk_does_not(
    owner: Staff, database: Database, place: Place
) -> None:
    kim = user_of(database, "kim@example.org")
    assert kim
    person, site = f"/desk/people/{kim.public_id}", f"/desk/sites/{place.site.public_id}"
    systems = "/desk/systems"
    for page, action, filled in (
        (person, person, {"step": "role", "role": "owner"}),
        (person, person, {"step": "reset"}),
        ("/desk/people", "/desk/tablets", {"name": "bar"}),
        (systems, f"{systems}/keys", {"name": "Till", "scope": "vouchers:issue"}),
        (f"{site}/printers", f"{site}/printers", {"name": "Bar"}),
        (systems, f"{systems}/webhooks", {"url": "https://till.example/"}),
    ):
        asked = owner.submit(owner.get(page), action, **filled)
        assert (asked.status_code, ASKED in words_of(asked)) == (403, True), action
    assert owner.submit(owner.get(site), site, article=place.article.public_id, count="1").status_code == 303
    kim = user_of(database, "kim@example.org")
    assert kim
    assert kim.role is Role.READ_ONLY


def test_an_open_browser_is_not_good_for_trying_passwords(owner: Staff) -> None:
    page = owner.get("/desk/people")
    for _ in range(5):
        assert owner.submit(page, "/desk/people", name="Eve", proof="not the password").status_code == 403
    assert owner.submit(page, "/desk/people", name="Eve", proof=PASSWORD).status_code == 429


def test_another_persons_passkey_is_no_proof(owner: Staff, database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(challenge, "take_challenge", lambda: b"")
    monkeypatch.setattr(proof, "take_passkey", lambda *_: user_of(database, "kim@example.org"))
    page = owner.get("/desk/people")
    assert owner.submit(page, "/desk/people", name="Eve", answer="{}").status_code == 403
    monkeypatch.setattr(proof, "take_passkey", lambda *_: user_of(database, OWNER))
    assert owner.submit(page, "/desk/people", name="Eve", role="owner", answer="{}").status_code == 200


def test_who_takes_a_link_is_shown_the_passkeys_that_sign_in_without_the_new_password(
    app: Flask, database: Database, keyring: Keyring, clock: MovableClock
) -> None:
    with database.write() as session:
        kim = a_user(session, Role.OPERATOR, email="operator@example.org")
        key = {"name": "a thief's", "credential": b"c", "public_key": b"k", "uses": 0}
        session.add(Passkey(user_id=kim.id, created_at=clock(), **key))
        link = f"/login/invitation/{reset(session, COMMAND_LINE, keyring, kim, clock())}"
    newcomer = Staff(app.test_client())
    assert newcomer.submit(newcomer.get(link), link, password="seven geese on a wet roof").status_code == 303
    words = words_of(newcomer.get(newcomer.type_code().location))
    assert "Your password is new" in words
    assert "a thief's made today" in words
