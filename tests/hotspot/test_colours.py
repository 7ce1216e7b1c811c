"""Colours of a venue's own page: readable wherever they are used, on light screens and on dark ones."""

import re
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hotspot.colours import BLACK, DARK, LIGHT, WHITE, Colour, Part, Scheme, Standard, contrasts, palette
from hotspot.errors import WrongUse

STYLE_SHEET = Path(__file__).parents[2] / "templates/static/surfpass.css"
channels = st.integers(0, 255)
colours = st.builds(Colour, channels, channels, channels)


def accepted(accent: Colour, ground: Colour) -> tuple[Colour, Colour]:
    """The colours, or what is suggested in their place."""
    by_part = {one.part: one.suggestion for one in contrasts(accent, ground)}
    return by_part[Part.ACCENT] or accent, by_part[Part.GROUND] or ground


@pytest.mark.parametrize(
    "text", ["", "0a6375", "#0a637", "#0a63755", "#gg0000", "red", "#0a6375;", "#٠a6375", "#0a6375\n"]
)
def test_a_colour_is_six_hexadecimal_digits_and_nothing_else(text: str) -> None:
    with pytest.raises(WrongUse):
        Colour.parse(text)


def test_the_contrast_is_what_wcag_says() -> None:
    assert BLACK.contrast(WHITE) == pytest.approx(21)
    assert Colour.parse("#777777").contrast(WHITE) == pytest.approx(4.48, abs=0.005)
    assert Colour.parse("#0A6375").contrast(WHITE) == pytest.approx(6.88, abs=0.02)


def test_yellow_links_are_refused_with_the_nearest_dark_yellow() -> None:
    accent, ground = contrasts(Colour.parse("#ffd400"), Colour.parse("#fffbe6"))
    assert not accent.readable
    assert accent.ratio < 1.5
    assert accent.suggestion
    assert accent.suggestion.red > accent.suggestion.green > accent.suggestion.blue == 0
    assert ground.readable


def test_a_ground_on_which_neither_text_can_be_read_is_refused() -> None:
    accent, ground = contrasts(Colour.parse("#0a6375"), Colour.parse("#808080"))
    assert accent.readable
    assert ground.ratio < 4.5
    assert ground.suggestion
    assert ground.suggestion.contrast(Colour.parse("#808080")) < 1.3


@given(colours, colours)
def test_a_suggestion_is_always_accepted(accent: Colour, ground: Colour) -> None:
    assert all(one.readable for one in contrasts(*accepted(accent, ground)))


@given(colours, colours)
def test_everything_on_the_page_can_be_read_on_light_and_dark_screens(accent: Colour, ground: Colour) -> None:
    made = palette(*accepted(accent, ground))
    assert_readable(made.light, LIGHT)
    assert_readable(made.dark, DARK)
    assert made.dark.ground.luminance < 0.05


def assert_readable(scheme: Scheme, standard: Standard) -> None:
    """Each text of the page on whatever it may stand on."""
    assert scheme.on_ground.readable_on(scheme.ground)
    assert scheme.accent.readable_on(*standard.surfaces, scheme.accent_soft)
    assert scheme.accent_strong.readable_on(standard.surfaces[0], scheme.accent_soft)
    assert scheme.on_accent.readable_on(scheme.accent, scheme.accent_strong)
    assert standard.text.readable_on(scheme.accent_soft)
    assert standard.quiet.readable_on(scheme.accent_soft)


@pytest.mark.parametrize(("standard", "block"), [(LIGHT, 0), (DARK, 1)])
def test_the_colours_reckoned_with_are_those_of_the_style_sheet(standard: Standard, block: int) -> None:
    found = re.findall(r":root \{(.*?)\}", STYLE_SHEET.read_text(), re.DOTALL)[block]
    names = dict(re.findall(r"--([a-z-]+): (#[0-9a-f]+);", found))
    surfaces = [names[name] for name in ("surface", "surface-raised", "good-soft", "warn-soft", "bad-soft")]
    expected = [str(one).replace("#ffffff", "#fff") for one in (*standard.surfaces, standard.text, standard.quiet)]
    assert [*surfaces, names["text"], names["text-quiet"]] == expected
