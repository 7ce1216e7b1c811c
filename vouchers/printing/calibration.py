"""A page that shows how far a printer is off: rulers, and the frames of a stock to hold against a sheet of it."""

from vouchers.printing.canvas import Box, Canvas, Type
from vouchers.printing.paper import A4, Sheet

_RULER = 150
_FROM = 20.0


def render(sheet: Sheet, advice: tuple[str, ...]) -> bytes:
    """The page; `advice` says what to do with it, a paragraph for each language."""
    with Canvas(A4, "Calibration") as canvas:
        canvas.add_page()
        for number, (_page, x, y) in enumerate(sheet.places(sheet.stock.cards - sheet.start + 1), sheet.start):
            canvas.frame(Box(x, y, sheet.stock.width, sheet.stock.height), thickness=0.2)
            canvas.write(str(number), Box(x + 3, y + 3, 20, 0), Type(9, bold=True))
        x, y = _FROM + sheet.shift_x, _FROM + sheet.shift_y
        _rulers(canvas, x, y)
        for number, words in enumerate(advice):
            canvas.paragraph(words, Box(x + 14, y + 18 + number * 32, _RULER - 20, 30), Type(11, least=8))
        return canvas.output()


def _rulers(canvas: Canvas, x: float, y: float) -> None:
    """One to the right and one down, from a corner that is 20 mm from both edges of the page."""
    for millimetre in range(_RULER + 1):
        length = 8.0 if millimetre % 10 == 0 else 5.0 if millimetre % 5 == 0 else 3.0
        canvas.line(x + millimetre, y, x + millimetre, y + length)
        canvas.line(x, y + millimetre, x + length, y + millimetre)
        if millimetre and millimetre % 10 == 0:
            canvas.write(str(millimetre // 10), Box(x + millimetre - 3, y + 8, 6, 0), Type(7, centred=True))
            canvas.write(str(millimetre // 10), Box(x + 8.5, y + millimetre - 1.5, 6, 0), Type(7))
