"""Sheets of cards: everything where the stock has it, and every QR code the one of its card."""

from dataclasses import replace
from pathlib import Path

import pytest

from hotspot.errors import WrongUse
from tests.hotspot.pictures import a_picture
from tests.vouchers.printing.pages import FACE, cut_out, ink, read_codes, rendered, some_cards, written
from vouchers.printing import sheets
from vouchers.printing.canvas import Box
from vouchers.printing.paper import STOCKS, Measures, Sheet, own_stock
from vouchers.printing.qr import QUIET_ZONE, encode
from vouchers.printing.sheets import CardLayout, Style

TOLERANCE = 0.5
PLAIN = Sheet(STOCKS["plain-85x55"])
ONLY_CODES = Style(wifi_code=False)


@pytest.mark.parametrize("name", STOCKS)
def test_the_codes_of_a_full_sheet_can_be_read_and_are_those_of_the_cards(name: str, tmp_path: Path) -> None:
    cards = some_cards(STOCKS[name].cards)
    stock = STOCKS[name]
    (page,) = rendered(sheets.render(FACE, cards, Sheet(stock), ONLY_CODES), tmp_path, 200)
    corners = [stock.corner(place) for place in range(stock.cards)]
    singly = [cut_out(page, Box(x, y, stock.width, stock.height), 200) for x, y in corners]
    assert read_codes(tmp_path, *singly) == [card.address for card in cards]


def test_the_second_code_joins_the_wifi(tmp_path: Path) -> None:
    (page,) = rendered(sheets.render(FACE, some_cards(1), PLAIN, Style()), tmp_path, 200)
    assert read_codes(tmp_path, page) == [r"WIFI:T:nopass;S:Löwen\; Gäste;;", some_cards(1)[0].address]


@pytest.mark.parametrize("name", STOCKS)
def test_each_code_lies_within_half_a_millimetre_of_where_the_stock_has_it(name: str, tmp_path: Path) -> None:
    stock = STOCKS[name]
    cards = some_cards(stock.cards)
    (page,) = rendered(sheets.render(FACE, cards, Sheet(stock), ONLY_CODES), tmp_path)
    box = CardLayout.of(stock.width, stock.height, wifi_code=False).code_qr
    quiet = box.width * QUIET_ZONE / encode(cards[0].address).side
    for column, row in ((0, 0), (1, 0), (0, 1), (stock.columns - 1, stock.rows - 1)):
        x, y = stock.left + column * stock.step_x, stock.top + row * stock.step_y
        around = Box(x + box.x, y + box.y, box.width, box.height)
        found = ink(cut_out(page, around))
        assert found.x == pytest.approx(quiet, abs=TOLERANCE)
        assert found.y == pytest.approx(quiet, abs=TOLERANCE)
        assert found.width == pytest.approx(box.width - 2 * quiet, abs=TOLERANCE)


def test_the_cards_of_a_c32011_lie_where_the_maker_has_them() -> None:
    stock = STOCKS["avery-c32011"]
    assert (stock.width, stock.height) == (85, 54)
    assert [stock.corner(place) for place in (0, 1, 2, 9)] == [(15, 13.5), (110, 13.5), (15, 67.5), (110, 229.5)]


@pytest.mark.parametrize("name", STOCKS)
def test_nothing_is_printed_beyond_the_cards_edge(name: str, tmp_path: Path) -> None:
    stock = replace(STOCKS[name], cut=False)
    (page,) = rendered(sheets.render(FACE, some_cards(1), Sheet(stock), Style()), tmp_path)
    found = ink(page)
    assert found.x > stock.left + 1.5
    assert found.y > stock.top + 1.5
    assert found.x + found.width < stock.left + stock.width - 1.5
    assert found.y + found.height < stock.top + stock.height - 1.0


def test_a_begun_sheet_is_gone_on_with(tmp_path: Path) -> None:
    first, second = rendered(sheets.render(FACE, some_cards(4), Sheet(PLAIN.stock, start=8), ONLY_CODES), tmp_path, 150)
    above = Box(0, 0, 210, PLAIN.stock.corner(6)[1] - 1)
    assert cut_out(first, above, 150).getextrema() == ((255, 255),) * 3
    assert len(read_codes(tmp_path, first)) == 3
    assert len(read_codes(tmp_path, second)) == 1


def test_a_printer_that_is_off_is_put_right(tmp_path: Path) -> None:
    cards = some_cards(1)
    (straight,) = rendered(sheets.render(FACE, cards, PLAIN, ONLY_CODES), tmp_path)
    (shifted,) = rendered(sheets.render(FACE, cards, Sheet(PLAIN.stock, 1, 2.5, -1.5), ONLY_CODES), tmp_path)
    assert ink(shifted).x - ink(straight).x == pytest.approx(2.5, abs=0.1)
    assert ink(shifted).y - ink(straight).y == pytest.approx(-1.5, abs=0.1)


def test_black_only_has_no_colour_and_no_picture(tmp_path: Path) -> None:
    dressed = replace(FACE, logo=a_picture(size=(200, 80), colour=(200, 0, 0)))
    for style, colourful in ((Style(), True), (Style(black_only=True), False)):
        (page,) = rendered(sheets.render(dressed, some_cards(1), PLAIN, style), tmp_path, 100)
        colours = {pixel for _count, pixel in page.getcolors(1 << 24) or []}
        assert any(max(pixel) - min(pixel) > 16 for pixel in colours) is colourful  # type: ignore[arg-type]


@pytest.mark.parametrize("name", STOCKS)
def test_a_card_says_all_that_a_guest_has_to_know(name: str, tmp_path: Path) -> None:
    text = written(sheets.render(FACE, some_cards(1), Sheet(STOCKS[name]), Style()), tmp_path)
    for part in (FACE.site, FACE.operator, FACE.ssid, *FACE.large, FACE.what, "ABCD-EFGH-000", "000000000"):
        assert part in text
    assert "15.06.2027" in text
    assert "15 Jun 2027" in text


def test_a_small_card_says_in_both_languages_until_when(tmp_path: Path) -> None:
    text = written(sheets.render(FACE, some_cards(1), Sheet(STOCKS["avery-3474"]), Style()), tmp_path)
    assert FACE.words[0].good_until in text
    assert FACE.words[1].good_until in text


@pytest.mark.parametrize(
    ("site", "shown"),
    [
        ("Кав'ярня «Київ»", "Кав'ярня «Київ»"),
        ("Çırağan Şişli Žluťoučký Αθήνα", "Çırağan Şişli Žluťoučký Αθήνα"),
        ("Café 東京", "Café …"),
        ("A\x00B\u202e\ud7ff\U0001f600C", "AB…C"),
        ("", ""),
    ],
)
def test_every_name_can_be_printed(site: str, shown: str, tmp_path: Path) -> None:
    text = written(sheets.render(replace(FACE, site=site), some_cards(1), PLAIN, Style()), tmp_path)
    assert shown in text
    assert "?" not in text


def test_arabic_letters_are_joined_and_run_from_right_to_left(tmp_path: Path) -> None:
    pdf = sheets.render(replace(FACE, site="مقهى الحديقة"), some_cards(1), PLAIN, Style())
    assert b"IBMPlexSansArabic" in pdf
    assert "مقهى" in written(pdf, tmp_path).replace("\u200f", "")


def test_names_of_any_length_stay_on_their_card(tmp_path: Path) -> None:
    endless = "Wolkenkuckucksheim" * 20
    words = tuple(replace(one, large=endless, gives=f"{endless} {endless}", how=endless) for one in FACE.words)
    face = replace(FACE, site=endless, name=endless, words=words, ssid="W" * 32, operator=endless)
    (page,) = rendered(sheets.render(face, some_cards(1), PLAIN, ONLY_CODES), tmp_path)
    assert ink(page).width <= PLAIN.stock.width + TOLERANCE
    assert ink(page).height <= PLAIN.stock.height + TOLERANCE
    assert read_codes(tmp_path, page) == [some_cards(1)[0].address]


def test_a_print_without_cards_is_an_empty_page(tmp_path: Path) -> None:
    (page,) = rendered(sheets.render(FACE, [], PLAIN, Style()), tmp_path, 50)
    assert page.getextrema() == ((255, 255),) * 3


def test_progress_is_told_sheet_by_sheet_and_may_end_the_work() -> None:
    told: list[int] = []
    sheets.render(FACE, some_cards(25), PLAIN, ONLY_CODES, told.append)
    assert told == [0, 10, 20]

    def enough(done: int) -> None:
        if done >= 10:
            raise InterruptedError

    with pytest.raises(InterruptedError):
        sheets.render(FACE, some_cards(25), PLAIN, ONLY_CODES, enough)


GOOD = Measures(columns=2, rows=5, width=90, height=50, left=10, top=20, gap_x=5, gap_y=2)


def test_own_measures_are_taken_as_they_are() -> None:
    stock = own_stock(GOOD)
    assert stock.corner(0) == (10, 20)
    assert stock.corner(3) == (105, 72)
    assert stock.cards == 10


@pytest.mark.parametrize(
    ("wrong", "code"),
    [
        ({"columns": 0}, "bad-grid"),
        ({"rows": 21}, "bad-grid"),
        ({"width": 59.9}, "card-too-small"),
        ({"height": 10}, "card-too-small"),
        ({"left": 30}, "too-wide"),
        ({"columns": 3}, "too-wide"),
        ({"gap_y": 10}, "too-high"),
        ({"top": -1}, "bad-measure"),
        ({"gap_x": float("nan")}, "bad-measure"),
        ({"width": float("inf")}, "bad-measure"),
    ],
)
def test_own_measures_that_do_not_fit_are_refused(wrong: dict[str, float], code: str) -> None:
    with pytest.raises(WrongUse) as refused:
        own_stock(replace(GOOD, **wrong))  # type: ignore[arg-type]
    assert refused.value.code == code


@pytest.mark.parametrize("name", STOCKS)
def test_all_stock_by_name_fits_on_its_page(name: str) -> None:
    one = STOCKS[name]
    gaps = one.step_x - one.width, one.step_y - one.height
    measures = Measures(one.columns, one.rows, one.width, one.height, one.left, one.top, *map(abs, gaps))
    assert own_stock(measures).cards == one.cards


@pytest.mark.parametrize(("start", "shift"), [(0, 0.0), (11, 0.0), (1, 10.1), (1, float("nan"))])
def test_a_place_or_a_shift_that_cannot_be_is_refused(start: int, shift: float) -> None:
    with pytest.raises(WrongUse):
        Sheet(PLAIN.stock, start, shift)
