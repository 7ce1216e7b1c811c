"""Pictures of the tests, as people and as villains send them."""

import io
import struct
import zlib
from typing import Any

from PIL import Image


def a_picture(
    kind: str = "PNG", size: tuple[int, int] = (400, 300), colour: Any = "#b3261e", mode: str = "RGB", **told: Any
) -> bytes:
    """A picture of one colour; `told` goes to Pillow's writer."""
    return written(Image.new(mode, size, colour), kind, **told)


def written(picture: Image.Image, kind: str = "PNG", **told: Any) -> bytes:
    """A picture as a file."""
    out = io.BytesIO()
    picture.save(out, kind, **told)
    return out.getvalue()


def noise(size: tuple[int, int]) -> Image.Image:
    """The most detail there can be."""
    return Image.merge("RGB", [Image.effect_noise(size, 120) for _ in range(3)])


def a_png_of(width: int, height: int, data: bytes = b"") -> bytes:
    """A PNG file that says it has so many pixels, whatever is in it."""
    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + _chunk(b"IHDR", header) + _chunk(b"IDAT", data) + _chunk(b"IEND", b"")


def _chunk(kind: bytes, body: bytes) -> bytes:
    return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))
