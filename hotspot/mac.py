"""MAC addresses, in whatever spelling a NAS sends them."""

import re
from dataclasses import dataclass

_CANONICAL = re.compile("(?:[0-9A-F]{2}-){5}[0-9A-F]{2}")
_LOOK_ALIKES = str.maketrans("OIL", "011")
_SPELLINGS = re.compile(
    r"(?:[0-9A-F]{2}(?P<sep>[-:]?)[0-9A-F]{2}(?:(?P=sep)[0-9A-F]{2}){4}|[0-9A-F]{4}\.[0-9A-F]{4}\.[0-9A-F]{4})",
    re.IGNORECASE | re.ASCII,
)


@dataclass(frozen=True, order=True)
class Mac:
    """A 48-bit MAC address; `value` is upper case with hyphens, as RFC 3580 §3.20 spells it."""

    value: str

    @classmethod
    def parse(cls, text: str) -> "Mac":
        """Read a MAC written with hyphens, colons, dots or bare, in either case; ValueError for anything else."""
        found = _SPELLINGS.fullmatch(text.strip())
        if not found:
            raise ValueError(f"{text[:40]!r} is not a MAC address: write it like 02-00-00-00-00-01")
        return cls._from_spelling(found[0])

    @classmethod
    def split(cls, text: str) -> tuple["Mac | None", str | None]:
        """Split a Called-Station-Id `MAC:SSID` (RFC 3580 §3.20) into its MAC and its SSID, each None where it is missing."""
        if len(text) == 17 and _CANONICAL.fullmatch(text):
            return cls(text), None
        found = _SPELLINGS.match(text)
        if not found:
            return None, None
        rest = text[found.end() :]
        if not rest:
            return cls._from_spelling(found[0]), None
        if rest[0] != ":":
            return None, None
        return cls._from_spelling(found[0]), rest[1:] or None

    @classmethod
    def _from_spelling(cls, text: str) -> "Mac":
        digits = re.sub("[^0-9A-F]", "", text.upper())
        return cls("-".join(digits[i : i + 2] for i in range(0, 12, 2)))

    @classmethod
    def read(cls, typed: str) -> "Mac":
        """Read what a person has copied from a label, letters taken for digits included; ValueError when it is no address."""
        return cls.parse(re.sub("[^0-9A-Z]", "", typed.upper()).translate(_LOOK_ALIKES))

    @property
    def is_random(self) -> bool:
        """Whether the device has made the address up (locally administered, RFC 7042 §2.1), as phones do for each network."""
        return bool(int(self.value[:2], 16) & 2)

    @property
    def names_a_device(self) -> bool:
        """Whether one device can have it: no group address, and not the empty one."""
        return not int(self.value[:2], 16) & 1 and self.value != "00-00-00-00-00-00"

    def __str__(self) -> str:
        return self.value
