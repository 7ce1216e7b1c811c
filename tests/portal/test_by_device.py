"""Redirects that name a device: what they say, who may send them, and what is proved by them."""

from dataclasses import replace
from urllib.parse import urlencode

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hotspot.directory import NasRecord
from hotspot.mac import Mac
from hotspot.place import LoginWay
from portal.handoffs import HANDOFFS, Problem, Recognised, Sent, State, Wait, recognise
from tests.portal.guest import UAM_SECRET, Chilli
from tests.portal.test_handoffs import A_TICKET, CHILLI, NOW, PAGE, POINTS, SITE, a_directory

NAS = replace(CHILLI, make="generic", gateway_addresses=(), uam_secret=None)
SIGNING = replace(NAS, uam_secret=UAM_SECRET)
TOLD = {"device": "02:00:00:00:00:99", "nas": "chilli-1", "called": "02-00-00-00-00-02", "url": "http://news.example/"}


def ask(sender: NasRecord, signed_with: str | None = None, /, **more: str) -> Recognised | Problem | None:
    address = Chilli("markt", secret=signed_with).sign(f"/g/markt?{urlencode(TOLD | more)}")
    return recognise(a_directory(sender), SITE, Sent(PAGE, address.partition("?")[2].encode()))


def found(nas: NasRecord, signed_with: str | None = None) -> Recognised:
    recognised = ask(nas, signed_with)
    assert isinstance(recognised, Recognised)
    return recognised


@pytest.mark.parametrize("make", ["generic", "hostapd"])
def test_a_device_is_named_with_the_place_it_is_at(make: str) -> None:
    recognised = found(replace(NAS, make=make))
    arrival = recognised.arrival
    assert (arrival.state, arrival.gateway, arrival.device) == (
        State.NOT_YET,
        None,
        Mac.parse("02-00-00-00-00-99"),
    )
    assert arrival.original_url == "http://news.example/"
    assert recognised.locate(a_directory(), SITE, NOW).access_point == POINTS[2]
    assert HANDOFFS[make].grant(recognised.nas, arrival, A_TICKET) == Wait()


def test_only_a_signature_proves_the_device() -> None:
    assert found(NAS).verified is False
    assert found(SIGNING, UAM_SECRET).verified is True
    assert ask(SIGNING) is Problem.BAD_SIGNATURE
    assert ask(SIGNING, "another secret") is Problem.BAD_SIGNATURE


def test_only_a_nas_that_may_log_in_by_mac_sends_devices() -> None:
    assert ask(replace(NAS, logins=frozenset({LoginWay.TICKET, LoginWay.VOUCHER}))) is Problem.UNKNOWN_GATEWAY
    assert ask(replace(NAS, site_id=2)) is Problem.UNKNOWN_GATEWAY
    assert ask(NAS, nas="another") is Problem.UNKNOWN_GATEWAY
    assert ask(CHILLI) is Problem.UNKNOWN_GATEWAY


@pytest.mark.parametrize(
    "change",
    [
        *({"device": ""}, {"device": "x"}, {"device": "FF-FF-FF-FF-FF-FF"}, {"device": "00-00-00-00-00-00"}),
        *({"nas": "n" * 300}, {"called": "a\0b"}, {"url": "x" * 7000}),
    ],
)
def test_what_no_gateway_would_send_is_malformed(change: dict[str, str]) -> None:
    assert ask(NAS, **change) is Problem.MALFORMED


@given(st.dictionaries(st.sampled_from([*TOLD, "md", "ssid"]), st.text(max_size=30), max_size=4))
def test_nothing_that_is_told_raises_and_nothing_unsigned_is_believed(more: dict[str, str]) -> None:
    recognised = ask(NAS, **more)
    assert isinstance(recognised, Problem) or (recognised and not recognised.verified)
    assert isinstance(ask(SIGNING, **more), Problem)
