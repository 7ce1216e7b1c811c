"""What guests are shown is kept in the process: it must be there at once when staff have changed it, or its time has come."""

from collections.abc import Callable
from datetime import datetime, timedelta

import pytest
from flask.testing import FlaskClient
from sqlalchemy.orm import Session

from hotspot.audit import COMMAND_LINE
from hotspot.database import Database
from hotspot.directory import current_revisions
from hotspot.keys import Keyring
from hotspot.legal import LegalKind, NewText, publish
from hotspot.place import LoginWay, Part
from tests.factories import a_pass
from tests.portal.conftest import MovableClock
from tests.portal.desk import counting_queries
from tests.portal.guest import Stage, words_of
from vouchers import offer as offers
from vouchers.offer import CodeChange, change_code_field, describe_pass, preselect
from vouchers.pass_changes import Scope, change_pass, retire_pass

Change = Callable[[Session, Stage, datetime], object]


def _new_terms(session: Session, valid_from: datetime, now: datetime) -> None:
    publish(session, COMMAND_LINE, LegalKind.TERMS, [NewText("en", "Be\n\neven kinder.")], valid_from, now)


CHANGES: dict[str, Change] = {
    "a pass more": lambda session, _stage, now: a_pass(session, minutes=42, price_cents=200, now=now),
    "another price": lambda session, stage, now: change_pass(
        session, COMMAND_LINE, Scope(), stage.place.article.slug, {"price_cents": 777}, now
    ),
    "a pass less": lambda session, stage, now: retire_pass(session, COMMAND_LINE, Scope(), stage.free.slug, now),
    "a text of a pass": lambda session, stage, now: describe_pass(
        session, COMMAND_LINE, Scope(), stage.free.slug, offers.NewText("en", description="For everybody"), now
    ),
    "a text of the field for codes": lambda session, _stage, now: change_code_field(
        session, COMMAND_LINE, Scope(), CodeChange(text=offers.NewText("en", name="Type it here")), now
    ),
    "another choice": lambda session, stage, now: preselect(session, COMMAND_LINE, Scope(), None, now),
    "new terms": lambda session, _stage, now: _new_terms(session, now, now),
}


@pytest.mark.parametrize("name", CHANGES)
def test_a_change_is_on_the_very_next_page(name: str, stage: Stage, database: Database, clock: MovableClock) -> None:
    before = _without_flow(stage)
    with database.write() as session:
        CHANGES[name](session, stage, clock())
    assert _without_flow(stage) != before


def _without_flow(stage: Stage) -> str:
    page = stage.phone.arrive().text
    return page.replace(page.split('name="flow" value="')[1].split('"')[0], "")


def test_a_change_that_is_taken_back_changes_nothing(stage: Stage, database: Database, clock: MovableClock) -> None:
    before = words_of(stage.phone.arrive())
    with database.read() as session:
        CHANGES["another price"](session, stage, clock())
    assert words_of(stage.phone.arrive()) == before


def test_a_version_comes_into_force_at_its_moment_without_anybody_doing_anything(
    stage: Stage, database: Database, clock: MovableClock
) -> None:
    with database.write() as session:
        _new_terms(session, clock() + timedelta(minutes=1), clock())
    early = stage.phone.arrive()
    clock.pass_by(seconds=59)
    assert "even kinder" not in words_of(stage.phone.arrive())
    clock.pass_by(seconds=1)
    assert "even kinder" in words_of(stage.phone.arrive())
    sent = stage.phone.post(early.text, variant="voucher", code=stage.voucher.code.value, terms=str(stage.terms.id))
    assert "The terms of use or the prices have changed" in words_of(sent)


@pytest.mark.parametrize(("logins", "statements"), [((LoginWay.TICKET,), 1), (tuple(LoginWay), 2)])
def test_the_page_costs_one_statement_and_one_more_where_the_device_may_be_known(
    logins: tuple[LoginWay, ...],
    statements: int,
    database: Database,
    keyring: Keyring,
    client: FlaskClient,
    clock: MovableClock,
) -> None:
    stage = Stage(database, keyring, client, clock, logins=logins)
    stage.phone.arrive()
    with counting_queries(database) as asked:
        stage.phone.arrive()
    assert len(asked) == statements


def test_what_guests_are_shown_does_not_make_radius_read_the_place_again(
    stage: Stage, database: Database, clock: MovableClock
) -> None:
    with database.read() as session:
        before = current_revisions(session)
    with database.write() as session:
        CHANGES["another price"](session, stage, clock())
    with database.read() as session:
        after = current_revisions(session)
    assert (after[Part.PLACE], after[Part.SHOWN]) == (before[Part.PLACE], before[Part.SHOWN] + 1)
