"""What somebody has ordered to be printed, as text in the database; codes are not in it: they are read when it is made."""

import enum
import json
from collections.abc import Callable, Iterable, Sequence
from dataclasses import asdict, dataclass, replace

from hotspot.colours import Colour
from vouchers.printing import sheets, sign
from vouchers.printing.card import Card, Face, Words
from vouchers.printing.paper import Sheet, Stock
from vouchers.printing.sheets import Style


class Output(enum.StrEnum):
    """What a batch is printed as."""

    SHEETS = "sheets"
    TENTS = "tents"


@dataclass(frozen=True)
class Order:
    """A print of a batch: its texts, which are translated already, and how it is laid out."""

    face: Face
    output: Output
    sheet: Sheet
    style: Style

    def text(self) -> str:
        """The order as JSON."""
        return json.dumps({"face": face_values(self.face), "output": self.output, "sheet": asdict(self.sheet),
                           "style": asdict(self.style)}, ensure_ascii=False)  # fmt: skip

    @classmethod
    def parse(cls, text: str) -> "Order":
        """The order that `text` wrote."""
        told = json.loads(text)
        sheet = Sheet(**told["sheet"] | {"stock": Stock(**told["sheet"]["stock"])})
        return cls(face_of(told["face"]), Output(told["output"]), sheet, Style(**told["style"]))

    def make(
        self,
        cards: Sequence[Card],
        logo: bytes | None,
        progress: Callable[[int], None] = lambda _done: None,
    ) -> bytes:
        """The PDF; `progress` is told how many cards are done, and what it raises ends the work."""
        face = replace(self.face, logo=logo)
        if self.output is Output.TENTS:
            return sign.render_tents(face, cards, self.style, progress)
        return sheets.render(face, cards, self.sheet, self.style, progress)


def face_values(face: Face) -> dict[str, object]:
    """A face as JSON takes it, without its logo."""
    return asdict(replace(face, logo=None)) | {"accent": str(face.accent)}


def face_of(values: dict[str, object]) -> Face:
    """The face that `face_values` took apart."""
    words: Iterable[dict[str, str]] = values["words"]  # type: ignore[assignment]
    told = values | {"accent": Colour.parse(str(values["accent"])), "words": tuple(Words(**one) for one in words)}
    return Face(**told)  # type: ignore[arg-type]
