"""The variants a guest chooses from: order, texts in the guest's language, prices and where to buy, what is chosen already."""

import re

from hotspot.audit import COMMAND_LINE
from hotspot.database import Database
from hotspot.place import LoginWay, Nas, announce_change
from sessions.admit import Admitted
from sessions.visit import CloseCause
from tests.conftest import NOON
from tests.factories import a_mac
from tests.portal.conftest import MovableClock
from tests.portal.guest import Stage, a_free_pass, published_terms, words_of
from vouchers.admission import Reason, Refused
from vouchers.offer import CodeChange, NewText, change_code_field, describe_pass, preselect
from vouchers.pass_changes import Scope, change_pass


def chosen(page: str) -> list[str]:
    """The values of the choices that are checked."""
    return re.findall(r'name="variant" value="([^"]+)"[^>]* checked', page)


def test_the_page_offers_what_there_is_in_the_operators_order_with_its_choice(stage: Stage, database: Database) -> None:
    with database.write() as session:
        day = a_free_pass(session, slug="day", minutes=600)
        change_code_field(session, COMMAND_LINE, Scope(), CodeChange(1), NOON)
        change_pass(session, COMMAND_LINE, Scope(), "day", {"position": 2}, NOON)
        preselect(session, COMMAND_LINE, Scope(), "day", NOON)
    page = stage.phone.arrive().text
    values = re.findall(r'type="radio" name="variant" value="([^"]+)"', page)
    assert values == ["voucher", f"pass:{day.public_id}", f"pass:{stage.free.public_id}"]
    assert chosen(page) == [f"pass:{day.public_id}"]


def test_a_code_that_is_there_already_counts_for_more_than_what_is_preselected(
    stage: Stage, database: Database
) -> None:
    with database.write() as session:
        preselect(session, COMMAND_LINE, Scope(), stage.free.slug, NOON)
    stage.phone.get(f"/v/{stage.voucher.code.value}")
    page = stage.phone.arrive().text
    assert chosen(page) == ["voucher"]
    assert stage.voucher.code.printed in page


def test_a_slip_in_a_code_is_found_before_anything_is_noted_or_sent_on(stage: Stage) -> None:
    right = stage.voucher.code.value
    swapped = next(right[:i] + right[i + 1] + right[i] + right[i + 2 :] for i in range(9) if right[i] != right[i + 1])
    answer = stage.phone.log_in(swapped, stage.terms)
    assert answer.status_code == 200
    assert "There is a slip in this code" in words_of(answer)
    assert stage.visits() == []


def test_articles_are_described_in_the_guests_language(stage: Stage, database: Database) -> None:
    with database.write() as session:
        article = stage.place.article.slug
        for language, name, description, where in (
            ("de", "Tageskarte", "Für einen ganzen Tag.", "Beim Kiosk."),
            ("en", "Day ticket", "For a whole day.", "At the kiosk."),
        ):
            text = NewText(language, name, description, where)
            describe_pass(session, COMMAND_LINE, Scope(), article, text, NOON)
        free = NewText("de", "Schnupperstunde")
        describe_pass(session, COMMAND_LINE, Scope(), stage.free.slug, free, NOON)
        change = CodeChange(text=NewText("de", "Gutschein", "Vom Wirt.", "An der Theke."))
        change_code_field(session, COMMAND_LINE, Scope(), change, NOON)
    stage.phone.language = "de"
    german = words_of(stage.phone.arrive())
    for expected in ("Tageskarte", "Für einen ganzen Tag.", "Beim Kiosk.", "4,90", "Schnupperstunde"):
        assert expected in german
    for expected in ("Gutschein Code vom Gutschein eingeben Vom Wirt.", "An der Theke. Alle Preise inklusive"):
        assert expected in german
    stage.phone.language = "en"
    english = words_of(stage.phone.arrive())
    assert "Day ticket" in english
    assert "At the kiosk." in english
    assert "Tageskarte" not in english


def test_a_page_without_codes_has_no_field_for_one_and_takes_none(stage: Stage, database: Database) -> None:
    with database.write() as session:
        change_code_field(session, COMMAND_LINE, Scope(), CodeChange(shown=False), NOON)
    page = stage.phone.arrive().text
    assert 'name="code"' not in page
    assert f'<input type="hidden" name="variant" value="pass:{stage.free.public_id}">' in page
    refused = stage.phone.log_in(stage.voucher.code.value, stage.terms)
    assert "not offered here any more" in words_of(refused)
    taken = stage.phone.post(page, variant=f"pass:{stage.free.public_id}", terms=str(stage.terms.id))
    assert taken.status_code == 303
    assert len(stage.visits()) == 1


def test_a_hidden_free_pass_cannot_be_taken(stage: Stage, database: Database) -> None:
    with database.write() as session:
        change_pass(session, COMMAND_LINE, Scope(), stage.free.slug, {"shown": False}, NOON)
    page = stage.phone.arrive().text
    assert stage.free.public_id not in page
    stage.phone.post(page, variant=f"pass:{stage.free.public_id}", terms=str(stage.terms.id))
    assert stage.visits() == []


def test_a_free_pass_for_always_can_be_taken_again_on_the_same_day(
    stage: Stage, database: Database, clock: MovableClock
) -> None:
    with database.write() as session:
        change_pass(session, COMMAND_LINE, Scope(), stage.free.slug, {"always": True}, NOON)
    for _ in range(3):
        page = stage.phone.arrive().text
        answer = stage.phone.post(page, variant=f"pass:{stage.free.public_id}", terms=str(stage.terms.id))
        assert answer.status_code == 303
        stage.let_in()
        clock.pass_by(minutes=61)
    assert len({visit.voucher_id for visit in stage.visits()}) == 3


def remembered(stage: Stage, database: Database) -> None:
    """Make the phone one that has been here before, and terms newer than those it accepted."""
    stage.come_online()
    stage.close_visits(CloseCause.STOPPED)
    with database.write() as session:
        stage.terms = published_terms(session, "New rules.\n\nBe kinder.")


def test_a_device_that_new_terms_have_stopped_goes_on_with_its_voucher_and_no_code(
    stage: Stage, database: Database
) -> None:
    remembered(stage, database)
    assert stage.admit(stage.phone.chilli.device.value) == Refused(Reason.TERMS_CHANGED)
    page = stage.phone.arrive()
    assert "The terms of use or the prices have changed" in words_of(page)
    assert chosen(page.text) == ["same"]
    assert stage.place.article.name in words_of(page)
    assert "Please accept the terms of use" in words_of(stage.phone.post(page.text, variant="same"))
    assert stage.phone.post(page.text, variant="same", terms=str(stage.terms.id)).status_code == 303
    stage.let_in()
    assert stage.visits()[-1].voucher_id == stage.voucher.voucher.id
    stage.close_visits(CloseCause.STOPPED)
    assert isinstance(stage.admit(stage.phone.chilli.device.value), Admitted)


def test_only_the_device_itself_goes_on_as_before(stage: Stage, database: Database, clock: MovableClock) -> None:
    remembered(stage, database)
    own = stage.phone.chilli.device
    stage.phone.chilli.device = a_mac()
    page = stage.phone.arrive().text
    assert 'value="same"' not in page
    refused = stage.phone.post(page, variant="same", terms=str(stage.terms.id))
    assert "not offered here any more" in words_of(refused)
    stage.phone.chilli.device = own
    clock.pass_by(days=1)  # the voucher's end
    assert 'value="same"' not in stage.phone.arrive().text


def test_a_gateway_that_lets_nobody_in_by_the_mac_offers_no_return(stage: Stage, database: Database) -> None:
    remembered(stage, database)
    with database.write() as session:
        session.get_one(Nas, stage.place.nas.id).logins = [LoginWay.TICKET]
        announce_change(session)
    assert 'value="same"' not in stage.phone.arrive().text
