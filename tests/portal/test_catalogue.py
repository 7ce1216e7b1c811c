"""The catalogues have no holes, and nothing that nobody says any more."""

from pathlib import Path

import pytest
from babel.messages.extract import extract_from_dir
from babel.messages.pofile import read_po

from hatch_build import refuse_broken_placeholders
from hotspot.legal import TEXT_LANGUAGES
from portal.languages import LANGUAGE_NAMES, STAFF_LANGUAGES
from tests.portal.conftest import ROOT

Message = str | tuple[str, ...]
KEYWORDS = dict.fromkeys(("_", "_l", "gettext", "lazy_gettext")) | dict.fromkeys(("ngettext", "lazy_ngettext"), (1, 2))
TRANSLATIONS = ROOT / "templates/translations"


def said(*folders: str, skip: str = "") -> set[Message]:
    """What the pages in these folders say, in English; a folder named `skip` is left out."""
    return {
        message
        for folder in folders
        for _file, _line, message, _comments, _context in extract_from_dir(
            str(ROOT / folder),
            [("**.py", "python"), ("**.html", "jinja2")],
            keywords=KEYWORDS,
            directory_filter=lambda path: Path(path).name != skip,
        )
    }


def said_to_guests() -> set[Message]:
    return said("portal", "templates", skip="staff")


def said_to_staff() -> set[Message]:
    return said("portal/staff", "templates/staff")


def catalogue_of(language: str, domain: str = "messages") -> Path:
    return TRANSLATIONS / language / f"LC_MESSAGES/{domain}.po"


def assert_whole(path: Path, language: str, said: set[Message]) -> None:
    with path.open("rb") as file:
        catalogue = read_po(file, locale=language)
    translated = {message.id for message in catalogue if message.id and message.string and not message.fuzzy}
    assert sorted(map(str, said - translated)) == []
    assert sorted(map(str, translated - said)) == []
    assert all(all(m.string) for m in catalogue if isinstance(m.string, tuple))
    refuse_broken_placeholders(path, catalogue)


def test_texts_can_be_had_in_every_language_of_the_pages() -> None:
    assert set(TEXT_LANGUAGES) == set(LANGUAGE_NAMES)


def test_every_language_has_a_catalogue() -> None:
    assert {folder.name for folder in TRANSLATIONS.iterdir()} == set(LANGUAGE_NAMES) - {"en"}


@pytest.mark.parametrize("language", sorted(set(LANGUAGE_NAMES) - {"en"}))
def test_everything_that_guests_are_told_is_translated(language: str) -> None:
    assert_whole(catalogue_of(language), language, said_to_guests())


@pytest.mark.parametrize("language", sorted(set(STAFF_LANGUAGES) - {"en"}))
def test_everything_that_staff_are_told_is_translated(language: str) -> None:
    assert_whole(catalogue_of(language, "staff"), language, said_to_staff())


@pytest.mark.parametrize("word", ["du", "dein", "deine", "dir", "Sie haben haben"])
@pytest.mark.parametrize("domain", ["messages", "staff"])
def test_people_are_addressed_politely(word: str, domain: str) -> None:
    assert f" {word} " not in catalogue_of("de", domain).read_text()
