"""What marks a place as a hotspot (R12) as PDF: signs, posters, tent cards and stickers with its name, SSID and QR code."""

import enum
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import partial

from hotspot.colours import BLACK, WHITE, Colour
from vouchers.printing import qr
from vouchers.printing.canvas import Box, Canvas, Type
from vouchers.printing.card import Card, Face, wifi_text
from vouchers.printing.paper import A4, A5
from vouchers.printing.sheets import Style, large_lines

A3 = (297.0, 420.0)
_QUIET = Colour(80, 80, 80)
# Two columns and four rows of A7 on A4, to cut along lines: 105 x 74 mm.
_STICKERS = (2, 4)
# What readers of a sign stand away from it follows its size: all measures are for a width of 210 mm.
_NORMAL_WIDTH = 210.0


class Format(enum.StrEnum):
    """What a sign is printed as."""

    SIGN_A4 = "sign-a4"
    SIGN_A5 = "sign-a5"
    POSTER_A3 = "poster-a3"
    TENT = "tent"
    STICKERS = "stickers"


@dataclass(frozen=True)
class SignWords:
    """A sign's texts in one language: what there is, and the steps to use it."""

    language: str
    headline: str
    steps: tuple[str, ...]


@dataclass(frozen=True)
class Sign:
    """A sign of a site."""

    site: str
    operator: str
    ssid: str
    words: tuple[SignWords, ...]
    accent: Colour = BLACK
    logo: bytes | None = field(default=None, repr=False)


def render(sign: Sign, format: Format) -> bytes:
    """The PDF of a sign."""
    page = {Format.SIGN_A5: A5, Format.POSTER_A3: A3}.get(format, A4)
    with Canvas(page, f"{sign.site}: {sign.ssid}") as canvas:
        canvas.add_page()
        if format is Format.TENT:
            _fold(canvas, lambda box: _draw_wide(canvas, sign, box))
        elif format is Format.STICKERS:
            _draw_stickers(canvas, sign)
        else:
            _draw_high(canvas, sign, Box(0, 0, *page))
        return canvas.output()


def render_tents(
    face: Face, cards: Sequence[Card], style: Style, progress: Callable[[int], None] = lambda _done: None
) -> bytes:
    """A PDF with a tent card for each voucher; `progress` is told how many are done."""
    face = style.dress(face)
    with Canvas(A4, f"{face.site}: {face.name}") as canvas:
        for done, card in enumerate(cards):
            progress(done)
            canvas.add_page()
            _fold(canvas, partial(_draw_voucher, canvas, face, card))
        if not cards:
            canvas.add_page()
        return canvas.output()


def _fold(canvas: Canvas, draw: Callable[[Box], None]) -> None:
    """The same on both halves of the page, the upper one upside down, and marks at its edges where to fold."""
    width, height = A4
    half = height / 2
    canvas.turned(180, width / 2, half / 2, lambda: draw(Box(0, 0, width, half)))
    draw(Box(0, half, width, half))
    for x in (0.0, width - 6.0):
        canvas.line(x, half, x + 6.0, half)


def _draw_high(canvas: Canvas, sign: Sign, page: Box) -> None:
    """A page that is higher than it is wide."""
    unit = page.width / _NORMAL_WIDTH
    margin = 18 * unit
    inner = page.width - 2 * margin
    _draw_band(canvas, sign, Box(page.x, page.y, page.width, 62 * unit), unit)
    side = 118 * unit
    canvas.write(sign.site, Box(margin, 70 * unit, inner, 0), Type(27 * unit, least=14 * unit, bold=True, centred=True))
    box = Box((page.width - side) / 2, 82 * unit, side, side)
    canvas.qr(qr.encode(wifi_text(sign.ssid)), box)
    name = Box(margin, 198 * unit, inner, 0)
    canvas.write(f"Wi-Fi · WLAN: {sign.ssid}", name, Type(30 * unit, least=14 * unit, bold=True, centred=True))
    width = (inner - 8 * unit * (len(sign.words) - 1)) / max(1, len(sign.words))
    for number, one in enumerate(sign.words):
        column = Box(margin + number * (width + 8 * unit), 216 * unit, width, 48 * unit)
        _draw_steps(canvas, one, column, Type(19 * unit, least=9 * unit))
    _draw_foot(canvas, sign, Box(margin, 268 * unit, inner, 14 * unit), unit)


def _draw_wide(canvas: Canvas, sign: Sign, box: Box) -> None:
    """A half page or a sticker, wider than it is high."""
    unit = box.width / _NORMAL_WIDTH
    _draw_band(canvas, sign, Box(box.x, box.y, box.width, 38 * unit), unit * 0.62)
    side = 84 * unit
    canvas.qr(qr.encode(wifi_text(sign.ssid)), Box(box.x + 8 * unit, box.y + 41 * unit, side, side))
    left, width = box.x + 97 * unit, 101 * unit
    canvas.stack(
        [
            (sign.site, Type(20 * unit, least=11 * unit, bold=True)),
            (f"Wi-Fi · WLAN: {sign.ssid}", Type(20 * unit, least=11 * unit, bold=True, colour=sign.accent)),
        ],
        Box(left, box.y + 46 * unit, width, 22 * unit),
        gap=1.5 * unit,
    )
    for number, one in enumerate(sign.words):
        place = Box(left, box.y + (72 + 26 * number) * unit, width, 24 * unit)
        _draw_steps(canvas, one, place, Type(13 * unit, least=7 * unit))
    _draw_foot(canvas, sign, Box(box.x + 12 * unit, box.y + 130 * unit, 186 * unit, 12 * unit), unit)


def _draw_band(canvas: Canvas, sign: Sign, box: Box, unit: float) -> None:
    """The headlines on the venue's colour."""
    canvas.fill(box, sign.accent)
    on_it = max(BLACK, WHITE, key=sign.accent.contrast)
    height = box.height / max(1, len(sign.words))
    for number, one in enumerate(sign.words):
        size = (54 if number == 0 else 34) * unit
        y = box.y + number * height + (height - size * 0.43) / 2 + (2 if number == 0 else -3) * unit
        place = Box(box.x + 14 * unit, y, box.width - 28 * unit, 0)
        canvas.write(one.headline, place, Type(size, least=size / 3, bold=number == 0, colour=on_it, centred=True))


def _draw_steps(canvas: Canvas, words: SignWords, box: Box, how: Type) -> None:
    """The steps one under the other, each in an equal part of the box at most."""
    y, part = box.y, box.height / max(1, len(words.steps))
    for number, step in enumerate(words.steps, 1):
        y += canvas.paragraph(f"{number}. {step}", Box(box.x, y, box.width, part), how) + part * 0.05


def _draw_foot(canvas: Canvas, sign: Sign, box: Box, unit: float) -> None:
    indent = 0.0
    if sign.logo:
        indent = 60 * unit
        canvas.picture(sign.logo, Box(box.x, box.y - 4 * unit, 50 * unit, box.height + 4 * unit))
    place = Box(box.x + indent, box.y + box.height / 2, box.width - indent, 0)
    canvas.write(sign.operator, place, Type(11 * unit, least=7 * unit, colour=_QUIET))


def _draw_stickers(canvas: Canvas, sign: Sign) -> None:
    columns, rows = _STICKERS
    width, height = A4[0] / columns, A4[1] / rows
    for number in range(columns * rows):
        row, column = divmod(number, columns)
        box = Box(column * width, row * height, width, height)
        _draw_wide(canvas, sign, box)
        canvas.frame(box, _QUIET, dashed=True)


def _draw_voucher(canvas: Canvas, face: Face, card: Card, box: Box) -> None:
    """A voucher on half a page."""
    canvas.fill(Box(box.x, box.y, box.width, 4.0), face.accent)
    canvas.qr(qr.encode(card.address), Box(box.x + 122, box.y + 10, 80, 80))
    if face.logo:
        canvas.picture(face.logo, Box(box.x + 14, box.y + 10, 60, 14))
    canvas.stack(
        [
            (face.site, Type(18, least=10, bold=True)),
            *large_lines(face, 44, 18),
            (face.what, Type(16, least=10)),
            (f"Wi-Fi · WLAN: {face.ssid}", Type(16, least=10, bold=True)),
        ],
        Box(box.x + 14, box.y + (28 if face.logo else 16), 106, 60),
        gap=1.5,
    )
    code = Box(box.x + 14, box.y + 88, 104, 15)
    canvas.frame(code, BLACK, 0.6)
    canvas.write(
        card.code, Box(code.x + 2, code.y + 1.6, code.width - 4, 0), Type(30, least=16, code=True, centred=True)
    )
    for number, one in enumerate(face.words):
        column = Box(box.x + 14 + number * 93, box.y + 107, 88, 8)
        y = canvas.paragraph(one.gives, column, Type(10, least=7, bold=True))
        y += canvas.paragraph(one.good_until, Box(column.x, column.y + y, 88, 8), Type(10, least=7))
        canvas.paragraph(one.how, Box(column.x, column.y + y, 88, 8), Type(9, least=6.5, colour=_QUIET))
    canvas.write(face.operator, Box(box.x + 14, box.y + 137, 150, 0), Type(9, least=6, colour=_QUIET))
    canvas.write(card.serial, Box(box.x + 168, box.y + 137, 34, 0), Type(9))
