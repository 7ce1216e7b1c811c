"""Sheets of voucher cards as PDF."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from hotspot.colours import BLACK, Colour
from vouchers.printing import qr
from vouchers.printing.canvas import Box, Canvas, Type
from vouchers.printing.card import Card, Face
from vouchers.printing.paper import A4, Sheet

# Above this a card has room for both languages side by side with all they say, and for a logo.
_ROOMY = 44.0
_QUIET = Colour(80, 80, 80)


@dataclass(frozen=True)
class Style:
    """What a person chooses for a print: a second QR code that joins the Wi-Fi, and black only."""

    wifi_code: bool = True
    black_only: bool = False

    def dress(self, face: Face) -> Face:
        """The face as this style prints it: without colour there is no logo either, since it may not be readable in grey."""
        return replace(face, accent=BLACK, logo=None) if self.black_only else face


@dataclass(frozen=True)
class CardLayout:
    """Where things lie on a card of a size, from its top left corner."""

    code_qr: Box
    wifi_qr: Box | None
    head: Box
    code: Box
    words: Box
    foot: Box

    @classmethod
    def of(cls, width: float, height: float, *, wifi_code: bool) -> "CardLayout":
        """The layout for a card of this size. The quiet zones of the QR codes reach into the margin."""
        roomy = height >= _ROOMY
        margin, foot = (4.0, 3.0) if roomy else (3.0, 2.6)
        words = 16.5 if roomy else 7.2
        side = min(height - words - foot - margin - 1.0, width * 0.42)
        second = min(words + foot + 3.5, 17.0) if wifi_code and roomy else 0.0
        left = width - 2 * margin - side + 1.0
        code_height = 6.2 if roomy else 5.2
        words_y = height - margin - foot - words + 1.0
        wifi = Box(width - margin - second + 1.0, height - margin - second + 1.2, second, second) if second else None
        return cls(
            code_qr=Box(width - side - margin + 2.0, margin - 2.0, side, side),
            wifi_qr=wifi,
            head=Box(margin, margin - 0.5, left, max(8.0, words_y - code_height - 1.0 - margin)),
            code=Box(margin, words_y - code_height - 1.0, left, code_height),
            words=Box(margin, words_y, width - 2 * margin - (second and second + 0.5), words - 1.2),
            foot=Box(margin, height - margin - foot + 0.9, width - 2 * margin - (second and second + 0.5), foot),
        )


def render(
    face: Face,
    cards: Sequence[Card],
    sheet: Sheet,
    style: Style,
    progress: Callable[[int], None] = lambda _done: None,
) -> bytes:
    """A PDF of the cards. `progress` is told how many are done, a sheet at a time; what it raises ends the work."""
    stock, face = sheet.stock, style.dress(face)
    layout = CardLayout.of(stock.width, stock.height, wifi_code=style.wifi_code)
    page, common = -1, b""
    with Canvas(A4, f"{face.site}: {face.name}") as canvas:
        for done, (card, (on, x, y)) in enumerate(zip(cards, sheet.places(len(cards)), strict=True)):
            if on != page:
                page = on
                canvas.add_page()
                progress(done)
                common = common or canvas.record(lambda: _draw_common(canvas, face, layout, sheet))
            canvas.replay(common, x, y)
            _draw_own(canvas, card, layout, x, y)
        if not cards:
            canvas.add_page()
        return canvas.output()


def _draw_common(canvas: Canvas, face: Face, layout: CardLayout, sheet: Sheet) -> None:
    """What is the same on every card, at the top left corner of the page."""
    stock = sheet.stock
    if stock.cut:
        canvas.frame(Box(0, 0, stock.width, stock.height), _QUIET, dashed=True)
    _draw_head(canvas, face, layout.head, roomy=stock.height >= _ROOMY)
    code = layout.code
    canvas.frame(code, BLACK, 0.35)
    _draw_words(canvas, face, layout.words, roomy=stock.height >= _ROOMY)
    foot = layout.foot
    canvas.write(
        face.operator, Box(foot.x, foot.y, foot.width - 19.0, foot.height), Type(6.2, least=5.0, colour=_QUIET)
    )
    if layout.wifi_qr:
        canvas.qr(qr.encode(face.wifi), layout.wifi_qr)
        label = Box(layout.wifi_qr.x, layout.wifi_qr.y - 1.0, layout.wifi_qr.width, 2.4)
        canvas.write("Wi-Fi · WLAN", label, Type(5.6, bold=True, centred=True))


def _draw_head(canvas: Canvas, face: Face, box: Box, *, roomy: bool) -> None:
    if roomy and face.logo:
        canvas.picture(face.logo, Box(box.x, box.y, box.width, 8.0))
        box = Box(box.x, box.y + 9.0, box.width, box.height - 9.0)
    large = 20.0 if box.height >= 20.0 and not face.logo else 15.0
    canvas.stack(
        [
            ("" if roomy and face.logo else face.site, Type(9.0 if roomy else 7.5, least=6.5, bold=True)),
            *large_lines(face, large, 10.0),
            (face.what, Type(9.0 if roomy else 7.0, least=6.0)),
            (f"Wi-Fi · WLAN: {face.ssid}", Type(8.0 if roomy else 6.5, least=6.0, bold=True)),
            (face.site if roomy and face.logo else "", Type(7.5, least=6.0)),
        ],
        box,
        gap=0.3,
    )


def large_lines(face: Face, size: float, least: float) -> list[tuple[str, Type]]:
    """What is read first: in the first language large, in the others half as large."""
    first = Type(size, least=least, bold=True, colour=face.accent)
    other = replace(first, size=size / 2, least=least / 2)
    return [(text, other if number else first) for number, text in enumerate(face.large)]


def _draw_words(canvas: Canvas, face: Face, box: Box, *, roomy: bool) -> None:
    """Both languages side by side; on a small card until when it is good, one under the other."""
    if not roomy:
        canvas.stack([(one.good_until, Type(6.2, least=5.0)) for one in face.words], box)
        return
    width = (box.width - 2.0 * (len(face.words) - 1)) / max(1, len(face.words))
    for number, one in enumerate(face.words):
        column = Box(box.x + number * (width + 2.0), box.y, width, box.height)
        y = canvas.paragraph(one.gives, Box(column.x, column.y, width, 5.4), Type(6.4, least=5.4, bold=True))
        y += canvas.paragraph(one.good_until, Box(column.x, column.y + y, width, 5.4), Type(6.2, least=5.4))
        rest = Box(column.x, column.y + y, width, column.height - y)
        how = Type(5.8, least=5.2, colour=_QUIET)
        if canvas.fits(one.how, rest, how):
            canvas.paragraph(one.how, rest, how)


def _draw_own(canvas: Canvas, card: Card, layout: CardLayout, x: float, y: float) -> None:
    """What only this card has."""
    code, foot, side = layout.code, layout.foot, layout.code_qr
    canvas.qr(qr.encode(card.address), Box(x + side.x, y + side.y, side.width, side.height))
    place = Box(x + code.x + 1.0, y + code.y + code.height / 2 - 2.75, code.width - 2.0, code.height)
    canvas.write(card.code, place, Type(13.0, least=8.0, code=True, centred=True))
    serial = Box(x + foot.x + foot.width - 18.0, y + foot.y, 18.0, foot.height)
    canvas.write(card.serial, serial, Type(6.2))
