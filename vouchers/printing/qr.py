"""QR codes as runs of dark modules, row by row, which print sharply at any size."""

import re
from dataclasses import dataclass
from functools import cache, lru_cache

from qrcode import QRCode
from qrcode.constants import ERROR_CORRECT_M
from qrcode.util import MODE_8BIT_BYTE, QRData

# Choosing the prettiest of the eight masks takes most of the time; readers take any.
_MASK = 2
QUIET_ZONE = 4
# A number of some 200 octets for each.
_KEPT = 10_000
# Not 0: qrcode fails at a block of nothing but zeros.
_BLANK = b" "
_RUN = re.compile("1+")


@dataclass(frozen=True, repr=False)
class Qr:
    """A QR code with its quiet zone: the side in modules, and the dark runs as column, row and length."""

    side: int
    runs: tuple[tuple[int, int, int], ...]


def encode(text: str) -> Qr:
    """The QR code that holds `text`, readable with 15 % of it damaged."""
    octets = text.encode()
    modules = _modules(_BLANK * len(octets))
    for place, octet in enumerate(octets):
        modules ^= _change(len(octets), place, octet)
    side = 17 + 4 * _version(len(octets))
    rows = [f"{modules >> side * row & (1 << side) - 1:0{side}b}" for row in reversed(range(side))]
    runs = [
        (QUIET_ZONE + run.start(), y, run.end() - run.start())
        for y, row in enumerate(rows, QUIET_ZONE)
        for run in _RUN.finditer(row)
    ]
    return Qr(side + 2 * QUIET_ZONE, tuple(runs))


@lru_cache(_KEPT)
def _change(octets: int, place: int, octet: int) -> int:
    """The modules that change when this one of so many octets is no longer blank, whatever the others are.

    The error correction is linear over GF(2) and the mask is fixed, so a code is the sum of what its octets change: to
    make ten thousand codes anew would take ten times as long.
    """
    changed = bytearray(_BLANK * octets)
    changed[place] = octet
    return _modules(bytes(changed)) ^ _modules(_BLANK * octets)


@lru_cache(100)
def _modules(octets: bytes) -> int:
    """The modules as a number, of which the first one is the highest bit."""
    code = QRCode(_version(len(octets)), ERROR_CORRECT_M, border=0, mask_pattern=_MASK)
    code.add_data(QRData(octets, MODE_8BIT_BYTE), optimize=0)
    code.make(fit=False)
    return int("".join("1" if dark else "0" for row in code.modules for dark in row), 2)


@cache
def _version(octets: int) -> int:
    """The least version that holds so many octets; to look for it anew would take a fifth of the time."""
    code = QRCode(error_correction=ERROR_CORRECT_M)
    code.add_data(QRData(bytes(octets), MODE_8BIT_BYTE), optimize=0)
    return int(code.best_fit())
