"""Legal texts in versions, and their slots."""

import hashlib
from datetime import timedelta

import pytest

from hotspot.audit import COMMAND_LINE
from hotspot.database import Database
from hotspot.errors import Refusal
from hotspot.legal import TEXT_LANGUAGES, LegalKind, LegalVersion, NewText, current_version, publish, slots
from tests.conftest import NOON

TEXTS = [NewText("de", "Seid nett."), NewText("en", "Be kind.")]
DAY = timedelta(days=1)


def in_force(database: Database, kind: LegalKind = LegalKind.TERMS, after: timedelta = timedelta(0)) -> int | None:
    with database.read() as session:
        version = current_version(session, kind, NOON + after)
        return version.number if version else None


def publish_at(database: Database, kind: LegalKind, after: timedelta) -> LegalVersion:
    with database.write() as session:
        return publish(session, COMMAND_LINE, kind, TEXTS, NOON + after, NOON)


def test_nothing_is_in_force_before_the_first_version(database: Database) -> None:
    assert in_force(database) is None
    publish_at(database, LegalKind.TERMS, DAY)
    assert in_force(database) is None


def test_a_version_is_in_force_from_its_moment_until_the_next(database: Database) -> None:
    publish_at(database, LegalKind.TERMS, timedelta(0))
    publish_at(database, LegalKind.TERMS, DAY)
    assert in_force(database) == 1
    assert in_force(database, after=DAY - timedelta(microseconds=1)) == 1
    assert in_force(database, after=DAY) == 2


def test_of_two_versions_from_the_same_moment_the_later_number_counts(database: Database) -> None:
    publish_at(database, LegalKind.TERMS, timedelta(0))
    publish_at(database, LegalKind.TERMS, timedelta(0))
    assert in_force(database) == 2


def test_each_kind_is_numbered_apart(database: Database) -> None:
    publish_at(database, LegalKind.TERMS, timedelta(0))
    assert publish_at(database, LegalKind.IMPRINT, timedelta(0)).number == 1
    assert in_force(database, LegalKind.IMPRINT) == 1
    assert in_force(database, LegalKind.PRIVACY) is None


def test_a_text_comes_in_the_language_asked_for_with_its_hash(database: Database) -> None:
    publish_at(database, LegalKind.TERMS, timedelta(0))
    with database.read() as session:
        version = current_version(session, LegalKind.TERMS, NOON)
        assert version
        assert (version.text("de").body, version.text("en").body) == ("Seid nett.", "Be kind.")
        assert version.text("fr").body == "Be kind."
        assert version.text("en").sha256 == hashlib.sha256(b"Be kind.").hexdigest()


@pytest.mark.parametrize(
    ("texts", "code"),
    [
        ([], "bad-texts"),
        ([TEXTS[0], TEXTS[0]], "bad-texts"),
        ([NewText("nl", "Wees aardig.")], "bad-language"),
        ([NewText("de", " \n")], "bad-text"),
        ([NewText("de", "x" * 30_001)], "bad-text"),
    ],
)
def test_texts_that_cannot_be_are_refused(database: Database, texts: list[NewText], code: str) -> None:
    with database.write() as session, pytest.raises(Refusal) as caught:
        publish(session, COMMAND_LINE, LegalKind.TERMS, texts, NOON, NOON)
    assert caught.value.code == code
    assert in_force(database) is None


def test_a_text_that_lacks_english_too_comes_in_the_first_language_there_is(database: Database) -> None:
    with database.write() as session:
        texts = [NewText("ar", "كن لطيفا."), NewText("fr", "Soyez gentils.")]
        version = publish(session, COMMAND_LINE, LegalKind.TERMS, texts, NOON, NOON)
        assert version.text("de").body == "Soyez gentils."


def test_nothing_comes_into_force_in_the_past(database: Database) -> None:
    with pytest.raises(Refusal) as caught:
        publish_at(database, LegalKind.TERMS, -timedelta(microseconds=1))
    assert caught.value.code == "valid-from-past"
    assert in_force(database) is None


def test_every_slot_tells_what_is_in_force_what_comes_and_what_is_missing(database: Database) -> None:
    publish_at(database, LegalKind.TERMS, timedelta(0))
    publish_at(database, LegalKind.TERMS, DAY)
    publish_at(database, LegalKind.PRICES, DAY)
    with database.read() as session:
        before = {slot.kind: slot for slot in slots(session, NOON)}
        after = {slot.kind: slot for slot in slots(session, NOON + DAY)}
    assert list(before) == list(LegalKind)
    numbers = {
        kind: (slot.current and slot.current.number, [one.number for one in slot.upcoming])
        for kind, slot in before.items()
    }
    newest = after[LegalKind.TERMS]
    assert numbers[LegalKind.TERMS] == (1, [2])
    assert numbers[LegalKind.PRICES] == (None, [1])
    assert numbers[LegalKind.IMPRINT] == (None, [])
    assert newest.current is not None
    assert (newest.current.number, newest.upcoming) == (2, ())
    assert set(before[LegalKind.TERMS].missing_languages) == set(TEXT_LANGUAGES) - {"de", "en"}
    assert before[LegalKind.PRICES].missing_languages == TEXT_LANGUAGES
