"""Slips for printers that fetch their jobs by Star CloudPRNT: as a picture, which each of them takes and which has every letter.

After Star's protocol guide 2.4: a poll is answered with what is ready, the job is fetched by its type, and DELETE tells its end.
"""

from collections.abc import Sequence
from io import BytesIO
from itertools import chain

from vouchers.printing.raster import draw
from vouchers.printing.slip import Line

MEDIA_TYPE = "image/png"


def encode(slips: Sequence[Sequence[Line]], width: int) -> bytes:
    """The slips as one PNG; the printer cuts after it."""
    out = BytesIO()
    draw(list(chain.from_iterable(slips)), width).save(out, "PNG", optimize=True)
    return out.getvalue()


def trouble_of(code: str) -> str:
    """What the printer's `code` says went wrong; empty for success, which is written "200 OK" or "OK"."""
    return "" if code.startswith(("200", "OK")) else code.strip() or "no code"
