"""The voucher desk in a real browser: accessible, by keyboard, growing batches by itself, and quick."""

import logging
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import pytest
from axe_playwright_python.sync_playwright import Axe
from flask import Flask
from playwright.sync_api import Browser, BrowserContext, Page, expect, sync_playwright
from sqlalchemy import func, select, text
from werkzeug.serving import make_server

from hotspot.audit import COMMAND_LINE
from hotspot.database import Database
from hotspot.keys import Keyring
from hotspot.people import Role
from portal.staff import prints
from tests.conftest import NOON
from tests.factories import PASSWORD, Place, a_pass, a_place, a_user
from tests.portal.desk import signed_in
from tests.vouchers.printing.pages import FACE
from vouchers.issuing import CHUNK, Order, issue
from vouchers.passes import Pass, TermsColumns
from vouchers.presets import NewPreset, add_preset
from vouchers.printing import printers
from vouchers.printing.printers import PrinterKind
from vouchers.voucher import Batch, Voucher

pytestmark = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)

CHROMIUM = "/usr/bin/chromium"
EMAIL = "owner@example.org"
NARROW = 390
RULES = {"runOnly": ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]}
log = logging.getLogger("desk")


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """Debian's Chromium."""
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox", "--disable-gpu"])
        yield browser
        browser.close()


@pytest.fixture
def address(app: Flask) -> Iterator[str]:
    """Where the portal listens."""
    server = make_server("127.0.0.1", 0, app, threaded=True)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield f"http://127.0.0.1:{server.port}"
    server.shutdown()
    thread.join()


@dataclass(frozen=True)
class Desk:
    """An owner's screen, signed in."""

    place: Place
    address: str
    context: BrowserContext
    page: Page
    vouchers: list[Voucher]

    @property
    def site(self) -> str:
        """The site's page."""
        return f"{self.address}/desk/sites/{self.place.site.public_id}"


@pytest.fixture
def desk(app: Flask, database: Database, keyring: Keyring, address: str, browser: Browser) -> Iterator[Desk]:
    with database.write() as session:
        place = a_place(session, keyring, article=a_pass(session, minutes=60, price_cents=190))
        a_user(session, customer=place.customer, email=EMAIL)
        add_preset(session, COMMAND_LINE, place.site, NewPreset("1 hour", place.article), NOON)
        add_preset(session, COMMAND_LINE, place.site, NewPreset("Until departure", place.article, True), NOON)
        issued = issue(session, COMMAND_LINE, keyring, place.site, Order(place.article, 3, inactive=True), NOON)
    context = browser.new_context(viewport={"width": NARROW, "height": 780}, locale="de-DE")
    page = context.new_page()
    page.goto(f"{address}/login")
    page.fill("input[name=email]", EMAIL)
    page.fill("input[name=password]", PASSWORD)
    page.keyboard.press("Enter")
    page.wait_for_url("**/desk")
    yield Desk(place, address, context, page, [one.voucher for one in issued])
    context.close()


def violations(page: Page) -> list[dict[str, Any]]:
    """What axe-core finds wrong: the rule, and where."""
    found = Axe().run(page, options=RULES).response["violations"]
    return [{"rule": one["id"], "where": [node["html"] for node in one["nodes"]]} for one in found]


def test_the_pages_of_the_desk_are_accessible_and_fit_a_phone(desk: Desk, database: Database) -> None:
    with database.read() as session:
        batch = session.scalars(select(Batch.public_id)).one()
    voucher = f"{desk.address}/desk/vouchers/{desk.vouchers[0].public_id}"
    paths = (
        desk.site,
        f"{desk.site}/presets",
        f"{desk.site}/vouchers",
        f"{desk.site}/batches",
        f"{desk.site}/stock",
        f"{desk.address}/desk/batches/{batch}",
        voucher,
    )
    for number, path in enumerate(paths):
        desk.page.emulate_media(color_scheme="dark" if number % 2 else "light")
        desk.page.goto(path)
        assert violations(desk.page) == [], path
        assert desk.page.evaluate("document.documentElement.scrollWidth") <= NARROW, path


# What can be operated; of radio buttons one is reached, and a date has a place for each of its parts.
_OPERATED = """() => {
    const seen = one => one.checkVisibility() && !one.disabled && one.type !== 'radio'
    window.unreached = new Set([...document.querySelectorAll('a[href], button, input, select, textarea, summary')].filter(seen))
    document.addEventListener('focusin', event => unreached.delete(event.target))
    return unreached.size + 6 * document.querySelectorAll('[type=date], [type=month], [type=datetime-local]').length
}"""


def unreached(page: Page) -> list[str]:
    """What nobody gets to who has no mouse."""
    for _ in range(page.evaluate(_OPERATED) + 1):
        page.keyboard.press("Tab")
    found: list[str] = page.evaluate("() => [...unreached].map(one => one.outerHTML)")
    return found


CSV = {
    "fault": b"pass;count;note\nday;3;Saal A\nweek;1;\n",
    "good": b"pass;count;note\nday;3;Saal A\nday;20;Konferenz im Herbst\n",
}


def test_all_other_pages_of_the_desk_are_accessible_fit_a_phone_and_need_no_mouse(
    desk: Desk, app: Flask, database: Database, keyring: Keyring, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(prints, "MOST_AT_ONCE", 2)
    with database.write() as session:
        session.get_one(Pass, desk.place.article.id).slug = "day"
        site = desk.place.site
        bar, _key = printers.add_printer(session, COMMAND_LINE, keyring, site, "Theke", PrinterKind.STAR, 80, NOON)
        printers.note_ended(printers.send(session, COMMAND_LINE, bar, [], FACE, NOON), "410 Paper Out", NOON)
        a_user(session, Role.OPERATOR, email="operator@example.org")
        batch = session.scalars(select(Batch.public_id)).one()
    page = desk.page

    def look(path: str = "") -> None:
        if path:
            page.goto(desk.address + path)
        found = violations(page), page.evaluate("document.documentElement.scrollWidth") <= NARROW, unreached(page)
        assert found == ([], True, []), page.url

    here, voucher = f"/desk/sites/{site.public_id}", f"/desk/vouchers/{desk.vouchers[0].public_id}"
    for path in ("signs", "printers", "till", "sales", "use", "import", "page"):
        look(f"{here}/{path}")
    for file in CSV.values():
        page.goto(f"{desk.site}/import")
        page.set_input_files("#file", {"name": "x.csv", "mimeType": "text/csv", "buffer": file})
        page.get_by_role("button", name="Vorschau").click()
        expect(page.get_by_text("Zeile 3")).to_be_visible()
        look()
    for path in (
        f"{voucher}/slip",
        f"{voucher}/revoke",
        f"/desk/batches/{batch}/print",
        f"/desk/batches/{batch}/printing",
    ):
        look(path)
    page.get_by_role("button", name="PDF erstellen").click()
    page.get_by_role("link", name="Anhalten").click()
    look()
    page.goto(f"{desk.address}/desk/batches/{batch}/printing")
    page.get_by_role("button", name="Im Browser drucken").click()
    look()

    operator = signed_in(app, "operator@example.org").client.get_cookie("surfpass_session")
    assert operator
    desk.context.add_cookies([{"name": "surfpass_session", "value": operator.value, "url": desk.address}])
    for path in ("/desk/texts", f"{here}/offer", "/desk/texts/terms"):
        look(path)
    page.fill("#text_de", "Nutzungsbedingungen\n\nSeien Sie gut zueinander.")
    page.get_by_role("button", name="Ansehen").click()
    expect(page.get_by_role("button", name="Veröffentlichen")).to_be_visible()
    look()


def test_a_voucher_is_issued_by_keyboard_alone(desk: Desk) -> None:
    desk.page.goto(desk.site)
    button = desk.page.get_by_role("button", name="1 hour")
    for _ in range(30):
        if button.evaluate("one => one === document.activeElement"):
            break
        desk.page.keyboard.press("Tab")
    desk.page.keyboard.press("Enter")
    expect(desk.page.locator(".slip .code")).to_be_visible()
    assert violations(desk.page) == []
    size = desk.page.get_by_role("button", name="1 hour").bounding_box()
    assert size is not None
    assert size["height"] >= 48
    assert desk.page.evaluate("document.documentElement.scrollWidth") <= NARROW


def test_a_large_batch_goes_on_by_itself(desk: Desk, database: Database) -> None:
    desk.page.goto(desk.site)
    desk.page.get_by_text("Mehrere auf einmal").click()
    desk.page.fill("input[name=count]", str(5 * CHUNK))
    desk.page.locator("#issue details button").click()
    expect(desk.page.locator("table")).to_be_visible(timeout=20_000)
    with database.read() as session:
        assert session.scalars(select(Batch.issued).order_by(Batch.id.desc())).first() == 5 * CHUNK


_MANY = """
    INSERT INTO voucher (public_id, serial, site_id, pass_id, batch_id, code_hash, good_until, settled_octets,
                         settled_seconds, {terms})
    WITH RECURSIVE number (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM number WHERE i < 100000)
    SELECT printf('m%015d', i), 'M' || i, site_id, pass_id, batch_id, CAST(printf('%024d', i) AS BLOB), good_until, 0,
           0, {terms}
      FROM number, (SELECT * FROM voucher ORDER BY id LIMIT 1) AS pattern
"""


@pytest.mark.soak
def test_a_tap_among_a_hundred_thousand_vouchers_is_timed(
    desk: Desk, database: Database, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, "desk")
    with database.write() as session:
        session.execute(text(_MANY.format(terms=", ".join(TermsColumns.__annotations__))))
        assert (session.scalar(select(func.count(Voucher.id))) or 0) > 100_000
    desk.page.goto(desk.site)
    for _ in range(5):
        begun = time.monotonic()
        desk.page.get_by_role("button", name="1 hour").click()
        desk.page.wait_for_selector(".slip .code")
        log.info("from the tap to the slip: %d ms", (time.monotonic() - begun) * 1000)
    begun = time.monotonic()
    desk.page.get_by_role("link", name="Drucken").click()
    desk.page.wait_for_selector(".sheet, main")
    log.info("from the slip to the page to print: %d ms", (time.monotonic() - begun) * 1000)
