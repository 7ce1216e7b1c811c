"""Colours of a venue's own page: which pairs can be read (WCAG 2.2), and what the style sheet makes of them."""

import re
from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum
from functools import cache

from hotspot.errors import WrongUse

# WCAG 2.2, 1.4.3: for text of ordinary size.
READABLE = 4.5
# On a dark screen the ground is to be dark, whatever the venue's colour is.
_DARK_GROUND_CONTRAST = 12.0


@dataclass(frozen=True)
class Colour:
    """An opaque colour in sRGB, 0 to 255 each."""

    red: int
    green: int
    blue: int

    @classmethod
    def parse(cls, text: str) -> "Colour":
        """The colour that is written `#0a6375`; WrongUse for anything else."""
        if not re.fullmatch(r"#[0-9a-fA-F]{6}", text, re.ASCII):
            raise WrongUse("bad-colour", f"{text[:20]!r} is not a colour such as #0a6375.")
        return cls(*bytes.fromhex(text[1:]))

    def __str__(self) -> str:
        return f"#{self.red:02x}{self.green:02x}{self.blue:02x}"

    @property
    def luminance(self) -> float:
        """Relative luminance as WCAG 2.2 defines it: 0 black to 1 white."""
        return 0.2126 * _linear(self.red) + 0.7152 * _linear(self.green) + 0.0722 * _linear(self.blue)

    def contrast(self, other: "Colour") -> float:
        """The contrast ratio as WCAG 2.2 defines it: 1 to 21."""
        darker, lighter = sorted((self.luminance, other.luminance))
        return (lighter + 0.05) / (darker + 0.05)

    def readable_on(self, *grounds: "Colour") -> bool:
        """Whether text of this colour can be read on all of them."""
        return all(self.contrast(ground) >= READABLE for ground in grounds)

    def mixed(self, other: "Colour", percent: int) -> "Colour":
        """So much of the other colour mixed in."""
        pairs = zip((self.red, self.green, self.blue), (other.red, other.green, other.blue), strict=True)
        return Colour(*(round(own + (theirs - own) * percent / 100) for own, theirs in pairs))


def _linear(value: int) -> float:
    share = value / 255
    return share / 12.92 if share <= 0.04045 else float(((share + 0.055) / 1.055) ** 2.4)


BLACK, WHITE = Colour(0, 0, 0), Colour(255, 255, 255)


@dataclass(frozen=True)
class Standard:
    """What the style sheet has for a light or a dark screen and a venue cannot change; `surfaces` begin with the card's."""

    surfaces: tuple[Colour, ...]
    text: Colour
    quiet: Colour


def _standard(surfaces: str, text: str, quiet: str) -> Standard:
    return Standard(tuple(map(Colour.parse, surfaces.split())), Colour.parse(text), Colour.parse(quiet))


# --surface, --surface-raised, --good-soft, --warn-soft, --bad-soft; --text; --text-quiet
LIGHT = _standard("#ffffff #f5f8fa #e2f4e9 #fdf1da #fdeaea", "#15232c", "#50626e")
DARK = _standard("#18242b #1f2e36 #163526 #382a10 #3d1c1e", "#e8f0f4", "#a3b5c0")


@dataclass(frozen=True)
class Scheme:
    """The colours of a page on one kind of screen, named as the style sheet's variables are."""

    ground: Colour
    on_ground: Colour
    accent: Colour
    accent_strong: Colour
    accent_soft: Colour
    on_accent: Colour


@dataclass(frozen=True)
class Palette:
    """A venue's two colours on light screens and on dark ones."""

    light: Scheme
    dark: Scheme


class Part(StrEnum):
    """What a colour is chosen for."""

    ACCENT = "accent"
    GROUND = "ground"


@dataclass(frozen=True)
class Contrast:
    """How well a colour can be read where it is used; a colour that cannot comes with the nearest one that can."""

    part: Part
    ratio: float
    suggestion: Colour | None

    @property
    def readable(self) -> bool:
        """Whether the colour may stand."""
        return self.suggestion is None


def contrasts(accent: Colour, ground: Colour) -> tuple[Contrast, Contrast]:
    """Links and buttons on cards and notices, and text on the ground."""
    ratio = min(accent.contrast(surface) for surface in LIGHT.surfaces)
    darker = None if ratio >= READABLE else _towards(accent, BLACK, lambda one: one.readable_on(*LIGHT.surfaces))
    on_ground = _on_ground(ground).contrast(ground)
    return (
        Contrast(Part.ACCENT, ratio, darker),
        Contrast(Part.GROUND, on_ground, None if on_ground >= READABLE else _readable_ground(ground)),
    )


@cache
def palette(accent: Colour, ground: Colour) -> Palette:
    """What the style sheet makes of two colours that can be read."""
    return Palette(_light(accent, ground), _dark(accent, ground))


def _light(accent: Colour, ground: Colour) -> Scheme:
    strong = accent.mixed(BLACK, 25)
    soft = _soft(LIGHT, accent, (accent, strong))
    return Scheme(ground, _on_ground(ground), accent, strong, soft, WHITE)


def _dark(accent: Colour, ground: Colour) -> Scheme:
    accent = _towards(accent, WHITE, lambda one: one.readable_on(*DARK.surfaces))
    strong = accent.mixed(WHITE, 30)
    return Scheme(
        ground=_towards(ground, BLACK, lambda one: one.contrast(DARK.text) >= _DARK_GROUND_CONTRAST),
        on_ground=DARK.text,
        accent=accent,
        accent_strong=strong,
        accent_soft=_soft(DARK, accent, (accent, strong)),
        on_accent=BLACK,
    )


def _on_ground(ground: Colour) -> Colour:
    return max(LIGHT.text, WHITE, key=ground.contrast)


def _readable_ground(ground: Colour) -> Colour:
    """The nearest ground that one of the two colours of text can be read on."""
    found = (_towards(ground, goal, lambda one: one.readable_on(_on_ground(one))) for goal in (WHITE, BLACK))
    return min(found, key=lambda one: abs(one.luminance - ground.luminance))


def _soft(standard: Standard, accent: Colour, on_it: tuple[Colour, ...]) -> Colour:
    """A breath of the accent on the card's colour, as much as leaves everything on it readable."""
    card = standard.surfaces[0]
    tinted = card.mixed(accent, 14)
    return _towards(tinted, card, lambda one: all(text.readable_on(one) for text in (standard.quiet, *on_it)))


def _towards(colour: Colour, goal: Colour, good: Callable[[Colour], bool]) -> Colour:
    """The first good colour on the way to the goal, which is always good."""
    steps = (colour.mixed(goal, percent) for percent in range(100))
    return next(filter(good, steps), goal)
