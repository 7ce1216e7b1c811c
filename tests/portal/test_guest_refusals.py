"""Each refusal says in plain words what to do, before the gateway is asked where that is possible."""

from datetime import datetime, time, timedelta

import pytest
from flask.testing import FlaskClient
from sqlalchemy import select

from deploy.housekeeper import do_round
from hotspot import limits
from hotspot.audit import COMMAND_LINE
from hotspot.clock import Clock
from hotspot.database import Database
from hotspot.exclusions import NewExclusion, exclude
from hotspot.keys import Keyring
from hotspot.limits import Counted, Limit, LimitCounter
from hotspot.opening import Span, set_week
from hotspot.place import AccessPoint, Site, SiteKind
from portal.handoffs import Failure, Problem
from portal.wording import CLOSINGS, FAILURES, PROBLEMS, REFUSALS, SAMPLE_CODE, sample_unbroken
from sessions.endings import log_out
from sessions.visit import CloseCause, Visit
from tests.conftest import NOON
from tests.factories import a_mac, a_pass, directory, revoke, some_vouchers
from tests.portal.conftest import MovableClock
from tests.portal.guest import Stage, a_chilli_place, words_of
from vouchers.admission import Reason, Refused
from vouchers.codes import Code, Mistyped
from vouchers.voucher import Voucher


def test_every_reason_has_words() -> None:
    assert set(REFUSALS) == set(Reason)
    assert set(FAILURES) == set(Failure)
    assert set(PROBLEMS) == set(Problem)
    assert set(CLOSINGS) == set(CloseCause)


def test_the_code_given_as_an_example_is_nobodys() -> None:
    with pytest.raises(Mistyped):
        Code.parse(SAMPLE_CODE)


def counted(database: Database) -> int:
    with database.read() as session:
        return sum(session.scalars(select(LimitCounter.hits)))


def test_a_mistyped_code_is_told_apart_from_an_unknown_one_and_does_not_count(stage: Stage, database: Database) -> None:
    right = stage.voucher.code.value
    wrong = right[:-1] + ("2" if right[-1] != "2" else "3")
    assert "There is a slip in this code" in words_of(stage.phone.log_in(wrong, stage.terms))
    assert counted(database) == 0
    assert "We do not know this code" in words_of(stage.phone.log_in(Code.new().printed, stage.terms))
    assert counted(database) == 4  # for the device, its access point, the site, and in all


@pytest.mark.parametrize(("language", "sentence"), [("en", "make no difference"), ("de", "spielen keine Rolle")])
def test_advice_about_a_slip_repeats_no_hint_and_keeps_the_example_on_one_line(
    stage: Stage, language: str, sentence: str
) -> None:
    stage.phone.language = language
    page = stage.phone.log_in("K7QM-2XWD", stage.terms)
    assert words_of(page).count(sentence) == 1
    assert f'<span class="unbroken" translate="no">{SAMPLE_CODE}</span>' in page.text
    assert page.text.count(SAMPLE_CODE) == 1


def test_advice_is_text_but_for_its_example() -> None:
    kept = sample_unbroken(f"<b> {SAMPLE_CODE} & more")
    assert kept == f'&lt;b&gt; <span class="unbroken" translate="no">{SAMPLE_CODE}</span> &amp; more'


def test_an_empty_code_is_asked_for(stage: Stage) -> None:
    assert "Please enter the code of your voucher" in words_of(stage.phone.log_in("  ", stage.terms))


def test_all_that_is_missing_is_said_at_once(stage: Stage) -> None:
    page = stage.phone.log_in("")
    assert "Please enter the code of your voucher" in words_of(page)
    assert "Please accept the terms of use" in words_of(page)
    assert 'aria-invalid="true"' in page.text


def test_who_has_chosen_nothing_is_asked_to_choose_and_not_told_that_it_is_gone(stage: Stage) -> None:
    words = words_of(stage.phone.post(stage.phone.arrive().text, terms=str(stage.terms.id)))
    assert "Please choose how you would like to go online" in words
    assert "not offered here any more" not in words
    gone = stage.phone.post(stage.phone.arrive().text, variant="pass:gone", terms=str(stage.terms.id))
    assert "not offered here any more" in words_of(gone)


def test_after_ten_wrong_codes_the_device_waits_ten_minutes_and_others_do_not(
    stage: Stage, clock: MovableClock
) -> None:
    for _ in range(10):
        stage.phone.log_in(Code.new().value, stage.terms)
    assert "Too many wrong codes" in words_of(stage.phone.log_in(stage.voucher.code.value, stage.terms))
    own, stage.phone.chilli.device = stage.phone.chilli.device, a_mac()
    assert stage.phone.log_in(stage.voucher.code.value, stage.terms).status_code == 303
    stage.phone.chilli.device = own
    clock.pass_by(minutes=10)
    assert stage.phone.log_in(stage.voucher.code.value, stage.terms).status_code == 303


def test_the_next_ten_wrong_codes_cost_a_longer_wait(stage: Stage, clock: MovableClock) -> None:
    for minutes, words in ((10, "please wait until today, 14:10."), (20, "please wait until today, 14:30.")):
        for _ in range(10):
            stage.phone.log_in(Code.new().value, stage.terms)
        assert words in words_of(stage.phone.log_in(stage.voucher.code.value, stage.terms))
        clock.pass_by(minutes=minutes)
    assert stage.phone.log_in(stage.voucher.code.value, stage.terms).status_code == 303


@pytest.mark.parametrize("limit", [Limit.GUESSES_AT_SITE, Limit.GUESSES_IN_ALL, Limit.GUESSES_AT_ACCESS_POINT])
def test_while_others_guess_an_honest_guest_is_only_asked_to_send_the_code_again(
    stage: Stage, clock: MovableClock, limit: Limit
) -> None:
    subjects = {
        Limit.GUESSES_AT_SITE: str(stage.place.site.id),
        Limit.GUESSES_IN_ALL: "everybody",
        Limit.GUESSES_AT_ACCESS_POINT: str(stage.place.access_point.id),
    }
    with stage.database.write() as session:
        limits.hit(session, stage.keyring, [Counted(limit, subjects[limit])] * limit.allowed, clock())
    answer = stage.phone.log_in(stage.voucher.code.value, stage.terms)
    assert "Please send your code once more" in words_of(answer)
    filled = {"variant": "voucher", "code": stage.voucher.code.value, "terms": str(stage.terms.id)}
    clock.pass_by(seconds=20)
    assert stage.phone.post(answer.text, **filled).status_code == 303


def test_a_voucher_of_another_site_is_refused(stage: Stage, database: Database, keyring: Keyring) -> None:
    with database.write() as session:
        other = a_chilli_place(session, keyring, nas_identifier="chilli-2")
        foreign = some_vouchers(session, keyring, other.site, other.article)[0]
    assert "This voucher is for another place" in words_of(stage.phone.log_in(foreign.code.value, stage.terms))
    assert stage.visits() == []


def test_a_revoked_voucher_is_refused(stage: Stage, database: Database, clock: Clock) -> None:
    with database.write() as session:
        voucher = session.get_one(Voucher, stage.voucher.voucher.id)
        revoke(session, voucher, clock())
    assert "has been withdrawn" in words_of(stage.phone.log_in(stage.voucher.code.value, stage.terms))


def test_an_expired_voucher_is_refused(stage: Stage, clock: MovableClock) -> None:
    clock.pass_by(days=400)
    words = words_of(stage.phone.log_in(stage.voucher.code.value, stage.terms))
    assert "no longer valid" in words
    assert "It had to be used for the first time by Tuesday, 1 June, 10:00." in words


def test_a_voucher_that_is_not_valid_yet_is_refused_with_its_hour(
    stage: Stage, database: Database, clock: MovableClock
) -> None:
    with database.write() as session:
        session.get_one(Voucher, stage.voucher.voucher.id).good_from = clock() + timedelta(hours=1)
    words = words_of(stage.phone.log_in(stage.voucher.code.value, stage.terms))
    assert "This voucher is not valid yet" in words
    assert "It is valid from today, 15:00." in words
    clock.pass_by(hours=1)
    assert stage.phone.log_in(stage.voucher.code.value, stage.terms).status_code == 303


def test_a_voucher_whose_time_is_over_is_refused(stage: Stage, clock: MovableClock) -> None:
    stage.come_online()
    clock.pass_by(days=1)
    words = words_of(stage.phone.log_in(stage.voucher.code.value, stage.terms))
    assert "The time of this voucher is over" in words
    assert "It was valid until today, 14:00." in words


def test_a_voucher_whose_volume_is_used_up_is_refused(stage: Stage, database: Database) -> None:
    with database.write() as session:
        voucher = session.get_one(Voucher, stage.voucher.voucher.id)
        voucher.megabytes, voucher.settled_octets = 10, 10_000_000
    assert "volume of this voucher is used up" in words_of(stage.phone.log_in(stage.voucher.code.value, stage.terms))


def test_a_voucher_in_use_elsewhere_is_refused_and_not_its_own_device(stage: Stage) -> None:
    stage.come_online()
    assert stage.phone.log_in(stage.voucher.code.value, stage.terms).status_code == 303
    stage.phone.chilli.device = a_mac()
    answer = stage.phone.log_in(stage.voucher.code.value, stage.terms)
    assert "in use on another device" in words_of(answer)
    assert 'name="swap"' not in answer.text


def test_a_pass_with_replace_lets_the_guest_swap(stage: Stage, database: Database, keyring: Keyring) -> None:
    with database.write() as session:
        swappable = a_pass(session, replace=True, price_cents=100)
        voucher = some_vouchers(session, keyring, stage.place.site, swappable)[0]
    stage.admit(voucher.code.value, device=a_mac())
    answer = stage.phone.log_in(voucher.code.value, stage.terms)
    assert "You can use it here instead." in words_of(answer)
    assert '<button type="submit" name="swap" value="1">' in answer.text
    filled = {"variant": "voucher", "code": voucher.code.value, "terms": str(stage.terms.id), "swap": "1"}
    assert stage.phone.post(answer.text, **filled).status_code == 303
    assert stage.visits()[-1].swaps


def test_swapping_does_not_help_where_the_pass_does_not_allow_it(stage: Stage) -> None:
    stage.admit(stage.voucher.code.value, device=a_mac())
    answer = stage.phone.log_in(stage.voucher.code.value, stage.terms, swap="1")
    assert "in use on another device" in words_of(answer)


def fill(stage: Stage, database: Database) -> None:
    """Give the only place to somebody else."""
    with database.write() as session:
        session.get_one(AccessPoint, stage.place.access_point.id).capacity = 1
        other = some_vouchers(session, stage.keyring, stage.place.site, stage.place.article)[0]
    stage.admit(other.code.value, device=a_mac())


def test_a_full_access_point_is_told_before_the_gateway_is_asked(stage: Stage, database: Database) -> None:
    fill(stage, database)
    answer = stage.phone.log_in(stage.voucher.code.value, stage.terms)
    assert "No free place here right now" in words_of(answer)
    assert len(stage.visits()) == 1


def test_only_the_access_point_the_guest_is_at_counts_where_the_gateway_names_it(
    database: Database, keyring: Keyring, client: FlaskClient, clock: MovableClock
) -> None:
    stage = Stage(database, keyring, client, clock, kind=SiteKind.MULTI, access_points=2)
    fill(stage, database)
    with database.write() as session:
        session.get_one(AccessPoint, stage.place.access_points[1].id).capacity = 1
    here, there = (one.radios[0].mac.value for one in stage.place.access_points)
    filled = {"variant": "voucher", "code": stage.voucher.code.value, "terms": str(stage.terms.id)}
    full = stage.phone.post(stage.phone.arrive(called=here).text, **filled)
    assert full.status_code == 200
    assert "There is room at these access points: " + stage.place.access_points[1].name in words_of(full)
    assert stage.place.access_points[0].name not in words_of(full)
    assert stage.phone.post(stage.phone.arrive(called=there).text, **filled).status_code == 303
    assert stage.phone.post(stage.phone.arrive().text, **filled).status_code == 303


def close_at_three(stage: Stage) -> None:
    with stage.database.write() as session:
        site = session.get_one(Site, stage.place.site.id)
        set_week(session, COMMAND_LINE, site, dict.fromkeys(range(7), (Span(time(8), time(15)),)), NOON)


def test_a_closed_site_says_when_it_opens_before_anything_is_typed(stage: Stage, clock: MovableClock) -> None:
    close_at_three(stage)
    page = stage.phone.arrive()
    assert 'name="code"' in page.text
    clock.pass_by(hours=1)
    words = words_of(stage.phone.arrive())
    assert "The hotspot is closed now You can go online again from tomorrow, 08:00." in words
    assert 'name="code"' not in stage.phone.arrive().text


def test_a_form_that_was_open_at_closing_time_is_refused(stage: Stage, clock: MovableClock) -> None:
    close_at_three(stage)
    clock.pass_by(minutes=55)
    page = stage.phone.arrive().text
    clock.pass_by(minutes=5)
    filled = {"variant": "voucher", "code": stage.voucher.code.value, "terms": str(stage.terms.id)}
    assert "The hotspot is closed now" in words_of(stage.phone.post(page, **filled))


def test_after_closing_the_guests_page_says_why_the_access_ended(stage: Stage, clock: MovableClock) -> None:
    close_at_three(stage)
    address = stage.come_online().location
    assert "today, 15:00" in words_of(stage.phone.get(address))
    clock.pass_by(hours=1)
    stage.close_visits(CloseCause.OVER)
    assert "The hotspot is closed now" in words_of(stage.phone.get(address))


def test_once_the_site_is_open_again_nobody_is_told_to_buy_what_is_left(stage: Stage, clock: MovableClock) -> None:
    close_at_three(stage)
    address = stage.come_online().location
    clock.pass_by(hours=1)
    with stage.database.read() as session:
        snapshot = directory(session, stage.keyring)
    assert do_round(stage.database, snapshot, clock()).over == 1
    stage.close_visits(CloseCause.OVER)
    assert "The hotspot is closed now" in words_of(stage.phone.get(address))
    clock.pass_by(hours=17)
    words = words_of(stage.phone.get(address))
    assert "You are offline" in words
    assert "new voucher" not in words


def test_a_session_that_the_gateway_stops_at_closing_time_is_told_why_too(stage: Stage, clock: MovableClock) -> None:
    close_at_three(stage)
    address = stage.come_online().location
    clock.pass_by(hours=1)
    with stage.database.read() as session:
        snapshot = directory(session, stage.keyring)
    do_round(stage.database, snapshot, clock())
    stage.close_visits(CloseCause.STOPPED)
    assert "The hotspot is closed now" in words_of(stage.phone.get(address))


@pytest.mark.parametrize(
    ("until", "words"),
    [(NOON + timedelta(hours=2), "from the service until today, 16:00."), (None, "from the service.")],
)
def test_an_excluded_device_is_told_so_and_another_is_not(
    stage: Stage, database: Database, until: datetime | None, words: str
) -> None:
    with database.write() as session:
        mac = stage.phone.chilli.device
        exclude(session, COMMAND_LINE, stage.keyring, mac, NewExclusion(until=until), NOON)
    assert f"The operator has excluded it {words}" in words_of(stage.phone.arrive())
    outcome = stage.admit(stage.voucher.code.value)
    assert outcome == Refused(Reason.EXCLUDED, moment=until)
    stage.phone.chilli.device = a_mac()
    assert stage.phone.log_in(stage.voucher.code.value, stage.terms).status_code == 303


def test_who_was_here_until_just_now_is_not_told_that_it_is_full(
    stage: Stage, database: Database, clock: MovableClock
) -> None:
    stage.come_online()
    with database.write() as session:
        site = directory(session, stage.keyring).sites[stage.place.site.id]
        log_out(session, site, session.get_one(Visit, stage.visits()[-1].id), clock())
    fill(stage, database)
    clock.pass_by(minutes=9)
    assert stage.phone.log_in(stage.voucher.code.value, stage.terms).status_code == 303
    clock.pass_by(minutes=2)
    assert "No free place" in words_of(stage.phone.log_in(stage.voucher.code.value, stage.terms))


def test_a_free_pass_that_is_used_up_is_refused_until_tomorrow(stage: Stage, clock: MovableClock) -> None:
    def take() -> int:
        page = stage.phone.arrive().text
        filled = {"variant": f"pass:{stage.free.public_id}", "terms": str(stage.terms.id)}
        answer = stage.phone.post(page, **filled)
        assert answer.status_code == 303 or "You get it again from tomorrow, 04:00." in words_of(answer)
        return answer.status_code

    assert take() == 303
    stage.let_in()
    clock.pass_by(minutes=59)
    assert take() == 303
    clock.pass_by(minutes=1)
    assert take() == 200
    own, stage.phone.chilli.device = stage.phone.chilli.device, a_mac()
    assert take() == 303
    stage.phone.chilli.device = own
    clock.pass_by(days=1)
    assert take() == 303


def test_an_unsigned_device_is_not_refused_for_what_only_radius_can_know(
    database: Database, keyring: Keyring, client: FlaskClient, clock: MovableClock
) -> None:
    stage = Stage(database, keyring, client, clock, uam_secret=None)
    stage.phone.chilli.secret = None
    stage.admit(stage.voucher.code.value)  # may be this very phone
    fill(stage, database)
    assert stage.phone.log_in(stage.voucher.code.value, stage.terms).status_code == 303


def test_after_a_reject_the_guest_is_told_the_moment_and_offered_the_swap(stage: Stage, database: Database) -> None:
    stage.phone.log_in(stage.voucher.code.value, stage.terms)
    handle = stage.visits()[-1].handle
    for refused, words in (
        (Refused(Reason.NOT_YET_VALID, moment=NOON), "It is valid from today, 14:00."),
        (Refused(Reason.IN_USE, can_swap=True), "Use it on this device instead"),
    ):
        with database.write() as session:
            session.scalars(select(Visit).where(Visit.handle == handle)).one().refusal = refused.note
        assert words in words_of(stage.phone.arrive("failed", reason="reject"))


@pytest.mark.parametrize("keep_cookies", [True, False])
def test_after_a_reject_the_guest_is_told_what_radius_said(
    stage: Stage, database: Database, keep_cookies: bool
) -> None:
    stage.phone.log_in(stage.voucher.code.value, stage.terms)
    fill(stage, database)
    stage.let_in()
    if not keep_cookies:
        stage.phone.client.delete_cookie("surfpass_visit")
    answer = stage.phone.arrive("failed", reason="reject")
    assert "No free place here right now" in words_of(answer)
    assert 'name="flow"' in answer.text


def test_an_old_refusal_is_not_told_again(stage: Stage, database: Database, clock: MovableClock) -> None:
    stage.phone.log_in(stage.voucher.code.value, stage.terms)
    fill(stage, database)
    stage.let_in()
    stage.phone.client.delete_cookie("surfpass_visit")
    clock.pass_by(minutes=16)
    assert "The hotspot did not let you in" in words_of(stage.phone.arrive("failed", reason="reject"))


@pytest.mark.parametrize(
    ("reason", "words"),
    [("timeout", "The hotspot did not answer in time"), ("reject", "did not let you in"), ("?", "did not go through")],
)
def test_without_a_note_the_gateways_reason_is_told(stage: Stage, reason: str, words: str) -> None:
    assert words in words_of(stage.phone.arrive("failed", reason=reason, reply="<b>evil</b>"))


def test_german_guests_are_refused_in_german(stage: Stage) -> None:
    stage.phone.language = "de"
    answer = stage.phone.log_in(Code.new().value, stage.terms)
    assert "Diesen Code kennen wir nicht" in words_of(answer)
