"""Pictures that people send: checked, scaled down and encoded anew, so that nothing of the sent file reaches a guest."""

import hashlib
import io
from collections.abc import Iterator
from dataclasses import dataclass

from PIL import Image, ImageOps, ImageStat

from hotspot.errors import Refusal

LARGEST_FILE_OCTETS = 5 * 1024 * 1024
# A phone's photo has 12 megapixels. A small file may claim any number of them, and each takes four octets to open.
MOST_PIXELS = 16_000_000
_FORMATS = ("PNG", "JPEG", "WEBP")
_DARK_PLATE, _LIGHT_PLATE = (21, 35, 44), (255, 255, 255)


@dataclass(frozen=True)
class Frame:
    """What a picture has to fit into: pixels, and octets once it is encoded."""

    width: int
    height: int
    octets: int
    smallest_side: int = 16


# Both together leave room for the page itself below 50 KB; the background travels in the style sheet, a third larger.
LOGO = Frame(320, 160, 5_000)
BACKGROUND = Frame(960, 480, 10_000, smallest_side=200)


@dataclass(frozen=True)
class EncodedPicture:
    """A WebP picture of ours."""

    body: bytes
    width: int
    height: int

    @property
    def sha256(self) -> str:
        """The name of the content."""
        return hashlib.sha256(self.body).hexdigest()


def encode_logo(sent: bytes) -> EncodedPicture:
    """A logo; Refusal if it cannot be one.

    Ink on nothing would vanish on a screen of its own colour: it gets a plate, white, or dark when the ink is light.
    """
    picture = _opened(sent, LOGO)
    if picture.getchannel("A").getextrema() == (255, 255):
        return _encode(picture.convert("RGB"), LOGO)
    picture = picture.crop(picture.getchannel("A").getbbox())  # what is all transparent stays as it is
    plate = _DARK_PLATE if _ink_is_light(picture) else _LIGHT_PLATE
    return _encode(ImageOps.expand(_flat(picture, plate), max(picture.size) // 24 + 1, plate), LOGO)


def encode_background(sent: bytes) -> EncodedPicture:
    """A photo for the head of the page; Refusal if it cannot be one."""
    return _encode(_flat(_opened(sent, BACKGROUND), _LIGHT_PLATE), BACKGROUND)


def _opened(sent: bytes, frame: Frame) -> Image.Image:
    """The picture, upright, as RGBA and no larger than the frame; of an animation the first picture."""
    if len(sent) > LARGEST_FILE_OCTETS:
        raise Refusal("picture-too-large", f"A picture may have {LARGEST_FILE_OCTETS >> 20} MiB at most.")
    try:
        picture = Image.open(io.BytesIO(sent), formats=_FORMATS)
        _check_size(*picture.size, frame)
        # A JPEG can be read at a fraction of its size, which saves most of the memory.
        picture.draft(None, (frame.width, frame.height))
        upright = ImageOps.exif_transpose(picture).convert("RGBA")
    except Refusal:
        raise
    except Image.DecompressionBombError as error:
        raise _too_many_pixels() from error
    except Exception as error:  # a decoder fails on hostile octets in any way it likes
        raise Refusal("bad-picture", "This is not a whole PNG, JPEG or WebP picture.") from error
    upright.thumbnail((frame.width, frame.height))
    return upright


def _check_size(width: int, height: int, frame: Frame) -> None:
    """Known before a single pixel is decoded."""
    if width * height > MOST_PIXELS:
        raise _too_many_pixels()
    if min(width, height) < frame.smallest_side or max(width, height) > 20 * min(width, height):
        raise Refusal("picture-too-small", f"A picture needs {frame.smallest_side} pixels on its shorter side.")


def _too_many_pixels() -> Refusal:
    return Refusal("picture-too-large", f"A picture may have {MOST_PIXELS // 1_000_000} megapixels at most.")


def _ink_is_light(picture: Image.Image) -> bool:
    seen = picture.getchannel("A").point([0] * 128 + [255] * 128)
    statistics = ImageStat.Stat(picture.convert("L"), seen)
    return bool(statistics.count[0]) and statistics.mean[0] > 160


def _flat(picture: Image.Image, plate: tuple[int, int, int]) -> Image.Image:
    ground = Image.new("RGBA", picture.size, (*plate, 255))
    return Image.alpha_composite(ground, picture).convert("RGB")


def _encode(picture: Image.Image, frame: Frame) -> EncodedPicture:
    """The best rendering that fits."""
    for side_percent, quality in _attempts():
        scaled = picture.copy()
        scaled.thumbnail((frame.width * side_percent // 100, frame.height * side_percent // 100))
        out = io.BytesIO()
        scaled.save(out, "WEBP", quality=quality, method=4)
        if out.tell() <= frame.octets:
            return EncodedPicture(out.getvalue(), scaled.width, scaled.height)
    raise Refusal("picture-too-busy", "This picture has too much detail to be made small enough.")


def _attempts() -> Iterator[tuple[int, int]]:
    """How large a side, in percent of the frame's, and how good: first less of the one, then of the other."""
    for side_percent in (100, 80, 60, 45, 30):
        for quality in (80, 60, 45, 30):
            yield side_percent, quality
