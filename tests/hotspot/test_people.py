"""Accounts of operator staff and owners."""

import pytest
from sqlalchemy import insert
from sqlalchemy.exc import IntegrityError

from hotspot.audit import COMMAND_LINE
from hotspot.database import Database
from hotspot.errors import Refusal
from hotspot.people import LONGEST_PASSWORD, Role, User, add_user, check_password
from tests import factories
from tests.conftest import NOON


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
    with database.write() as session:
        user = factories.a_user(session, password="x" * LONGEST_PASSWORD)
    assert check_password(user, "x" * LONGEST_PASSWORD)
    assert not check_password(user, "x" * 10_000_000)


def test_passwords_are_stored_with_argon2id(database: Database) -> None:
    with database.write() as session:
        user = factories.a_user(session, password="a long password")
    assert user.password_hash.startswith("$argon2id$")


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
def test_the_database_itself_ties_owners_to_customers(database: Database, role: Role) -> None:
    with database.write() as session:
        customer_id = factories.a_customer(session).id
    wrong = None if role is Role.OWNER else customer_id
    statement = insert(User).values(
        public_id="raw", email="raw@example.org", role=role, customer_id=wrong, password_hash="x", created_at=NOON
    )
    with database.read() as session, pytest.raises(IntegrityError):
        session.execute(statement)
