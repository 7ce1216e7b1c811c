"""A scanned voucher: over mobile data to the Wi-Fi, and back through the gateway with the code filled in."""

import base64
import re
from urllib.parse import urlsplit

import pytest
from sqlalchemy import select
from werkzeug.test import TestResponse

from hotspot.errors import SetupError
from hotspot.keys import Purpose
from hotspot.limits import Limit, LimitCounter
from hotspot.settings import Settings, load_settings
from tests.factories import some_vouchers
from tests.portal.conftest import MovableClock
from tests.portal.guest import Stage, words_of
from vouchers.codes import Code, check_character

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


def copied(stage: Stage) -> str:
    """The button's address, as anybody has it who listens on the Wi-Fi, in a browser that has scanned nothing."""
    wanted = scan(stage)
    stage.phone.client.delete_cookie("surfpass_code")
    return wanted


def type_end(stage: Stage, wanted: str, typed: str) -> TestResponse:
    """Come back through the gateway and type this for the code."""
    page = stage.phone.arrive(userurl=wanted)
    return stage.phone.post(page.text, variant="voucher", code=typed, terms=str(stage.terms.id))


def tells_code(page: str, code: Code) -> bool:
    """Whether any part of a code is on the page that somebody could guess the rest by."""
    return any(
        part in page.upper() for part in (code.value, code.printed, code.stem, code.printed[:9], code.value[-4:])
    )


def wrong_end(code: Code) -> str:
    """An end whose check character fits, so that it is a guess and no slip."""
    first = "0" if code.value[7] != "0" else "1"
    random_part = code.stem + first + code.value[8:10]
    return random_part[-3:] + check_character(random_part)


def mistyped_end(code: Code) -> str:
    """An end that the check character tells from any code's: it does not count as a guess, unlike one in 37 of all ends."""
    return next(end for end in ("ZZZZ", "ZZZY") if check_character(code.value[:-4] + end[:3]) != end[3])


def test_a_phone_without_cookies_comes_back_through_the_gateway_and_types_the_end_of_the_code_only(
    stage: Stage, clock: MovableClock
) -> None:
    wanted = copied(stage)
    clock.pass_by(minutes=29)
    page = stage.phone.arrive(userurl=wanted).text
    assert "Last 4 characters" in page
    assert re.search(r'id="variant-voucher" checked', page)
    assert (
        stage.phone.chilli.gateway in type_end(stage, wanted, stage.voucher.code.value[-4:].lower()).headers["Location"]
    )
    assert stage.visits()[-1].voucher_id == stage.voucher.voucher.id


def test_a_browser_that_has_scanned_the_voucher_has_its_code_filled_in(stage: Stage) -> None:
    page = stage.phone.arrive(userurl=scan(stage)).text
    assert f'value="{stage.voucher.code.printed}"' in page
    assert re.search(r'id="variant-voucher" checked', page)
    assert "Last 4 characters" not in page


def test_of_two_scanned_vouchers_the_one_whose_button_was_pressed_counts(stage: Stage) -> None:
    wanted = scan(stage)
    with stage.database.write() as session:
        (other,) = some_vouchers(session, stage.keyring, stage.place.site, stage.place.article)
    stage.phone.get(f"/v/{other.code.value}")
    page = stage.phone.arrive(userurl=wanted).text
    assert other.code.printed not in page
    assert "Last 4 characters" in page


def test_whoever_copies_the_address_off_the_air_learns_no_code_by_it(stage: Stage) -> None:
    wanted = copied(stage)
    code = stage.voucher.code
    for page in (
        wanted,
        stage.phone.arrive(userurl=wanted).text,
        type_end(stage, wanted, "").text,
        type_end(stage, wanted, wrong_end(code)).text,
        stage.phone.get(urlsplit(wanted).path).text,
    ):
        assert not tells_code(re.sub('name="flow" value="[^"]*"', "", page), code)
    assert stage.visits() == []


def test_the_sealed_part_lacks_the_end_of_the_code(stage: Stage) -> None:
    token = urlsplit(scan(stage)).path.removeprefix("/b/")
    clear = stage.keyring.decrypt(Purpose.PAGES, base64.urlsafe_b64decode(token + "=" * (-len(token) % 4)))
    assert stage.voucher.code.stem.encode() in clear
    assert stage.voucher.code.value.encode() not in clear


def test_a_wrong_end_is_said_to_be_one_and_counts_as_a_guess(stage: Stage) -> None:
    wanted = copied(stage)
    for end in (mistyped_end(stage.voucher.code), wrong_end(stage.voucher.code)):
        words = words_of(type_end(stage, wanted, end))
        assert "These are not the last four characters" in words
        assert "did not count as a try" not in words
    whole = type_end(stage, wanted, "K7QM-2XWD-94A")
    assert "There is a slip in this code" in words_of(whole)


def test_few_tries_at_the_end_are_all_there_are(stage: Stage) -> None:
    wanted = copied(stage)
    # The same address, spelled otherwise, gives no further tries.
    spellings = (wanted, wanted + "?again", wanted + "==")
    for turn in range(Limit.ENDS_OF_SCANNED_CODE.allowed):
        type_end(stage, spellings[turn % 3], mistyped_end(stage.voucher.code))
    page = type_end(stage, wanted, stage.voucher.code.value[-4:])
    assert "These are not the last four characters" in words_of(page)
    assert "Last 4 characters" not in page.text
    assert stage.visits() == []
    assert type_end(stage, wanted, stage.voucher.code.printed).status_code == 303


def test_the_last_try_is_one(stage: Stage) -> None:
    wanted = copied(stage)
    for _ in range(Limit.ENDS_OF_SCANNED_CODE.allowed - 1):
        type_end(stage, wanted, mistyped_end(stage.voucher.code))
    assert type_end(stage, wanted, stage.voucher.code.value[-4:]).status_code == 303


def test_an_end_without_a_scan_is_no_code(stage: Stage) -> None:
    page = stage.phone.log_in(stage.voucher.code.value[-4:], stage.terms)
    assert "There is a slip in this code" in words_of(page)


def test_who_was_on_the_page_in_time_may_take_time_to_type(stage: Stage, clock: MovableClock) -> None:
    wanted = copied(stage)
    clock.pass_by(minutes=29)
    page = stage.phone.arrive(userurl=wanted).text
    clock.pass_by(minutes=5)
    filled = {"variant": "voucher", "code": stage.voucher.code.value[-4:], "terms": str(stage.terms.id)}
    assert stage.phone.post(page, **filled).status_code == 303


def test_the_address_is_worth_nothing_after_half_an_hour(stage: Stage, clock: MovableClock) -> None:
    wanted = copied(stage)
    clock.pass_by(minutes=30)
    page = stage.phone.arrive(userurl=wanted).text
    assert 'name="code" value=""' in page
    assert "Last 4 characters" not in page
    assert "good for half an hour only" in words_of(stage.phone.get(urlsplit(wanted).path))


@pytest.mark.parametrize("token", ["", "x", "A" * 300, "%C3%A9", "?a=b"])
def test_an_address_nobody_sealed_fills_nothing_in(stage: Stage, token: str) -> None:
    page = stage.phone.arrive(userurl=f"{BOUNCE_URL}/b/{token}").text
    assert 'name="code" value=""' in page
    assert "Last 4 characters" not in page


def test_a_code_in_another_hosts_address_is_not_taken(stage: Stage) -> None:
    wanted = copied(stage).replace("go.example", "go.example.evil.example")
    page = stage.phone.arrive(userurl=wanted).text
    assert 'name="code" value=""' in page
    assert "Last 4 characters" not in page


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
