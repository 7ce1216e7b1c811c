"""Accounts of operator staff and owners."""

from datetime import timedelta

import pytest
from sqlalchemy import func, insert, select, text
from sqlalchemy.exc import IntegrityError

from hotspot.audit import COMMAND_LINE, AuditEntry
from hotspot.database import Database
from hotspot.errors import NotFound, Refusal
from hotspot.keys import Keyring
from hotspot.people import Role, User, accounts, sign_ins
from hotspot.people.accounts import (
    INVITATION_LIFE,
    accept,
    add_user,
    find_invited,
    invite,
    reset,
    retire,
    usable_name,
)
from hotspot.people.passwords import LONGEST_PASSWORD, check_password, hash_new_password
from tests import factories
from tests.conftest import NOON

GOOD = "seven geese on a wet roof"


def test_a_password_is_known_by_its_account_only(database: Database) -> None:
    with database.write() as session:
        user = factories.a_user(session, password="a long password")
    assert check_password(user, "a long password")
    assert not check_password(user, "a long passworD")
    assert not check_password(None, "a long password")
    assert not check_password(None, "nobody has this password")


def test_a_retired_account_has_no_password(database: Database) -> None:
    with database.write() as session:
        user = factories.a_user(session, password="a long password")
        user.retired_at = NOON
    assert not check_password(user, "a long password")


def test_an_oversized_password_is_not_even_hashed(database: Database) -> None:
    longest = "seven geese on a wet roof " + "x" * (LONGEST_PASSWORD - 26)
    with database.write() as session:
        user = factories.a_user(session, password=longest)
    assert check_password(user, longest)
    assert not check_password(user, "x" * 10_000_000)


def test_passwords_are_stored_with_argon2id(database: Database) -> None:
    with database.write() as session:
        user = factories.a_user(session, password="a long password")
    assert str(user.password_hash).startswith("$argon2id$")


def test_an_address_is_stored_in_one_spelling(database: Database) -> None:
    with database.write() as session:
        assert factories.a_user(session, email=" Wirt@Example.ORG ").email == "wirt@example.org"
        with pytest.raises(Refusal) as caught:
            factories.a_user(session, email="WIRT@example.org")
    assert caught.value.code == "email-taken"


@pytest.mark.parametrize(
    ("role", "has_customer", "email", "password", "code"),
    [
        (Role.OWNER, False, "a@example.org", "a long password", "bad-role"),
        (Role.OPERATOR, True, "a@example.org", "a long password", "bad-role"),
        (Role.OPERATOR, False, "a", "a long password", "bad-email"),
        (Role.OPERATOR, False, "a b@example.org", "a long password", "bad-email"),
        (Role.OPERATOR, False, "a@example.org", "short", "bad-password"),
        (Role.OPERATOR, False, "a@example.org", "x" * 201, "bad-password"),
        (Role.OPERATOR, False, "a@example.org", "x" * 200, "common-password"),
        (Role.OPERATOR, False, "a@example.org", "passwortpasswort", "common-password"),
        (Role.OPERATOR, False, "a@example.org", "123456789012", "common-password"),
        (Role.OPERATOR, False, "geranium.office@example.org", "geranium.office", "common-password"),
        (Role.OPERATOR, False, "geranium.office@example.org", "Geranium-Office1", "common-password"),
    ],
)
def test_an_account_that_cannot_be_is_refused(
    database: Database, role: Role, has_customer: bool, email: str, password: str, code: str
) -> None:
    with database.write() as session:
        customer = factories.a_customer(session) if has_customer else None
        with pytest.raises(Refusal) as caught:
            add_user(session, COMMAND_LINE, email=email, role=role, customer=customer, password=password, now=NOON)
    assert caught.value.code == code


@pytest.mark.parametrize("role", list(Role))
def test_the_database_itself_ties_all_but_operators_to_customers(database: Database, role: Role) -> None:
    with database.write() as session:
        customer_id = factories.a_customer(session).id
    wrong = customer_id if role is Role.OPERATOR else None
    statement = insert(User).values(public_id="raw", name="raw", role=role, customer_id=wrong, created_at=NOON)
    with database.read() as session, pytest.raises(IntegrityError):
        session.execute(statement)


def test_an_invitation_makes_an_account_once(database: Database, keyring: Keyring) -> None:
    with database.write() as session:
        customer = factories.a_customer(session)
        invited, token = invite(
            session,
            COMMAND_LINE,
            keyring,
            name=" Anna  Wirt ",
            role=Role.FRONT_DESK,
            customer=customer,
            email="",
            now=NOON,
        )
    assert (invited.name, invited.email, check_password(invited, "")) == ("Anna Wirt", None, False)
    with database.write() as session:
        user = accept(
            session, keyring, token, name="Anna W.", email="Anna@example.org", password_hash=hash_new_password(GOOD, ()),
            now=NOON + INVITATION_LIFE - timedelta(seconds=1),
        )  # fmt: skip
    assert (user.id, user.name, user.email) == (invited.id, "Anna W.", "anna@example.org")
    assert check_password(user, GOOD)
    with database.write() as session, pytest.raises(NotFound):
        accept(session, keyring, token, name="B", email="b@example.org", password_hash="x", now=NOON)


def test_a_link_is_over_after_three_days_and_when_there_is_a_newer_one(database: Database, keyring: Keyring) -> None:
    with database.write() as session:
        user = factories.a_user(session)
        older = reset(session, COMMAND_LINE, keyring, user, NOON)
        newer = reset(session, COMMAND_LINE, keyring, user, NOON)
    with database.read() as session:
        assert find_invited(session, keyring, newer, NOON).id == user.id
        for token, moment in ((older, NOON), (newer, NOON + INVITATION_LIFE), ("", NOON), ("x" * 5000, NOON)):
            with pytest.raises(NotFound):
                find_invited(session, keyring, token, moment)


def test_no_link_is_stored_as_it_is(database: Database, keyring: Keyring) -> None:
    with database.write() as session:
        token = reset(session, COMMAND_LINE, keyring, factories.a_user(session), NOON)
    with database.read() as session:
        stored = session.execute(text("SELECT * FROM user_account")).all()
    assert token not in repr(stored)


def test_who_takes_a_link_keeps_no_address_of_somebody_else(database: Database, keyring: Keyring) -> None:
    with database.write() as session:
        factories.a_user(session, email="taken@example.org")
        token = reset(session, COMMAND_LINE, keyring, factories.a_user(session), NOON)
    with database.write() as session, pytest.raises(Refusal) as caught:
        accept(session, keyring, token, name="B", email="TAKEN@example.org", password_hash="x", now=NOON)
    assert caught.value.code == "email-taken"
    with database.read() as session:  # and the link is still good
        find_invited(session, keyring, token, NOON)


def test_an_invitation_that_nobody_has_taken_keeps_no_address_from_its_owner(
    database: Database, keyring: Keyring
) -> None:
    with database.write() as session:
        customer = factories.a_customer(session)

        def invite_anna() -> tuple[User, str]:
            return invite(
                session, COMMAND_LINE, keyring, name="Anna", role=Role.OWNER, customer=customer, email="Anna@example.org",
                now=NOON,
            )  # fmt: skip

        def take(token: str) -> User:
            return accept(session, keyring, token, name="Anna", email="anna@example.org", password_hash="x", now=NOON)

        (squatter, link), (anna, own_link) = invite_anna(), invite_anna()
        assert (squatter.email, anna.email) == (None, "anna@example.org")
        assert take(own_link).id == anna.id
        for again in (lambda: take(link), invite_anna):
            with pytest.raises(Refusal) as caught:
                again()
            assert caught.value.code == "email-taken"


def test_a_closed_account_frees_its_address_and_stays_in_the_record(database: Database, keyring: Keyring) -> None:
    with database.write() as session:
        user = factories.a_user(session, email="anna@example.org")
        sign_ins.start(session, keyring, user, sign_ins.Browser("Firefox", "token"), NOON)
        retire(session, COMMAND_LINE, user, NOON)
        again = factories.a_user(session, email="anna@example.org")
    assert again.id != user.id
    assert not check_password(user, factories.PASSWORD)
    with database.read() as session:
        assert sign_ins.running(session, user.id, NOON) == []
        actions = session.scalars(select(AuditEntry.action).where(AuditEntry.subject == f"user {user.public_id}"))
        assert list(actions) == ["user added", "user retired"]


@pytest.mark.parametrize("name", ["", "   ", "x" * 81, "a\x00b", "a\u202eb"])
def test_a_name_has_to_be_one(name: str) -> None:
    with pytest.raises(Refusal):
        usable_name(name)


def test_only_browsers_known_before_are_told_of_a_new_one_and_may_confirm_it(
    database: Database, keyring: Keyring
) -> None:
    with database.write() as session:
        user = factories.a_user(session)

        def come(token: str, minute: int) -> sign_ins.SignIn:
            when = NOON + timedelta(minutes=minute)
            return sign_ins.start(session, keyring, user, sign_ins.Browser("Firefox", token), when)

        mine, thief, second = come("mine", 0), come("thief", 1), come("thief too", 2)
        again = come("thief", 3)
        assert (mine.alert, thief.alert, second.alert, again.alert) == (False, True, True, False)
        assert [one.id for one in sign_ins.alerts(session, mine)] == [second.id, thief.id]
        for one in (thief, second, again):
            sign_ins.confirm_alerts(session, one)
        assert [one.id for one in sign_ins.alerts(session, mine)] == [thief.id]
        sign_ins.confirm_alerts(session, mine)
        assert sign_ins.alerts(session, mine) == []


def test_after_signing_out_everywhere_no_browser_is_known_and_the_next_one_is_news(
    database: Database, keyring: Keyring
) -> None:
    with database.write() as session:
        user = factories.a_user(session)

        def come(token: str, minute: int) -> sign_ins.SignIn:
            when = NOON + timedelta(minutes=minute)
            return sign_ins.start(session, keyring, user, sign_ins.Browser("Firefox", token), when)

        def known() -> list[str]:
            return [one for one in ("mine", "stolen") if sign_ins.is_known(session, keyring, user.id, one)]

        come("stolen", 0)
        mine = come("mine", 1)
        sign_ins.end_all(session, user.id, NOON, but=mine.id)
        assert known() == ["mine"]
        assert come("stolen", 2).alert
        assert [one.started_at for one in sign_ins.alerts(session, mine)] == [NOON + timedelta(minutes=2)]
        accounts.sign_out(session, COMMAND_LINE, user, NOON + timedelta(minutes=3))
        assert known() == []
        assert come("stolen", 4).alert


def test_old_sign_ins_and_browsers_are_forgotten(database: Database, keyring: Keyring) -> None:
    with database.write() as session:
        user = factories.a_user(session)
        sign_ins.start(session, keyring, user, sign_ins.Browser("Firefox", "token"), NOON)
        for days, left in ((29, (1, 1)), (31, (0, 1)), (366, (0, 0))):
            sign_ins.forget_old(session, NOON + timedelta(days=days))
            counts = (select(func.count()).select_from(table) for table in (sign_ins.SignIn, sign_ins.KnownDevice))
            assert tuple(session.scalar(count) for count in counts) == left


def test_one_customer_cannot_fill_the_table(
    database: Database, keyring: Keyring, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(accounts, "MOST_PEOPLE", 2)
    with database.write() as session:
        customer = factories.a_customer(session)

        def invite_one() -> None:
            invite(session, COMMAND_LINE, keyring, name="A", role=Role.OWNER, customer=customer, email="", now=NOON)

        invite_one()
        invite_one()
        with pytest.raises(Refusal) as caught:
            invite_one()
    assert caught.value.code == "too-many-people"
