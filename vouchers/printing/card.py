"""What is printed of a voucher: what all cards of a print have in common, and what is a card's own."""

from collections.abc import Iterable
from dataclasses import dataclass, field

from hotspot.colours import BLACK, Colour


@dataclass(frozen=True)
class Words:
    """A card's texts in one language: what the pass gives, until when it is good, and how to use it.

    `large` is what is read first, such as "3 hours"; `price` may be empty.
    """

    language: str
    large: str
    price: str
    gives: str
    good_until: str
    how: str


@dataclass(frozen=True)
class Face:
    """What all cards of a print have in common.

    `logo` is a picture file of ours (hotspot/pictures.py); without it the site's name stands alone.
    """

    site: str
    operator: str
    ssid: str
    name: str
    words: tuple[Words, ...]
    accent: Colour = BLACK
    logo: bytes | None = field(default=None, repr=False)

    @property
    def large(self) -> list[str]:
        """What is read first, in each language that says it in its own way."""
        return _different(one.large for one in self.words)

    @property
    def price(self) -> str:
        """The price, as each language writes it; empty without one."""
        return " / ".join(_different(one.price for one in self.words))

    @property
    def what(self) -> str:
        """The pass by name, and its price."""
        return f"{self.name} · {self.price}" if self.price else self.name

    @property
    def wifi(self) -> str:
        """What a QR code says to have a phone join the Wi-Fi."""
        return wifi_text(self.ssid)


def _different(texts: Iterable[str]) -> list[str]:
    return list(dict.fromkeys(filter(None, texts)))


@dataclass(frozen=True, repr=False)
class Card:
    """A voucher to print: its serial number, its code as people read it, and the address that its QR code opens."""

    serial: str
    code: str
    address: str


# As https://github.com/zxing/zxing/wiki/Barcode-Contents has it: these have a meaning in the text.
_ESCAPED = str.maketrans({character: f"\\{character}" for character in '\\;,":'})


def wifi_text(ssid: str) -> str:
    """The text that has a phone join an open Wi-Fi of this name; a name that could be read as hexadecimal is quoted."""
    escaped = ssid.translate(_ESCAPED)
    if ssid and len(ssid) % 2 == 0 and all(character in "0123456789abcdefABCDEF" for character in ssid):
        escaped = f'"{escaped}"'
    return f"WIFI:T:nopass;S:{escaped};;"
