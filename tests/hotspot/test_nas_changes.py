"""A RADIUS client that runs is changed: its secret without a gap, for all of its network at once."""

from datetime import timedelta

import pytest
from sqlalchemy import func, select

from hotspot.audit import COMMAND_LINE, AuditEntry
from hotspot.database import Database
from hotspot.directory import current_revision, load_directory
from hotspot.errors import NotFound, Refusal, WrongUse
from hotspot.keys import Keyring
from hotspot.nas import NewNas, add_nas
from hotspot.nas_changes import (
    MOST_OLD_SECRETS,
    NasChange,
    change_nas,
    change_secret,
    find_nas,
    forget_old_secrets,
    note_old_secret,
)
from hotspot.place import LoginWay, MessageAuthenticatorPolicy, Nas, OldSecret
from tests import factories
from tests.conftest import NOON

WEEK = timedelta(days=7)
OLD, NEW, NEWER = "the old secret", "the new secret", "the newer secret"


@pytest.fixture
def two(database: Database, keyring: Keyring) -> list[str]:
    """Two NAS of one network, and beside them one of another."""
    with database.write() as session:
        for name in ("first", "second"):
            factories.a_nas(session, keyring, name=name, nas_identifier=name, network="10.1.0.0/24", secret=OLD)
        factories.a_nas(session, keyring, name="apart", secret=OLD)
    return ["first", "second"]


def rotate(database: Database, keyring: Keyring, secret: str, keep: timedelta = WEEK, *, after: timedelta) -> None:
    with database.write() as session:
        change_secret(session, COMMAND_LINE, keyring, find_nas(session, "second"), secret, keep, NOON + after)


def secrets_of(database: Database, keyring: Keyring, after: timedelta) -> dict[str, tuple[bytes, ...]]:
    with database.read() as session:
        return {nas.name: nas.secrets_at(NOON + after) for nas in load_directory(session, keyring).nas}


@pytest.mark.parametrize(
    ("after", "valid"),
    [
        (timedelta(0), (NEW, OLD)),
        (WEEK - timedelta(microseconds=1), (NEW, OLD)),
        (WEEK, (NEW,)),
    ],
)
def test_both_secrets_are_valid_until_the_time_of_the_old_one_is_over(
    database: Database, keyring: Keyring, two: list[str], after: timedelta, valid: tuple[str, ...]
) -> None:
    rotate(database, keyring, NEW, after=timedelta(0))
    found = secrets_of(database, keyring, after)
    assert [found[name] for name in two] == [tuple(one.encode() for one in valid)] * 2
    assert found["apart"] == (OLD.encode(),)


def test_a_secret_set_wrongly_is_corrected_while_the_devices_still_have_the_first(
    database: Database, keyring: Keyring, two: list[str]
) -> None:
    rotate(database, keyring, NEW, after=timedelta(0))
    rotate(database, keyring, NEWER, after=timedelta(days=1))
    by_then = secrets_of(database, keyring, timedelta(days=2))["first"]
    assert by_then == (NEWER.encode(), NEW.encode(), OLD.encode())
    assert secrets_of(database, keyring, WEEK)["first"] == (NEWER.encode(), NEW.encode())


def test_going_back_to_the_old_secret_makes_it_the_present_one_only(
    database: Database, keyring: Keyring, two: list[str]
) -> None:
    rotate(database, keyring, NEW, after=timedelta(0))
    rotate(database, keyring, OLD, after=timedelta(days=1))
    assert secrets_of(database, keyring, timedelta(days=2))["first"] == (OLD.encode(), NEW.encode())


def test_an_old_secret_that_is_not_kept_ends_at_once(database: Database, keyring: Keyring, two: list[str]) -> None:
    rotate(database, keyring, NEW, timedelta(0), after=timedelta(0))
    assert secrets_of(database, keyring, timedelta(0))["first"] == (NEW.encode(),)


def test_with_an_old_secret_that_is_not_kept_those_before_it_end_too(
    database: Database, keyring: Keyring, two: list[str]
) -> None:
    rotate(database, keyring, NEW, after=timedelta(0))
    rotate(database, keyring, NEWER, timedelta(0), after=timedelta(days=1))
    found = secrets_of(database, keyring, timedelta(days=1))
    assert [found[name] for name in two] == [(NEWER.encode(),)] * 2
    with database.read() as session:
        assert session.scalar(select(func.count()).select_from(OldSecret)) == 0


def test_the_doors_hear_of_it_and_the_audit_record_names_each_nas_and_no_secret(
    database: Database, keyring: Keyring, two: list[str]
) -> None:
    with database.read() as session:
        before = current_revision(session)
    rotate(database, keyring, NEW, after=timedelta(0))
    with database.read() as session:
        assert current_revision(session) > before
        said = session.scalars(select(AuditEntry.detail).where(AuditEntry.action == "NAS secret changed")).all()
        stored = [old.secret for old in session.scalars(select(OldSecret))]
    assert [detail.partition(":")[0] for detail in said] == two
    assert "2026-06-22 12:00 UTC" in said[0]
    assert "secret" not in " ".join(said)
    assert len(stored) == 2
    assert not any(OLD.encode() in one for one in stored)


@pytest.mark.parametrize(
    ("secret", "keep", "code"),
    [
        ("short", WEEK, "bad-secret"),
        ("x" * 129, WEEK, "bad-secret"),
        (OLD, WEEK, "secret-unchanged"),
        (NEW, timedelta(days=91), "bad-duration"),
        (NEW, timedelta(seconds=-1), "bad-duration"),
    ],
)
def test_a_change_of_secret_that_makes_no_sense_is_refused(
    database: Database, keyring: Keyring, two: list[str], secret: str, keep: timedelta, code: str
) -> None:
    with pytest.raises(Refusal) as caught:
        rotate(database, keyring, secret, keep, after=timedelta(0))
    assert caught.value.code == code
    assert secrets_of(database, keyring, timedelta(0))["first"] == (OLD.encode(),)


def test_only_so_many_old_secrets_are_valid_at_once(database: Database, keyring: Keyring, two: list[str]) -> None:
    for number in range(MOST_OLD_SECRETS):
        rotate(database, keyring, f"secret number {number}", after=timedelta(minutes=number))
    with pytest.raises(Refusal, match="wait"):
        rotate(database, keyring, NEW, after=timedelta(hours=1))
    rotate(database, keyring, NEW, after=WEEK + timedelta(hours=1))


def test_a_nas_that_joins_a_network_in_rotation_has_to_have_the_new_secret(
    database: Database, keyring: Keyring, two: list[str]
) -> None:
    rotate(database, keyring, NEW, after=timedelta(0))
    with database.write() as session:
        third = NewNas("third", "10.1.0.0/24", "generic", OLD, nas_identifier="third")
        with pytest.raises(Refusal, match="share its secret"):
            add_nas(session, COMMAND_LINE, keyring, third, None, NOON)
        added = NewNas("third", "10.1.0.0/24", "generic", NEW, nas_identifier="third")
        add_nas(session, COMMAND_LINE, keyring, added, None, NOON)


def test_the_last_use_of_an_old_secret_is_known_to_the_minute(
    database: Database, keyring: Keyring, two: list[str]
) -> None:
    rotate(database, keyring, NEW, after=timedelta(0))
    used = []
    for seconds in (0, 59, 61):
        with database.write() as session:
            first = find_nas(session, "first")
            note_old_secret(session, {first.id}, NOON + timedelta(seconds=seconds))
        with database.read() as session:
            used.append(find_nas(session, "first").old_secret_used_at)
            assert find_nas(session, "second").old_secret_used_at is None
    assert used == [NOON, NOON, NOON + timedelta(seconds=61)]
    rotate(database, keyring, NEWER, after=timedelta(days=1))
    with database.read() as session:
        assert find_nas(session, "first").old_secret_used_at is None


def test_an_old_secret_is_erased_when_its_time_is_over(database: Database, keyring: Keyring, two: list[str]) -> None:
    rotate(database, keyring, NEW, after=timedelta(0))
    for after, left in ((WEEK - timedelta(seconds=1), 2), (WEEK, 0)):
        with database.write() as session:
            forget_old_secrets(session, NOON + after)
            assert session.scalar(select(func.count()).select_from(OldSecret)) == left


def test_a_nas_is_changed_and_choosing_auto_forgets_what_the_last_device_could(
    database: Database, keyring: Keyring, two: list[str]
) -> None:
    change = NasChange(MessageAuthenticatorPolicy.AUTO, (LoginWay.VOUCHER,), 1700)
    with database.write() as session:
        nas = find_nas(session, "first")
        nas.signed_at = NOON
        change_nas(session, COMMAND_LINE, nas, change, NOON)
    with database.read() as session:
        (record,) = [one for one in load_directory(session, keyring).nas if one.name == "first"]
        said = session.scalars(select(AuditEntry.detail).where(AuditEntry.action == "NAS changed")).one()
    assert (record.must_sign, record.logins, record.coa_port) == (False, frozenset({LoginWay.VOUCHER}), 1700)
    assert said == "first: Message-Authenticator auto, logins voucher, CoA port 1700"


def test_what_is_not_given_stays_and_nothing_at_all_is_wrong_use(
    database: Database, keyring: Keyring, two: list[str]
) -> None:
    with database.write() as session:
        nas = find_nas(session, "first")
        nas.signed_at = NOON
        change_nas(session, COMMAND_LINE, nas, NasChange(coa_port=1700), NOON)
        assert (nas.signed_at, nas.message_authenticator) == (NOON, MessageAuthenticatorPolicy.YES)
        with pytest.raises(WrongUse):
            change_nas(session, COMMAND_LINE, nas, NasChange(), NOON)


def test_a_nas_is_found_by_name_or_id_until_it_is_retired(database: Database, keyring: Keyring, two: list[str]) -> None:
    with database.write() as session:
        nas = find_nas(session, "first")
        assert find_nas(session, nas.public_id) is nas
        nas.retired_at = NOON
    with database.read() as session, pytest.raises(NotFound):
        find_nas(session, "first")
    with database.read() as session:
        assert session.scalar(select(func.count()).select_from(Nas)) == 3
