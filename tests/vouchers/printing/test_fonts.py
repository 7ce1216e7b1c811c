"""What becomes of characters that cannot be printed."""

import pytest

from vouchers.printing.fonts import Typeface, characters, printable


@pytest.mark.parametrize(
    ("text", "printed"),
    [
        ("  Gasthof \t Löwen\n", "Gasthof Löwen"),
        ("Café 東京 Bar", "Café … Bar"),
        ("A\x00B\x1bC\u202eD\u0007E", "ABCDE"),
        ("ﬁn ①", "ﬁn 1"),
        ("می\u200cخواهم", "می\u200cخواهم"),
        ("e\u0301", "e\u0301"),
        ("😀😀", "…"),
        ("", ""),
    ],
)
def test_what_no_typeface_has_is_replaced_and_commands_are_left_out(text: str, printed: str) -> None:
    assert printable(text) == printed


def test_one_typeface_may_have_less_than_all() -> None:
    assert printable("Žižkov مرحبا", characters(Typeface.ARABIC)) == "Žižkov مرحبا"
    assert printable("Київ", characters(Typeface.ARABIC)) == "…"
