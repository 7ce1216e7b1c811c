"""QR codes as paths, which print sharply at any size and need no picture to be fetched."""

from dataclasses import dataclass

from qrcode import QRCode
from qrcode.constants import ERROR_CORRECT_M

# Choosing the prettiest of the eight masks takes most of the time; readers take any.
_MASK = 2
_QUIET_ZONE = 4


@dataclass(frozen=True)
class QrPicture:
    """A QR code with its quiet zone: the side in modules, and the dark modules as an SVG path."""

    side: int
    path: str


def draw(text: str) -> QrPicture:
    """The QR code that holds `text`, readable with 15 % of it damaged."""
    code = QRCode(error_correction=ERROR_CORRECT_M, border=_QUIET_ZONE, mask_pattern=_MASK)
    code.add_data(text)
    code.make(fit=True)
    rows = code.get_matrix()
    return QrPicture(len(rows), "".join(_runs(y, row) for y, row in enumerate(rows)))


def _runs(y: int, row: list[bool]) -> str:
    path, start = "", 0
    for x, dark in enumerate([*row, False]):
        if dark and not (x and row[x - 1]):
            start = x
        elif not dark and x and row[x - 1]:
            path += f"M{start} {y}h{x - start}v1H{start}z"
    return path
