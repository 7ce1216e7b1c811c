"""The form for a print: what it is printed on, and how."""

from typing import Any

from flask_babel import lazy_gettext as _l
from flask_wtf import FlaskForm
from wtforms import BooleanField, FloatField, IntegerField, SelectField
from wtforms.fields.choices import SelectChoice
from wtforms.validators import InputRequired

from hotspot.errors import WrongUse
from vouchers.printing.choices import OWN, Choice
from vouchers.printing.paper import Measures, Sheet

TENTS = "tents"
PAPERS = {
    "plain-85x55": _l("Plain A4 to cut: 10 cards, 85 × 55 mm"),
    "avery-c32011": _l("Avery C32011 and 32010: 10 cards, 85 × 54 mm"),
    "avery-32015": _l("Avery 32015: 8 cards, 85 × 54 mm"),
    "avery-l4785": _l("Avery L4785: 10 name badges, 80 × 50 mm"),
    "avery-l7414": _l("Avery L7414: 10 cards, 90 × 52 mm"),
    "avery-l7163": _l("Avery L7163: 14 labels, 99.1 × 38.1 mm"),
    "avery-3474": _l("Avery 3474: 24 labels, 70 × 37 mm"),
    TENTS: _l("Tent cards: one voucher on each A4 sheet, to fold"),
    OWN: _l("A4 with measures of your own"),
}

REFUSALS = {
    "bad-measure": _l("Each measure is a length in millimetres, 0 or more."),
    "bad-grid": _l("A sheet has 1 to 5 columns and 1 to 20 rows."),
    "card-too-small": _l("A card has to be 60 mm wide and 34 mm high at least."),
    "too-wide": _l("Margin, cards and gaps together are wider than 210 mm."),
    "too-high": _l("Margin, cards and gaps together are higher than 297 mm."),
    "bad-start": _l("There are not so many cards on a sheet of this paper."),
    "bad-shift": _l("A shift can be 10 mm at most."),
    "too-many-prints": _l("Prints of yours are still being made. Please wait until they are ready, or cancel one."),
}


def _millimetres(label: Any) -> FloatField:
    return FloatField(
        label, [InputRequired(REFUSALS["bad-measure"])], render_kw={"step": "0.1", "inputmode": "decimal"}
    )


class PrintForm(FlaskForm):
    """How to print a batch."""

    paper = SelectField(_l("Paper"), choices=[SelectChoice(value=name, label=words) for name, words in PAPERS.items()])
    start = IntegerField(_l("First free place on the first sheet"), [InputRequired(REFUSALS["bad-start"])])
    wifi_code = BooleanField(_l("A second QR code that joins the Wi-Fi"))
    black_only = BooleanField(_l("Black only, without logo"))
    shift_x = _millimetres(_l("Shift to the right, mm"))
    shift_y = _millimetres(_l("Shift down, mm"))
    columns = IntegerField(_l("Columns"), [InputRequired(REFUSALS["bad-grid"])])
    rows = IntegerField(_l("Rows"), [InputRequired(REFUSALS["bad-grid"])])
    width = _millimetres(_l("Width of a card, mm"))
    height = _millimetres(_l("Height of a card, mm"))
    left = _millimetres(_l("Left margin, mm"))
    top = _millimetres(_l("Upper margin, mm"))
    gap_x = _millimetres(_l("Gap between columns, mm"))
    gap_y = _millimetres(_l("Gap between rows, mm"))

    @classmethod
    def showing(cls, choice: Choice) -> "PrintForm":
        """The form, filled in as was chosen last."""
        own = {name: getattr(choice.own, name) for name in Measures.__dataclass_fields__}
        return cls(
            paper=choice.paper,
            start=1,
            wifi_code=choice.wifi_code,
            black_only=choice.black_only,
            shift_x=choice.shift_x,
            shift_y=choice.shift_y,
            **own,
        )

    @property
    def choice(self) -> Choice:
        """What was chosen."""
        return Choice(
            paper=self.paper.data,
            wifi_code=self.wifi_code.data,
            black_only=self.black_only.data,
            shift_x=self.shift_x.data,
            shift_y=self.shift_y.data,
            own=Measures(**{name: self[name].data for name in Measures.__dataclass_fields__}),
        )

    def sheet(self) -> Sheet | None:
        """What to print on; None, with the errors at their fields, when that cannot be."""
        if not self.validate():
            return None
        try:
            return self.choice.sheet(1 if self.paper.data == TENTS else self.start.data)
        except WrongUse as wrong:
            at = {"bad-start": self.start, "bad-shift": self.shift_x}.get(wrong.code, self.columns)
            at.errors = [REFUSALS[wrong.code]]
            return None
