"""The software access point between a scripted RADIUS server, a scripted portal and phones; all on real sockets."""

import http.client
import re
import socket
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import replace

import pytest

from deploy.software_ap import AccessPointConfig, SoftwareAccessPoint
from deploy.software_ap.http import COOKIE
from hotspot.mac import Mac
from radius.credentials import Chap, Pap
from radius.packet import Packet
from sessions.records import Status
from tests.deploy.software_ap.peers import (
    PASSWORD,
    RADIUS_SECRET,
    UAM_SECRET,
    Browser,
    ScriptedPortal,
    ScriptedRadius,
    arrival_at,
    eventually,
    fetch,
    log_on_address,
)

SSID = "Surf here: Café"
AP_MAC = "02-00-00-00-00-01"

Start = Callable[..., SoftwareAccessPoint]


@pytest.fixture
def radius() -> Iterator[ScriptedRadius]:
    peer = ScriptedRadius(
        accept_with={"Session-Timeout": 3600, "Class": b"0x41 opaque \xff"},
        reject_with={"Reply-Message": "Dieser Surf Pass ist abgelaufen."},
    )
    peer.start()
    yield peer
    peer.stop()


@pytest.fixture
def portal() -> Iterator[ScriptedPortal]:
    peer = ScriptedPortal()
    peer.start()
    yield peer
    peer.stop()


@pytest.fixture
def config(radius: ScriptedRadius, portal: ScriptedPortal) -> AccessPointConfig:
    return AccessPointConfig(
        portal_url=portal.url,
        site_slug="markt",
        ssid=SSID,
        mac=Mac(AP_MAC),
        nas_identifier="markt-gateway",
        radius_secret=RADIUS_SECRET,
        uam_secret=UAM_SECRET,
        port=0,
        auth_port=radius.auth_port,
        acct_port=radius.acct_port,
        radius_timeout=2.0,
        radius_retries=0,
    )


@pytest.fixture
def start(config: AccessPointConfig) -> Iterator[Start]:
    with ExitStack() as stack:

        def begin(**changed: object) -> SoftwareAccessPoint:
            return stack.enter_context(SoftwareAccessPoint(replace(config, **changed)))  # type: ignore[arg-type]

        yield begin


@pytest.fixture
def access_point(start: Start) -> SoftwareAccessPoint:
    return start()


def page(browser: Browser, access_point: SoftwareAccessPoint, path: str = "/") -> str:
    return browser.get(access_point.address + path).decode()


def online(access_point: SoftwareAccessPoint) -> Browser:
    """A browser that is logged on."""
    browser = Browser()
    assert page(browser, access_point) == "portal: success"
    return browser


def test_whatever_a_guest_asks_for_leads_to_the_portal(access_point: SoftwareAccessPoint) -> None:
    response = fetch(f"{access_point.address}/news?a=1&b=%C3%BC%20x", {"Host": "news.example"})
    location = response.getheader("Location") or ""
    arrival = arrival_at(response)
    assert location.partition("/g/markt?")[0].startswith("http://127.0.0.1:")
    assert list(arrival) == [
        "res", "uamip", "uamport", "challenge", "called", "mac", "ip", "nasid", "sessionid", "ssid", "userurl"
    ]  # fmt: skip
    assert arrival["res"] == "notyet"
    assert f"http://{arrival['uamip']}:{arrival['uamport']}" == access_point.address
    assert re.fullmatch("[0-9a-f]{32}", arrival["challenge"])
    assert (arrival["called"], arrival["nasid"], arrival["ssid"]) == (AP_MAC, "markt-gateway", SSID)
    assert arrival["userurl"] == "http://news.example/news?a=1&b=%C3%BC%20x"
    assert re.fullmatch(r"[0-9A-F][26AE](-[0-9A-F]{2}){5}", arrival["mac"])
    assert arrival["ip"].startswith("10.")
    escapes = set(re.findall("%..", location))
    assert "%3a" in escapes
    assert escapes == {escape.lower() for escape in escapes}


def test_a_guest_logs_on_by_chap_and_sees_the_internet(
    access_point: SoftwareAccessPoint, radius: ScriptedRadius, portal: ScriptedPortal
) -> None:
    browser = Browser()
    assert page(browser, access_point, "/news") == "portal: success"
    assert "<h1>The internet</h1>" in page(browser, access_point, "/anything")
    request, arrival = radius.logins[0], portal.arrivals[0]
    assert isinstance(radius.proofs[0], Chap)
    assert radius.proofs[0].identifier == b"\0"
    assert request.text("User-Name") == "the-handle"
    assert request.text("NAS-Identifier") == "markt-gateway"
    assert request.address("NAS-IP-Address") == "127.0.0.1"
    assert request.text("Called-Station-Id") == f"{AP_MAC}:{SSID}"
    assert request.text("Calling-Station-Id") == arrival["mac"]
    assert request.address("Framed-IP-Address") == arrival["ip"]
    assert request.text("Acct-Session-Id") == arrival["sessionid"]
    assert request.integer("NAS-Port-Type") == 19
    success = portal.arrivals[-1]
    assert success["sessionid"] == arrival["sessionid"]
    assert success["userurl"] == f"{access_point.address}/news"
    assert int(success["timeleft"]) in range(3590, 3601)


def test_a_guest_logs_on_by_pap(
    access_point: SoftwareAccessPoint, radius: ScriptedRadius, portal: ScriptedPortal
) -> None:
    portal.pap = True
    online(access_point)
    assert radius.proofs == [Pap(PASSWORD)]


def test_without_a_uam_secret_the_challenge_is_plain_and_nothing_is_signed(start: Start) -> None:
    access_point = start(uam_secret=None)
    assert "md=" not in (fetch(access_point.address).getheader("Location") or "")


def test_the_start_of_accounting_echoes_class_and_takes_the_view_of_the_nas(
    access_point: SoftwareAccessPoint, radius: ScriptedRadius, portal: ScriptedPortal
) -> None:
    before = int(time.time())
    online(access_point)
    started = radius.await_record(Status.START)
    assert started.all("Class") == [b"0x41 opaque \xff"]
    assert started.vendor_integer(14559, 10) == 1
    assert started.text("Acct-Session-Id") == portal.arrivals[0]["sessionid"]
    assert started.text("User-Name") == "the-handle"
    assert started.text("Calling-Station-Id") == portal.arrivals[0]["mac"]
    assert before <= (started.integer("Event-Timestamp") or 0) <= time.time()
    assert radius.records[0].integer("Acct-Status-Type") == Status.ACCOUNTING_ON
    assert not {"User-Name", "Acct-Session-Id"} & {name for name in NAMES if name in radius.records[0]}


NAMES = ("User-Name", "Acct-Session-Id", "Called-Station-Id")


def test_a_name_that_the_server_gives_is_the_one_in_accounting(
    access_point: SoftwareAccessPoint, radius: ScriptedRadius
) -> None:
    radius.accept_with = {"User-Name": "named by the server"}
    online(access_point)
    assert radius.await_record(Status.START).text("User-Name") == "named by the server"


def test_a_reject_is_told_with_the_servers_words_a_new_challenge_and_a_new_session(
    access_point: SoftwareAccessPoint, radius: ScriptedRadius, portal: ScriptedPortal
) -> None:
    portal.password = "wrong"
    browser = Browser()
    assert page(browser, access_point) == "portal: failed"
    before, after = portal.arrivals
    assert (after["reason"], after["reply"]) == ("reject", "Dieser Surf Pass ist abgelaufen.")
    assert after["challenge"] != before["challenge"]
    assert after["sessionid"] != before["sessionid"]
    assert after["mac"] == before["mac"]
    portal.password = PASSWORD
    assert browser.get(log_on_address(after, PASSWORD)) == b"portal: success"
    assert not radius.records_of(Status.STOP)


def test_a_silent_server_is_told_as_a_timeout(start: Start, radius: ScriptedRadius, portal: ScriptedPortal) -> None:
    access_point = start(radius_timeout=0.2)
    radius.silent = True
    assert page(Browser(), access_point) == "portal: failed"
    assert portal.arrivals[-1]["reason"] == "timeout"
    assert portal.arrivals[-1]["challenge"] != portal.arrivals[0]["challenge"]


@pytest.mark.parametrize("query", ["", "username=x", "username=&response=00", "username=x&response=zz",
                                   f"username={'x' * 300}&response={'0' * 32}", "username=x&password=" + "ff" * 200])  # fmt: skip
def test_a_log_on_that_makes_no_sense_is_not_sent_to_radius(
    access_point: SoftwareAccessPoint, radius: ScriptedRadius, query: str
) -> None:
    cookie = (fetch(access_point.address).getheader("Set-Cookie") or "").partition(";")[0]
    assert arrival_at(fetch(f"{access_point.address}/logon?{query}", {"Cookie": cookie}))["res"] == "notyet"
    assert not radius.logins


def test_a_challenge_is_answered_only_once(access_point: SoftwareAccessPoint, radius: ScriptedRadius) -> None:
    response = fetch(access_point.address)
    cookie = {"Cookie": (response.getheader("Set-Cookie") or "").partition(";")[0]}
    wrong = log_on_address(arrival_at(response), "wrong")
    assert arrival_at(fetch(wrong, cookie))["res"] == "failed"
    fetch(f"{access_point.address}/prelogin", cookie)
    assert arrival_at(fetch(wrong, cookie))["res"] == "failed"
    replayed, fresh = (proof.challenge for proof in radius.proofs if isinstance(proof, Chap))
    assert replayed != fresh


def test_the_challenge_stays_while_it_lives_and_prelogin_brings_a_fresh_one(access_point: SoftwareAccessPoint) -> None:
    response = fetch(access_point.address)
    cookie = {"Cookie": (response.getheader("Set-Cookie") or "").partition(";")[0]}
    first = arrival_at(response)["challenge"]
    assert arrival_at(fetch(f"{access_point.address}/favicon.ico", cookie))["challenge"] == first
    fresh = arrival_at(fetch(f"{access_point.address}/prelogin", cookie))
    assert fresh["res"] == "notyet"
    assert fresh["challenge"] != first


def test_status_tells_the_portal_who_is_online(access_point: SoftwareAccessPoint, portal: ScriptedPortal) -> None:
    portal.logs_on = False
    browser = Browser()
    assert page(browser, access_point, "/status") == "portal: notyet"
    portal.logs_on = True
    assert page(browser, access_point) == "portal: success"
    for path in ("/status", "/prelogin", "/logon?username=x&response=" + "0" * 32):
        assert page(browser, access_point, path) == "portal: already"


def test_logging_off_ends_the_session_and_the_internet(
    access_point: SoftwareAccessPoint, radius: ScriptedRadius, portal: ScriptedPortal
) -> None:
    browser = online(access_point)
    assert page(browser, access_point, "/logoff") == "portal: logoff"
    stop = radius.await_record(Status.STOP)
    assert stop.integer("Acct-Terminate-Cause") == 1
    assert stop.text("Acct-Session-Id") == portal.arrivals[0]["sessionid"]
    assert stop.all("Class") == [b"0x41 opaque \xff"]
    assert portal.arrivals[-1]["sessionid"] != portal.arrivals[0]["sessionid"]
    portal.logs_on = False
    assert page(browser, access_point) == "portal: notyet"


def test_what_goes_through_is_accounted_for(access_point: SoftwareAccessPoint, radius: ScriptedRadius) -> None:
    browser = online(access_point)
    assert len(browser.get(f"{access_point.address}/download/1MB")) == 1_000_000
    visible = len(browser.get(f"{access_point.address}/"))
    page(browser, access_point, "/logoff")
    stop = radius.await_record(Status.STOP)
    assert stop.integer("Acct-Output-Octets") == 1_000_000 + visible
    assert stop.integer("Acct-Output-Gigawords") == 0
    assert 50 < (stop.integer("Acct-Input-Octets") or 0) < 2000
    assert (stop.integer("Acct-Session-Time") or 0) < 10


def test_session_timeout_ends_it(
    access_point: SoftwareAccessPoint, radius: ScriptedRadius, portal: ScriptedPortal
) -> None:
    radius.accept_with = {"Session-Timeout": 2}
    browser = online(access_point)
    assert "The internet" in page(browser, access_point)
    stop = radius.await_record(Status.STOP)
    assert stop.integer("Acct-Terminate-Cause") == 5
    assert stop.integer("Acct-Session-Time") in (2, 3)
    portal.logs_on = False
    assert page(browser, access_point) == "portal: notyet"


def test_silence_ends_it_after_idle_timeout(access_point: SoftwareAccessPoint, radius: ScriptedRadius) -> None:
    radius.accept_with = {"Idle-Timeout": 1}
    online(access_point)
    assert radius.await_record(Status.STOP).integer("Acct-Terminate-Cause") == 4


def test_used_up_volume_ends_it_in_the_middle_of_a_download(
    access_point: SoftwareAccessPoint, radius: ScriptedRadius
) -> None:
    radius.accept_with = {"ChilliSpot-Max-Total-Octets": 200_000}
    browser = online(access_point)
    with pytest.raises(http.client.IncompleteRead) as cut:
        browser.get(f"{access_point.address}/download/1MB")
    assert len(cut.value.partial) < 300_000
    assert radius.await_record(Status.STOP).integer("Acct-Terminate-Cause") == 5


def test_logging_off_cuts_a_download(access_point: SoftwareAccessPoint) -> None:
    browser = online(access_point)
    cut: list[http.client.IncompleteRead] = []

    def download() -> None:
        try:
            browser.get(f"{access_point.address}/download/999MB")
        except http.client.IncompleteRead as error:
            cut.append(error)

    downloading = threading.Thread(target=download)
    downloading.start()
    time.sleep(0.1)
    page(browser, access_point, "/logoff")
    downloading.join()
    assert cut


def test_interim_updates_come_as_often_as_the_server_asks(
    access_point: SoftwareAccessPoint, radius: ScriptedRadius
) -> None:
    radius.accept_with = {"Acct-Interim-Interval": 1, "Class": b"c"}
    browser = online(access_point)
    browser.get(f"{access_point.address}/download/10kB")
    interims = eventually(lambda: found if len(found := radius.records_of(Status.INTERIM_UPDATE)) >= 2 else [])
    first, second = (one.integer("Acct-Session-Time") or 0 for one in interims[:2])
    assert 1 <= first < second <= 5
    assert interims[0].integer("Acct-Output-Octets") == 10_000
    assert interims[0].all("Class") == [b"c"]


def test_stopping_takes_everybody_offline_and_says_so(start: Start, radius: ScriptedRadius) -> None:
    access_point = start()
    online(access_point)
    online(access_point)
    access_point.stop()
    assert [one.integer("Acct-Terminate-Cause") for one in radius.records_of(Status.STOP)] == [6, 6]
    assert radius.records[-1].integer("Acct-Status-Type") == Status.ACCOUNTING_OFF
    with pytest.raises(ConnectionRefusedError):
        fetch(access_point.address)


def test_the_pop_may_come_up_later_and_hears_everything_in_order(start: Start, radius: ScriptedRadius) -> None:
    radius.accounting_silent = True
    access_point = start()
    began = time.monotonic()
    browser = online(access_point)
    assert "The internet" in page(browser, access_point)
    assert time.monotonic() - began < 1.5, "no page waits for accounting, which has two seconds for each try"
    eventually(lambda: time.monotonic() - began > 2.2)
    radius.accounting_silent = False
    radius.await_record(Status.START)
    assert [one.integer("Acct-Status-Type") for one in radius.records] == [Status.ACCOUNTING_ON, Status.START]
    assert (radius.records[1].integer("Acct-Delay-Time") or 0) >= 1


def test_an_access_point_whose_pop_is_away_stops_all_the_same(start: Start, radius: ScriptedRadius) -> None:
    radius.silent = True
    access_point = start(radius_timeout=0.2)
    began = time.monotonic()
    access_point.stop()
    assert time.monotonic() - began < 4


def test_each_browser_is_a_phone_of_its_own(access_point: SoftwareAccessPoint, portal: ScriptedPortal) -> None:
    portal.logs_on = False
    first, second = Browser(), Browser()
    for browser in (first, second, first, second):
        page(browser, access_point)
    devices = [arrival["mac"] for arrival in portal.arrivals]
    assert devices[:2] == devices[2:]
    assert len(set(devices)) == 2
    assert len({arrival["ip"] for arrival in portal.arrivals}) == 2
    portal.logs_on = True
    assert page(first, access_point) == "portal: success"
    portal.logs_on = False
    assert page(second, access_point) == "portal: notyet"


def test_a_browser_without_cookies_gets_online_too(access_point: SoftwareAccessPoint, portal: ScriptedPortal) -> None:
    browser = Browser(cookies=False)
    assert page(browser, access_point) == "portal: success"
    assert "The internet" in page(browser, access_point)
    assert page(browser, access_point, "/logoff") == "portal: logoff"
    assert len({arrival["mac"] for arrival in portal.arrivals}) == 1


def test_a_phone_stays_the_same_when_the_access_point_starts_anew(start: Start, portal: ScriptedPortal) -> None:
    portal.logs_on = False
    browser = Browser()
    page(browser, start())
    page(browser, start())
    assert portal.arrivals[0]["mac"] == portal.arrivals[1]["mac"]
    assert portal.arrivals[0]["sessionid"] != portal.arrivals[1]["sessionid"]


def test_its_cookie_does_not_touch_the_portals_on_the_same_host(access_point: SoftwareAccessPoint) -> None:
    browser = online(access_point)
    assert {cookie.name: cookie.value for cookie in browser.jar}.keys() == {COOKIE, "session"}
    assert {cookie.value for cookie in browser.jar if cookie.name == "session"} == {"the-portal's"}
    assert "The internet" in page(browser, access_point), "and finds its own among others"


def test_the_internet_speaks_german_too(access_point: SoftwareAccessPoint) -> None:
    browser = Browser(language="de-DE,de;q=0.9,en;q=0.8")
    page(browser, access_point)
    text = page(browser, access_point)
    assert "<h1>Das Internet</h1>" in text
    assert 'href="/logoff"' in text
    assert 'href="/download/1MB"' in text
    assert 'href="/status"' in text


def test_two_clicks_at_once_are_one_session(
    access_point: SoftwareAccessPoint, radius: ScriptedRadius, portal: ScriptedPortal
) -> None:
    portal.logs_on = False
    browser = Browser()
    page(browser, access_point)
    address = log_on_address(portal.arrivals[0], PASSWORD)
    answers: list[bytes] = []
    clicks = [threading.Thread(target=lambda: answers.append(browser.get(address))) for _ in range(2)]
    for click in clicks:
        click.start()
    for click in clicks:
        click.join()
    assert sorted(answers) == [b"portal: already", b"portal: success"]
    assert len(radius.logins) == 1


def test_a_port_that_is_taken_is_an_error_at_the_start(config: AccessPointConfig) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        access_point = SoftwareAccessPoint(replace(config, port=taken.getsockname()[1]))
        with pytest.raises(OSError, match="in use"):
            access_point.start()
        access_point.stop()


def test_ipv6_works_as_well(start: Start) -> None:
    access_point = start(host="::1")
    assert access_point.address.startswith("http://[::1]:")
    assert arrival_at(fetch(access_point.address))["uamip"] == "::1"


def test_nothing_that_could_name_a_guest_is_written(
    start: Start, radius: ScriptedRadius, portal: ScriptedPortal, capfd: pytest.CaptureFixture[str]
) -> None:
    access_point = start(radius_timeout=0.5)
    online(access_point)
    radius.silent = True
    page(Browser(), access_point)
    access_point.stop()
    written = "".join(capfd.readouterr())
    assert "does not answer" in written, "something is written"
    packets: list[Packet] = radius.logins
    secrets = [portal.arrivals[0][name] for name in ("mac", "ip", "sessionid", "challenge")]
    for secret in [*secrets, "the-handle", PASSWORD, "127.0.0.1", "logon", packets[0].text("Calling-Station-Id") or ""]:
        assert secret not in written


def radclient(access_point: SoftwareAccessPoint, kind: str, attributes: str, secret: bytes = RADIUS_SECRET) -> str:
    """What FreeRADIUS's client is answered to a Disconnect- or CoA-Request."""
    done = subprocess.run(
        ["radclient", "-x", "-r", "1", "-t", "1", f"127.0.0.1:{access_point.coa_port}", kind, secret.decode()],
        input=attributes, capture_output=True, text=True, timeout=20, check=False,
    )  # fmt: skip
    return done.stdout.partition("Received ")[2]


def test_the_pop_ends_a_session(start: Start, radius: ScriptedRadius, portal: ScriptedPortal) -> None:
    access_point = start(coa_port=0)
    browser = online(access_point)
    session = portal.arrivals[0]["sessionid"]
    named = f'User-Name="the-handle",Acct-Session-Id="{session}"'
    assert "Disconnect-NAK" in radclient(access_point, "disconnect", 'User-Name="the-handle",Acct-Session-Id="other"')
    assert "Error-Cause = Missing-Attribute" in radclient(access_point, "disconnect", f'Acct-Session-Id="{session}"')
    old = f"{named},Event-Timestamp={int(time.time()) - 400}"
    assert radclient(access_point, "disconnect", old) == ""
    assert radclient(access_point, "disconnect", named, b"another secret") == ""
    assert not radius.records_of(Status.STOP)
    assert "Disconnect-ACK" in radclient(access_point, "disconnect", f"{named},Message-Authenticator=0x00")
    assert radius.await_record(Status.STOP).integer("Acct-Terminate-Cause") == 6
    assert "Error-Cause = Session-Context-Not-Found" in radclient(access_point, "disconnect", named)
    assert page(browser, access_point) == "portal: success"


def test_the_pop_changes_the_limits_of_a_session(start: Start, radius: ScriptedRadius) -> None:
    access_point = start(coa_port=0)
    online(access_point)
    assert "CoA-ACK" in radclient(access_point, "coa", 'User-Name="the-handle",Session-Timeout=1')
    assert radius.await_record(Status.STOP).integer("Acct-Terminate-Cause") == 5


def test_a_coa_port_that_is_taken_keeps_nobody_from_playing(start: Start) -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as taken:
        taken.bind(("127.0.0.1", 0))
        access_point = start(coa_port=taken.getsockname()[1])
        online(access_point)
