"""Signs, posters, tent cards, stickers and the page to calibrate with."""

from pathlib import Path

import pytest

from hotspot.colours import Colour
from tests.hotspot.pictures import a_picture
from tests.vouchers.printing.pages import FACE, cut_out, ink, read_codes, rendered, some_cards, written
from vouchers.printing import calibration, sign
from vouchers.printing.canvas import Box
from vouchers.printing.card import wifi_text
from vouchers.printing.paper import STOCKS, Sheet
from vouchers.printing.sheets import Style
from vouchers.printing.sign import Format, Sign, SignWords

WORDS = (
    SignWords("de", "WLAN für Gäste", ("Mit dem WLAN verbinden.", "Zugang wählen.")),
    SignWords("en", "Guest Wi-Fi", ("Join the Wi-Fi.", "Choose your access.")),
)
SIGN = Sign("Gasthof Löwen", "Stadtnetz GmbH", "Löwen", WORDS, Colour(10, 99, 117))


@pytest.mark.parametrize(
    ("format", "size", "grid"),
    [
        (Format.SIGN_A4, (210, 297), (1, 1)),
        (Format.SIGN_A5, (148, 210), (1, 1)),
        (Format.POSTER_A3, (297, 420), (1, 1)),
        (Format.TENT, (210, 297), (1, 2)),
        (Format.STICKERS, (210, 297), (2, 4)),
    ],
)
def test_a_sign_has_its_size_and_each_part_of_it_joins_the_wifi(
    format: Format, size: tuple[int, int], grid: tuple[int, int], tmp_path: Path
) -> None:
    pdf = sign.render(SIGN, format)
    (page,) = rendered(pdf, tmp_path, 150)
    assert page.size == pytest.approx((size[0] / 25.4 * 150, size[1] / 25.4 * 150), abs=1)
    (columns, rows), (width, height) = grid, (size[0] / grid[0], size[1] / grid[1])
    boxes = [Box(column * width, row * height, width, height) for row in range(rows) for column in range(columns)]
    assert read_codes(tmp_path, *(cut_out(page, box, 150) for box in boxes)) == [wifi_text("Löwen")] * len(boxes)
    text = written(pdf, tmp_path)
    for part in ("Gasthof Löwen", "Stadtnetz GmbH", "WLAN für Gäste", "Guest Wi-Fi", "2. Choose your access."):
        assert part in text


def test_headlines_are_light_on_a_dark_colour_and_dark_on_a_light_one(tmp_path: Path) -> None:
    for colour, letters in ((Colour(10, 30, 60), (255, 255, 255)), (Colour(250, 240, 120), (0, 0, 0))):
        (page,) = rendered(sign.render(Sign("Ort", "Netz", "WLAN", WORDS, colour), Format.SIGN_A4), tmp_path, 60)
        band = cut_out(page, Box(0, 0, 210, 40), 60)
        colours = [pixel for _count, pixel in sorted(band.getcolors(1 << 24) or [])]
        assert colours[-2:] == [letters, (colour.red, colour.green, colour.blue)]


def test_a_sign_shows_the_venues_logo(tmp_path: Path) -> None:
    logo = a_picture(size=(200, 100), colour=(200, 0, 0))
    pdf = sign.render(Sign("Ort", "Netz", "WLAN", WORDS, logo=logo), Format.SIGN_A4)
    (page,) = rendered(pdf, tmp_path, 60)
    assert any(pixel[0] > 150 and pixel[1] < 60 for _n, pixel in page.getcolors(1 << 24) or [])  # type: ignore[index]


def test_a_voucher_stands_on_both_sides_of_its_tent_card(tmp_path: Path) -> None:
    cards = some_cards(2)
    told: list[int] = []
    pdf = sign.render_tents(FACE, cards, Style(), told.append)
    pages = rendered(pdf, tmp_path, 100)
    assert told == [0, 1]
    for page, card in zip(pages, cards, strict=True):
        # The code is on the right, which the upper half, upside down, has on its left.
        for half in (Box(0, 0, 105, 148), Box(105, 149, 105, 148)):
            assert read_codes(tmp_path, cut_out(page, half, 100)) == [card.address]


@pytest.mark.parametrize("ssid", ["Café", 'a;b,c:d\\e"f', "0123abcd", "مقهى", " two words "])
def test_any_network_name_can_be_joined_by_its_code(ssid: str, tmp_path: Path) -> None:
    (page,) = rendered(sign.render(Sign("Ort", "Netz", ssid, WORDS), Format.SIGN_A5), tmp_path, 120)
    assert read_codes(tmp_path, page) == [wifi_text(ssid)]


def test_what_means_something_in_a_wifi_code_is_escaped() -> None:
    assert wifi_text('a;b,c:d\\e"f') == 'WIFI:T:nopass;S:a\\;b\\,c\\:d\\\\e\\"f;;'
    assert wifi_text("beef") == 'WIFI:T:nopass;S:"beef";;'
    assert wifi_text("beer") == "WIFI:T:nopass;S:beer;;"


def test_the_rulers_of_the_calibration_page_are_true(tmp_path: Path) -> None:
    stock = STOCKS["avery-c32011"]
    (page,) = rendered(calibration.render(Sheet(stock), ("100 %",)), tmp_path)
    first = ink(cut_out(page, Box(stock.left - 5, stock.top - 4, 30, 6)))
    assert first.x == pytest.approx(5, abs=0.2)
    assert first.y == pytest.approx(4, abs=0.2)
    # The ruler to the right goes from 20 to 170 mm.
    ruler = ink(cut_out(page, Box(101, 20.5, 90, 2)))
    assert ruler.x + ruler.width + 101 == pytest.approx(170, abs=0.2)


def test_the_calibration_page_is_shifted_as_the_print_will_be(tmp_path: Path) -> None:
    stock = STOCKS["avery-c32011"]
    (straight,) = rendered(calibration.render(Sheet(stock), ()), tmp_path)
    (shifted,) = rendered(calibration.render(Sheet(stock, 1, 1.0, 2.0), ()), tmp_path)
    assert ink(shifted).x - ink(straight).x == pytest.approx(1.0, abs=0.1)
    assert ink(shifted).y - ink(straight).y == pytest.approx(2.0, abs=0.1)
    ruler = ink(cut_out(shifted, Box(101, 22.5, 90, 2)))
    assert ruler.x + ruler.width + 101 == pytest.approx(171, abs=0.2)
