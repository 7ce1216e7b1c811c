"""What a page offers: the order, what it comes with, and texts in each language."""

from collections.abc import Iterator
from dataclasses import dataclass

import pytest
from sqlalchemy import select
from sqlalchemy.orm import Session

from hotspot.audit import COMMAND_LINE, AuditEntry
from hotspot.database import Database
from hotspot.errors import NotFound, WrongUse
from hotspot.place import Site
from tests import factories
from tests.conftest import NOON
from vouchers.offer import (
    CodeChange,
    NewText,
    Offer,
    change_code_field,
    describe_pass,
    offer_at,
    preselect,
)
from vouchers.pass_changes import Scope, change_pass, retire_pass

CODE = "a code"


@dataclass
class Venue:
    """A site with a free hour, a free day and a pass that is sold, all offered everywhere."""

    session: Session
    site: Site

    @property
    def offer(self) -> Offer:
        """What its page offers."""
        return offer_at(self.session, self.site.id, self.site.customer_id)

    @property
    def choices(self) -> list[str]:
        """The slugs of what there is to choose, in order."""
        return [one.slug if one else CODE for one in self.offer.choices()]

    @property
    def preselected(self) -> str:
        """The slug of what the page comes with."""
        chosen = self.offer.preselected()
        return chosen.slug if chosen else CODE


@pytest.fixture
def venue(database: Database) -> Iterator[Venue]:
    """A venue in one transaction."""
    with database.write() as session:
        site = factories.a_site(session)
        for slug in ("hour", "day"):
            factories.a_pass(session, slug=slug, free=True)
        factories.a_pass(session, slug="week", price_cents=900)
        yield Venue(session, site)


def move(venue: Venue, slug: str, position: int) -> None:
    change_pass(venue.session, COMMAND_LINE, Scope(), slug, {"position": position}, NOON)


def test_without_a_word_free_passes_come_first_and_the_first_is_chosen(venue: Venue) -> None:
    assert venue.choices == ["hour", "day", CODE]
    assert venue.preselected == "hour"
    assert [one.slug for one in venue.offer.sold] == ["week"]


def test_the_operator_orders_what_there_is_to_choose(venue: Venue) -> None:
    move(venue, "day", 50)
    change_code_field(venue.session, COMMAND_LINE, Scope(customer=venue.site.customer), CodeChange(60), NOON)
    assert venue.choices == ["day", CODE, "hour"]
    change_code_field(venue.session, COMMAND_LINE, Scope(venue.site), CodeChange(1), NOON)
    assert venue.choices == [CODE, "day", "hour"]
    assert venue.preselected == CODE


def test_of_several_scopes_the_narrowest_says_what_is_preselected(venue: Venue) -> None:
    everywhere, customers, sites = Scope(), Scope(customer=venue.site.customer), Scope(venue.site)
    preselect(venue.session, COMMAND_LINE, everywhere, "day", NOON)
    assert venue.preselected == "day"
    preselect(venue.session, COMMAND_LINE, customers, None, NOON)
    assert venue.preselected == CODE
    factories.a_pass(venue.session, slug="own", free=True, site=venue.site)
    preselect(venue.session, COMMAND_LINE, sites, "own", NOON)
    assert venue.preselected == "own"
    preselect(venue.session, COMMAND_LINE, sites, None, NOON)
    assert venue.preselected == CODE


def test_one_choice_of_a_scope_takes_the_others_place(venue: Venue) -> None:
    for slug in ("day", "hour", None, "day"):
        preselect(venue.session, COMMAND_LINE, Scope(), slug, NOON)
    assert venue.preselected == "day"
    assert [one.slug for one in venue.offer.passes if one.preselected] == ["day"]
    retire_pass(venue.session, COMMAND_LINE, Scope(), "day", NOON)
    assert venue.preselected == "hour"


def test_what_is_sold_or_elsewhere_cannot_be_preselected(venue: Venue) -> None:
    with pytest.raises(WrongUse):
        preselect(venue.session, COMMAND_LINE, Scope(), "week", NOON)
    with pytest.raises(NotFound):
        preselect(venue.session, COMMAND_LINE, Scope(venue.site), "day", NOON)


def test_what_is_hidden_is_not_offered_unless_nothing_would_be_left(venue: Venue) -> None:
    for slug in ("hour", "week"):
        change_pass(venue.session, COMMAND_LINE, Scope(), slug, {"shown": False}, NOON)
    change_code_field(venue.session, COMMAND_LINE, Scope(), CodeChange(shown=False), NOON)
    assert (venue.choices, venue.offer.sold) == (["day"], [])
    change_pass(venue.session, COMMAND_LINE, Scope(), "day", {"shown": False}, NOON)
    assert venue.choices == [CODE]


def test_texts_come_in_the_language_asked_for_else_in_english_else_in_any(venue: Venue) -> None:
    def say(language: str, **texts: str) -> None:
        describe_pass(venue.session, COMMAND_LINE, Scope(), "week", NewText(language, **texts), NOON)

    def read(name: str, language: str) -> str:
        (week,) = venue.offer.sold
        return venue.offer.texts[week.id].get(name, language)

    assert read("name", "de") == ""
    say("it", name="Settimana", where_to_buy="Al bar.")
    assert read("name", "de") == "Settimana"
    say("en", name="Week")
    say("de", name="Woche", description="Sieben Tage.")
    assert [read("name", language) for language in ("de", "it", "uk")] == ["Woche", "Settimana", "Week"]
    assert (read("description", "en"), read("where_to_buy", "de")) == ("Sieben Tage.", "Al bar.")
    say("de", name="")
    assert (read("name", "de"), read("description", "de")) == ("Week", "Sieben Tage.")


def test_where_vouchers_are_sold_is_said_by_the_narrowest_scope(venue: Venue) -> None:
    def say(scope: Scope, where: str) -> None:
        change = CodeChange(text=NewText("en", where_to_buy=where))
        change_code_field(venue.session, COMMAND_LINE, scope, change, NOON)

    say(Scope(), "At the staff.")
    assert venue.offer.code.texts.get("where_to_buy", "de") == "At the staff."
    say(Scope(venue.site), "At the bar.")
    say(Scope(factories.a_site(venue.session)), "Elsewhere.")
    assert venue.offer.code.texts.get("where_to_buy", "de") == "At the bar."


@pytest.mark.parametrize("text", [NewText("nl", name="Week"), NewText("en", name="x" * 81)])
def test_texts_that_cannot_be_are_refused(venue: Venue, text: NewText) -> None:
    with pytest.raises(WrongUse):
        describe_pass(venue.session, COMMAND_LINE, Scope(), "week", text, NOON)
    with pytest.raises(WrongUse):
        change_code_field(venue.session, COMMAND_LINE, Scope(), CodeChange(text=text), NOON)


def test_every_change_is_in_the_audit_record(venue: Venue) -> None:
    before = len(venue.session.scalars(select(AuditEntry)).all())
    move(venue, "day", 5)
    preselect(venue.session, COMMAND_LINE, Scope(), "day", NOON)
    describe_pass(venue.session, COMMAND_LINE, Scope(), "day", NewText("en", name="Day"), NOON)
    change_code_field(venue.session, COMMAND_LINE, Scope(venue.site), CodeChange(5), NOON)
    retire_pass(venue.session, COMMAND_LINE, Scope(), "day", NOON)
    entries = venue.session.scalars(select(AuditEntry).order_by(AuditEntry.id)).all()[before:]
    assert [one.action for one in entries] == [
        "pass changed", "preselected", "pass described", "code field changed", "pass retired",
    ]  # fmt: skip
    assert entries[0].detail == "day: position"
    assert entries[3].customer_id == venue.site.customer_id
