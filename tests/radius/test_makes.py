"""The table of makes: each limit in the attributes and units its make takes."""

import pytest

from radius.makes import MAKES, EnforcedBy
from radius.packet import load_dictionary
from vouchers.admission import Granted

EVERYTHING = Granted(seconds_left=600, octets_left=5_000_000_000, down_kbit=20_000, up_kbit=5_000, ends_at=None)
TIME_ONLY = Granted(seconds_left=600, octets_left=None, down_kbit=None, up_kbit=None, ends_at=None)


@pytest.mark.parametrize("name", sorted(MAKES))
def test_every_attribute_of_a_make_is_in_the_dictionary_and_fits_32_bits(name: str) -> None:
    for attribute, value in MAKES[name].limits(EVERYTHING):
        assert attribute in load_dictionary()
        assert isinstance(value, str) or 0 <= value < 1 << 32


@pytest.mark.parametrize("name", sorted(MAKES))
def test_no_limit_means_no_attribute(name: str) -> None:
    assert MAKES[name].limits(TIME_ONLY) == []


def test_mikrotik_is_told_the_guests_upload_first() -> None:
    limits = dict(MAKES["mikrotik"].limits(EVERYTHING))
    assert limits["Mikrotik-Rate-Limit"] == "5000k/20000k"
    assert limits["Mikrotik-Total-Limit"] == 5_000_000_000 - (1 << 32)
    assert limits["Mikrotik-Total-Limit-Gigawords"] == 1


def test_a_rate_that_wispr_cannot_carry_is_capped() -> None:
    fast = Granted(seconds_left=600, octets_left=None, down_kbit=4_300_000, up_kbit=None, ends_at=None)
    assert MAKES["generic"].limits(fast) == [("WISPr-Bandwidth-Max-Down", (1 << 32) - 1)]


def test_we_say_who_enforces_what() -> None:
    assert MAKES["coovachilli"].rate_enforced_by is EnforcedBy.NAS
    assert MAKES["coovachilli"].volume_enforced_by is EnforcedBy.NAS
    assert MAKES["hostapd"].rate_enforced_by is EnforcedBy.NOBODY
    assert MAKES["generic"].volume_enforced_by is EnforcedBy.DISCONNECT
