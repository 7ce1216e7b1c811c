"""What only the operator's staff see: which legal texts there are, and what a site's page offers."""

from datetime import timedelta

import pytest
from flask import Flask

from hotspot.audit import COMMAND_LINE
from hotspot.database import Database
from hotspot.keys import Keyring
from hotspot.legal import LegalKind, NewText, publish
from hotspot.people import Role
from tests.conftest import NOON
from tests.factories import Place, a_place, a_user
from tests.portal.desk import Staff, signed_in, words_of
from tests.portal.guest import a_free_pass
from vouchers.offer import CodeChange, change_code_field, preselect
from vouchers.offer import NewText as ArticleText
from vouchers.pass_changes import Scope, change_pass

TEXT = [NewText("de", "Ein Text.")]


@pytest.fixture
def place(database: Database, keyring: Keyring) -> Place:
    """A place whose owner is owner@, and an operator of it."""
    with database.write() as session:
        place = a_place(session, keyring)
        a_user(session, customer=place.customer, email="owner@example.org")
        a_user(session, Role.OPERATOR, email="operator@example.org")
    return place


@pytest.fixture
def operator(app: Flask, place: Place) -> Staff:
    """Somebody of the operator's staff."""
    return signed_in(app, "operator@example.org")


def test_the_operator_is_told_which_texts_are_missing_and_owners_are_not(
    app: Flask, operator: Staff, database: Database
) -> None:
    told = words_of(operator.get("/desk"))
    assert "Guests cannot read these texts yet Terms of use, Price list, Contract summary" in told
    assert "Guests cannot read" not in words_of(signed_in(app, "owner@example.org").get("/desk"))
    with database.write() as session:
        for kind in LegalKind:
            publish(session, COMMAND_LINE, kind, TEXT, NOON, NOON)
    assert "Guests cannot read" not in words_of(operator.get("/desk"))


def test_each_slot_tells_what_is_in_force_what_comes_and_which_languages_it_lacks(
    operator: Staff, database: Database
) -> None:
    with database.write() as session:
        for days in (0, 3):
            publish(session, COMMAND_LINE, LegalKind.TERMS, TEXT, NOON + timedelta(days=days), NOON)
    words = words_of(operator.get("/desk/texts"))
    assert "Terms of use in force In force: version 1 from 15 Jun 2026, 12:00 UTC" in words
    assert "To come: version 2 from 18 Jun 2026, 12:00 UTC" in words
    assert "Not in these languages: English, French, Italian, Czech, Turkish, Ukrainian, Arabic" in words
    assert "Price list missing" in words


def test_a_sites_offer_is_shown_as_it_is_arranged(operator: Staff, place: Place, database: Database) -> None:
    with database.write() as session:
        a_free_pass(session, slug="hour")
        change = CodeChange(position=1, text=ArticleText("en", where_to_buy="At the bar."))
        change_code_field(session, COMMAND_LINE, Scope(), change, NOON)
        preselect(session, COMMAND_LINE, Scope(), "hour", NOON)
        change_pass(session, COMMAND_LINE, Scope(), place.article.slug, {"price_cents": 490}, NOON)
    words = words_of(operator.get(f"/desk/sites/{place.site.public_id}/offer"))
    code, free, sold = (words.index(one) for one in ("With a voucher", "Pass hour", place.article.name))
    assert code < free < sold
    assert "Where to buy: At the bar." in words
    assert "free 1 hour Chosen when the page opens" in words
    assert "€4.90 1 day from first use" in words
    assert "Not on the page" not in words
    with database.write() as session:
        change_pass(session, COMMAND_LINE, Scope(), place.article.slug, {"shown": False}, NOON)
    assert "Not on the page" in words_of(operator.get(f"/desk/sites/{place.site.public_id}/offer"))
