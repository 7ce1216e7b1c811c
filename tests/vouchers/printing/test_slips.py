"""Slips: the same voucher as a picture, as ESC/POS and as ePOS-Print XML, read back by other means."""

import base64
import io
import re
from dataclasses import replace
from pathlib import Path
from xml.etree.ElementTree import Element, fromstring

import pytest
from PIL import Image

from tests.vouchers.printing.pages import FACE, read_codes, some_cards
from vouchers.printing import epson, escpos, raster, star
from vouchers.printing.raster import Dots
from vouchers.printing.slip import COLUMNS, DOTS, Kind, Line, slip, trial_slip

CARD = some_cards(1)[0]
ARABIC = replace(FACE, site="مقهى الحديقة", operator="Кав'ярня")
EPOS = "{http://www.epson-pos.com/schemas/2011/03/epos-print}"


def picture_of(body: bytes) -> Image.Image:
    """The picture in a PNG."""
    return Image.open(io.BytesIO(body)).convert("L")


@pytest.mark.parametrize("width", [58, 80])
def test_a_picture_fits_its_paper_and_its_code_can_be_read(width: int, tmp_path: Path) -> None:
    picture = picture_of(star.encode([slip(FACE, CARD, width)], width))
    assert picture.width == DOTS[width]
    assert read_codes(tmp_path, picture) == [CARD.address]


@pytest.mark.parametrize("width", [58, 80])
@pytest.mark.parametrize("face", [FACE, ARABIC, replace(FACE, site="Wolkenkuckucksheim" * 9, ssid="W" * 32)])
def test_no_line_is_longer_than_the_paper_is_wide(width: int, face: object) -> None:
    for line in slip(face, CARD, width):  # type: ignore[arg-type]
        if line.kind in (Kind.TEXT, Kind.CODE):
            assert len(line.text) * line.scale <= COLUMNS[width]


def test_a_slip_says_what_the_pass_gives_and_who_runs_it() -> None:
    text = " ".join(line.text for line in slip(FACE, CARD, 80))
    for part in (FACE.site, *FACE.large, FACE.what, FACE.ssid, FACE.operator, CARD.code, CARD.serial):
        assert part in text
    for words in FACE.words:
        assert words.gives in text
        assert words.good_until in text


def test_a_test_is_no_voucher() -> None:
    lines = trial_slip(FACE, "Bar", 80)
    assert [line.text for line in lines if line.kind is Kind.QR] == [FACE.wifi]
    assert not any(line.kind is Kind.CODE for line in lines)


@pytest.mark.parametrize("width", [58, 80])
def test_escpos_prints_the_address_as_a_qr_code_of_the_printers_own(width: int) -> None:
    body = escpos.encode([slip(FACE, CARD, width)], width)
    stored = re.search(rb"\x1d\(k(..)1P0", body, re.DOTALL)
    assert stored
    length = int.from_bytes(stored[1], "little") - 3
    assert body[stored.end() : stored.end() + length].decode() == CARD.address
    assert body[stored.end() + length :].startswith(b"\x1d(k\x03\x001Q0")
    assert body.startswith(b"\x1b@\x1bt\x13")
    assert body.endswith(b"\x1dVB\x00")


def test_escpos_says_what_its_code_page_has_in_letters_and_draws_the_rest() -> None:
    plain = escpos.encode([slip(FACE, CARD, 80)], 80)
    assert "Gasthof Löwen".encode("cp858") in plain
    assert "4,90 €".encode("cp858") in plain
    assert b"\x1dv0\x00" not in plain
    drawn = escpos.encode([slip(ARABIC, CARD, 80)], 80)
    assert drawn.count(b"\x1dv0\x00") == 2
    assert b"?" not in drawn.partition(b"\x1dv0")[0]


def test_escpos_pictures_hold_as_many_octets_as_they_say() -> None:
    body = escpos.encode([(Line("مقهى"),)], 58)
    start = body.index(b"\x1dv0\x00") + 4
    across, down = (int.from_bytes(body[start + i : start + i + 2], "little") for i in (0, 2))
    assert across * 8 == DOTS[58]
    assert body[start + 4 + across * down :] == b"\x1bd\x03\x1dVB\x00"


def test_dots_are_black_where_the_picture_is() -> None:
    picture = Image.new("1", (16, 2), 1)
    picture.putpixel((0, 0), 0)
    picture.putpixel((15, 1), 0)
    assert Dots.of(picture) == Dots(16, 2, b"\x80\x00\x00\x01")


def test_each_slip_is_cut_off() -> None:
    slips = [slip(FACE, card, 80) for card in some_cards(3)]
    assert escpos.encode(slips, 80).count(b"\x1dVB\x00") == 3
    assert epson.encode("job", slips, 80).count(b"<cut") == 3


def printed_by(body: bytes) -> Element:
    """The print data of a request."""
    found = fromstring(body).find(f"ePOSPrint/PrintData/{EPOS}epos-print")
    assert found is not None
    return found


def test_epson_gets_letters_a_symbol_and_pictures_of_the_rest() -> None:
    body = epson.encode("abcdefgh", [slip(ARABIC, CARD, 80)], 80)
    assert fromstring(body).findtext("ePOSPrint/Parameter/printjobid") == "abcdefgh"
    page = printed_by(body)
    assert page.findtext(f"{EPOS}symbol") == CARD.address
    text = "".join(one.text or "" for one in page.findall(f"{EPOS}text"))
    assert CARD.code in text
    pictures = page.findall(f"{EPOS}image")
    assert len(pictures) == 2
    for one in pictures:
        octets = base64.b64decode(one.text or "")
        assert len(octets) == int(one.get("width", "")) // 8 * int(one.get("height", ""))


def test_names_cannot_break_out_of_the_xml() -> None:
    face = replace(FACE, site='</text><cut type="feed"/>&amp;', ssid="]]><x/>")
    page = printed_by(epson.encode("job", [slip(face, CARD, 80)], 80))
    assert len(page.findall(f"{EPOS}cut")) == 1
    assert '</text><cut type="feed"/>&amp;' in (page.findall(f"{EPOS}text")[1].text or "")


ANSWER = (
    '<?xml version="1.0" encoding="utf-8"?><PrintResponseInfo Version="2.00"><ePOSPrint><Parameter>'
    "<devid>local_printer</devid><printjobid>abc</printjobid></Parameter><PrintResponse>"
    '<response xmlns="http://www.epson-pos.com/schemas/2011/03/epos-print" success="{}" code="{}" status="1"/>'
    "</PrintResponse></ePOSPrint></PrintResponseInfo>"
)


@pytest.mark.parametrize(
    ("answer", "read"),
    [
        (ANSWER.format("true", "").encode().decode().partition("?>")[2], ("abc", "")),
        (ANSWER.format("false", "EPTR_REC_EMPTY").partition("?>")[2], ("abc", "EPTR_REC_EMPTY")),
        (ANSWER.format("false", "").partition("?>")[2], ("abc", "failed")),
        (ANSWER.format("true", ""), ("abc", "")),
        ("<a><printjobid>abc</printjobid></a>", ("abc", "no response")),
        ("", ("", "")),
        ("no xml at all", ("", "")),
        ("<a>" * 3000, ("", "")),
        ('<!DOCTYPE a [<!ENTITY x "y">]><a>&x;</a>', ("", "")),
        ("\x00", ("", "")),
    ],
)
def test_what_a_printer_answers_is_read_and_nonsense_is_no_answer(answer: str, read: tuple[str, str]) -> None:
    assert epson.read_answer(answer) == read


@pytest.mark.parametrize(
    ("code", "trouble"),
    [("200 OK", ""), ("200", ""), ("OK", ""), ("410 Paper Out", "410 Paper Out"), ("520", "520"), ("", "no code")],
)
def test_what_a_star_printer_says_of_a_job(code: str, trouble: str) -> None:
    assert star.trouble_of(code) == trouble


@pytest.mark.parametrize("text", ["", " ", "x" * 500, "東京", "Їжак", "مرحبا", "\x00\x1b@", "😀"])
def test_any_text_can_be_drawn(text: str) -> None:
    assert raster.draw_line(Line(text), 58).width == DOTS[58]


def test_no_name_can_give_a_printer_a_command() -> None:
    body = escpos.encode([slip(replace(FACE, site="\x1b@\x1dV\x00Bar"), CARD, 80)], 80)
    assert body.count(b"\x1b@") == 1
    assert body.count(b"\x1dV") == 1
