"""A scanned voucher: over mobile data to the Wi-Fi, and back through the gateway with the code filled in."""

import re
from urllib.parse import urlsplit

import pytest
from sqlalchemy import select

from hotspot.errors import SetupError
from hotspot.limits import Limit, LimitCounter
from hotspot.settings import Settings, load_settings
from tests.portal.conftest import MovableClock
from tests.portal.guest import Stage, words_of
from vouchers.codes import Code

BOUNCE_URL = "http://go.example"


@pytest.fixture
def portal_settings(portal_settings: Settings) -> Settings:
    """A portal with a bounce name."""
    return portal_settings.model_copy(update={"bounce_url": BOUNCE_URL})


def scan(stage: Stage) -> str:
    """Scan the voucher over mobile data; returns where the page's button leads."""
    page = stage.phone.get(f"/v/{stage.voucher.code.value}")
    assert stage.voucher.code.printed in words_of(page)
    found = re.search(rf'href="({BOUNCE_URL}/b/[^"]+)"', page.text)
    assert found, "no button leads on"
    return found[1]


def test_a_phone_without_cookies_comes_back_through_the_gateway_with_the_code_filled_in(
    stage: Stage, clock: MovableClock
) -> None:
    wanted = scan(stage)
    stage.phone.client.delete_cookie("surfpass_code")
    clock.pass_by(minutes=29)
    page = stage.phone.arrive(userurl=wanted).text
    assert f'value="{stage.voucher.code.printed}"' in page
    assert re.search(r'id="variant-voucher" checked', page)


def test_the_address_crosses_the_air_and_does_not_tell_the_code(stage: Stage) -> None:
    wanted = scan(stage)
    assert stage.voucher.code.value not in wanted.upper()
    assert stage.voucher.code.printed not in wanted.upper()


def test_the_address_is_worth_nothing_after_half_an_hour(stage: Stage, clock: MovableClock) -> None:
    wanted = scan(stage)
    stage.phone.client.delete_cookie("surfpass_code")
    clock.pass_by(minutes=30)
    assert 'name="code" value=""' in stage.phone.arrive(userurl=wanted).text
    assert "good for half an hour only" in words_of(stage.phone.get(urlsplit(wanted).path))


@pytest.mark.parametrize("token", ["", "x", "A" * 300, "%C3%A9", "?a=b"])
def test_an_address_nobody_sealed_fills_nothing_in(stage: Stage, token: str) -> None:
    assert 'name="code" value=""' in stage.phone.arrive(userurl=f"{BOUNCE_URL}/b/{token}").text


def test_a_code_in_another_hosts_address_is_not_taken(stage: Stage) -> None:
    wanted = scan(stage).replace("go.example", "go.example.evil.example")
    stage.phone.client.delete_cookie("surfpass_code")
    assert 'name="code" value=""' in stage.phone.arrive(userurl=wanted).text


def test_over_mobile_data_the_address_says_what_is_missing(stage: Stage) -> None:
    wanted = scan(stage)
    page = stage.phone.get(urlsplit(wanted).path)
    words = words_of(page)
    assert page.status_code == 200
    assert "You are not on the Wi-Fi yet" in words
    assert "choose the network Surf Pass ." in words
    assert f'href="{urlsplit(wanted).path}"' in page.text
    assert stage.voucher.code.printed not in page.text
    assert "Strict-Transport-Security" not in page.headers


def test_once_online_nobody_is_sent_back_to_the_bounce(stage: Stage) -> None:
    wanted = scan(stage)
    stage.come_online()
    landed = stage.phone.arrive("success", userurl=wanted)
    page = stage.phone.get(landed.location)
    assert "You can close this page" in words_of(page)
    assert BOUNCE_URL not in page.text


def test_past_the_limit_the_address_names_no_site(stage: Stage) -> None:
    stage.phone.get(f"/v/{Code.new().value}")
    with stage.database.write() as session:
        session.scalars(select(LimitCounter)).one().hits = Limit.GUESSES_BY_QR.allowed
    assert "Surf Pass ." not in words_of(stage.phone.get(urlsplit(scan(stage)).path))


def test_the_bounce_has_to_be_plain_http(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SURFPASS_BOUNCE_URL", "https://go.example")
    with pytest.raises(SetupError, match="http://"):
        load_settings()
