"""The catalogues have no holes, and nothing that nobody says any more."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from babel.messages.extract import extract_from_dir
from babel.messages.pofile import read_po

from hatch_build import refuse_broken_placeholders
from hotspot.legal import TEXT_LANGUAGES
from portal.languages import LANGUAGE_NAMES
from tests.portal.conftest import ROOT

Message = str | tuple[str, ...]
KEYWORDS = dict.fromkeys(("_", "_l", "gettext", "lazy_gettext")) | dict.fromkeys(("ngettext", "lazy_ngettext"), (1, 2))
TRANSLATIONS = ROOT / "templates/translations"


def said() -> Iterator[Message]:
    """What the pages say, in English."""
    for folder, method in (("portal", ("**.py", "python")), ("templates", ("**.html", "jinja2"))):
        for _file, _line, message, _comments, _context in extract_from_dir(
            str(ROOT / folder), [method], {method[0]: {}}, keywords=KEYWORDS
        ):
            yield message


def catalogue_of(language: str) -> Path:
    return TRANSLATIONS / language / "LC_MESSAGES/messages.po"


def test_texts_can_be_had_in_every_language_of_the_pages() -> None:
    assert set(TEXT_LANGUAGES) == set(LANGUAGE_NAMES)


def test_every_language_has_a_catalogue() -> None:
    assert {folder.name for folder in TRANSLATIONS.iterdir()} == set(LANGUAGE_NAMES) - {"en"}


@pytest.mark.parametrize("language", sorted(set(LANGUAGE_NAMES) - {"en"}))
def test_everything_the_pages_say_is_translated(language: str) -> None:
    with catalogue_of(language).open("rb") as file:
        catalogue = read_po(file, locale=language)
    translated = {message.id for message in catalogue if message.id and message.string and not message.fuzzy}
    assert sorted(map(str, set(said()) - translated)) == []
    assert sorted(map(str, translated - set(said()))) == []
    assert all(all(m.string) for m in catalogue if isinstance(m.string, tuple))
    refuse_broken_placeholders(catalogue_of(language), catalogue)


@pytest.mark.parametrize("word", ["du", "dein", "deine", "dir", "Sie haben haben"])
def test_guests_are_addressed_politely(word: str) -> None:
    assert f" {word} " not in catalogue_of("de").read_text()
