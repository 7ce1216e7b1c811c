"""The second factor: an app's codes, each of them once, and recovery codes."""

from datetime import timedelta

import pytest
from sqlalchemy import select, text

from hotspot.audit import COMMAND_LINE, AuditEntry
from hotspot.database import Database
from hotspot.errors import Refusal
from hotspot.keys import Keyring
from hotspot.people import User
from hotspot.people.factors import (
    code_at,
    codes_left,
    has_factor,
    new_secret,
    remove_factors,
    set_up_totp,
    step_at,
    take_code,
)
from hotspot.people.passkeys import RelyingParty, take_passkey
from tests.conftest import NOON
from tests.factories import a_user

STEP = step_at(NOON)


def set_up(database: Database, keyring: Keyring) -> tuple[User, str, list[str]]:
    """Somebody with an app, its secret, and the recovery codes."""
    secret = new_secret()
    with database.write() as session:
        user = a_user(session)
        codes = set_up_totp(session, COMMAND_LINE, keyring, user, secret, code_at(secret, STEP - 1), NOON)
    return user, secret, codes


def is_taken(database: Database, keyring: Keyring, user: User, code: str, seconds: int = 0) -> bool:
    with database.write() as session:
        own = session.get_one(User, user.id)
        return take_code(session, keyring, own, code, NOON + timedelta(seconds=seconds))


def test_the_codes_are_those_of_the_standard() -> None:
    """RFC 6238 appendix B, the last six digits of its SHA-1 column."""
    secret = "GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ"
    assert [code_at(secret, seconds // 30) for seconds in (59, 1111111109, 2000000000)] == [
        "287082",
        "081804",
        "279037",
    ]


def test_a_code_works_once_and_never_one_of_before(database: Database, keyring: Keyring) -> None:
    user, secret, _codes = set_up(database, keyring)
    assert not is_taken(database, keyring, user, code_at(secret, STEP - 1))  # with it the app was set up
    assert is_taken(database, keyring, user, code_at(secret, STEP + 1))
    for step in (STEP + 1, STEP):
        assert not is_taken(database, keyring, user, code_at(secret, step))
    assert is_taken(database, keyring, user, code_at(secret, STEP + 2), seconds=60)


@pytest.mark.parametrize(("step", "right"), [(-2, False), (0, True), (1, True), (2, False)])
def test_clocks_may_differ_by_half_a_minute(database: Database, keyring: Keyring, step: int, right: bool) -> None:
    user, secret, _codes = set_up(database, keyring)
    assert is_taken(database, keyring, user, code_at(secret, STEP + step)) is right


@pytest.mark.parametrize(
    "code", ["", "000000", "12345", "x" * 40, "１２３４５６", "\u0661\u0662\u0663\u0664\u0665\u0666"]
)
def test_what_is_no_code_is_not_taken(database: Database, keyring: Keyring, code: str) -> None:
    user, _secret, _codes = set_up(database, keyring)
    assert not is_taken(database, keyring, user, code)


def test_a_code_may_be_typed_with_spaces(database: Database, keyring: Keyring) -> None:
    user, secret, codes = set_up(database, keyring)
    code = code_at(secret, STEP)
    assert is_taken(database, keyring, user, f" {code[:3]} {code[3:]} ")
    assert is_taken(database, keyring, user, codes[0].upper().replace("-", " "))


def test_ten_recovery_codes_work_once_each(database: Database, keyring: Keyring) -> None:
    user, _secret, codes = set_up(database, keyring)
    assert len(set(codes)) == 10
    for code in codes:
        assert is_taken(database, keyring, user, code)
        assert not is_taken(database, keyring, user, code)
    with database.read() as session:
        assert codes_left(session, user.id) == 0
        used = select(AuditEntry).where(AuditEntry.action == "recovery code used", AuditEntry.user_id == user.id)
        assert len(session.scalars(used).all()) == 10


def test_nobody_elses_recovery_code_is_good(database: Database, keyring: Keyring) -> None:
    _user, _secret, codes = set_up(database, keyring)
    other, _secret, _codes = set_up(database, keyring)
    assert not is_taken(database, keyring, other, codes[0])


def test_neither_secret_nor_codes_can_be_read_in_the_database(database: Database, keyring: Keyring) -> None:
    _user, secret, codes = set_up(database, keyring)
    with database.read() as session:
        tables = ("SELECT * FROM user_account", "SELECT * FROM recovery_code")
        stored = repr([session.execute(text(table)).all() for table in tables])
    assert not any(hidden in stored for hidden in (secret, *codes, *(code.replace("-", "") for code in codes)))


def test_an_app_that_shows_another_code_is_not_set_up(database: Database, keyring: Keyring) -> None:
    with database.write() as session:
        user = a_user(session)
        with pytest.raises(Refusal):
            set_up_totp(session, COMMAND_LINE, keyring, user, new_secret(), "000000", NOON)
        assert not has_factor(session, user)


def test_a_factor_that_is_removed_leaves_nothing(database: Database, keyring: Keyring) -> None:
    user, secret, codes = set_up(database, keyring)
    with database.write() as session:
        remove_factors(session, COMMAND_LINE, session.get_one(User, user.id), NOON)
    for code in (code_at(secret, STEP), codes[0]):
        assert not is_taken(database, keyring, user, code)


@pytest.mark.parametrize(
    ("url", "party"),
    [
        ("https://portal.example", ("portal.example", "https://portal.example")),
        ("https://portal.example:8443", ("portal.example", "https://portal.example:8443")),
        ("http://localhost:8080", ("localhost", "http://localhost:8080")),
        ("http://portal.example", None),
        ("https://192.0.2.1", None),
        ("https://[2001:db8::1]:443", None),
        ("http://127.0.0.1:8080", None),
    ],
)
def test_passkeys_need_https_and_a_name(url: str, party: tuple[str, str] | None) -> None:
    found = RelyingParty.of(url, "Stadtnetz")
    assert (found and (found.id, found.origin)) == party


@pytest.mark.parametrize(
    "answer",
    [
        "",
        "null",
        "[]",
        "{}",
        '{"rawId": 1}',
        '{"rawId": "####"}',
        '{"rawId": "AAAA", "id": "AAAA"}',
        "[" * 10_000,
        "x" * 10**6,
    ],
)
def test_an_answer_that_makes_no_sense_is_nobodys_passkey(database: Database, answer: str) -> None:
    party = RelyingParty("portal.example", "https://portal.example", "Stadtnetz")
    with database.write() as session, pytest.raises(Refusal):
        take_passkey(session, party, answer, b"c" * 32, NOON)
