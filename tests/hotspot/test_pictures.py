"""Pictures that people send: what comes out is ours, small, and holds nothing of the file."""

import io
import random
import tracemalloc
import zlib

import pytest
from PIL import Image, ImageDraw

from hotspot.errors import Refusal
from hotspot.pictures import BACKGROUND, LARGEST_FILE_OCTETS, LOGO, EncodedPicture, encode_background, encode_logo
from tests.hotspot.pictures import a_picture, a_png_of, noise, written

SVG = b'<svg xmlns="http://www.w3.org/2000/svg" onload="alert(1)"><script>alert(1)</script></svg>'


def opened(encoded: EncodedPicture) -> Image.Image:
    """What a browser makes of it."""
    picture = Image.open(io.BytesIO(encoded.body), formats=["WEBP"])
    assert picture.size == (encoded.width, encoded.height)
    return picture.convert("RGB")


@pytest.mark.parametrize("kind", ["PNG", "JPEG", "WEBP"])
def test_the_three_formats_become_webp_that_fits(kind: str) -> None:
    logo, photo = encode_logo(a_picture(kind)), encode_background(a_picture(kind, (3000, 2000)))
    assert (logo.width, logo.height) == (213, 160)
    assert (photo.width, photo.height) == (720, 480)
    for red, green, blue in (opened(logo).getpixel((5, 5)), opened(photo).getpixel((5, 5))):  # type: ignore[misc]
        assert abs(red - 0xB3) < 8 > abs(green - 0x26)
        assert abs(blue - 0x1E) < 8


def test_the_most_detailed_picture_stays_within_its_octets() -> None:
    sent = written(noise((1200, 800)), "JPEG")
    assert len(encode_background(sent).body) <= BACKGROUND.octets
    assert len(encode_logo(sent).body) <= LOGO.octets


def test_nothing_that_was_hidden_in_the_file_is_left() -> None:
    exif = Image.Exif()
    exif[0x010E] = "made at 50.1 north"
    sent = a_picture("JPEG", exif=exif, comment=b"<script>alert(1)</script>") + b"PK\x03\x04 and more"
    made = encode_logo(sent).body
    for hidden in (b"50.1", b"script", b"PK\x03\x04", b"EXIF", b"XMP"):
        assert hidden not in made


def test_a_photo_taken_sideways_stands_upright() -> None:
    exif = Image.Exif()
    exif[0x0112] = 6
    made = encode_background(a_picture("JPEG", (800, 400), exif=exif))
    assert made.height > made.width


@pytest.mark.parametrize(("ink", "plate"), [((20, 20, 20), 255), ((250, 250, 250), 21)])
def test_a_transparent_logo_gets_a_plate_its_ink_shows_on(ink: tuple[int, int, int], plate: int) -> None:
    logo = Image.new("RGBA", (200, 100), (0, 0, 0, 0))
    ImageDraw.Draw(logo).ellipse((50, 20, 150, 80), fill=(*ink, 255))
    made = opened(encode_logo(written(logo)))
    corner, middle = made.getpixel((0, 0)), made.getpixel((made.width // 2, made.height // 2))
    assert isinstance(corner, tuple)
    assert isinstance(middle, tuple)
    assert abs(corner[0] - plate) < 8
    assert abs(middle[0] - ink[0]) < 12


def test_of_an_animation_the_first_picture_is_taken() -> None:
    frames = [Image.new("RGB", (100, 100), colour) for colour in ("#ff0000", "#0000ff")]
    sent = written(frames[0], "PNG", save_all=True, append_images=frames[1:])
    pixel = opened(encode_logo(sent)).getpixel((50, 50))
    assert isinstance(pixel, tuple)
    assert pixel[0] > 200


@pytest.mark.parametrize(
    "sent",
    [
        b"",
        b"\x00" * 100,
        SVG,
        b"GIF89a" + bytes(100),
        b"\x89PNG\r\n\x1a\n",
        a_picture("PNG")[:-40],
        a_picture("JPEG")[:200],
        a_picture("WEBP")[:60],
        a_picture("GIF"),
        a_picture("TIFF"),
        a_picture("BMP"),
        a_png_of(100, 100, b"not zlib at all"),
    ],
    ids=lambda sent: repr(sent[:8]),
)
def test_what_is_no_whole_picture_is_refused(sent: bytes) -> None:
    with pytest.raises(Refusal) as refused:
        encode_logo(sent)
    assert refused.value.code == "bad-picture"


@pytest.mark.parametrize(("width", "height"), [(5000, 5000), (60_000, 60_000)])
def test_a_bomb_is_refused_before_a_pixel_is_decoded(width: int, height: int) -> None:
    sent = a_png_of(width, height, zlib.compress(bytes(1_000_000)))
    tracemalloc.start()
    try:
        with pytest.raises(Refusal) as refused:
            encode_background(sent)
        assert refused.value.code == "picture-too-large"
        assert tracemalloc.get_traced_memory()[1] < 20_000_000
    finally:
        tracemalloc.stop()


def test_a_text_chunk_that_unpacks_to_much_is_refused() -> None:
    bomb = zlib.compress(bytes(80_000_000))
    chunk = b"Comment\0\0" + bomb
    framed = len(chunk).to_bytes(4, "big") + b"zTXt" + chunk + zlib.crc32(b"zTXt" + chunk).to_bytes(4, "big")
    whole = a_picture("PNG")
    with pytest.raises(Refusal):
        encode_logo(whole[:33] + framed + whole[33:])


@pytest.mark.parametrize(
    ("size", "code"),
    [((2, 2), "picture-too-small"), ((4000, 20), "picture-too-small"), ((4100, 4100), "picture-too-large")],
)
def test_a_picture_of_an_odd_size_is_refused(size: tuple[int, int], code: str) -> None:
    with pytest.raises(Refusal) as refused:
        encode_logo(a_picture("PNG", size))
    assert refused.value.code == code


def test_a_file_too_large_is_refused_unread() -> None:
    with pytest.raises(Refusal) as refused:
        encode_logo(bytes(LARGEST_FILE_OCTETS + 1))
    assert refused.value.code == "picture-too-large"


@pytest.mark.parametrize("kind", ["PNG", "JPEG", "WEBP"])
def test_a_damaged_picture_is_refused_or_mended_and_nothing_else(kind: str) -> None:
    whole, dice = written(noise((60, 40)), kind), random.Random(4)
    for _ in range(150):
        damaged = bytearray(whole)
        for _ in range(dice.randint(1, 8)):
            damaged[dice.randrange(len(damaged))] = dice.randrange(256)
        try:
            assert len(encode_logo(bytes(damaged)).body) <= LOGO.octets
        except Refusal:
            continue
