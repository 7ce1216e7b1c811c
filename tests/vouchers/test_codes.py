"""Voucher codes: what they catch, what they forgive, and that they keep silent."""

import itertools
import traceback

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vouchers.codes import ALPHABET, RANDOM_CHARACTERS, Code, Mistyped, check_character

codes = st.text(alphabet=ALPHABET, min_size=RANDOM_CHARACTERS, max_size=RANDOM_CHARACTERS).map(
    lambda part: Code(part + check_character(part))
)
MANY_CODES = 300


def is_caught(text: str) -> bool:
    try:
        Code.parse(text)
    except Mistyped:
        return True
    return False


def test_every_single_wrong_character_is_caught() -> None:
    for _ in range(MANY_CODES):
        value = Code.new().value
        for position, wrong in itertools.product(range(len(value)), ALPHABET):
            if wrong != value[position]:
                assert is_caught(value[:position] + wrong + value[position + 1 :])


def test_every_swap_of_two_different_characters_is_caught() -> None:
    for _ in range(MANY_CODES):
        value = Code.new().value
        for i, j in itertools.combinations(range(len(value)), 2):
            swapped = list(value)
            swapped[i], swapped[j] = value[j], value[i]
            if value[i] != value[j]:
                assert is_caught("".join(swapped))


def test_a_new_code_is_read_as_itself() -> None:
    for _ in range(MANY_CODES):
        code = Code.new()
        assert Code.parse(code.value) == Code.parse(code.printed) == code


def test_a_code_is_printed_in_three_groups() -> None:
    code = Code("ABCDEFGHJK" + check_character("ABCDEFGHJK"))
    assert code.printed == f"ABCD-EFGH-JK{code.value[-1]}"


def test_codes_are_spread_over_the_whole_alphabet() -> None:
    seen = [{code.value[position] for code in [Code.new() for _ in range(1000)]} for position in range(11)]
    assert all(len(characters) == len(ALPHABET) for characters in seen)


@given(codes, st.data())
def test_any_spelling_a_person_may_use_is_forgiven(code: Code, data: st.DataObject) -> None:
    lookalikes = {"0": "0oOQ"[:3], "1": "1iIlL"}
    typed = ""
    for character in code.value:
        typed += data.draw(st.sampled_from(["", " ", "-", "  ", "–", "\t"]))
        spelled = data.draw(st.sampled_from(lookalikes.get(character, character)))
        typed += data.draw(st.sampled_from([spelled, spelled.lower()]))
    assert Code.parse(f" {typed} ") == code


@given(codes)
def test_full_width_characters_are_forgiven(code: Code) -> None:
    wide = "".join(chr(ord(character) - 0x21 + 0xFF01) for character in code.value)
    assert Code.parse(wide) == code


@given(st.text())
def test_any_text_is_a_code_or_mistyped(text: str) -> None:
    try:
        code = Code.parse(text)
    except Mistyped:
        return
    assert Code.parse(code.value) == code


@pytest.mark.parametrize("text", ["", "-", "ABCD", "U" * 11, "A" * 12, "0" * 10, "ÄBCDEFGHJK0", "0" * 200])
def test_what_is_no_code_is_mistyped(text: str) -> None:
    with pytest.raises(Mistyped):
        Code.parse(text)


def test_a_code_never_shows_itself() -> None:
    code = Code.new()
    assert code.value not in repr(code)
    assert code.value not in str(code)
    assert code.value not in f"{code} {[code]} {code!r}"


def test_a_mistyped_code_is_not_in_the_traceback() -> None:
    code = Code.new()
    wrong = code.value[:-1] + ("0" if code.value[-1] != "0" else "1")
    with pytest.raises(Mistyped) as caught:
        Code.parse(wrong)
    assert wrong not in "".join(traceback.format_exception(caught.value))
    assert wrong not in str(caught.value)
