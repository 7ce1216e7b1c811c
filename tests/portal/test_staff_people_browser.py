"""The pages of people in a real browser: passkeys, and what axe-core finds."""

import re
import threading
from collections.abc import Iterator
from datetime import timedelta
from wsgiref.simple_server import WSGIRequestHandler, make_server

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, Page, expect, sync_playwright
from sqlalchemy import update

from hotspot.audit import COMMAND_LINE
from hotspot.clock import utc_now
from hotspot.database import Database
from hotspot.keys import Keyring
from hotspot.people import Role
from hotspot.people.accounts import change_pin
from hotspot.people.passkeys import Passkey
from hotspot.people.passwords import hash_new_pin
from hotspot.settings import Settings
from portal.app import create_app
from portal.staff import proof
from tests.factories import PASSWORD, a_site, a_user

# What a browser shows is the same on either database.
pytestmark = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)

OWNER = "owner@example.org"


@pytest.fixture(autouse=True)
def _people(database: Database) -> None:
    """An owner, and Kim with a PIN."""
    with database.write() as session:
        owner = a_user(session, customer=a_site(session).customer, email=OWNER)
        kim = a_user(session, Role.FRONT_DESK, customer=owner.customer, email="kim@example.org")
        kim.name = "Kim"
        change_pin(session, COMMAND_LINE, kim, hash_new_pin("2580"), utc_now())


class _Quiet(WSGIRequestHandler):
    def log_message(self, *_arguments: object) -> None:
        pass


@pytest.fixture
def portal_url(portal_settings: Settings, database: Database, keyring: Keyring) -> Iterator[str]:
    """The portal at an address for which browsers make passkeys."""
    server = make_server("127.0.0.1", 0, lambda *_: [], handler_class=_Quiet)
    url = f"http://localhost:{server.server_port}"
    settings = portal_settings.model_copy(update={"portal_url": url})
    server.set_app(create_app(settings, database, keyring, utc_now))
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield url
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.fixture
def browser() -> Iterator[Browser]:
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path="/usr/bin/chromium", args=["--no-sandbox", "--disable-gpu"]
        )
        yield browser
        browser.close()


def telephone(page: Page) -> None:
    """Give the browser an authenticator that knows its owner."""
    devtools = page.context.new_cdp_session(page)
    devtools.send("WebAuthn.enable")
    options = {
        "protocol": "ctap2", "transport": "internal", "hasResidentKey": True, "hasUserVerification": True,
        "isUserVerified": True, "automaticPresenceSimulation": True,
    }  # fmt: skip
    devtools.send("WebAuthn.addVirtualAuthenticator", {"options": options})


def faults(page: Page) -> list[str]:
    return [found["id"] for found in Axe().run(page).response["violations"]]


def test_a_passkey_is_made_signs_in_alone_and_is_a_proof(
    portal_url: str, browser: Browser, monkeypatch: pytest.MonkeyPatch
) -> None:
    page = browser.new_page(locale="en", reduced_motion="reduce")
    telephone(page)
    page.goto(f"{portal_url}/login")
    page.get_by_label("E-mail address").fill(OWNER)
    page.get_by_label("Password").fill(PASSWORD)
    page.get_by_role("button", name="Sign in", exact=True).click()
    page.goto(f"{portal_url}/desk/account/factor")
    assert faults(page) == []
    page.get_by_role("link", name="Add a passkey").click()
    expect(page.get_by_text("This browser makes no passkeys")).to_be_hidden()
    assert faults(page) == []
    page.get_by_label("Name, such as").fill("my telephone")
    page.get_by_label("Your password").fill(PASSWORD)
    page.get_by_role("button", name="Make a passkey").click()
    expect(page.get_by_role("heading", name="Recovery codes")).to_be_visible()
    assert faults(page) == []
    page.goto(f"{portal_url}/desk/account/factor")
    expect(page.get_by_text("my telephone")).to_be_visible()

    page.get_by_role("button", name="Sign out").click()
    page.get_by_role("button", name="Sign in with a passkey").click()
    expect(page.get_by_role("heading", name="Overview")).to_be_visible()

    # The password alone is no longer enough, and the passkey is a second step as well.
    page.get_by_role("button", name="Sign out").click()
    page.get_by_label("E-mail address").fill(OWNER)
    page.get_by_label("Password").fill(PASSWORD)
    page.get_by_role("button", name="Sign in", exact=True).click()
    expect(page.get_by_role("heading", name="Second step")).to_be_visible()
    assert faults(page) == []
    page.get_by_role("button", name="Sign in with a passkey").click()
    expect(page.get_by_role("heading", name="Overview")).to_be_visible()

    # Some time later the passkey is a proof as well, and nothing has to be filled in again.
    monkeypatch.setattr(proof, "FRESH", timedelta())
    page.goto(f"{portal_url}/desk/people")
    page.get_by_label("Name", exact=True).fill("Ali")
    page.get_by_role("button", name="Make a link").click()
    expect(page.get_by_role("heading", name="Is it still you?")).to_be_visible()
    assert faults(page) == []
    page.get_by_role("button", name="Sign in with a passkey").click()
    expect(page.get_by_role("heading", name="A link for Ali")).to_be_visible()


def test_an_answer_works_once(portal_url: str, browser: Browser, database: Database) -> None:
    page = browser.new_page(locale="en")
    telephone(page)
    page.goto(f"{portal_url}/login")
    page.get_by_label("E-mail address").fill(OWNER)
    page.get_by_label("Password").fill(PASSWORD)
    page.get_by_role("button", name="Sign in", exact=True).click()
    page.goto(f"{portal_url}/desk/account/factor/passkey")
    page.get_by_label("Your password").fill(PASSWORD)
    page.get_by_role("button", name="Make a passkey").click()
    page.get_by_role("link", name="I have them").click()
    page.get_by_role("button", name="Sign out").click()
    page.wait_for_url("**/login")
    cookies = page.context.cookies()
    with page.expect_request("**/login/passkey") as sent:
        page.get_by_role("button", name="Sign in with a passkey").click()
    expect(page.get_by_role("heading", name="Overview")).to_be_visible()

    # Somebody has caught the answer, and the cookies that it was given with; many authenticators do not count.
    with database.write() as session:
        session.execute(update(Passkey).values(uses=0))
    thief = browser.new_context()
    thief.add_cookies(cookies)  # type: ignore[arg-type]
    body, kind = sent.value.post_data, {"Content-Type": "application/x-www-form-urlencoded"}
    again = thief.request.post(f"{portal_url}/login/passkey", data=body, headers=kind, max_redirects=0)
    assert again.headers["location"] == "/login?passkey=unknown"


def wide(page: Page) -> int:
    """How much wider than the window the page is, in pixels."""
    return int(page.evaluate("document.documentElement.scrollWidth - window.innerWidth"))


@pytest.mark.parametrize(("language", "width"), [("de", 390), ("en", 1280)])
def test_every_page_of_people_has_no_fault_and_fits_the_window(
    portal_url: str, browser: Browser, language: str, width: int
) -> None:
    page = browser.new_page(locale=language, viewport={"width": width, "height": 800}, reduced_motion="reduce")
    seen: list[str] = []
    last_digit = "Letzte Ziffer löschen" if language == "de" else "Delete the last digit"

    def look(path: str = "") -> None:
        if path:
            page.goto(portal_url + path)
        seen.append(page.url)
        assert (faults(page), wide(page)) == ([], 0), page.url

    look("/login")
    page.fill("#email", OWNER)
    page.fill("#password", PASSWORD)
    page.click("form[action='/login'] button")
    page.wait_for_url("**/desk")
    assert page.locator(".staff-nav").evaluate("(nav) => nav.clientHeight") < 60  # one row
    for path in ("/desk/account", "/desk/account/factor/app", "/desk/record", "/desk/people"):
        look(path)
    page.get_by_role("link", name="Kim").click()
    look()
    page.goto(f"{portal_url}/desk/people")
    page.fill("#name", "Ali")
    page.click("form[action='/desk/people'] button")
    look()
    link = re.search(r"/login/invitation/[\w-]+", page.content())
    assert link
    page.goto(f"{portal_url}/desk/people")
    page.fill("#tablet-name", "bar")
    page.click("form[action='/desk/tablets'] button")
    look()
    page.get_by_role("link", name="Kim").click()
    look()
    for key in ("2", "5", "9", last_digit, "8"):
        page.get_by_role("button", name=key, exact=True).click()
    page.keyboard.type("0")  # the field keeps the focus
    page.keyboard.press("Enter")
    page.wait_for_url("**/desk")
    look()
    page.context.clear_cookies()
    look(link[0])
    look("/login/invitation/over")
    assert len(seen) == 12


def test_keys_and_webhooks_for_other_systems_are_made_without_faults(portal_url: str, browser: Browser) -> None:
    page = browser.new_page(locale="en", reduced_motion="reduce")
    page.goto(f"{portal_url}/login")
    page.get_by_label("E-mail address").fill(OWNER)
    page.get_by_label("Password").fill(PASSWORD)
    page.get_by_role("button", name="Sign in", exact=True).click()
    page.get_by_role("link", name="Other systems").click()
    page.get_by_label("What is it for?").fill("Till")
    page.get_by_label("issue vouchers").check()
    page.get_by_role("button", name="Make a key").click()
    expect(page.get_by_text("spk_")).to_be_visible()
    assert faults(page) == []
    page.get_by_role("link", name="Done").click()
    page.get_by_label("Address (https)").fill("https://till.example/hook")
    page.get_by_role("button", name="Add").click()
    page.get_by_role("link", name="Done").click()
    assert faults(page) == []
    page.get_by_role("button", name="Send a test").click()
    expect(page.get_by_text("is being tried")).to_be_visible()
    assert faults(page) == []
    page.goto(f"{portal_url}/api/docs")
    expect(page.get_by_role("heading", name="API", exact=True)).to_be_visible()
    assert faults(page) == []
