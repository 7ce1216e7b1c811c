"""The typefaces of what is printed, and what becomes of characters that none of them has (docs/decisions/0021)."""

import enum
import unicodedata
from functools import cache
from importlib.resources import as_file, files
from pathlib import Path

from fontTools.ttLib import TTFont


class Typeface(enum.Enum):
    """A typeface as a package and a file of it."""

    PLAIN = ("fontpkg_fira_sans", "FiraSans-Regular.ttf")
    BOLD = ("fontpkg_fira_sans", "FiraSans-Bold.ttf")
    ARABIC = ("fontpkg_ibm_plex_sans_arabic", "IBMPlexSansArabic-Regular.ttf")
    ARABIC_BOLD = ("fontpkg_ibm_plex_sans_arabic", "IBMPlexSansArabic-Bold.ttf")
    CODE = ("fontpkg_ibm_plex_mono", "IBMPlexMono-Bold.ttf")

    @property
    def path(self) -> Path:
        """The file; the packages are installed unpacked."""
        package, name = self.value
        with as_file(files(package) / "files" / name) as path:
            return path


# What stands in for characters that no typeface has.
_LEFT_OUT = "…"
# They say how Arabic letters join, and print nothing themselves.
_JOINERS = "\u200c\u200d"


@cache
def characters(face: Typeface) -> frozenset[int]:
    """The characters a typeface has."""
    with TTFont(face.path, lazy=True) as font:
        return frozenset(font.getBestCmap())


@cache
def _set_by_any() -> frozenset[int]:
    return characters(Typeface.PLAIN) | characters(Typeface.ARABIC)


def is_simple(text: str) -> bool:
    """Whether the plain typeface has it all, which is set letter by letter."""
    return characters(Typeface.PLAIN).issuperset(map(ord, text))


def printable(text: str, known: frozenset[int] | None = None) -> str:
    """The text with what cannot be printed replaced: by its plain form where it has one, else by three dots.

    `known` are the characters that can be, by default those of all typefaces.
    """
    known = known or _set_by_any()
    result = ""
    for character in " ".join(text.split()):
        if unicodedata.category(character).startswith("C") and character not in _JOINERS:
            # Some typefaces have control characters too: a printer might take them for a command.
            continue
        if ord(character) in known:
            result += character
        elif plain := "".join(c for c in unicodedata.normalize("NFKC", character) if ord(c) in known):
            result += plain
        elif not result.endswith(_LEFT_OUT) and not unicodedata.category(character).startswith("M"):
            result += _LEFT_OUT
    return result
