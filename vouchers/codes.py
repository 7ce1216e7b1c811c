"""Surf Pass codes: ten random characters of Crockford's alphabet and a check character.

Characters are numbers of GF(2^5), made with x^5 + x^2 + 1, an irreducible polynomial whose root generates the field. The
check character makes the weighted sum of all eleven vanish; since the weights are all different and none is zero, every
single wrong character and every swap of two characters is caught, the check character included.
"""

import re
import secrets
import unicodedata
from dataclasses import dataclass

ALPHABET = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
RANDOM_CHARACTERS = 10
# Where the rest is known, so many at the end show that somebody has the code: 20 bits.
END_CHARACTERS = 4
_POLYNOMIAL = 0b100101
_VALUES = {character: value for value, character in enumerate(ALPHABET)}
_CLEAN = re.compile(f"[{ALPHABET}]{{{RANDOM_CHARACTERS + 1}}}")
_CLEAN_END = re.compile(f"[{ALPHABET}]{{{END_CHARACTERS}}}")
_FORGIVEN = str.maketrans("OIL", "011")
_IGNORED = {"-", "_", ".", " ", "\t", "\u2010", "\u2011", "\u2012", "\u2013", "\u2014", "\u2212", "\u00ad", "\u200b"}


class Mistyped(ValueError):
    """The text is no code: a wrong length, a wrong character, or a check character that does not fit."""


def _times(a: int, b: int) -> int:
    """The product of two numbers of GF(2^5)."""
    product = 0
    while b:
        if b & 1:
            product ^= a
        a <<= 1
        if a & 0b100000:
            a ^= _POLYNOMIAL
        b >>= 1
    return product


def _powers_of_root(count: int) -> list[int]:
    powers = [1]
    while len(powers) < count:
        powers.append(_times(powers[-1], 2))
    return powers


# The check character has weight 1, so that it is the sum of the others.
_WEIGHTS = _powers_of_root(RANDOM_CHARACTERS + 1)[1:]


# For each of the ten places the product of its weight with each character.
_PRODUCTS = [{character: _times(value, weight) for character, value in _VALUES.items()} for weight in _WEIGHTS]


def check_character(random_part: str) -> str:
    """The character that completes `random_part`, ten characters of the alphabet."""
    total = 0
    for character, products in zip(random_part, _PRODUCTS, strict=True):
        total ^= products[character]
    return ALPHABET[total]


@dataclass(frozen=True, repr=False)
class Code:
    """A voucher code; `value` is its eleven characters without hyphens. It never shows itself in logs or tracebacks."""

    value: str

    @classmethod
    def new(cls) -> "Code":
        """A fresh random code (50 bits)."""
        number = secrets.randbits(5 * RANDOM_CHARACTERS)
        random_part = "".join([ALPHABET[number >> shift & 31] for shift in range(0, 5 * RANDOM_CHARACTERS, 5)])
        return cls(random_part + check_character(random_part))

    @classmethod
    def parse(cls, text: str) -> "Code":
        """Read what a person typed: any case, spaces and hyphens anywhere, O for 0, I and L for 1. Mistyped if it is no code."""
        value = text
        if not _CLEAN.fullmatch(text):
            value = _clean(text)
            if not _CLEAN.fullmatch(value):
                raise Mistyped
        if check_character(value[:-1]) != value[-1]:
            raise Mistyped
        return cls(value)

    @property
    def stem(self) -> str:
        """The code without its end."""
        return self.value[:-END_CHARACTERS]

    @property
    def printed(self) -> str:
        """The code as it is shown: XXXX-XXXX-XXX."""
        return f"{self.value[:4]}-{self.value[4:8]}-{self.value[8:]}"


def read_end(text: str) -> str | None:
    """The end of a code that a person typed, as forgiving as with a whole one; None for anything else."""
    end = _clean(text)
    return end if _CLEAN_END.fullmatch(end) else None


def _clean(text: str) -> str:
    """A person's spelling without what makes no difference."""
    plain = unicodedata.normalize("NFKC", text[:100]).upper()
    return "".join(c for c in plain if c not in _IGNORED).translate(_FORGIVEN)
