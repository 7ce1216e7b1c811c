"""QR codes: the sum of what their octets change is what qrcode makes of the whole text."""

from hypothesis import example, given, settings
from hypothesis import strategies as st
from qrcode import QRCode
from qrcode.constants import ERROR_CORRECT_M
from qrcode.util import MODE_8BIT_BYTE, QRData

from vouchers.printing.qr import QUIET_ZONE, encode


def modules_of_qrcode(text: str) -> list[list[bool]]:
    code = QRCode(error_correction=ERROR_CORRECT_M, border=QUIET_ZONE, mask_pattern=2)
    code.add_data(QRData(text.encode(), MODE_8BIT_BYTE), optimize=0)
    code.make()
    return [[bool(module) for module in row] for row in code.get_matrix()]


@settings(max_examples=10, deadline=None)
@given(st.text(max_size=30))
@example("")
@example("https://portal.example.org/v/ABCDEFGHJKM")
@example("WIFI:T:nopass;S:Кав'ярня «Київ»;;" + "x" * 80)
def test_a_code_is_made_of_what_its_octets_change(text: str) -> None:
    made = encode(text)
    painted = [[False] * made.side for _ in range(made.side)]
    for x, y, length in made.runs:
        painted[y][x : x + length] = [True] * length
    assert painted == modules_of_qrcode(text)
