"""A real browser is handed to a gateway by a form: the Content-Security-Policy lets it, with scripts and without."""

import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from socketserver import BaseServer
from urllib.parse import parse_qsl, urlencode, urlsplit

import pytest
from playwright.sync_api import Browser, Page, expect, sync_playwright
from werkzeug.serving import BaseWSGIServer, make_server

from hotspot.database import Database
from hotspot.keys import Keyring
from hotspot.settings import Settings
from portal.app import create_app
from sessions.admit import Admitted
from tests.portal.conftest import MovableClock
from tests.portal.guest import Stage

pytestmark = [pytest.mark.alone, pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)]

CHROMIUM = os.environ.get("CHROMIUM", "/usr/bin/chromium")


class Wlc(ThreadingHTTPServer):
    """A Cisco WLC on loopback: it takes the form, asks RADIUS, and redirects to where the form says."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Login)
        self.address = f"127.0.0.1:{self.server_port}"
        self.stage: Stage | None = None
        self.posts = 0

    def redirect(self, slug: str, portal: str, **more: str) -> str:
        """The address that it sends a guest to."""
        assert self.stage
        told = {
            "switch_url": f"http://{self.address}/login.html",
            "ap_mac": self.stage.place.access_point.radios[0].mac.value,
            "client_mac": self.stage.phone.chilli.device.value,
            "wlan": "Surf Pass",
            "redirect": "news.example/",
        }
        return f"{portal}/g/{slug}?{urlencode(told | more)}"


class _Login(BaseHTTPRequestHandler):
    server: Wlc

    def do_POST(self) -> None:
        self.server.posts += 1
        octets = self.rfile.read(int(self.headers["Content-Length"]))
        told = dict(parse_qsl(octets.decode()))
        assert self.server.stage
        outcome = self.server.stage.admit(told["username"], told["password"])
        self.send_response(302 if isinstance(outcome, Admitted) and told["buttonClicked"] == "4" else 403)
        self.send_header("Location", told["redirect_url"])
        self.end_headers()

    def log_message(self, format: str, *args: object) -> None:
        """Say nothing."""


@pytest.fixture
def wlc() -> Iterator[Wlc]:
    """The gateway."""
    server = Wlc()
    with _serving(server):
        yield server


@pytest.fixture
def portal(
    wlc: Wlc, settings: Settings, database: Database, keyring: Keyring, clock: MovableClock
) -> Iterator[BaseWSGIServer]:
    """The portal on a socket, with a site behind the gateway."""
    server = make_server("127.0.0.1", 0, lambda _environ, _start: [], threaded=True)
    told = settings.model_copy(update={"portal_url": f"http://127.0.0.1:{server.server_port}"})
    server.app = app = create_app(told, database, keyring, clock)
    wlc.stage = Stage(
        database, keyring, app.test_client(), clock, make="cisco", uam_secret=None, gateway_addresses=(wlc.address,)
    )
    with _serving(server):
        yield server


@contextmanager
def _serving(server: BaseServer) -> Iterator[None]:
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield
    finally:
        server.shutdown()
        thread.join(10)
        server.server_close()


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """Debian's Chromium."""
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox", "--disable-gpu"])
        yield browser
        browser.close()


def choose(page: Page, stage: Stage, url: str) -> None:
    """What a guest does on the sign-in page."""
    page.goto(url)
    page.get_by_label("With a voucher").check()
    page.get_by_role("textbox", name="Code of your voucher").fill(stage.voucher.code.printed)
    page.get_by_label("I accept the terms").check()
    page.get_by_role("button", name="Go online").click()


@pytest.mark.parametrize("scripts", [True, False], ids=["with scripts", "without scripts"])
def test_a_form_takes_the_guest_to_the_gateway_and_back(
    wlc: Wlc, portal: BaseWSGIServer, browser: Browser, scripts: bool
) -> None:
    stage = wlc.stage
    assert stage
    page = browser.new_context(
        viewport={"width": 320, "height": 640}, locale="en-GB", java_script_enabled=scripts
    ).new_page()
    complaints: list[str] = []
    page.on("console", lambda message: complaints.append(message.text))
    choose(page, stage, wlc.redirect(stage.place.site.slug, f"http://127.0.0.1:{portal.server_port}"))
    if not scripts:
        expect(page.get_by_role("heading", name="Almost online")).to_be_visible()
        assert page.evaluate("document.documentElement.scrollWidth") <= 320
        if folder := os.environ.get("SCREENSHOTS"):
            page.screenshot(path=f"{folder}/hand_back.png")
        page.get_by_role("button", name="Go online").click()
    expect(page.get_by_role("heading", name="You are online")).to_be_visible()
    assert urlsplit(page.url).path.startswith("/s/"), "the guest's own page, at the portal"
    assert complaints == []
    assert wlc.posts == 1


def test_the_policy_stops_a_form_that_would_end_elsewhere(wlc: Wlc, portal: BaseWSGIServer, browser: Browser) -> None:
    stage = wlc.stage
    assert stage
    page = browser.new_context(locale="en-GB", java_script_enabled=False).new_page()
    choose(page, stage, wlc.redirect(stage.place.site.slug, f"http://127.0.0.1:{portal.server_port}"))
    stranger = Wlc()
    with _serving(stranger), page.expect_console_message(lambda message: "form-action" in message.text):
        page.evaluate("address => document.forms[0].action = address", f"http://{stranger.address}/login.html")
        page.get_by_role("button", name="Go online").click(no_wait_after=True)
    assert stranger.posts == 0
