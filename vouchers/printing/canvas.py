"""A PDF to draw on in millimetres from the top left corner: texts that fit their box, QR codes, and blocks drawn once."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from io import BytesIO
from types import TracebackType
from typing import Self

from fpdf import FPDF
from fpdf.fonts import TTFFont
from PIL import Image

from hotspot.colours import BLACK, Colour
from vouchers.printing.fonts import Typeface, is_simple, printable
from vouchers.printing.qr import Qr

_MM_TO_PT = 72 / 25.4
_ELLIPSIS = "…"
# A line's height, and where in it the letters stand, as parts of the size of the type.
LEADING = 1.22
_ASCENT = 0.95


@dataclass(frozen=True)
class Box:
    """A rectangle on the page."""

    x: float
    y: float
    width: float
    height: float


@dataclass(frozen=True)
class Type:
    """How a text is set: size in points, the least one it may shrink to, and whether it is bold or a code."""

    size: float
    least: float = 0.0
    bold: bool = False
    code: bool = False
    colour: Colour = BLACK
    centred: bool = False


class Canvas:
    """A PDF in the making, whose pages are all of one size. As a context it closes the font files, which fpdf2 leaves open."""

    def __init__(self, page: tuple[float, float], title: str) -> None:
        self._pdf = FPDF(unit="mm", format=page)
        self._pdf.set_auto_page_break(False)
        self._pdf.set_margin(0)
        self._pdf.c_margin = 0
        self._pdf.set_title(printable(title))
        self._pdf.set_creator("surfpass")
        self._height = page[1]
        self._added: set[Typeface] = set()
        self._replayed: tuple[int, bytes] = (0, b"")

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for font in self._pdf.fonts.values():
            if isinstance(font, TTFFont):
                font.ttfont.close()

    def add_page(self) -> None:
        """Begin the next page."""
        self._pdf.add_page()

    def output(self) -> bytes:
        """The PDF."""
        return bytes(self._pdf.output())

    def record(self, draw: Callable[[], None]) -> bytes:
        """Have something drawn on the page, and take it off again, to be drawn in many places with `replay`."""
        contents = self._contents()
        start = len(contents)
        with self._pdf.local_context():
            self._pdf.current_font_is_set_on_page = False
            draw()
        recorded = bytes(contents[start:])
        del contents[start:]
        return recorded

    def replay(self, recorded: bytes, right: float, down: float) -> None:
        """Draw again what was recorded, so far to the right and down of where it was."""
        page = self._pdf.page
        if (page, recorded) != self._replayed:
            # Each page names the fonts and pictures it uses.
            self._pdf._resource_catalog.index_stream_resources(recorded.decode("latin-1"), page)
            self._replayed = page, recorded
        shift = f"q 1 0 0 1 {right * _MM_TO_PT:.3f} {-down * _MM_TO_PT:.3f} cm\n".encode()
        self._contents().extend(shift + recorded + b"Q\n")

    def _contents(self) -> bytearray:
        """What fpdf2 has written of this page: it has no public way to draw the same block many times."""
        contents = self._pdf.pages[self._pdf.page].contents
        if not isinstance(contents, bytearray):
            raise TypeError("fpdf2 keeps a page's contents in another way than before")
        return contents

    def qr(self, code: Qr, box: Box) -> None:
        """A QR code with its quiet zone, as one filled path."""
        scale = box.width / code.side * _MM_TO_PT
        left, top = box.x * _MM_TO_PT, (self._height - box.y) * _MM_TO_PT
        path = " ".join(f"{x} {y} {length} 1 re" for x, y, length in code.runs)
        self._contents().extend(f"q 0 g {scale:.5f} 0 0 {-scale:.5f} {left:.3f} {top:.3f} cm {path} f Q\n".encode())

    def frame(self, box: Box, colour: Colour = BLACK, thickness: float = 0.1, *, dashed: bool = False) -> None:
        """The outline of a box."""
        with self._pdf.local_context(draw_color=_rgb(colour), line_width=thickness):
            if dashed:
                self._pdf.set_dash_pattern(dash=1.0, gap=1.0)
            self._pdf.rect(box.x, box.y, box.width, box.height)

    def fill(self, box: Box, colour: Colour) -> None:
        """A filled box."""
        with self._pdf.local_context(fill_color=_rgb(colour)):
            self._pdf.rect(box.x, box.y, box.width, box.height, style="F")

    def line(self, x1: float, y1: float, x2: float, y2: float, thickness: float = 0.1) -> None:
        """A line."""
        with self._pdf.local_context(line_width=thickness):
            self._pdf.line(x1, y1, x2, y2)

    def picture(self, body: bytes, box: Box) -> None:
        """A picture, as large as fits, at the top left of the box."""
        with Image.open(BytesIO(body)) as picture:
            scale = min(box.width / picture.width, box.height / picture.height)
            size = picture.width * scale, picture.height * scale
            self._pdf.image(picture.convert("RGB"), box.x, box.y, *size)

    def turned(self, degrees: float, x: float, y: float, draw: Callable[[], None]) -> None:
        """Draw turned around a point."""
        with self._pdf.rotation(degrees, x, y):
            self._pdf.current_font_is_set_on_page = False
            draw()
        self._pdf.current_font_is_set_on_page = False

    def write(self, text: str, box: Box, how: Type) -> float:
        """One line at the top of the box, shrunk and at last shortened until it fits; returns the height it takes."""
        text, size = self._fitted(printable(text), box.width, how)
        width = self._width(text, size, how)
        x = box.x + (box.width - width) / 2 if how.centred else box.x
        self._line(text, x, box.y, size, how)
        return size / _MM_TO_PT * LEADING

    def paragraph(self, text: str, box: Box, how: Type) -> float:
        """Lines broken between words, shrunk until they fit the box, the last one shortened; returns the height taken."""
        lines, size = self._set(printable(text), box, how)
        room = max(1, int(box.height / _line_height(size) + 0.001))
        if len(lines) > room:
            lines = [*lines[: room - 1], " ".join(lines[room - 1 :])]
        at = Type(size, bold=how.bold, colour=how.colour, centred=how.centred)
        for number, line in enumerate(lines):
            y = box.y + number * _line_height(size)
            self.write(line, Box(box.x, y, box.width, _line_height(size)), at)
        return len(lines) * _line_height(size)

    def fits(self, text: str, box: Box, how: Type) -> bool:
        """Whether a paragraph has room in the box without being shortened."""
        lines, size = self._set(printable(text), box, how)
        return len(lines) * _line_height(size) <= box.height

    def _set(self, text: str, box: Box, how: Type) -> tuple[list[str], float]:
        """The lines of a paragraph, at the largest size at which they fit the box, else at the least."""
        size = how.size
        while True:
            lines = self._broken(text, box.width, size, how)
            if len(lines) * _line_height(size) <= box.height or size <= (how.least or how.size):
                return lines, size
            size = max(how.least, size - 0.25)

    def stack(self, parts: Iterable[tuple[str, Type]], box: Box, gap: float = 0.0) -> None:
        """Lines one under the other, all of them smaller if they need it to fit; an empty text takes no place."""
        lines = [(text, how) for text, how in parts if text]
        needed = sum(_line_height(how.size) + gap for _text, how in lines)
        factor = min(1.0, box.height / needed) if needed else 1.0
        y = box.y
        for text, how in lines:
            smaller = replace(how, size=how.size * factor, least=how.least * factor)
            self.write(text, Box(box.x, y, box.width, 0), smaller)
            y += (_line_height(how.size) + gap) * factor

    def _fitted(self, text: str, width: float, how: Type) -> tuple[str, float]:
        natural = self._width(text, how.size, how)
        if natural <= width:
            return text, how.size
        size = max(how.least or how.size, how.size * width / natural * 0.995)
        if self._width(text, size, how) <= width:
            return text, size
        while text and self._width(text + _ELLIPSIS, size, how) > width:
            text = text[:-1].rstrip()
        return text + _ELLIPSIS, size

    def _broken(self, text: str, width: float, size: float, how: Type) -> list[str]:
        lines: list[str] = []
        for word in text.split(" "):
            longer = f"{lines[-1]} {word}" if lines else word
            if lines and self._width(longer, size, how) <= width:
                lines[-1] = longer
            else:
                lines.append(word)
        return lines

    def _width(self, text: str, size: float, how: Type) -> float:
        self._select(text, size, how)
        return float(self._pdf.get_string_width(text))

    def _line(self, text: str, x: float, y: float, size: float, how: Type) -> None:
        simple = self._select(text, size, how)
        baseline = y + size / _MM_TO_PT * _ASCENT
        self._pdf.set_text_color(*_rgb(how.colour))
        if simple:
            self._pdf.text(x, baseline, text)
            return
        height = size / _MM_TO_PT
        # fpdf2 sets a cell's letters at 0.8 of its height.
        self._pdf.set_xy(x, baseline - 0.8 * height)
        self._pdf.cell(h=height, text=text)

    def _select(self, text: str, size: float, how: Type) -> bool:
        """Take the right font; whether the text is set letter by letter."""
        if how.code:
            self._use(Typeface.CODE, size)
            return True
        plain, joined = (Typeface.BOLD, Typeface.ARABIC_BOLD) if how.bold else (Typeface.PLAIN, Typeface.ARABIC)
        simple = is_simple(text)
        if not simple:
            self._add(joined)
            self._pdf.set_fallback_fonts([joined.name.lower()], exact_match=False)
        self._use(plain, size)
        self._pdf.set_text_shaping(use_shaping_engine=not simple)
        return simple

    def _use(self, face: Typeface, size: float) -> None:
        self._add(face)
        self._pdf.set_font(face.name, size=size)

    def _add(self, face: Typeface) -> None:
        if face not in self._added:
            self._added.add(face)
            self._pdf.add_font(face.name, fname=str(face.path))


def _line_height(size: float) -> float:
    return size / _MM_TO_PT * LEADING


def _rgb(colour: Colour) -> tuple[int, int, int]:
    return colour.red, colour.green, colour.blue
