"""The words of the pages on which a site's own portal page is made."""

from collections.abc import Sequence
from dataclasses import dataclass

from flask_babel import format_decimal
from flask_babel import gettext as _
from flask_babel import lazy_gettext as _l

from hotspot.colours import Contrast, Part
from hotspot.errors import Refusal
from hotspot.look_changes import Step
from hotspot.looks import LookState
from portal.staff.wording import StateWords

STATES = {
    LookState.DRAFT: StateWords(_l("draft"), "unused"),
    LookState.SUBMITTED: StateWords(_l("waits for release"), "unused"),
    LookState.RETURNED: StateWords(_l("returned"), "revoked"),
    LookState.RELEASED: StateWords(_l("guests see it"), "in-use"),
    LookState.REPLACED: StateWords(_l("earlier version"), "over"),
}

DONE = {
    Step.SUBMIT: _l("Sent to the operator, who releases it or says what has to change."),
    Step.TAKE_BACK: _l("Taken back: you can go on changing it."),
    Step.DISCARD: _l("Discarded. What guests see has not changed."),
    Step.RETURN: _l("Returned to the owner with your note."),
    Step.RELEASE: _l("Released: guests see it from now on."),
}

# What the domain refuses with its own English sentences, in the words of these pages.
REFUSALS = {
    "bad-picture": _l("This is not a whole PNG, JPEG or WebP picture."),
    "picture-too-large": _l("This picture is too large: at most 5 MB and 16 megapixels."),
    "picture-too-small": _l("This picture is too small, or far too long for its height."),
    "picture-too-busy": _l(
        "This picture has so much detail that it cannot be made small enough. Please take a calmer one."
    ),
    "bad-welcome": _l("Please write plain text of at most 600 characters."),
    "look-submitted": _l("This page waits for its release. Take it back to change it."),
    "look-changed": _l("Somebody has changed this page meanwhile. Please look at it again."),
    "no-own-page": _l("An own page is not switched on for this site."),
    "no-note": _l("Please say what has to be changed."),
}

_PARTS = {
    Part.ACCENT: _l("Links and buttons"),
    Part.GROUND: _l("Text on the background"),
}


@dataclass(frozen=True)
class ContrastLine:
    """How well a colour can be read."""

    part: str
    ratio: str


def refusal_words(refusal: Refusal) -> str:
    """Why something was refused."""
    return str(REFUSALS.get(refusal.code, refusal.sentence))


def contrast_lines(found: Sequence[Contrast]) -> list[ContrastLine]:
    """The contrasts of two colours that can be read."""
    return [ContrastLine(str(_PARTS[one.part]), _ratio(one)) for one in found]


def unreadable(contrast: Contrast) -> str:
    """What is wrong with a colour, and which one would do."""
    return str(
        _(
            "This cannot be read well: the contrast is %(ratio)s, and it has to be 4.5:1 or more. The nearest "
            "readable colour, %(colour)s, is now chosen here.",
            ratio=_ratio(contrast),
            colour=contrast.suggestion,
        )
    )


def _ratio(contrast: Contrast) -> str:
    return f"{format_decimal(int(contrast.ratio * 10) / 10)}:1"
