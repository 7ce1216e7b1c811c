import hashlib
from dataclasses import replace
from datetime import UTC, datetime, time
from ipaddress import ip_network
from urllib.parse import parse_qs, urlsplit
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hotspot.directory import AccessPointRecord, Directory, NasRecord, SiteRecord
from hotspot.mac import Mac
from hotspot.place import Grain, LoginWay, MessageAuthenticatorPolicy, SiteKind
from portal.handoffs import (
    Arrival,
    Failure,
    Grant,
    Problem,
    Recognised,
    Redirect,
    Sent,
    State,
    Ticket,
    recognise,
    sole_gateway,
)
from portal.handoffs.coovachilli import CoovaChilli
from portal.handoffs.parameters import LONGEST_QUERY, web_address
from tests.portal.guest import (
    CHALLENGE,
    GATEWAY,
    NAS_IDENTIFIER,
    PORTAL_URL,
    UAM_SECRET,
    Chilli,
    expected_response,
    query,
)

NOW = datetime(2026, 6, 15, 12, tzinfo=UTC)
PAGE = f"{PORTAL_URL}/g/markt"
A_TICKET = Ticket("thehandle", "TICKET", f"{PAGE}/online")
SITE = SiteRecord(
    id=1,
    public_id="s" * 16,
    customer_id=1,
    slug="markt",
    name="Markt",
    kind=SiteKind.MULTI,
    zone=ZoneInfo("Europe/Berlin"),
    day_ends=time(4),
    privacy_mode=False,
    ssids=(("Surf Pass", None),),
    access_point_ids=(1, 2),
)
ELSEWHERE = replace(SITE, id=2, slug="hafen", access_point_ids=(3,))
POINTS = {number: AccessPointRecord(number, "a" * 16, 2 if number == 3 else 1, f"AP {number}") for number in (1, 2, 3)}
CHILLI = NasRecord(
    id=7,
    name="gateway",
    network=ip_network("192.0.2.1/32"),
    make="coovachilli",
    secret=b"radius",
    uam_secret=UAM_SECRET,
    nas_identifier=NAS_IDENTIFIER,
    gateway_addresses=(GATEWAY,),
    message_authenticator=MessageAuthenticatorPolicy.YES,
    signed=True,
    accounting_heard=True,
    logins=frozenset(LoginWay),
    grain=Grain.ACCESS_POINT,
    site_id=1,
    coa_port=3799,
)


def a_directory(*nas: NasRecord) -> Directory:
    return Directory(
        revision=1,
        sites={1: SITE, 2: ELSEWHERE},
        access_points=POINTS,
        by_mac={Mac.parse("020000000002"): POINTS[2]},
        by_identifier={"ap-1": POINTS[1], "ap-3": POINTS[3]},
        nas=nas or (CHILLI,),
    )


def ask(address: str, *nas: NasRecord) -> Recognised | Problem | None:
    return recognise(a_directory(*nas), SITE, sent(urlsplit(address).query.encode()))


def sent(query: bytes, page: str = PAGE) -> Sent:
    return Sent(page, query)


def url_of(grant: Grant) -> str:
    assert isinstance(grant, Redirect)
    return grant.url


def recognised(address: str, *nas: NasRecord) -> Recognised:
    found = ask(address, *nas)
    assert isinstance(found, Recognised)
    return found


@pytest.fixture
def chilli() -> Chilli:
    return Chilli("markt", device=Mac.parse("02-00-00-00-00-99"))


def test_a_signed_redirect_is_read_as_the_gateway_meant_it(chilli: Chilli) -> None:
    found = recognised(chilli.address(ssid="Surf Pass"))
    assert found.verified
    assert found.nas.id == 7
    assert found.arrival == Arrival(
        state=State.NOT_YET,
        gateway=f"http://{GATEWAY}",
        nas_identifier=NAS_IDENTIFIER,
        called_station_id="02-FF-FF-FF-FF-FF",
        place_names=(NAS_IDENTIFIER,),
        challenge=CHALLENGE,
        device=Mac.parse("02-00-00-00-00-99"),
        address="10.1.0.7",
        ssid="Surf Pass",
        session_id="5f0c2a3b00000001",
        original_url="http://news.example/today?a=1&b=2",
        failure=None,
    )


def test_the_signature_is_that_of_redir_c() -> None:
    # Known by md5sum: the address as it stands, percent-escapes in lower case, followed by the secret.
    raw = b"res=notyet&uamip=10.1.0.1&uamport=3990&userurl=http%3a%2f%2fa.example%2f"
    signed = raw + b"&md=CE2FB766537A9671C31661F203E70D43"
    verify = CoovaChilli().verify
    assert verify(sent(signed), CHILLI)
    assert verify(sent(signed + b"&lang=de"), CHILLI)
    assert not verify(sent(signed, PAGE.replace("https", "http")), CHILLI)
    assert not verify(sent(signed.replace(b"%3a", b"%3A")), CHILLI)
    assert not verify(sent(raw), CHILLI)
    assert not verify(sent(signed), replace(CHILLI, uam_secret="another"))
    assert not verify(sent(signed), replace(CHILLI, uam_secret=None))


@pytest.mark.parametrize(
    ("secret", "response"),
    [(UAM_SECRET, "bf5284aec2d4e1e1cdcc44c273672d99"), (None, "3163380faf3e27db3461ec06b07de78a")],
)
def test_the_way_back_carries_the_chap_response_that_the_gateway_computes(
    chilli: Chilli, secret: str | None, response: str
) -> None:
    # Known by md5sum too, for the password TICKET.
    arrival = recognised(chilli.address()).arrival
    grant = CoovaChilli().grant(replace(CHILLI, uam_secret=secret), arrival, A_TICKET)
    assert url_of(grant) == (
        f"http://10.1.0.1:3990/logon?username=thehandle&response={response}"
        "&userurl=http%3A%2F%2Fnews.example%2Ftoday%3Fa%3D1%26b%3D2"
    )
    assert response == expected_response("TICKET", secret=secret)


@pytest.mark.parametrize("length", [1, 15, 16, 17, 20, 32])
def test_a_password_by_pap_is_hidden_by_the_challenge_and_ends_with_a_nul(chilli: Chilli, length: int) -> None:
    arrival = recognised(chilli.address()).arrival
    ticket = replace(A_TICKET, password="T" * length)
    told = parse_qs(urlsplit(url_of(CoovaChilli().grant(replace(CHILLI, uam_pap=True), arrival, ticket))).query)
    shared = hashlib.md5(bytes.fromhex(CHALLENGE) + UAM_SECRET.encode()).digest()
    hidden = bytes.fromhex(told["password"][0])
    clear = bytes(octet ^ shared[place % 16] for place, octet in enumerate(hidden))
    assert clear == b"T" * length + bytes(len(clear) - length)
    assert len(clear) % 16 == 0
    assert clear[-1] == 0
    assert "response" not in told


def test_a_gateway_that_is_not_in_the_record_is_not_answered(chilli: Chilli) -> None:
    chilli.gateway = "10.1.0.66:3990"
    assert ask(chilli.address()) is Problem.UNKNOWN_GATEWAY
    chilli.gateway = "10.1.0.1:80"
    assert ask(chilli.address()) is Problem.UNKNOWN_GATEWAY
    chilli.secret = None
    assert ask(chilli.address(), replace(CHILLI, uam_secret=None)) is Problem.UNKNOWN_GATEWAY


def test_a_gateway_of_another_site_or_make_is_not_answered(chilli: Chilli) -> None:
    assert ask(chilli.address(), replace(CHILLI, site_id=2)) is Problem.UNKNOWN_GATEWAY
    assert ask(chilli.address(), replace(CHILLI, make="generic")) is Problem.UNKNOWN_GATEWAY


def test_without_the_right_signature_nothing_is_believed(chilli: Chilli) -> None:
    good = chilli.address()
    assert ask(good.partition("&md=")[0]) is Problem.BAD_SIGNATURE
    assert ask(good.replace("02-00-00-00-00-99", "02-00-00-00-00-98")) is Problem.BAD_SIGNATURE
    assert ask(good.replace("res=notyet", "res=success")) is Problem.BAD_SIGNATURE
    assert ask(good[:-1]) is Problem.BAD_SIGNATURE


def test_what_is_added_after_the_signature_changes_nothing(chilli: Chilli) -> None:
    address = chilli.address()
    found = recognised(f"{address}&lang=de&mac=02-66-66-66-66-66&uamip=6.6.6.6&res=success&ssid=Evil")
    assert found == recognised(address)


def test_a_gateway_without_a_uam_secret_is_answered_but_not_believed(chilli: Chilli) -> None:
    chilli.secret = None
    assert recognised(chilli.address(), replace(CHILLI, uam_secret=None)).verified is False


def test_gateways_with_the_same_private_address_are_told_apart_by_identifier_and_signature(chilli: Chilli) -> None:
    other = replace(CHILLI, id=8, nas_identifier="chilli-2", uam_secret="other")
    assert recognised(chilli.address(), other, CHILLI).nas.id == 7
    unnamed = replace(CHILLI, id=9, nas_identifier=None, uam_secret="third")
    assert recognised(replace(chilli, nas_identifier="nas01", secret="third").address(), other, unnamed).nas.id == 9
    twins = (
        replace(CHILLI, nas_identifier=None, uam_secret=None),
        replace(CHILLI, id=8, nas_identifier=None, uam_secret=None),
    )
    assert ask(replace(chilli, secret=None).address(), *twins) is Problem.UNKNOWN_GATEWAY


def test_an_access_points_identifier_names_the_place(chilli: Chilli) -> None:
    chilli.nas_identifier = "ap-1"
    found = recognised(chilli.address())
    assert found.locate(a_directory(), SITE, NOW).access_point == POINTS[1]
    chilli.nas_identifier = "ap-3"
    assert ask(chilli.address()) is Problem.UNKNOWN_GATEWAY


def test_the_place_comes_from_called_too_and_is_the_site_when_nothing_names_an_access_point(chilli: Chilli) -> None:
    directory = a_directory()
    assert recognised(chilli.address(called="02-00-00-00-00-02")).locate(directory, SITE, NOW).access_point == POINTS[2]
    assert recognised(chilli.address()).locate(directory, SITE, NOW).access_point is None


@pytest.mark.parametrize(
    "change",
    [
        {"res": "bought"},
        {"res": ""},
        {"uamip": "evil.example"},
        {"uamip": "10.1.0.1/@evil.example"},
        {"uamport": "3990@evil.example"},
        {"uamport": "0"},
        {"uamport": "65536"},
        {"uamport": "\u0663\u0669\u0669\u0660"},
        {"challenge": "xyz"},
        {"challenge": ""},
        {"mac": "not a mac"},
        {"ip": "10.1.0.700"},
        {"nasid": "n" * 300},
        {"nasid": "a\0b"},
        {"userurl": "x" * LONGEST_QUERY},
    ],
)
def test_what_no_gateway_would_send_is_malformed(chilli: Chilli, change: dict[str, str]) -> None:
    assert ask(chilli.address(**change)) is Problem.MALFORMED


def test_a_thousand_parameters_are_malformed() -> None:
    assert CoovaChilli().parse(sent(b"&".join(b"a%d=1" % number for number in range(1000)))) is Problem.MALFORMED


def test_a_query_without_a_gateway_is_no_arrival() -> None:
    for raw in (b"", b"lang=de", b"flow=abc", b"&&&", b"\xff\xfe=%ff"):
        assert recognise(a_directory(), SITE, sent(raw)) is None


@pytest.mark.parametrize(
    ("said", "meant"), [("reject", Failure.REJECT), ("timeout", Failure.TIMEOUT), ("whatever", Failure.OTHER)]
)
def test_a_failure_has_a_reason(chilli: Chilli, said: str, meant: Failure) -> None:
    assert recognised(chilli.address("failed", reason=said)).arrival.failure is meant


@pytest.mark.parametrize(
    "url",
    [
        "javascript:alert(1)",
        "data:text/html,hello",
        "//evil.example/",
        "ftp://a.example/",
        "http://",
        "http://user@a.example/",
        "http://[::1/",
        "http://a.example/\r\nSet-Cookie: a=b",
        "http://a.example/" + "x" * 500,
        "",
    ],
)
def test_only_ordinary_web_addresses_are_original_urls(url: str) -> None:
    assert web_address(url) is None


def test_the_only_gateway_of_a_site_is_found_and_of_two_none() -> None:
    found = sole_gateway(a_directory(), SITE)
    assert found
    assert found[1] == f"http://{GATEWAY}"
    assert sole_gateway(a_directory(replace(CHILLI, gateway_addresses=(GATEWAY, "10.1.0.2:3990"))), SITE) is None
    assert sole_gateway(a_directory(replace(CHILLI, make="generic")), SITE) is None


NAMES = st.sampled_from(
    [
        "res",
        "uamip",
        "uamport",
        "challenge",
        "called",
        "mac",
        "ip",
        "nasid",
        "sessionid",
        "ssid",
        "userurl",
        "md",
        "reason",
    ]
)
LIKELY = st.sampled_from(
    [
        "notyet",
        "success",
        "failed",
        "10.1.0.1",
        "3990",
        CHALLENGE,
        NAS_IDENTIFIER,
        "02-00-00-00-00-99",
        "http://a.example/",
    ]
)
UNSIGNED = replace(CHILLI, uam_secret=None)


@given(st.binary(max_size=400))
def test_no_octets_whatever_raise(raw: bytes) -> None:
    found = recognise(a_directory(), SITE, sent(raw))
    assert found is None or isinstance(found, Problem)


@given(st.lists(st.tuples(NAMES, st.one_of(LIKELY, st.text(max_size=40))), max_size=12))
def test_nobody_is_ever_sent_outside_the_record(pairs: list[tuple[str, str]]) -> None:
    usual = {"res": "notyet", "uamip": "10.1.0.1", "uamport": "3990", "challenge": CHALLENGE, "nasid": NAS_IDENTIFIER}
    found = recognise(a_directory(UNSIGNED), SITE, sent(query(**usual | dict(pairs))))
    if isinstance(found, Recognised):
        assert found.arrival.gateway
        handoff = CoovaChilli()
        ways = [handoff.again(found.arrival.gateway), handoff.logout(found.arrival.gateway)]
        if found.arrival.challenge:
            ways.append(url_of(handoff.grant(found.nas, found.arrival, A_TICKET)))
        assert {urlsplit(way).netloc for way in ways} == {GATEWAY}
