"""Slips in ESC/POS, which most receipt printers understand, for those that a computer at the venue feeds.

Commands as Epson's "ESC/POS Command Reference" has them. Lines whose letters are not in the printer's code page go as pictures.
"""

from collections.abc import Iterable, Sequence

from vouchers.printing import qr
from vouchers.printing.raster import Dots, draw_line, module_dots
from vouchers.printing.slip import DOTS, Kind, Line

_ESC, _GS, _LF = b"\x1b", b"\x1d", b"\n"
_INITIALIZE, _CENTRED = _ESC + b"@", _ESC + b"a\x01"
# Code page 858: Western Europe with the euro.
_CODE_PAGE, _ENCODING = _ESC + b"t\x13", "cp858"
_FEED_AND_CUT = _ESC + b"d\x03" + _GS + b"VB\x00"
# What the code page lacks and has a plain form that nobody misreads.
_PLAIN = str.maketrans({"–": "-", "—": "-", "…": "...", "„": '"', "“": '"', "”": '"', "’": "'", "\u00a0": " "})


def encode(slips: Iterable[Sequence[Line]], width: int) -> bytes:
    """The slips one after the other, each cut off, for paper of `width` millimetres."""
    found = []
    for lines in slips:
        found += [_INITIALIZE, _CODE_PAGE, _CENTRED, *(_line(line, width) for line in lines), _FEED_AND_CUT]
    return b"".join(found)


def plain_form(text: str) -> str:
    """The text with dashes and quotes that receipt printers have."""
    return text.translate(_PLAIN)


def _line(line: Line, width: int) -> bytes:
    if line.kind is Kind.GAP:
        return _LF
    if line.kind is Kind.QR:
        return _qr(line.text, width) + _LF
    try:
        octets = plain_form(line.text).encode(_ENCODING)
    except UnicodeEncodeError:
        return _picture(Dots.of(draw_line(line, width)))
    size = (line.scale - 1) << 4 | (line.scale - 1)
    return _GS + b"!" + bytes([size]) + _ESC + b"E" + bytes([line.bold]) + octets + _LF


def _qr(text: str, width: int) -> bytes:
    """GS ( k: model 2, size of a module, correction level M, the data, print."""
    octets = text.encode()
    module = min(8, module_dots(qr.encode(text).side, DOTS[width]))
    length = (len(octets) + 3).to_bytes(2, "little")
    return b"".join(
        [
            _GS + b"(k\x04\x00\x31\x41\x32\x00",
            _GS + b"(k\x03\x00\x31\x43" + bytes([module]),
            _GS + b"(k\x03\x00\x31\x45\x31",
            _GS + b"(k" + length + b"\x31\x50\x30" + octets,
            _GS + b"(k\x03\x00\x31\x51\x30",
        ]
    )


def _picture(dots: Dots) -> bytes:
    """GS v 0."""
    across, down = dots.width // 8, dots.height
    return _GS + b"v0\x00" + across.to_bytes(2, "little") + down.to_bytes(2, "little") + dots.rows
