"""Pages outside a sign-in, and what holds for all of them."""

import re

import pytest
from flask.testing import FlaskClient
from sqlalchemy import select

from hotspot.audit import COMMAND_LINE
from hotspot.database import Database
from hotspot.keys import Keyring
from hotspot.legal import LegalKind, NewText, publish
from hotspot.limits import Limit, LimitCounter
from hotspot.settings import Settings
from portal.app import create_app
from tests.factories import EARLIER
from tests.portal.conftest import MovableClock
from tests.portal.guest import GATEWAY, Stage, a_chilli_place, words_of
from vouchers.codes import Code


def test_a_scanned_code_is_shown_with_the_network_to_join(stage: Stage) -> None:
    page = stage.phone.get(f"/v/{stage.voucher.code.value.lower()}")
    words = words_of(page)
    assert page.status_code == 200
    assert stage.voucher.code.printed in words
    assert "choose the network Surf Pass ." in words
    assert f'href="http://{GATEWAY}/prelogin"' in page.text
    assert page.headers["Referrer-Policy"] == "no-referrer"
    for secret in (stage.voucher.serial, stage.place.article.name, stage.place.site.name, stage.place.site.slug):
        assert secret not in page.text


def test_a_scanned_code_is_filled_in_at_the_sites_page_for_a_quarter_of_an_hour(
    stage: Stage, clock: MovableClock
) -> None:
    scanned = stage.phone.get(f"/v/{stage.voucher.code.printed}")
    cookie = scanned.headers["Set-Cookie"]
    assert "HttpOnly" in cookie
    assert stage.voucher.code.value not in cookie
    page = stage.phone.arrive().text
    assert f'value="{stage.voucher.code.printed}"' in page
    assert re.search(r'id="variant-voucher" checked', page)
    clock.pass_by(minutes=15)
    assert stage.voucher.code.printed not in stage.phone.arrive().text


def test_a_cookie_nobody_sealed_fills_nothing_in(stage: Stage) -> None:
    for value in ("", "zz", "00" * 40, "é"):
        stage.phone.client.set_cookie("surfpass_code", value)
        assert 'name="code" value=""' in stage.phone.arrive().text


def test_a_mistyped_and_an_unknown_code_get_plain_words(stage: Stage) -> None:
    mistyped, unknown = stage.phone.get("/v/hello"), stage.phone.get(f"/v/{Code.new().value}")
    assert (mistyped.status_code, unknown.status_code) == (404, 404)
    assert "There is a slip in this code" in words_of(mistyped)
    assert "We do not know this code" in words_of(unknown)
    assert "Surf Pass ." not in words_of(unknown)


def test_past_the_limit_every_code_gets_the_same_page(stage: Stage, database: Database) -> None:
    stage.phone.get(f"/v/{Code.new().value}")
    with database.write() as session:
        session.scalars(select(LimitCounter)).one().hits = Limit.GUESSES_BY_QR.allowed
    answers = [stage.phone.get(f"/v/{code.value}") for code in (Code.new(), stage.voucher.code)]
    assert [answer.status_code for answer in answers] == [200, 200]
    for answer in answers:
        assert "Join the Wi-Fi named on your voucher." in words_of(answer)
        assert GATEWAY not in answer.text


def test_a_site_with_two_gateways_offers_no_short_cut(database: Database, keyring: Keyring, stage: Stage) -> None:
    with database.write() as session:
        a_chilli_place(session, keyring, nas_identifier="x", nas_site=False, gateway_addresses=("10.9.9.9:3990",))
    assert "prelogin" not in stage.phone.get(f"/v/{stage.voucher.code.value}").text


@pytest.mark.parametrize("kind", list(LegalKind))
def test_a_legal_text_is_shown_in_its_current_version_or_said_to_be_missing(
    client: FlaskClient, database: Database, kind: LegalKind
) -> None:
    missing = client.get(f"/{kind.value}")
    assert missing.status_code == 200
    assert "Stadtnetz GmbH, has not published this text yet." in words_of(missing)
    with database.write() as session:
        publish(session, COMMAND_LINE, kind, [NewText("de", "Überschrift\n\nErstens.\nZweitens.")], EARLIER, EARLIER)
    page = client.get(f"/{kind.value}")
    assert '<article class="card prose" lang="de" dir="ltr">' in page.text
    assert "<h1>Überschrift</h1>" in page.text
    assert "Version 1" in words_of(page)


def test_a_text_that_is_written_from_the_right_says_so_wherever_it_is_shown(
    client: FlaskClient, database: Database
) -> None:
    with database.write() as session:
        publish(session, COMMAND_LINE, LegalKind.SUMMARY, [NewText("ar", "ملخص")], EARLIER, EARLIER)
    page = client.get("/contract-summary").text
    assert '<article class="card prose" lang="ar" dir="rtl">' in page
    assert '<p class="quiet small" lang="en" dir="ltr">' in page


def test_every_page_links_to_every_slot(client: FlaskClient) -> None:
    footer = client.get("/").text.partition("<footer>")[2]
    assert re.findall(r'href="/([a-z-]+)"', footer) == list(LegalKind)


def test_the_front_door_explains(client: FlaskClient) -> None:
    assert "To go online, join the Wi-Fi" in words_of(client.get("/"))


def test_health_is_ok_while_the_database_answers(client: FlaskClient) -> None:
    answer = client.get("/healthz")
    assert (answer.status_code, answer.text) == (200, "ok\n")


def test_health_is_503_without_the_database(settings: Settings, keyring: Keyring, tmp_path: object) -> None:
    broken = Database("postgresql+psycopg://nobody@127.0.0.1:1/nothing?connect_timeout=2")
    try:
        client = create_app(settings, broken, keyring).test_client()
        assert client.get("/healthz").status_code == 503
    finally:
        broken.dispose()


@pytest.mark.parametrize(
    ("method", "path", "status", "words"),
    [
        ("GET", "/nothing/here", 404, "There is nothing here"),
        ("GET", "/g/Not A Slug", 404, "There is nothing here"),
        ("PUT", "/g/markt", 405, "That did not work"),
        ("POST", "/healthz", 405, "That did not work"),
    ],
)
def test_errors_are_told_in_plain_words(client: FlaskClient, method: str, path: str, status: int, words: str) -> None:
    answer = client.open(path, method=method)
    assert answer.status_code == status
    assert words in words_of(answer)
    assert "default-src 'none'" in answer.headers["Content-Security-Policy"]


def test_a_form_too_large_is_refused_in_plain_words(stage: Stage) -> None:
    answer = stage.phone.client.post(f"/g/{stage.place.site.slug}/login", data={"code": "x" * 100_000})
    assert answer.status_code == 413
    assert "That was too much" in words_of(answer)


def test_the_style_sheet_may_be_kept_and_pages_may_not(client: FlaskClient) -> None:
    page = client.get("/")
    sheet = re.search(r'href="(/static/[^"]+)"', page.text)
    assert sheet
    kept = client.get(sheet[1], buffered=True)
    assert "max-age=604800" in kept.headers["Cache-Control"]
    assert page.headers["Cache-Control"] == "no-store"
