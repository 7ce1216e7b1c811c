"""MAC addresses in every spelling that NAS use."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hotspot.mac import Mac

MAC = Mac("02-00-0A-BC-DE-01")
SPELLINGS = [
    "02-00-0A-BC-DE-01",
    "02-00-0a-bc-de-01",
    "02:00:0A:BC:DE:01",
    "02:00:0a:bc:de:01",
    "02000ABCDE01",
    "02000abcde01",
    "0200.0abc.de01",
    "0200.0ABC.DE01",
]


@pytest.mark.parametrize("text", SPELLINGS)
def test_every_spelling_means_the_same_address(text: str) -> None:
    assert Mac.parse(text) == Mac.parse(f" {text}\n") == MAC
    assert str(Mac.parse(text)) == "02-00-0A-BC-DE-01"


@pytest.mark.parametrize("text", SPELLINGS)
def test_a_called_station_id_is_split_in_every_spelling(text: str) -> None:
    assert Mac.split(text) == (MAC, None)
    assert Mac.split(f"{text}:Surf Pass") == (MAC, "Surf Pass")
    assert Mac.split(f"{text}:Surf: Pass") == (MAC, "Surf: Pass")
    assert Mac.split(f"{text}:") == (MAC, None)


@pytest.mark.parametrize(
    "text",
    ["", "02", "02-00-0A-BC-DE", "02-00-0A-BC-DE-0G", "02-00:0A-BC:DE-01", "02-00-0A-BC-DE-01-02", "0200.0abcde01",
     "٠2000ABCDE01", "hotspot1", "2-0-A-BC-DE-1"],
)  # fmt: skip
def test_what_is_no_address_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="is not a MAC address"):
        Mac.parse(text)


@pytest.mark.parametrize("text", ["", "hotspot1", "hotspot:1", "02-00-0A-BC-DE-01 Surf Pass", "02-00-0A-BC-DE-0123"])
def test_a_called_station_id_without_an_address_names_nothing(text: str) -> None:
    assert Mac.split(text) == (None, None)


@given(st.text())
def test_any_text_can_be_split(text: str) -> None:
    mac, ssid = Mac.split(text)
    assert mac is not None or ssid is None
