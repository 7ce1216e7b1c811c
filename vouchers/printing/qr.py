"""QR codes as runs of dark modules, row by row, which print sharply at any size."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import cache

from qrcode import QRCode
from qrcode.constants import ERROR_CORRECT_M
from qrcode.util import MODE_8BIT_BYTE, QRData

# Choosing the prettiest of the eight masks takes most of the time; readers take any.
_MASK = 2
QUIET_ZONE = 4


@dataclass(frozen=True, repr=False)
class Qr:
    """A QR code with its quiet zone: the side in modules, and the dark runs as column, row and length."""

    side: int
    runs: tuple[tuple[int, int, int], ...]


def encode(text: str) -> Qr:
    """The QR code that holds `text`, readable with 15 % of it damaged."""
    octets = text.encode()
    code = QRCode(_version(len(octets)), ERROR_CORRECT_M, border=0, mask_pattern=_MASK)
    code.add_data(QRData(octets, MODE_8BIT_BYTE), optimize=0)
    code.make(fit=False)
    rows = code.modules
    found: list[tuple[int, int, int]] = []
    for y, row in enumerate(rows, QUIET_ZONE):
        start = -1
        for x, dark in enumerate([*row, False], QUIET_ZONE):
            if dark and start < 0:
                start = x
            elif not dark and start >= 0:
                found.append((start, y, x - start))
                start = -1
    return Qr(len(rows) + 2 * QUIET_ZONE, tuple(found))


def encode_all(texts: Iterable[str]) -> Iterator[Qr]:
    """The QR codes of many texts, one after the other."""
    return map(encode, texts)


@cache
def _version(octets: int) -> int:
    """The least version that holds so many octets; to look for it anew would take a fifth of the time."""
    code = QRCode(error_correction=ERROR_CORRECT_M)
    code.add_data(QRData(bytes(octets), MODE_8BIT_BYTE), optimize=0)
    return int(code.best_fit())
