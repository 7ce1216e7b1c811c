"""What an openNDS says of a guest: two real redirects of openNDS 9.10, and whatever else may come."""

from dataclasses import replace
from ipaddress import ip_network

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hotspot.mac import Mac
from portal.handoffs import Arrival, Problem, Recognised, Redirect, Sent, State, Wait, recognise
from portal.handoffs.opennds import OpenNds as Level3
from portal.handoffs.opennds import OpenNdsLevel1 as Level1
from tests.portal import opennds
from tests.portal.opennds import FAS_KEY, GATEWAY, NAME, OpenNds, encode, encrypt
from tests.portal.test_handoffs import A_TICKET, CHILLI, PAGE, SITE, a_directory

NAS = replace(
    CHILLI,
    make="opennds",
    uam_secret=FAS_KEY,
    nas_identifier=NAME,
    gateway_addresses=(GATEWAY,),
    network=ip_network(opennds.NETWORK),
)
NAS_1 = replace(NAS, make="opennds-level1")
# As openNDS 9.10.0 of Debian 12 has written them, with the faskey 0123456789abcdef.
REAL_LEVEL_3 = (
    b"fas=a3FXdVE1RVVFRldhMVBmbGM5RFhQZzFKVzJvcEhzU1FhQTREaEN1cEtKWW5UV3Y4aUhJbkR5c2F6cHhxUExMRnBxNFp0TGlvRDFjbXhFOXlWenV0"
    b"c1cwWmZXUzJMaEdrVUU5ZVBYdmJEd0UrREdYSTFRTHpGNnZhclhlamxRcnltc1J4QWpEUnhSVFFVS2EzbFBmMGpPRTdKMGpUZXgvemszbTRaVDdOVWpj"
    b"MUFjenFXSk9qM0RlNU9MaUhod3NySGRnc1R3L2hiamVzK09hR255L3hKc1VldUxKekdjYnRaNGxoNDJablM5dGdFak1BemlhRFlCK1FocFhiTzZmeElv"
    b"ZFBoVGNHMGt0WHRiT3hTUW1JRm5ocW95VGU2d3AyQS80ejdLWDk5SURybEF3V0plbThLWTdxczFJVkdoeTA2QS9yWlhjcDZBYzI5T1o4eUpXRHBON0Vu"
    b"RWJhM055Zk81VmJHd2NjUEFUY0FFWElTUGpIaVNGY2J1WUpwVE5hcmpkeXZmVFdvNWFocE1oYUxpK0JXT09sTElNTEJoeUJ2ZlpKMEU3dDRDNFhOZExR"
    b"Z2Nnb3pLNnNQeEtTUUNFTlZ4TEFqeFp6WFBuUlJodFpxc3ZGLzZrdDFkUnlVM25Sb1QrKzF3U1dXc2w2eGI0ejl2MUgzQVZ6OTlyY3duSUNKaXFINzRw"
    b"MGNRUGJUM29vMks4Z2t1Y1BLOXpLandDVEwrQ0huY05RKzZBPQ==&iv=6b35ea0ec434ec02"
)
REAL_LEVEL_1 = (
    b"fas=aGlkPTI1ZDk1NmIwYzAxMGE4NmQxNjJhZGI0ZjdmMzUxY2VkNDU4ZTk5MjFjM2IzZGZjYWI5Yzg2ZmMwMTFkNjFjODUsIGNsaWVudGlwPTEwLjc3"
    b"LjAuMiwgY2xpZW50bWFjPTAyOjAwOjAwOjAwOjAwOjAyLCBjbGllbnRfdHlwZT1jcGRfY2FuLCBnYXRld2F5bmFtZT1tYXJrdC1ndywgZ2F0ZXdheXVy"
    b"bD1odHRwJTNhJTJmJTJmc3RhdHVzLmNsaWVudCwgdmVyc2lvbj05LjEwLjAsIGdhdGV3YXlhZGRyZXNzPTEwLjc3LjAuMToyMDUwLCBnYXRld2F5bWFj"
    b"PSwgb3JpZ2ludXJsPWh0dHAlM2ElMmYlMmYyMDMuMC4xMTMuODAlMmZoZWxsbyUzZnglM2QxJTI2eSUzZGElMmNiLCBjbGllbnRpZj1sYW4wLCB0aGVt"
    b"ZXNwZWM9KG51bGwpLCAobnVsbCkobnVsbCkobnVsbCkobnVsbCk="
)


@pytest.mark.parametrize(("handoff", "query"), [(Level3(), REAL_LEVEL_3), (Level1(), REAL_LEVEL_1)])
def test_a_real_redirect_is_read(handoff: Level3, query: bytes) -> None:
    arrival = handoff.parse(Sent(PAGE, query, keys=("some other key 1", "0123456789abcdef")))
    assert isinstance(arrival, Arrival)
    assert (arrival.state, arrival.gateway) == (State.NOT_YET, "http://10.77.0.1:2050")
    assert arrival.nas_identifier == "markt-gw"
    assert arrival.device == Mac("02-00-00-00-00-02")
    assert arrival.address == "10.77.0.2"
    assert arrival.original_url == "http://203.0.113.80/hello?x=1&y=a,b"
    assert len(arrival.challenge or "") == 64


def sent(query: str) -> Sent:
    return Sent(PAGE, query.encode())


def test_only_level_3_proves_the_device() -> None:
    gateway = OpenNds("markt")
    three = recognise(a_directory(NAS), SITE, sent(encrypt(gateway.text())))
    one = recognise(a_directory(NAS_1), SITE, sent(encode(gateway.text())))
    assert isinstance(three, Recognised)
    assert three.verified
    assert isinstance(one, Recognised)
    assert not one.verified


def test_an_unencrypted_query_is_worth_nothing_at_a_gateway_that_encrypts() -> None:
    gateway = OpenNds("markt")
    assert recognise(a_directory(NAS), SITE, sent(encode(gateway.text()))) is Problem.UNKNOWN_GATEWAY
    forged = encrypt(gateway.text(), key="0123456789abcdef")
    assert recognise(a_directory(NAS), SITE, sent(forged)) is Problem.BAD_SIGNATURE


@pytest.mark.parametrize(
    "changed",
    [{"gatewayname": "somebody"}, {"gatewayaddress": "10.66.0.1:2050"}, {"gatewayaddress": "10.77.0.1:80"}],
)
def test_a_gateway_that_is_not_on_record_is_unknown(changed: dict[str, str]) -> None:
    gateway = OpenNds("markt")
    for nas, spell in ((NAS, encrypt), (NAS_1, encode)):
        assert recognise(a_directory(nas), SITE, sent(spell(gateway.text(**changed)))) is Problem.UNKNOWN_GATEWAY


@pytest.mark.parametrize(
    "changed",
    [
        {"hid": "deadbeef"},
        {"hid": "x" * 64},
        {"clientmac": "nobody"},
        {"clientip": "10.77.0.2.3"},
        {"gatewayname": ""},
        {"gatewayaddress": "10.77.0.1:2050@evil.example"},
        {"clientif": "lan\x07"},
    ],
)
def test_what_no_opennds_would_say_is_refused(changed: dict[str, str]) -> None:
    gateway = OpenNds("markt")
    assert recognise(a_directory(NAS_1), SITE, sent(encode(gateway.text(**changed)))) is Problem.MALFORMED
    assert recognise(a_directory(NAS), SITE, sent(encrypt(gateway.text(**changed)))) is Problem.BAD_SIGNATURE


def test_whoever_shifts_bits_of_an_encrypted_query_gets_nothing() -> None:
    gateway = OpenNds("markt")
    vector = b"0123456789abcdef"
    query = encrypt(gateway.text(), vector=vector)
    # The vector is XORed into the first block, `hid=` and twelve digits: what it makes of them is no device and no gateway.
    shifted = query.replace("iv=0", "iv=@")
    assert recognise(a_directory(NAS), SITE, sent(query)) != Problem.BAD_SIGNATURE
    assert recognise(a_directory(NAS), SITE, sent(shifted)) is Problem.BAD_SIGNATURE


def test_level_1_hands_back_a_hash_and_level_3_nothing() -> None:
    gateway = OpenNds("markt")
    recognised = recognise(a_directory(NAS_1), SITE, sent(encode(gateway.text())))
    assert isinstance(recognised, Recognised)
    grant = Level1().grant(NAS_1, recognised.arrival, A_TICKET)
    landing = "https%3A%2F%2Fportal.example%2Fg%2Fmarkt%2Fonline"
    assert grant == Redirect(f"http://{GATEWAY}/opennds_auth/?tok={gateway.rhid}&redir={landing}")
    assert Level3().grant(NAS, recognised.arrival, A_TICKET) == Wait()


FIELDS = st.dictionaries(
    st.sampled_from(["hid", "clientmac", "clientip", "gatewayname", "gatewayaddress", "originurl"]),
    st.text(max_size=40),
)


@given(st.binary(max_size=300) | FIELDS.map(lambda told: encode(OpenNds("markt").text(**told)).encode()))
def test_no_query_upsets_it_or_leads_anywhere_else(query: bytes) -> None:
    for nas in (NAS, NAS_1):
        found = recognise(a_directory(nas), SITE, Sent(PAGE, query))
        if isinstance(found, Recognised):
            assert found.arrival.gateway == f"http://{GATEWAY}"


@given(FIELDS)
def test_no_encrypted_query_upsets_it(told: dict[str, str]) -> None:
    query = encrypt(OpenNds("markt").text(**told))
    found = recognise(a_directory(NAS), SITE, sent(query))
    if isinstance(found, Recognised):
        assert found.arrival.gateway == f"http://{GATEWAY}"
