"""A voucher on a strip of paper as a receipt printer has it: lines of text, the code, and QR codes."""

import enum
from collections.abc import Sequence
from dataclasses import dataclass

from vouchers.printing.card import Card, Face
from vouchers.printing.fonts import printable

# Dots across the paper that can be printed on, at 203 dots to the inch, and characters of the normal size in a line.
DOTS = {58: 384, 80: 576}
COLUMNS = {58: 32, 80: 48}


# What has a price could be taken for one.
NO_RECEIPT = "Kein Kassenbeleg · Not a till receipt"


class Kind(enum.Enum):
    """What a line is."""

    TEXT = "text"
    CODE = "code"
    QR = "qr"
    GAP = "gap"


@dataclass(frozen=True)
class Line:
    """A line: what it holds, how many times as large as usual, and whether it is bold."""

    text: str
    kind: Kind = Kind.TEXT
    scale: int = 1
    bold: bool = False


def slip(face: Face, card: Card, width: int) -> tuple[Line, ...]:
    """The lines of a voucher's slip, each no longer than the paper of this width in millimetres takes."""
    large = [Line(text, scale=1 if number else 2, bold=True) for number, text in enumerate(face.large)]
    head = [Line(face.site, bold=True), *large, Line(face.what), Line("", Kind.GAP)]
    codes = [
        Line(card.address, Kind.QR),
        Line(card.code, Kind.CODE, scale=2, bold=True),
        Line(f"Wi-Fi · WLAN: {face.ssid}", bold=True),
        Line("", Kind.GAP),
    ]
    words = [line for one in face.words for line in (Line(one.gives), Line(one.good_until), Line("", Kind.GAP))]
    foot = [Line(face.operator), Line(card.serial), *([Line(NO_RECEIPT)] if face.price else [])]
    return _broken([*head, *codes, *words, *foot], width)


def trial_slip(face: Face, printer: str, width: int) -> tuple[Line, ...]:
    """What a printer prints to show that it works; it is no voucher."""
    lines = [
        Line("Test", scale=2, bold=True),
        Line(printer),
        Line(face.site),
        Line("", Kind.GAP),
        Line(face.wifi, Kind.QR),
        Line(f"Wi-Fi · WLAN: {face.ssid}", bold=True),
        Line("ÄÖÜ äöü ß € Їґ Ğş Žř"),
        Line("مرحبا"),
        Line(face.operator),
    ]
    return _broken(lines, width)


def _broken(lines: Sequence[Line], width: int) -> tuple[Line, ...]:
    """With lines that are too long broken between words, or within a word that is too long by itself."""
    return tuple(part for line in lines for part in _parts(line, COLUMNS[width] // line.scale))


def _parts(line: Line, columns: int) -> Sequence[Line]:
    if line.kind is not Kind.TEXT:
        return [line] if line.kind is not Kind.CODE or len(line.text) <= columns else [_smaller(line)]
    found: list[str] = []
    for word in printable(line.text).split(" "):
        for piece in (word[start : start + columns] for start in range(0, len(word), columns)):
            if found and len(found[-1]) + 1 + len(piece) <= columns:
                found[-1] += f" {piece}"
            else:
                found.append(piece)
    return [Line(part, line.kind, line.scale, line.bold) for part in found]


def _smaller(line: Line) -> Line:
    return Line(line.text, line.kind, 1, line.bold)
