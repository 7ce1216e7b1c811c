"""The forms of controllers and of MikroTik: what is read, what is posted back, and what is refused."""

import hashlib
import re
from dataclasses import replace
from datetime import UTC, datetime
from urllib.parse import urlencode, urlsplit

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hotspot.directory import NasRecord
from hotspot.keys import Keyring
from hotspot.mac import Mac
from portal import flow
from portal.handoffs import (
    HANDOFFS,
    Failure,
    FormPost,
    Problem,
    Recognised,
    Redirect,
    Sent,
    State,
    gateways_of,
    recognise,
)
from portal.handoffs.controllers import MOST_ECHOED_OCTETS
from portal.handoffs.mikrotik import unescape
from portal.handoffs.parameters import LONGEST_QUERY
from tests.portal.conftest import ROOT
from tests.portal.gateways import Aruba, Cambium, Cisco, Controller, Meraki, MikroTikGateway, Omada, Ruckus, octal
from tests.portal.test_handoffs import A_TICKET, CHILLI, PAGE, SITE, a_directory

DEVICE = Mac.parse("02-00-00-00-00-99")
CONTROLLERS: tuple[type[Controller], ...] = (Cisco, Aruba, Ruckus, Cambium, Meraki, Omada)
RECORD = replace(CHILLI, uam_secret=None)


def record_of(kind: type[Controller | MikroTikGateway], *addresses: str) -> NasRecord:
    return replace(RECORD, make=kind.make, gateway_addresses=addresses or (kind.gateway_address,))


def redirect_of(kind: type[Controller], **more: str) -> dict[str, str]:
    return kind("markt", None, DEVICE).redirect() | more  # type: ignore[arg-type]  # no browser is needed


def ask(nas: NasRecord, told: dict[str, str]) -> Recognised | Problem | None:
    return recognise(a_directory(nas), SITE, Sent(PAGE, urlencode(told).encode()))


def found(nas: NasRecord, told: dict[str, str]) -> Recognised:
    recognised = ask(nas, told)
    assert isinstance(recognised, Recognised)
    return recognised


def posted(recognised: Recognised) -> FormPost:
    grant = HANDOFFS[recognised.nas.make].grant(recognised.nas, recognised.arrival, A_TICKET)
    assert isinstance(grant, FormPost)
    return grant


FORMS = {
    Cisco: (
        "https://192.0.2.1/login.html",
        {
            "username": "thehandle",
            "password": "TICKET",
            "buttonClicked": "4",
            "err_flag": "0",
            "redirect_url": f"{PAGE}/online",
        },
    ),
    Aruba: (
        "https://securelogin.example/cgi-bin/login",
        {"user": "thehandle", "password": "TICKET", "cmd": "authenticate", "url": f"{PAGE}/online"},
    ),
    Ruckus: ("http://10.9.0.2:9997/login", {"username": "thehandle", "password": "TICKET", "ip": "10.9.1.7"}),
    Cambium: (
        "http://10.7.0.5:880/cgi-bin/hotspot_login.cgi",
        {
            "ga_user": "thehandle",
            "ga_pass": "TICKET",
            "ga_ssid": "Surf Pass",
            "ga_ap_mac": "00-04-56-00-00-01",
            "ga_nas_id": "gateway-1",
            "ga_srvr": "10.7.0.5",
            "ga_cmac": "02-00-00-00-00-99",
            "ga_Qv": "eUROBR86HBgAGDEEVgQAGw4UWRUCACYVMgFPRV5fX1k",
            "ga_orig_url": f"{PAGE}/online",
        },
    ),
    Meraki: (
        Meraki.login_url,
        {"username": "thehandle", "password": "TICKET", "success_url": f"{PAGE}/online"},
    ),
    Omada: (
        "https://172.30.30.113:8843/portal/radius/browserauth",
        {
            "username": "thehandle",
            "password": "TICKET",
            "authType": "2",
            "clientMac": "02-00-00-00-00-99",
            "clientIp": "172.30.30.103",
            "apMac": "AC-84-C6-00-00-01",
            "ssidName": "Surf Pass",
            "radioId": "1",
            "originUrl": f"{PAGE}/online",
        },
    ),
}


@pytest.mark.parametrize("kind", CONTROLLERS)
def test_a_redirect_is_read_and_the_form_is_the_makes(kind: type[Controller]) -> None:
    nas = replace(record_of(kind), nas_identifier="gateway-1")
    recognised = found(nas, redirect_of(kind))
    arrival = recognised.arrival
    assert (arrival.state, arrival.device, recognised.verified) == (State.NOT_YET, DEVICE, False)
    url, fields = FORMS[kind]
    assert posted(recognised) == FormPost(url, tuple(posted(recognised).fields))
    assert dict(posted(recognised).fields) == fields


@pytest.mark.parametrize("kind", CONTROLLERS)
@pytest.mark.parametrize("evil", ["evil.example", "10.66.0.1", "192.0.2.1.evil.example", "[2001:db8::66]"])
def test_another_host_is_not_handed_to(kind: type[Controller], evil: str) -> None:
    host = kind.gateway_address.partition(":")[0]
    told = {name: value.replace(host, evil) for name, value in redirect_of(kind).items()}
    assert ask(record_of(kind), told) is Problem.UNKNOWN_GATEWAY


@pytest.mark.parametrize(
    "switch_url",
    [
        *("https://192.0.2.1@evil.example/login.html", "javascript:alert(1)"),
        *("https://192.0.2.1:0/", "//192.0.2.1/login.html", "https://192.0.2.1\\@evil.example/", "https:///login.html"),
        *("https://0xc0000201/login.html", "https://192.0.2.1:443x/", "https://192.0.2.1 /", "ftp://192.0.2.1/", ""),
    ],
)
def test_an_address_that_browsers_and_we_could_read_differently_is_malformed(switch_url: str) -> None:
    assert ask(record_of(Cisco), redirect_of(Cisco, switch_url=switch_url)) is Problem.MALFORMED


def test_where_a_record_names_no_port_only_the_makes_own_are_meant() -> None:
    other = redirect_of(Cisco, switch_url="https://192.0.2.1:8443/login.html")
    assert ask(record_of(Cisco), other) is Problem.UNKNOWN_GATEWAY
    assert posted(found(record_of(Cisco, "192.0.2.1:8443"), other)).url == "https://192.0.2.1:8443/login.html"
    plain = redirect_of(Cisco, switch_url="http://192.0.2.1/login.html")
    assert posted(found(record_of(Cisco), plain)).url == "http://192.0.2.1/login.html"
    assert ask(record_of(Meraki), redirect_of(Meraki, login_url="http://n143.network-auth.example/splash/login"))


@pytest.mark.parametrize(
    ("recorded", "told", "scheme"),
    [
        ("192.0.2.1:443", "https://192.0.2.1:443/login.html", "https"),
        ("192.0.2.1:80", "http://192.0.2.1:80/login.html", "http"),
        ("192.0.2.1", "https://192.0.2.1/login.html", "https"),
    ],
)
def test_a_recorded_port_is_posted_to_by_its_own_scheme_only(recorded: str, told: str, scheme: str) -> None:
    nas = record_of(Cisco, recorded)
    assert posted(found(nas, redirect_of(Cisco, switch_url=told))).url == f"{scheme}://192.0.2.1/login.html"
    other = told.replace(scheme, "http" if scheme == "https" else "https").replace("1/", "1:443/")
    assert ask(nas, redirect_of(Cisco, switch_url=other)) is Problem.UNKNOWN_GATEWAY


def test_a_port_of_the_operators_own_is_posted_to_by_a_scheme_that_the_make_speaks() -> None:
    nas, url = record_of(Meraki, "n143.network-auth.example:8443"), "://n143.network-auth.example:8443/splash/login"
    assert posted(found(nas, redirect_of(Meraki, login_url=f"https{url}")))
    assert ask(nas, redirect_of(Meraki, login_url=f"http{url}")) is Problem.UNKNOWN_GATEWAY


def test_only_the_path_of_the_make_is_posted_to() -> None:
    elsewhere = redirect_of(Meraki, login_url="https://n143.network-auth.example/other/login?mauth=1")
    assert ask(record_of(Meraki), elsewhere) is Problem.MALFORMED
    told = redirect_of(Cisco, switch_url="https://192.0.2.1/debug/upload?x=1")
    assert posted(found(record_of(Cisco), told)).url == "https://192.0.2.1/login.html"


@pytest.mark.parametrize(
    ("code", "state", "failure"),
    [
        ("1", State.ALREADY, None),
        ("2", State.FAILED, Failure.OTHER),
        ("3", State.FAILED, Failure.REJECT),
        ("5", State.FAILED, Failure.REJECT),
        ("nonsense", State.FAILED, Failure.OTHER),
        ("", State.NOT_YET, None),
    ],
)
def test_a_cisco_says_by_a_number_what_has_happened(code: str, state: State, failure: Failure | None) -> None:
    arrival = found(record_of(Cisco), redirect_of(Cisco, statusCode=code)).arrival
    assert (arrival.state, arrival.failure) == (state, failure)


@pytest.mark.parametrize(
    "change",
    [
        {"ga_cmac": "no mac"},
        {"ga_cip": "10.0.0.700"},
        {"ga_ssid": "s" * 300},
        {"ga_Qv": "a\0b"},
        {"ga_Qv": "q" * (MOST_ECHOED_OCTETS + 1)},
        {"ga_orig_url": "x" * LONGEST_QUERY},
        {"ga_srvr": "10.7.0.5/@evil.example"},
    ],
)
def test_what_no_controller_would_send_is_malformed(change: dict[str, str]) -> None:
    assert ask(record_of(Cambium), redirect_of(Cambium, **change)) is Problem.MALFORMED


def test_gateways_without_a_name_are_told_apart_by_the_site_they_serve() -> None:
    here, elsewhere, anywhere = (
        replace(record_of(Cisco), id=number, site_id=site) for number, site in ((1, 1), (2, 2), (3, None))
    )
    sent = Sent(PAGE, urlencode(redirect_of(Cisco)).encode())
    for order in ((here, elsewhere, anywhere), (anywhere, elsewhere, here)):
        recognised = recognise(a_directory(*order), SITE, sent)
        assert isinstance(recognised, Recognised)
        assert recognised.nas.id == 1
    twin = replace(here, id=4)
    assert recognise(a_directory(here, twin), SITE, sent) is Problem.UNKNOWN_GATEWAY


def mikrotik(**more: str) -> Recognised | Problem | None:
    router = MikroTikGateway("markt", None, DEVICE)  # type: ignore[arg-type]  # no browser is needed
    nas = replace(record_of(MikroTikGateway), nas_identifier="gateway-1")
    return recognise(a_directory(nas), SITE, Sent(PAGE, b"lang=de", router.redirect() | more))


def routed(**more: str) -> Recognised:
    recognised = mikrotik(**more)
    assert isinstance(recognised, Recognised)
    return recognised


def test_a_mikrotiks_challenge_is_answered_as_its_own_login_page_would() -> None:
    # Known by md5sum: octet 0xF9, TICKET, 00 10 20 ... F0.
    recognised = routed()
    assert recognised.arrival.place_names == ("gateway-1/hotspot1", "gateway-1")
    post = posted(recognised)
    assert post.url == "http://10.5.50.1/login"
    expected = hashlib.md5(b"\xf9TICKET" + bytes(range(0, 256, 16))).hexdigest()
    assert dict(post.fields) == {
        "username": "thehandle",
        "password": expected,
        "dst": f"{PAGE}/online",
        "popup": "false",
    }


def test_without_a_challenge_a_mikrotik_takes_the_plain_password() -> None:
    post = posted(routed(**{"chap-id": "", "chap-challenge": ""}))
    assert dict(post.fields)["password"] == "TICKET"


def test_a_mikrotik_may_send_the_guest_by_an_address_too() -> None:
    told = MikroTikGateway("markt", None, DEVICE).redirect()  # type: ignore[arg-type]  # no browser is needed
    assert found(record_of(MikroTikGateway), told | {"identity": ""}).arrival.device == DEVICE


@pytest.mark.parametrize(
    ("error", "failure"),
    [("RADIUS server is not responding", Failure.TIMEOUT), ("invalid username or password", Failure.REJECT)],
)
def test_a_mikrotik_says_why_a_login_failed(error: str, failure: Failure) -> None:
    arrival = routed(error=error).arrival
    assert (arrival.state, arrival.failure) == (State.FAILED, failure)


@pytest.mark.parametrize(
    "change",
    [
        {"chap-id": ""},
        {"chap-id": "\\371\\371"},
        {"chap-challenge": ""},
        {"chap-challenge": "\\400"},
        {"chap-challenge": "\\9"},
        {"chap-challenge": "\u00e9"},
        {"chap-challenge": "a" * 65},
        {"link-login-only": "javascript:alert(1)"},
        {"mac": "x"},
        {"identity": "i" * 300},
        {"link-orig": "x" * LONGEST_QUERY},
        {f"field{number}": "x" for number in range(100)},
    ],
)
def test_what_no_mikrotik_would_post_is_malformed(change: dict[str, str]) -> None:
    assert mikrotik(**change) is Problem.MALFORMED


@given(st.binary(max_size=32))
def test_octets_survive_octal_escapes(octets: bytes) -> None:
    assert unescape(octal(octets)) == octets


LIKELY = [name for kind in CONTROLLERS for name in redirect_of(kind)]
VALUES = [value for kind in CONTROLLERS for value in redirect_of(kind).values()]
HOSTILE = [
    "evil.example",
    "https://evil.example/login.html",
    "https://192.0.2.1@evil.example/",
    "[::1]",
    "a\0",
    "1" * 600,
]
ARRIVALS = st.dictionaries(
    st.sampled_from([*LIKELY, "errmsg", "statusCode", "error_message"]),
    st.one_of(st.sampled_from([*VALUES, *HOSTILE]), st.text(max_size=40)),
    max_size=6,
)
KEYRING_NOW = datetime(2026, 6, 15, 12, tzinfo=UTC)


@given(st.sampled_from(CONTROLLERS), ARRIVALS)
def test_nobody_is_ever_handed_to_a_host_outside_the_record(kind: type[Controller], more: dict[str, str]) -> None:
    nas = record_of(kind)
    recognised = ask(nas, redirect_of(kind, **more))
    if isinstance(recognised, Recognised):
        handoff, gateway = HANDOFFS[nas.make], recognised.arrival.gateway
        assert gateway
        grant = handoff.grant(nas, recognised.arrival, A_TICKET)
        ways = [grant.url if isinstance(grant, FormPost | Redirect) else None, handoff.logout(gateway)]
        hosts = {urlsplit(way).hostname for way in ways if way}
        assert hosts == {urlsplit(gateways_of(nas)[0]).hostname}


@given(st.sampled_from([*CONTROLLERS, MikroTikGateway]), st.binary(max_size=300), st.dictionaries(st.text(), st.text()))
def test_no_parser_ever_raises(kind: type[Controller], raw: bytes, form: dict[str, str]) -> None:
    recognised = recognise(a_directory(record_of(kind)), SITE, Sent(PAGE, raw, form))
    assert recognised is None or isinstance(recognised, Problem)


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
def test_the_longest_arrival_fits_into_the_flow_token(keyring: Keyring) -> None:
    told = redirect_of(Cambium, ga_Qv="\u20ac" * 330, ga_ssid="\u20ac" * 80)
    told |= {"ga_orig_url": "http://news.example/" + "x" * 479}
    nas = replace(record_of(Cambium), nas_identifier="gateway-1")
    recognised = found(nas, told)
    assert recognised.arrival.original_url
    begun = flow.begin(a_directory(nas), SITE, recognised, KEYRING_NOW)
    assert flow.unseal(keyring, flow.seal(keyring, begun)) == begun


def test_our_login_page_for_routers_posts_what_is_read() -> None:
    page = (ROOT / "deploy/mikrotik/login.html").read_text()
    posted = dict(re.findall(r'name="([a-z-]+)" value="([^"]*)"', page))
    assert posted == {name: f"$({name})" for name in posted}
    sent = MikroTikGateway("markt", None, DEVICE).redirect()  # type: ignore[arg-type]  # no browser is needed
    assert set(posted) == set(sent) - {"username", "link-login"}
