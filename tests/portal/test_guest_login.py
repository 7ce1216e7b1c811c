"""A guest signs in: what the page shows, and what is noted before the gateway is asked."""

import re

import pytest
from flask.testing import FlaskClient
from sqlalchemy import func, select

from hotspot.audit import COMMAND_LINE
from hotspot.database import Database
from hotspot.keys import Keyring
from hotspot.legal import LegalKind, NewText, publish
from hotspot.place import LoginWay
from sessions.tickets import TICKET_LIFE, possible_tickets
from sessions.visit import RUNNING, Visit, VisitState, hash_device, hash_page_token
from tests.factories import EARLIER, a_pass
from tests.portal.conftest import MovableClock
from tests.portal.guest import (
    CHALLENGE,
    GATEWAY,
    Chilli,
    LogOn,
    Phone,
    Stage,
    a_chilli_place,
    a_free_pass,
    expected_response,
    flow_of,
    published_terms,
    words_of,
)


def test_the_page_names_operator_product_site_passes_prices_and_terms(stage: Stage) -> None:
    page = stage.phone.arrive()
    words = words_of(page)
    assert page.status_code == 200
    for expected in (
        "Stadtnetz GmbH",
        "Stadtnetz Hotspot",
        stage.place.site.name,
        stage.free.name,
        "1 hour · 100 MB",
        stage.place.article.name,
        "1 day from first use",
        "€4.90",
        "Terms of use (version 1)",
        "Do no harm.",
        "Imprint",
        "Privacy",
    ):
        assert expected in words


def test_everything_fits_into_fifty_kilobytes_with_its_style_sheet(stage: Stage) -> None:
    page = stage.phone.arrive()
    sheet = re.search(r'rel="stylesheet" href="([^"]+)"', page.text)
    assert sheet
    style = stage.phone.get(sheet[1])
    assert style.status_code == 200
    assert len(page.data) + len(style.data) < 50_000
    assert "<script" not in page.text
    assert " style=" not in page.text


def test_a_get_sets_no_cookie_and_writes_nothing(stage: Stage) -> None:
    for state in ("notyet", "failed", "success", "already", "logoff"):
        assert "Set-Cookie" not in stage.phone.arrive(state).headers
    assert stage.visits() == []


def test_the_policy_lets_the_form_go_to_this_gateway_and_nowhere_else(stage: Stage) -> None:
    headers = stage.phone.arrive().headers
    assert headers["Content-Security-Policy"] == (
        "default-src 'none'; style-src 'self'; img-src 'self' data:; "
        f"form-action 'self' http://{GATEWAY}; base-uri 'none'; frame-ancestors 'none'"
    )
    assert headers["Referrer-Policy"] == "no-referrer"
    assert headers["X-Content-Type-Options"] == "nosniff"
    assert headers["Cache-Control"] == "no-store"


def test_for_a_gateway_that_has_only_an_ipv6_address_the_policy_names_the_scheme(
    database: Database, keyring: Keyring, client: FlaskClient, clock: MovableClock
) -> None:
    stage = Stage(database, keyring, client, clock, gateway_addresses=("[2001:db8::1]:3990",))
    stage.phone.chilli.gateway = "2001:db8::1:3990"
    page = stage.phone.arrive()
    assert "form-action 'self' http:;" in page.headers["Content-Security-Policy"]
    answer = stage.phone.post(page.text, variant="voucher", code=stage.voucher.code.value, terms=str(stage.terms.id))
    assert answer.location.startswith("http://[2001:db8::1]:3990/logon?")


def test_a_voucher_sends_the_guest_to_the_gateway_with_a_ticket(
    stage: Stage, keyring: Keyring, clock: MovableClock
) -> None:
    answer = stage.phone.log_in(stage.voucher.code.printed.lower(), stage.terms)
    assert answer.status_code == 303
    assert answer.location.startswith(f"http://{GATEWAY}/logon?")
    (visit,) = stage.visits()
    assert visit.state is VisitState.ASKED
    assert visit.way is LoginWay.TICKET
    assert visit.voucher_id == stage.voucher.voucher.id
    assert visit.nas_id == stage.place.nas.id
    assert visit.terms_id == stage.terms.id
    assert visit.ticket_expires_at == clock.now + TICKET_LIFE
    assert visit.device == hash_device(keyring, stage.phone.chilli.device)
    (ticket,) = possible_tickets(keyring, visit.handle, visit.nas_id, visit.site_id, visit.ticket_expires_at)
    assert LogOn(answer.location).told == {
        "username": visit.handle,
        "response": expected_response(ticket),
        "userurl": "http://news.example/today?a=1&b=2",
    }


def test_the_cookie_leads_to_the_visit_and_scripts_cannot_read_it(stage: Stage, keyring: Keyring) -> None:
    answer = stage.phone.log_in(stage.voucher.code.value, stage.terms)
    cookie = next(one for one in answer.headers.getlist("Set-Cookie") if one.startswith("surfpass_visit="))
    for attribute in ("HttpOnly", "Secure", "SameSite=Lax", "Path=/", "Max-Age=43200"):
        assert attribute in cookie
    token = cookie.partition("=")[2].partition(";")[0]
    assert token not in answer.location
    assert stage.visits()[0].page_token == hash_page_token(keyring, token)


def test_a_free_pass_needs_no_code(stage: Stage) -> None:
    page = stage.phone.arrive().text
    answer = stage.phone.post(page, variant=f"pass:{stage.free.public_id}", terms=str(stage.terms.id))
    assert answer.status_code == 303
    (visit,) = stage.visits()
    assert (visit.pass_id, visit.voucher_id) == (stage.free.id, None)


def test_a_paid_pass_cannot_be_taken_for_nothing(stage: Stage) -> None:
    page = stage.phone.arrive().text
    answer = stage.phone.post(page, variant=f"pass:{stage.place.article.public_id}", terms=str(stage.terms.id))
    assert "Please choose how to go online" in words_of(answer)
    assert stage.visits() == []


def test_a_free_pass_of_another_site_cannot_be_taken(stage: Stage, database: Database, keyring: Keyring) -> None:
    with database.write() as session:
        elsewhere = a_free_pass(session, site=a_chilli_place(session, keyring, nas_identifier="chilli-2").site)
    page = stage.phone.arrive().text
    answer = stage.phone.post(page, variant=f"pass:{elsewhere.public_id}", terms=str(stage.terms.id))
    assert answer.status_code == 200
    assert stage.visits() == []


def test_nobody_goes_online_without_accepting_the_terms_and_the_code_stays_in_the_field(stage: Stage) -> None:
    answer = stage.phone.log_in(stage.voucher.code.printed)
    assert "Please accept the terms of use" in words_of(answer)
    assert f'value="{stage.voucher.code.printed}"' in answer.text
    assert stage.visits() == []


def test_terms_that_changed_while_the_guest_was_reading_have_to_be_accepted_anew(
    stage: Stage, database: Database
) -> None:
    page = stage.phone.arrive().text
    with database.write() as session:
        newer = published_terms(session, "New rules.\n\nBe kinder.")
    filled = {"variant": "voucher", "code": stage.voucher.code.value}
    answer = stage.phone.post(page, terms=str(stage.terms.id), **filled)
    assert "The terms of use or the prices have changed" in words_of(answer)
    assert "Be kinder." in answer.text
    assert "checked" not in answer.text.partition('name="terms"')[2].partition(">")[0]
    assert stage.phone.post(answer.text, terms=str(newer.id), **filled).status_code == 303
    assert stage.visits()[0].terms_id == newer.id


def test_prices_that_changed_have_to_be_accepted_anew_too(stage: Stage, database: Database) -> None:
    filled = {"variant": "voucher", "code": stage.voucher.code.value}
    page = stage.phone.arrive().text
    with database.write() as session:
        prices = publish(session, COMMAND_LINE, LegalKind.PRICES, [NewText("en", "A day: €5.")], EARLIER, EARLIER)
    answer = stage.phone.post(page, terms=str(stage.terms.id), **filled)
    assert "The terms of use or the prices have changed" in words_of(answer)
    assert "Price list (version 1)" in words_of(answer)
    assert "A day: €5." in words_of(answer)
    assert stage.visits() == []
    assert stage.phone.post(answer.text, terms=f"{stage.terms.id}-{prices.id}", **filled).status_code == 303
    assert (stage.visits()[0].terms_id, stage.visits()[0].prices_id) == (stage.terms.id, prices.id)


def test_without_published_terms_the_page_says_so(
    database: Database, keyring: Keyring, client: FlaskClient, clock: MovableClock
) -> None:
    with database.write() as session:
        place = a_chilli_place(session, keyring)
    page = Phone(client, Chilli(place.site.slug)).arrive()
    assert "The operator has not published any terms of use yet." in words_of(page)
    assert 'name="terms"' not in page.text


def test_long_terms_have_a_page_of_their_own(stage: Stage, database: Database) -> None:
    with database.write() as session:
        published_terms(session, "Rules.\n\n" + "Be kind. " * 3000)
    page = stage.phone.arrive()
    assert len(page.data) < 20_000
    link = re.search(r'href="(/terms\?flow=[^"]+)"', page.text)
    assert link
    terms = stage.phone.get(link[1].replace("&amp;", "&"))
    assert "Be kind." in terms.text
    back = re.search(rf'href="(/g/{stage.place.site.slug}\?flow=[^"]+)"', terms.text)
    assert back
    assert 'name="flow"' in stage.phone.get(back[1]).text


def test_fake_posts_fill_no_place(stage: Stage, database: Database) -> None:
    page = stage.phone.arrive().text
    for _ in range(150):
        filled = {"variant": f"pass:{stage.free.public_id}", "terms": str(stage.terms.id)}
        assert stage.phone.post(page, **filled).status_code == 303
    with database.read() as session:
        running = select(func.count()).select_from(Visit).where(Visit.state.in_(RUNNING))
        assert session.scalar(running) == 0


def test_a_flow_is_good_for_ten_minutes(stage: Stage, clock: MovableClock) -> None:
    page = stage.phone.arrive().text
    filled = {"variant": "voucher", "code": stage.voucher.code.value, "terms": str(stage.terms.id)}
    clock.pass_by(minutes=9, seconds=59)
    assert stage.phone.get(f"/g/{stage.place.site.slug}?flow={flow_of(page)}").text.count("<form") == 1
    clock.pass_by(seconds=1)
    answer = stage.phone.post(page, **filled)
    assert answer.status_code == 200
    assert "This page has been open too long" in words_of(answer)
    assert f'href="http://{GATEWAY}/prelogin"' in answer.text
    assert stage.visits() == []


@pytest.mark.parametrize("flow", ["", "x", "AAAA" * 20, "é" * 10, "A" * 5000])
def test_a_flow_nobody_sealed_is_worth_nothing(stage: Stage, flow: str) -> None:
    answer = stage.phone.client.post(f"/g/{stage.place.site.slug}/login", data={"flow": flow, "variant": "voucher"})
    assert answer.status_code == 400
    assert "This page has been open too long" in words_of(answer)
    assert stage.phone.client.get(f"/g/{stage.place.site.slug}", query_string={"flow": flow}).status_code == 400


def test_a_flow_of_one_site_is_worth_nothing_at_another(stage: Stage, database: Database, keyring: Keyring) -> None:
    with database.write() as session:
        other = a_chilli_place(session, keyring, nas_identifier="chilli-2")
    flow = flow_of(stage.phone.arrive().text)
    assert stage.phone.get(f"/g/{other.site.slug}?flow={flow}").status_code == 400


def test_a_gateway_that_left_the_record_gets_no_guest_any_more(
    stage: Stage, database: Database, keyring: Keyring
) -> None:
    from hotspot.place import Nas, announce_change

    page = stage.phone.arrive().text
    with database.write() as session:
        session.get_one(Nas, stage.place.nas.id).gateway_addresses = ["10.1.0.9:3990"]
        announce_change(session)
    answer = stage.phone.post(page, variant="voucher", code=stage.voucher.code.value, terms=str(stage.terms.id))
    assert answer.status_code == 200
    assert GATEWAY not in answer.text
    assert stage.visits() == []


def test_an_unsigned_gateway_is_served_but_its_device_is_not_believed(
    database: Database, keyring: Keyring, client: FlaskClient, clock: MovableClock
) -> None:
    stage = Stage(database, keyring, client, clock, uam_secret=None)
    stage.phone.chilli.secret = None
    answer = stage.phone.log_in(stage.voucher.code.value, stage.terms)
    (visit,) = stage.visits()
    assert visit.device is None
    (ticket,) = possible_tickets(
        keyring, visit.handle, visit.nas_id, visit.site_id, visit.ticket_expires_at or visit.asked_at
    )
    assert LogOn(answer.location).told["response"] == expected_response(ticket, secret=None)


def test_a_wrong_signature_gets_an_error_page_and_a_foreign_gateway_too(stage: Stage) -> None:
    wrong = stage.phone.get(stage.phone.chilli.address()[:-1])
    assert wrong.status_code == 400
    assert "This page was not opened by the hotspot" in words_of(wrong)
    stage.phone.chilli.gateway = "203.0.113.66:3990"
    foreign = stage.phone.arrive()
    assert foreign.status_code == 400
    assert "203.0.113.66" not in foreign.text
    assert "<form" not in foreign.text


def test_a_make_without_a_hand_off_gets_a_plain_sentence(
    database: Database, keyring: Keyring, client: FlaskClient, clock: MovableClock
) -> None:
    stage = Stage(database, keyring, client, clock, make="generic")
    answer = stage.phone.arrive()
    assert answer.status_code == 400
    assert "This hotspot is not set up for this page" in words_of(answer)


def test_the_language_is_the_browsers_until_the_guest_chooses_and_the_choice_stays(stage: Stage) -> None:
    stage.phone.language = "de-AT,de;q=0.8,en;q=0.5"
    german = stage.phone.arrive()
    assert '<html lang="de" ' in german.text
    assert "Wie möchten Sie online gehen?" in german.text
    assert "4,90\u00a0€" in german.text
    link = re.search(r'<a href="([^"]+)" lang="en"', german.text)
    assert link
    english = stage.phone.get(link[1].replace("&amp;", "&"))
    assert '<html lang="en" ' in english.text
    assert flow_of(english.text)
    refused = stage.phone.post(english.text, variant="voucher", code="nonsense", terms=str(stage.terms.id), lang="en")
    assert "There is a slip in this code" in words_of(refused)
    stage.phone.post(
        english.text, variant="voucher", code=stage.voucher.code.value, terms=str(stage.terms.id), lang="en"
    )
    assert '<html lang="en" ' in stage.phone.arrive("failed").text


def test_a_language_may_follow_the_signature_and_a_wrong_one_does_no_harm(stage: Stage) -> None:
    address = stage.phone.chilli.address()
    assert '<html lang="de" ' in stage.phone.get(f"{address}&lang=de").text
    assert '<html lang="en" ' in stage.phone.get(f"{address}&lang=../../etc").text
    stage.phone.language = "tlh"
    assert '<html lang="en" ' in stage.phone.get(address).text


def test_who_types_the_address_is_told_which_network_to_join(stage: Stage) -> None:
    page = stage.phone.get(f"/g/{stage.place.site.slug}")
    words = words_of(page)
    assert page.status_code == 200
    assert "choose the network Surf Pass ." in words
    assert stage.place.article.name in words
    assert "€4.90" in words
    assert f'href="http://{GATEWAY}/prelogin"' in page.text
    assert "<form" not in page.text


def test_a_site_that_does_not_exist_is_not_found(stage: Stage) -> None:
    assert stage.phone.get("/g/nowhere").status_code == 404
    assert stage.phone.client.post("/g/nowhere/login").status_code == 404


def test_the_forms_address_without_the_form_leads_back_to_the_site(stage: Stage) -> None:
    answer = stage.phone.get(f"/g/{stage.place.site.slug}/login")
    assert (answer.status_code, answer.location) == (303, f"/g/{stage.place.site.slug}")


def test_neither_names_nor_input_can_inject_anything(stage: Stage, database: Database) -> None:
    with database.write() as session:
        a_pass(session, price_cents=1).name = "<b>Pass</b>"
    assert "&lt;b&gt;Pass" in stage.phone.arrive().text
    assert 'value="&#34;&gt;&lt;x&gt;"' in stage.phone.log_in('"><x>', stage.terms).text


def test_the_original_address_comes_along_only_when_it_is_a_web_address(stage: Stage) -> None:
    page = stage.phone.arrive(userurl="javascript:alert(1)").text
    answer = stage.phone.post(page, variant="voucher", code=stage.voucher.code.value, terms=str(stage.terms.id))
    assert "userurl" not in LogOn(answer.location).told


def test_a_new_challenge_is_answered_after_a_failure(stage: Stage, keyring: Keyring) -> None:
    stage.phone.chilli.challenge = "ab" * 16
    page = stage.phone.arrive("failed", reason="reject").text
    answer = stage.phone.post(page, variant="voucher", code=stage.voucher.code.value, terms=str(stage.terms.id))
    visit = stage.visits()[-1]
    (ticket,) = possible_tickets(
        keyring, visit.handle, visit.nas_id, visit.site_id, visit.ticket_expires_at or visit.asked_at
    )
    assert LogOn(answer.location).told["response"] == expected_response(ticket, challenge="ab" * 16)
    assert LogOn(answer.location).told["response"] != expected_response(ticket, challenge=CHALLENGE)
