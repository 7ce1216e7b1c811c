"""Lines of a slip as dots, for printers that take pictures, and for letters that a printer itself does not have."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache

from PIL import Image, ImageDraw, ImageFont, features

from vouchers.printing import qr
from vouchers.printing.fonts import Typeface, characters, is_simple, printable
from vouchers.printing.slip import DOTS, Kind, Line

_SIZE = 26
_LEADING = 1.3
_GAP = 16
# Large enough for any phone, and for print heads that have aged.
_LEAST_MODULE = 4


@dataclass(frozen=True)
class Dots:
    """Black dots on white: rows of octets, the leftmost dot in the highest bit."""

    width: int
    height: int
    rows: bytes

    @classmethod
    def of(cls, picture: Image.Image) -> "Dots":
        """The dots of a picture of two colours."""
        inverted = picture.convert("L").point([255] * 128 + [0] * 128).convert("1", dither=Image.Dither.NONE)
        return cls(picture.width, picture.height, inverted.tobytes())


def draw(lines: Sequence[Line], width: int) -> Image.Image:
    """The lines as a picture of two colours, as wide as paper of `width` millimetres can be printed on."""
    parts = [draw_line(line, width) for line in lines]
    picture = Image.new("1", (DOTS[width], sum(part.height for part in parts)), 1)
    y = 0
    for part in parts:
        picture.paste(part, (0, y))
        y += part.height
    return picture


def draw_line(line: Line, width: int) -> Image.Image:
    """One line, centred."""
    if line.kind is Kind.GAP:
        return Image.new("1", (DOTS[width], _GAP), 1)
    return _draw_qr(line.text, DOTS[width]) if line.kind is Kind.QR else _draw_text(line, DOTS[width])


def module_dots(side: int, dots: int) -> int:
    """How many dots a module of a QR code takes, which has so many with its quiet zone, on paper of so many dots."""
    return max(_LEAST_MODULE, min(8, dots * 2 // 3 // side))


def _draw_qr(text: str, dots: int) -> Image.Image:
    code = qr.encode(text)
    module = module_dots(code.side, dots)
    picture = Image.new("1", (dots, code.side * module), 1)
    pen, left = ImageDraw.Draw(picture), (dots - code.side * module) // 2
    for x, y, length in code.runs:
        corner = left + x * module, y * module
        pen.rectangle((*corner, corner[0] + length * module - 1, corner[1] + module - 1), fill=0)
    return picture


def _draw_text(line: Line, dots: int) -> Image.Image:
    face = _typeface(line)
    text = printable(line.text, characters(face))
    size = _SIZE * line.scale * (5 if line.scale > 1 else 6) // 6
    while True:
        font = _font(face, size)
        length = font.getlength(text)
        if length <= dots or size <= _SIZE // 2:
            break
        size = int(size * 0.9)
    picture = Image.new("1", (dots, round(size * _LEADING)), 1)
    pen = ImageDraw.Draw(picture)
    pen.fontmode = "1"
    pen.text(((dots - length) / 2, size), text, font=font, fill=0, anchor="ls")
    return picture


def _typeface(line: Line) -> Typeface:
    if line.kind is Kind.CODE:
        return Typeface.CODE
    if is_simple(line.text):
        return Typeface.BOLD if line.bold else Typeface.PLAIN
    return Typeface.ARABIC_BOLD if line.bold else Typeface.ARABIC


@cache
def _font(face: Typeface, size: int) -> ImageFont.FreeTypeFont:
    engine = ImageFont.Layout.RAQM if features.check("raqm") else ImageFont.Layout.BASIC
    return ImageFont.truetype(str(face.path), size, layout_engine=engine)
