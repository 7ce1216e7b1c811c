"""What a printed page looks like: PDFs rendered by poppler, QR codes read by zbar, and where things lie on them."""

import re
import subprocess
from pathlib import Path

from PIL import Image, ImageOps

from hotspot.colours import Colour
from vouchers.printing.canvas import Box
from vouchers.printing.card import Card, Face, Words

DPI = 300
ADDRESS = "https://portal.example.org/v/"

FACE = Face(
    site="Gasthof Löwen",
    operator="Stadtnetz GmbH",
    ssid="Löwen; Gäste",
    name="Tagespass",
    words=(
        Words(
            "de",
            "24 Stunden",
            "4,90 €",
            "24 Stunden ab der ersten Nutzung",
            "Erste Nutzung bis 15.06.2027, 14:00",
            "Code scannen.",
        ),
        Words(
            "en", "24 hours", "€4.90", "24 hours from first use", "Use it first by 15 Jun 2027, 14:00", "Scan the code."
        ),
    ),
    accent=Colour(10, 99, 117),
)


def some_cards(count: int) -> list[Card]:
    """Cards with codes that differ."""
    codes = [f"ABCDEFGH{number:03}" for number in range(count)]
    return [Card(f"{n:09}", f"{c[:4]}-{c[4:8]}-{c[8:]}", ADDRESS + c) for n, c in enumerate(codes)]


def rendered(pdf: bytes, folder: Path, dpi: int = DPI) -> list[Image.Image]:
    """The pages as pictures."""
    (folder / "printed.pdf").write_bytes(pdf)
    subprocess.run(["pdftoppm", "-r", str(dpi), folder / "printed.pdf", folder / "page"], check=True)
    pages = sorted(folder.glob("page-*.ppm"))
    found = []
    for page in pages:
        with Image.open(page) as picture:
            found.append(picture.convert("RGB"))
        page.unlink()
    return found


def written(pdf: bytes, folder: Path) -> str:
    """The text of all pages, as poppler reads it."""
    (folder / "printed.pdf").write_bytes(pdf)
    command = ["pdftotext", "-layout", str(folder / "printed.pdf"), "-"]
    return subprocess.run(command, check=True, capture_output=True, encoding="utf-8").stdout


def read_codes(folder: Path, *pictures: Image.Image) -> list[str]:
    """What the QR codes of all these pictures hold, sorted. On a page with many codes zbar misses some: give it the cards."""
    paths = [folder / f"codes-{number}.pgm" for number in range(len(pictures))]
    for picture, path in zip(pictures, paths, strict=True):
        picture.convert("L").save(path)
    # As octets: zbar would guess at the character set. It separates them by nothing then.
    options = ["--quiet", "--nodbus", "--raw", "-Sdisable", "-Sqrcode.enable", "-Sbinary"]
    found = subprocess.run(["zbarimg", *options, *paths], check=True, capture_output=True, text=True).stdout
    return sorted(filter(None, re.split("(?=https:|WIFI:)", found)))


def cut_out(page: Image.Image, box: Box, dpi: int = DPI) -> Image.Image:
    """A part of a page, given in millimetres."""
    corners = (box.x, box.y, box.x + box.width, box.y + box.height)
    return page.crop(tuple(round(edge / 25.4 * dpi) for edge in corners))  # type: ignore[arg-type]


def ink(page: Image.Image, dpi: int = DPI) -> Box:
    """The smallest box, in millimetres, that holds all that is dark."""
    found = ImageOps.invert(page.convert("L")).point([0] * 128 + [255] * 128).getbbox()
    assert found, "nothing is printed there"
    left, top, right, bottom = (edge / dpi * 25.4 for edge in found)
    return Box(left, top, right - left, bottom - top)
