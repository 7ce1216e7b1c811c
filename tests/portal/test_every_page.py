"""Every page a guest can meet, in every language, in a real browser: accessible, light, and readable on a small phone."""

import os
import re
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any
from urllib.parse import urlsplit

import pytest
from axe_playwright_python.sync_playwright import Axe
from flask import Flask, template_rendered
from jinja2 import Template
from playwright.sync_api import Browser, Page, Route, sync_playwright
from sqlalchemy import event
from sqlalchemy.exc import OperationalError
from werkzeug.test import TestResponse

from hotspot.legal import TEXT_LANGUAGES
from hotspot.place import Nas, announce_change
from hotspot.settings import Settings
from portal.context import EXTENSION
from portal.languages import LANGUAGE_NAMES, STAFF_LANGUAGES
from portal.overload import Turns
from sessions.visit import CloseCause
from tests.factories import a_mac
from tests.portal.conftest import PORTAL_URL, ROOT
from tests.portal.desk import Staff
from tests.portal.gateways import MikroTikGateway
from tests.portal.guest import GATEWAY, NAS_IDENTIFIER, Stage
from tests.portal.test_venue_page import Venue
from vouchers.voucher import Voucher

CHROMIUM = os.environ.get("CHROMIUM", "/usr/bin/chromium")
# The narrowest that WCAG 2.2 asks for (1.4.10 Reflow): 1280 px at 400 %.
NARROW = 320
MOST_OCTETS = 50_000
MOST_REQUESTS = 4
RULES = {"runOnly": ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]}

pytestmark = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)


@dataclass(frozen=True)
class Scene:
    """What comes before, once, and the page that is then shown in each language."""

    show: Callable[[Stage], TestResponse]
    before: Callable[[Stage], object] = lambda stage: None
    languages: tuple[str, ...] = tuple(LANGUAGE_NAMES)


def own_page(stage: Stage) -> TestResponse:
    """The guest's own page, as the cookie finds it."""
    found = stage.phone.get("/s")
    return stage.phone.get(found.location) if found.status_code == 303 else found


def log_in(stage: Stage) -> TestResponse:
    return stage.phone.log_in(stage.voucher.code.value, stage.terms)


def own(stage: Stage, page: str) -> TestResponse:
    """A page under the guest's own one."""
    token = stage.phone.client.get_cookie("surfpass_visit")
    assert token
    return stage.phone.get(f"/s/{token.value}{page}")


def for_two_devices(stage: Stage) -> None:
    """The voucher is for this device and for a television, too; one that takes over is let."""
    with stage.database.write() as session:
        voucher = session.get_one(Voucher, stage.voucher.voucher.id)
        voucher.devices, voucher.return_days = 2, 14
    stage.come_online()


def use_elsewhere(stage: Stage) -> None:
    """Another device uses the voucher, whose pass lets this one take over."""
    with stage.database.write() as session:
        session.get_one(Voucher, stage.voucher.voucher.id).replace = True
    stage.come_online()
    stage.phone.chilli.device = a_mac()


def fill_in_and_take_database_away(stage: Stage) -> None:
    """The guest has the sign-in page when the database goes away."""
    stage.phone.open_page = stage.phone.arrive().text
    take_database_away(stage)


def fill_in_before_a_crowd(stage: Stage) -> None:
    """The guest has the sign-in page, and staff their own, when a crowd takes all turns."""
    stage.phone.open_page = stage.phone.arrive().text
    turns = Turns(at_once=0, patience=0)
    portal = stage.phone.client.application.extensions
    portal[EXTENSION] = replace(portal[EXTENSION], logins=turns, hashing=turns)


def filled_in(stage: Stage) -> dict[str, str]:
    return {"variant": "voucher", "code": stage.voucher.code.value, "terms": str(stage.terms.id)}


def busy(answer: TestResponse) -> TestResponse:
    assert answer.status_code == 429
    return answer


def arrive_late(stage: Stage) -> TestResponse:
    """Be redirected to a portal that finds no time for it for a minute, as the kernel tells (`tcpi_last_data_recv`)."""
    connection = SimpleNamespace(getsockopt=lambda *_: bytes(52) + (60_000).to_bytes(4, sys.byteorder))
    headers, given = {"Accept-Language": stage.phone.language}, {"gunicorn.socket": connection}
    return stage.phone.client.get(stage.phone.chilli.address(), headers=headers, environ_overrides=given)


def sign_in_as_staff(stage: Stage) -> TestResponse:
    """Somebody of the venue signs in."""
    return Staff(stage.phone.client, language=stage.phone.language).sign_in("owner@example.org")


def set_gateway(stage: Stage, make: str, address: str, uam_secret: bytes | None) -> bytes | None:
    """Change the site's gateway; returns the secret it had."""
    with stage.database.write() as session:
        nas = session.get_one(Nas, stage.place.nas.id)
        before, nas.uam_secret = nas.uam_secret, uam_secret
        nas.make, nas.gateway_addresses = make, [address]
        announce_change(session)
    return before


def be_handed_back(stage: Stage) -> TestResponse:
    """The page with the form for a gateway that takes guests back by one."""
    secret = set_gateway(stage, "mikrotik", MikroTikGateway.gateway_address, None)
    page = MikroTikGateway(stage.place.site.slug, stage.phone.client).arrive(identity=NAS_IDENTIFIER)
    filled = {"variant": "voucher", "code": stage.voucher.code.value, "terms": str(stage.terms.id)}
    answer = stage.phone.post(page.text, **filled)
    set_gateway(stage, "coovachilli", GATEWAY, secret)
    return answer


def bounce_path(stage: Stage) -> str:
    """What a scanned voucher's page leads to."""
    found = re.search(r'href="http://go.example(/b/[^"]+)"', stage.phone.get(f"/v/{stage.voucher.code.value}").text)
    assert found
    return found[1]


def come_back_without_cookies(stage: Stage) -> TestResponse:
    """With a scanned voucher through the gateway, in another browser than the one that scanned it."""
    wanted = f"http://go.example{bounce_path(stage)}"
    stage.phone.client.delete_cookie("surfpass_code")
    return stage.phone.arrive(userurl=wanted)


def dress(stage: Stage) -> None:
    """The venue has a page of its own."""
    venue = Venue(stage.phone.client.application, stage.database, stage)
    venue.release(**{f"welcome_{code}": "Benvenuti! مرحبا" for code in TEXT_LANGUAGES})


SCENES: dict[str, Scene] = {
    "home": Scene(lambda stage: stage.phone.get("/")),
    "not on the Wi-Fi": Scene(lambda stage: stage.phone.get(f"/g/{stage.place.site.slug}")),
    "sign-in of a scanned voucher": Scene(come_back_without_cookies),
    "sign-in": Scene(lambda stage: stage.phone.arrive()),
    "nothing filled in": Scene(lambda stage: stage.phone.log_in("")),
    "slip in the code": Scene(lambda stage: stage.phone.log_in("K7QM-2XWD", stage.terms)),
    "gateway did not answer": Scene(lambda stage: stage.phone.arrive("failed", reason="timeout")),
    "logged off": Scene(lambda stage: stage.phone.arrive("logoff")),
    "online, visit unknown": Scene(lambda stage: stage.phone.arrive("already")),
    "foreign gateway": Scene(lambda stage: stage.phone.arrive(uamip="192.0.2.1")),
    "waiting for the gateway": Scene(own_page, log_in),
    "online": Scene(own_page, lambda stage: stage.come_online()),
    "over": Scene(own_page, lambda stage: be_over(stage)),
    "going on with another voucher": Scene(lambda stage: own(stage, "/extend"), lambda stage: stage.come_online()),
    "adding a device": Scene(lambda stage: own(stage, "/device"), for_two_devices),
    "what is stored": Scene(lambda stage: own(stage, "/data"), for_two_devices),
    "in use on another device": Scene(log_in, use_elsewhere),
    "handed back by a form": Scene(be_handed_back),
    "not on the Wi-Fi yet": Scene(lambda stage: stage.phone.get(bounce_path(stage))),
    "sign-in, dressed by the venue": Scene(lambda stage: stage.phone.arrive(), dress),
    "no access to show": Scene(lambda stage: stage.phone.get("/s/nobody")),
    "terms": Scene(lambda stage: stage.phone.get("/terms")),
    "privacy, not published": Scene(lambda stage: stage.phone.get("/privacy")),
    "voucher scanned": Scene(lambda stage: stage.phone.get(f"/v/{stage.voucher.code.value}")),
    "no such voucher": Scene(lambda stage: stage.phone.get("/v/nonsense")),
    "no such page": Scene(lambda stage: stage.phone.get("/nowhere")),
    "a login that waits": Scene(
        lambda stage: stage.phone.post(stage.phone.open_page, variant="voucher", code=stage.voucher.code.value),
        fill_in_and_take_database_away,
    ),
    "a crowd, for who comes": Scene(lambda stage: busy(arrive_late(stage))),
    "a crowd, for who has begun": Scene(
        lambda stage: busy(stage.phone.post(stage.phone.open_page, **filled_in(stage))), fill_in_before_a_crowd
    ),
    "a crowd, for staff": Scene(lambda stage: busy(sign_in_as_staff(stage)), fill_in_before_a_crowd, STAFF_LANGUAGES),
    "database away": Scene(
        lambda stage: stage.phone.get(f"/g/{stage.place.site.slug}"), lambda stage: take_database_away(stage)
    ),
}


def be_over(stage: Stage) -> None:
    stage.come_online()
    stage.close_visits(CloseCause.OVER)


def take_database_away(stage: Stage) -> None:
    """Make every question to the database fail as a lost connection does."""

    def fail(*_: object) -> None:
        raise OperationalError("", {}, ConnectionError())

    event.listen(stage.database.engine, "before_cursor_execute", fail)


@pytest.fixture
def portal_settings(portal_settings: Settings) -> Settings:
    """A portal with a bounce name."""
    return portal_settings.model_copy(update={"bounce_url": "http://go.example"})


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """Debian's Chromium."""
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox", "--disable-gpu"])
        yield browser
        browser.close()


@dataclass
class Screen:
    """A small phone that gets its pages from the application in this process, and counts what it asks for."""

    page: Page
    stage: Stage
    requests: int = 0
    octets: int = 0
    shown: TestResponse | None = None

    def show(self, response: TestResponse) -> None:
        """Show a response at the address that it was asked for."""
        self.shown, self.requests, self.octets = response, 0, 0
        self.page.goto(PORTAL_URL + response.request.path, wait_until="load")

    def answer(self, route: Route) -> None:
        """Fulfil what the browser asks for: the page itself, or what the page brings along."""
        if route.request.is_navigation_request() and self.shown:
            response = self.shown
        else:
            parts = urlsplit(route.request.url)
            response = self.stage.phone.client.get(f"{parts.path}?{parts.query}", buffered=True)
            assert response.status_code == 200, parts.path
        self.requests += 1
        self.octets += len(response.data)
        route.fulfill(status=response.status_code, headers=dict(response.headers), body=response.data)


@pytest.fixture
def screen(browser: Browser, stage: Stage) -> Iterator[Screen]:
    """The phone's screen, with the Content-Security-Policy on."""
    context = browser.new_context(viewport={"width": NARROW, "height": 640})
    # A page that posts its form by itself has to stay to be looked at.
    context.add_init_script("HTMLFormElement.prototype.submit = () => {}")
    screen = Screen(context.new_page(), stage)
    context.route("**/*", screen.answer)
    yield screen
    context.close()


@pytest.mark.parametrize("name", SCENES)
def test_a_page_is_accessible_light_and_narrow(screen: Screen, stage: Stage, name: str) -> None:
    SCENES[name].before(stage)
    for language in SCENES[name].languages:
        stage.phone.language = language
        screen.page.emulate_media(color_scheme="dark" if language == "de" else "light")
        screen.show(SCENES[name].show(stage))
        assert screen.requests <= MOST_REQUESTS
        assert screen.octets < MOST_OCTETS
        assert screen.page.locator("html").get_attribute("lang") == language
        assert screen.page.locator("html").get_attribute("dir") == ("rtl" if language == "ar" else "ltr")
        assert screen.page.evaluate("document.documentElement.scrollWidth") <= NARROW, language
        assert violations(screen.page) == [], language
        keep_picture(screen.page, f"{name} {language}")


def violations(page: Page) -> list[dict[str, Any]]:
    """What axe-core finds wrong: the rule, and where."""
    found = Axe().run(page, options=RULES).response["violations"]
    return [{"rule": one["id"], "where": [node["html"] for node in one["nodes"]]} for one in found]


def keep_picture(page: Page, name: str) -> None:
    """For people who want to look: PICTURES names a folder."""
    if folder := os.environ.get("PICTURES"):
        for width in (1280, 390, NARROW):
            page.set_viewport_size({"width": width, "height": 640})
            file = f"{name.replace(' ', '-').replace(',', '')}-{width}.png"
            page.screenshot(path=Path(folder) / file, full_page=True)


def test_no_page_was_left_out(app: Flask, stage: Stage) -> None:
    rendered = set()

    def note(_app: Flask, template: Template, **_: object) -> None:
        rendered.add(template.name)

    at_last = ("a crowd, for who has begun", "a crowd, for staff", "a login that waits", "database away")
    with template_rendered.connected_to(note, app):
        for name in (*(one for one in SCENES if one not in at_last), *at_last):
            SCENES[name].before(stage)
            SCENES[name].show(stage)
    folder = ROOT / "templates"
    guests = {str(file.relative_to(folder)) for file in folder.glob("guest/[!_]*.html")}
    assert {*guests, "error.html", "unavailable.html"} - rendered == set()
