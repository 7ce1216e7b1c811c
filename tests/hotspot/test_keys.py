"""Data keys, hashes and ciphertexts, and the master key that opens them."""

import multiprocessing
import stat
from dataclasses import replace
from multiprocessing.queues import Queue
from pathlib import Path

import pytest
from sqlalchemy import select

from hotspot.database import Database
from hotspot.errors import SetupError
from hotspot.keys import (
    HASH_OCTETS,
    DataKey,
    Keyring,
    Purpose,
    create_missing_keys,
    derive_master_key,
    load_keyring,
    read_master_key,
    rewrap_keys,
)
from hotspot.settings import Settings
from tests.conftest import NOON, SECRET_KEY

OLD = derive_master_key(SECRET_KEY)
NEW = derive_master_key("another secret, which is long enough as well")


def test_every_purpose_has_a_key_of_its_own(keyring: Keyring) -> None:
    keys = [key for purpose in Purpose for _id, key in keyring.keys[purpose]]
    assert len(set(keys)) == len(keys) == len(Purpose)
    assert all(len(key) == 32 for key in keys)


def test_making_keys_again_changes_nothing(database: Database, keyring: Keyring) -> None:
    with database.write() as session:
        create_missing_keys(session, OLD, NOON)
    with database.read() as session:
        assert load_keyring(session, OLD).keys == keyring.keys


def test_a_database_without_keys_is_not_ready(database: Database) -> None:
    with database.write() as session:
        for row in session.scalars(select(DataKey)):
            session.delete(row)
    with database.read() as session, pytest.raises(SetupError) as caught:
        load_keyring(session, OLD)
    assert caught.value.code == "no-keys"


def test_another_master_key_does_not_open_the_database(database: Database) -> None:
    with database.read() as session, pytest.raises(SetupError) as caught:
        load_keyring(session, NEW)
    assert caught.value.code == "wrong-master-key"


def test_a_wrapped_key_serves_no_other_purpose(database: Database) -> None:
    with database.write() as session:
        codes, devices = [
            session.scalars(select(DataKey).where(DataKey.purpose == purpose)).one()
            for purpose in (Purpose.CODES, Purpose.DEVICES)
        ]
        codes.wrapped = devices.wrapped
    with database.read() as session, pytest.raises(SetupError):
        load_keyring(session, OLD)


def test_rewrapping_keeps_every_hash_and_ciphertext(database: Database, keyring: Keyring) -> None:
    hashed, sealed = keyring.hash(Purpose.CODES, "x"), keyring.encrypt(Purpose.SECRETS, "y")
    with database.write() as session:
        assert rewrap_keys(session, OLD, NEW) == len(Purpose)
    with database.read() as session:
        with pytest.raises(SetupError):
            load_keyring(session, OLD)
        rewrapped = load_keyring(session, NEW)
    assert rewrapped.hash(Purpose.CODES, "x") == hashed
    assert rewrapped.decrypt(Purpose.SECRETS, sealed) == b"y"


def test_rewrapping_with_a_wrong_old_key_changes_nothing(database: Database) -> None:
    with pytest.raises(SetupError), database.write() as session:
        rewrap_keys(session, NEW, OLD)
    with database.read() as session:
        load_keyring(session, OLD)


def loose_keyring() -> Keyring:
    return Keyring({purpose: ((number + 1, bytes([number]) * 32),) for number, purpose in enumerate(Purpose)})


def test_a_hash_depends_on_purpose_and_on_where_its_parts_end() -> None:
    keyring = loose_keyring()
    hashes = [
        keyring.hash(Purpose.CODES, "ab", "c"),
        keyring.hash(Purpose.CODES, "a", "bc"),
        keyring.hash(Purpose.CODES, "abc"),
        keyring.hash(Purpose.DEVICES, "ab", "c"),
    ]
    assert len(set(hashes)) == len(hashes)
    assert {len(one) for one in hashes} == {HASH_OCTETS}
    assert keyring.hash(Purpose.CODES, b"ab", "c") == hashes[0]


def test_rows_hashed_with_an_older_key_are_still_found() -> None:
    old = loose_keyring()
    newer = (99, b"n" * 32)
    keyring = replace(old, keys={**old.keys, Purpose.CODES: (newer, *old.keys[Purpose.CODES])})
    assert keyring.hashes(Purpose.CODES, "x") == [keyring.hash(Purpose.CODES, "x"), old.hash(Purpose.CODES, "x")]
    assert keyring.hash(Purpose.CODES, "x") != old.hash(Purpose.CODES, "x")
    assert keyring.decrypt(Purpose.CODES, old.encrypt(Purpose.CODES, "y")) == b"y"


def test_keys_of_one_purpose_are_loaded_newest_first(database: Database, keyring: Keyring) -> None:
    with database.write() as session:
        first = session.scalars(select(DataKey).where(DataKey.purpose == Purpose.CODES)).one()
        second = DataKey(purpose=Purpose.CODES, wrapped=first.wrapped, created_at=NOON)
        session.add(second)
    with database.read() as session:
        ids = [key_id for key_id, _key in load_keyring(session, OLD).keys[Purpose.CODES]]
    assert ids == [second.id, first.id]


def test_a_ciphertext_opens_for_its_purpose_only() -> None:
    keyring = loose_keyring()
    same_key = replace(keyring, keys={**keyring.keys, Purpose.DEVICES: keyring.keys[Purpose.CODES]})
    sealed = keyring.encrypt(Purpose.CODES, "secret")
    assert keyring.decrypt(Purpose.CODES, sealed) == b"secret"
    for opener in (keyring, same_key):
        with pytest.raises(ValueError, match="not a ciphertext"):
            opener.decrypt(Purpose.DEVICES, sealed)


def test_any_change_to_a_ciphertext_is_noticed() -> None:
    keyring = loose_keyring()
    sealed = keyring.encrypt(Purpose.CODES, "secret")
    for position in range(len(sealed)):
        tampered = bytearray(sealed)
        tampered[position] ^= 1
        with pytest.raises(ValueError, match="not a ciphertext"):
            keyring.decrypt(Purpose.CODES, bytes(tampered))
    for length in range(len(sealed)):
        with pytest.raises(ValueError, match="not a ciphertext"):
            keyring.decrypt(Purpose.CODES, sealed[:length])


def test_the_same_text_is_never_encrypted_alike() -> None:
    keyring = loose_keyring()
    assert len({keyring.encrypt(Purpose.CODES, "secret") for _ in range(100)}) == 100


def test_a_keyring_does_not_show_its_keys() -> None:
    keyring = loose_keyring()
    assert "\\x0" not in f"{keyring} {keyring!r}"


def test_the_master_key_comes_from_the_settings_first(tmp_path: Path) -> None:
    settings = Settings(data_dir=tmp_path, secret_key=SECRET_KEY)
    assert read_master_key(settings) == OLD
    assert list(tmp_path.iterdir()) == []


def test_without_a_setting_the_master_key_is_made_once_and_kept_private(tmp_path: Path) -> None:
    settings = Settings(data_dir=tmp_path / "new" / "folder")
    master = read_master_key(settings)
    assert read_master_key(settings) == master
    file = settings.data_dir / "secret.key"
    assert list(settings.data_dir.iterdir()) == [file]
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert read_master_key(Settings(data_dir=tmp_path / "other")) != master


def read_in_a_process(data_dir: Path, answers: "Queue[bytes]") -> None:
    answers.put(read_master_key(Settings(data_dir=data_dir)))


def test_processes_that_start_together_agree_on_the_master_key(tmp_path: Path) -> None:
    context = multiprocessing.get_context("fork")
    for attempt in range(5):
        answers: Queue[bytes] = context.Queue()
        folder = tmp_path / str(attempt)
        processes = [context.Process(target=read_in_a_process, args=(folder, answers)) for _ in range(4)]
        for process in processes:
            process.start()
        assert len({answers.get(timeout=30) for _ in processes}) == 1
        for process in processes:
            process.join()
        assert [path.name for path in folder.iterdir()] == ["secret.key"]
