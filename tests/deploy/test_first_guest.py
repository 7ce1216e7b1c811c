"""The whole way in a real browser: a guest comes online through gateway, portal and RADIUS; the owner sees it."""

import json
import os
import re
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import pytest
from playwright.sync_api import Browser, BrowserContext, BrowserType, Page, ViewportSize, expect, sync_playwright

from tests.deploy.house import House, running_house

CHROMIUM = os.environ.get("CHROMIUM", "/usr/bin/chromium")
CHROMIUM_ARGUMENTS = ["--no-sandbox", "--disable-gpu"]
PHONE: ViewportSize = {"width": 390, "height": 844}


@pytest.fixture(scope="module")
def house(tmp_path_factory: pytest.TempPathFactory) -> Iterator[House]:
    """One PoP for all tests of this module, as `make run` starts it."""
    with running_house(tmp_path_factory.mktemp("house")) as running:
        yield running


@pytest.fixture(scope="module")
def chromium() -> Iterator[BrowserType]:
    """The driver of browsers."""
    with sync_playwright() as playwright:
        yield playwright.chromium


@pytest.fixture(scope="module")
def browser(chromium: BrowserType) -> Iterator[Browser]:
    """Debian's Chromium."""
    browser = chromium.launch(executable_path=CHROMIUM, args=CHROMIUM_ARGUMENTS)
    yield browser
    browser.close()


@pytest.fixture
def cookieless(chromium: BrowserType, tmp_path: Path) -> Iterator[BrowserContext]:
    """A German phone whose mini-browser takes no cookies and runs no script."""
    profile = tmp_path / "Default"
    profile.mkdir()
    block = {"profile": {"default_content_setting_values": {"cookies": 2}}}
    (profile / "Preferences").write_text(json.dumps(block))
    context = chromium.launch_persistent_context(
        tmp_path,
        executable_path=CHROMIUM,
        args=CHROMIUM_ARGUMENTS,
        viewport=PHONE,
        locale="de-DE",
        java_script_enabled=False,
    )
    yield context
    context.close()


def guests_now(owner: Page, house: House) -> str:
    """What the owner's page says of the Single site."""
    owner.goto(house.sign_in_url.replace("/login", "/desk"))
    return owner.locator("main").inner_text()


def sign_in(browser: Browser, house: House) -> Page:
    """The owner's desk."""
    page = browser.new_context(locale="en-GB").new_page()
    page.goto(house.sign_in_url)
    page.get_by_label("E-mail address").fill(house.owner[0])
    page.get_by_label("Password").fill(house.owner[1])
    page.get_by_role("button", name="Sign in").click()
    return page


def enter_voucher(page: Page, code: str) -> None:
    """What a guest does on the portal page."""
    if page.get_by_label("With a voucher").count():
        page.get_by_label("With a voucher").check()
    page.get_by_role("textbox", name="Code of your voucher").fill(code.lower().replace("-", " "))
    page.get_by_label("I accept the terms").check()
    page.get_by_role("button", name="Go online").click()


def test_a_guest_comes_online_and_the_owner_counts_one_then_none(
    house: House, browser: Browser, tmp_path: Path
) -> None:
    context = browser.new_context(viewport=PHONE, locale="en-GB", java_script_enabled=False)
    page = context.new_page()
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url))

    page.goto(house.guest_url)
    assert "/g/markt" in page.url, "before the login every address leads to the portal"
    enter_voucher(page, house.code)
    expect(page.get_by_role("heading", name="You are online")).to_be_visible()
    page.get_by_role("link", name="Continue to the internet").click()
    expect(page.get_by_role("heading", name="The internet")).to_be_visible()
    page.goto(house.guest_url + "status")
    expect(page.get_by_text("Time left")).to_be_visible()

    owner = sign_in(browser, house)
    assert re.search(r"\b1\b.{0,20}\b100\b", guests_now(owner, house), re.DOTALL)

    page.get_by_role("button", name="Log out").or_(page.get_by_role("link", name="Log out")).click()
    assert re.search(r"\b0\b.{0,20}\b100\b", guests_now(owner, house), re.DOTALL)
    page.goto(house.guest_url)
    assert "/g/markt" in page.url, "after the log-out the portal is back"

    assert_nothing_personal_was_logged(house, asked)


def assert_nothing_personal_was_logged(house: House, asked: list[str]) -> None:
    """No MAC, code, ticket, token or guest address in anything that any part has said since the screen."""
    personal = {house.code, house.code.replace("-", "")}
    for url in asked:
        parts = urlsplit(url)
        query = parse_qs(parts.query)
        for name in ("mac", "ip", "username", "response", "challenge", "sessionid", "flow"):
            personal.update(query.get(name, ()))
        if parts.path.startswith("/s/"):
            personal.add(parts.path.removeprefix("/s/").split("/")[0])
    assert len(personal) > 6, "the way of the guest held secrets to look for"
    said = re.split(r"radclient 127\.0\.0\.1.*", house.said())[-1].upper()
    for secret in personal:
        for spelling in {secret.upper(), secret.upper().replace("-", ":"), secret.upper().replace("-", "")}:
            assert spelling not in said, f"a log line holds {spelling}"


def test_a_guest_with_neither_script_nor_cookies_comes_online(house: House, cookieless: BrowserContext) -> None:
    page = cookieless.new_page()
    page.goto(house.guest_url)
    page.locator("input[name=variant][value^='pass:']").first.check()
    page.locator("input[name=terms]").check()
    page.locator("form button").first.click()
    expect(page.get_by_role("heading", name="Sie sind online")).to_be_visible()
    expect(page.get_by_text("Verbleibende Zeit").or_(page.get_by_text("Restzeit"))).to_be_visible()
    assert cookieless.cookies() == []
    page.get_by_role("link", name="Abmelden").click()
    page.goto(house.guest_url)
    assert "/g/markt" in page.url, "after the log-out the portal is back"


def test_a_mistyped_code_is_explained_and_kept_in_the_field(house: House, browser: Browser) -> None:
    page = browser.new_context(viewport=PHONE, locale="en-GB").new_page()
    page.goto(house.guest_url)
    enter_voucher(page, "0000-0000-001")
    expect(page.get_by_role("alert")).to_be_visible()
    expect(page.get_by_role("textbox", name="Code of your voucher")).to_have_value(re.compile("0000"))


def test_a_revoked_voucher_takes_its_guest_offline_within_seconds(house: House, browser: Browser) -> None:
    issued = json.loads(
        surfpass(house, "voucher", "issue", "--site", "markt", "--pass", "hour", "--count", "1", "--format", "json")
    )
    page = browser.new_context(viewport=PHONE, locale="en-GB").new_page()
    page.goto(house.guest_url)
    enter_voucher(page, issued[0]["code"])
    expect(page.get_by_role("heading", name="You are online")).to_be_visible()
    surfpass(house, "voucher", "revoke", issued[0]["serial"])
    deadline = time.monotonic() + 5
    while "/g/markt" not in page.url:
        assert time.monotonic() < deadline, "still online"
        page.goto(house.guest_url)


def surfpass(house: House, *arguments: str) -> str:
    """What a command prints beside the running PoP."""
    command = [sys.executable, "-P", "-m", "deploy", *arguments]
    settings = {"SURFPASS_DATA_DIR": str(house.data_dir)}
    return subprocess.run(command, env={**os.environ, **settings}, capture_output=True, text=True, check=True).stdout
