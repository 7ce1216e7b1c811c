"""Passes: what cannot be kept is refused, and which are offered where."""

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from hotspot.audit import COMMAND_LINE
from hotspot.database import Database
from hotspot.errors import NotFound, Refusal
from hotspot.keys import Keyring
from tests import factories
from tests.conftest import NOON
from vouchers.pass_changes import NewPass, Scope, add_pass, change_pass, find_in_scope, retire_pass
from vouchers.passes import Clock, Terms, find_pass, passes_at
from vouchers.voucher import Voucher


def test_a_pass_keeps_its_terms(database: Database) -> None:
    terms = Terms(Clock.UNTIL, 90, NOON, 500, 10_000, 2_000, 3, True)
    new = NewPass("festival", " Festival ", terms, good_days=10, return_days=3, price_cents=490, currency="CHF")
    with database.write() as session:
        public_id = add_pass(
            session, COMMAND_LINE, new, site=None, customer=None, now=NOON - timedelta(days=1)
        ).public_id
    with database.read() as session:
        site = factories.a_site(session)
        stored = find_pass(session, site, "festival")
        assert stored.public_id == public_id
        assert stored.terms == terms
        assert (stored.name, stored.price_cents, stored.currency) == ("Festival", 490, "CHF")


@pytest.mark.parametrize(
    ("terms", "told", "code"),
    [
        (Terms(Clock.FIRST_USE), {}, "no-minutes"),
        (Terms(Clock.ONLINE), {}, "no-minutes"),
        (Terms(Clock.UNTIL), {}, "bad-until"),
        (Terms(Clock.END_OF_DAY, until=NOON + timedelta(days=1)), {}, "bad-until"),
        (Terms(Clock.UNTIL, until=NOON), {}, "until-past"),
        (Terms(Clock.FIRST_USE, minutes=0), {}, "out-of-range"),
        (Terms(Clock.FIRST_USE, minutes=5_256_001), {}, "out-of-range"),
        (Terms(Clock.END_OF_DAY, megabytes=0), {}, "out-of-range"),
        (Terms(Clock.END_OF_DAY, down_kbit=7), {}, "out-of-range"),
        (Terms(Clock.END_OF_DAY, up_kbit=4_000_001), {}, "out-of-range"),
        (Terms(Clock.END_OF_DAY, devices=0), {}, "out-of-range"),
        (Terms(Clock.END_OF_DAY), {"good_days": -1}, "bad-days"),
        (Terms(Clock.END_OF_DAY), {"tax_basis_points": 10_001}, "bad-tax"),
        (Terms(Clock.END_OF_DAY), {"return_days": 15}, "bad-days"),
        (Terms(Clock.END_OF_DAY), {"price_cents": -1}, "bad-price"),
        (Terms(Clock.END_OF_DAY, free=True), {"price_cents": 1}, "free-has-price"),
        (Terms(Clock.END_OF_DAY, free=True, devices=2), {}, "free-devices"),
        (Terms(Clock.END_OF_DAY), {"always": True}, "always-not-free"),
        (Terms(Clock.END_OF_DAY), {"position": 10_000}, "bad-position"),
        (Terms(Clock.END_OF_DAY), {"slug": "Tag"}, "bad-slug"),
        (Terms(Clock.END_OF_DAY), {"name": " "}, "bad-name"),
    ],
)
def test_terms_that_cannot_be_kept_are_refused(
    database: Database, terms: Terms, told: dict[str, Any], code: str
) -> None:
    new = replace(NewPass("day", "Day", terms), **told)
    with database.write() as session, pytest.raises(Refusal) as caught:
        add_pass(session, COMMAND_LINE, new, site=None, customer=None, now=NOON)
    assert caught.value.code == code


def test_a_slug_is_taken_within_its_scope_only(database: Database) -> None:
    with database.write() as session:
        site = factories.a_site(session)
        other = factories.a_site(session)
        for scope in ({}, {"site": site}, {"site": other}, {"customer": site.customer}):
            factories.a_pass(session, slug="day", **scope)
            with pytest.raises(Refusal) as caught:
                factories.a_pass(session, slug="day", **scope)
            assert caught.value.code == "slug-taken"
        with pytest.raises(Refusal) as caught:
            factories.a_pass(session, slug="both", site=site, customer=site.customer)
        assert caught.value.code == "two-scopes"


def test_a_sites_own_pass_hides_a_wider_one_with_its_slug(database: Database) -> None:
    with database.write() as session:
        site, colleague, stranger = (factories.a_site(session) for _ in range(3))
        colleague.customer_id = site.customer_id
        everywhere = factories.a_pass(session, slug="day", price_cents=300)
        customers = factories.a_pass(session, slug="day", customer=site.customer, price_cents=200)
        own = factories.a_pass(session, slug="day", site=site, price_cents=100)
        assert find_pass(session, site, "day") is own
        assert find_pass(session, colleague, "day") is customers
        assert find_pass(session, stranger, "day") is everywhere


def test_passes_are_offered_free_ones_first_then_by_price(database: Database) -> None:
    with database.write() as session:
        site = factories.a_site(session)
        for slug, price, free in (("dear", 900, False), ("free", 0, True), ("cheap", 100, False), ("gift", 0, False)):
            factories.a_pass(session, slug=slug, price_cents=price, free=free)
        factories.a_pass(session, slug="elsewhere", site=factories.a_site(session))
        factories.a_pass(session, slug="retired").retired_at = NOON
        offered = [one.slug for one in passes_at(session, site.id, site.customer_id)]
        assert offered == ["free", "gift", "cheap", "dear"]
        for slug in ("elsewhere", "retired"):
            with pytest.raises(NotFound):
                find_pass(session, site, slug)


def test_a_pass_changes_and_vouchers_that_were_issued_do_not(database: Database, keyring: Keyring) -> None:
    with database.write() as session:
        site = factories.a_site(session)
        article = factories.a_pass(session, slug="day", site=site, price_cents=490, megabytes=500)
        (issued,) = factories.some_vouchers(session, keyring, site, article)
        before = issued.voucher.copied_terms()
        changes = {"price_cents": 550, "megabytes": None, "devices": 2, "name": " Day and night "}
        assert change_pass(session, COMMAND_LINE, Scope(site), "day", changes, NOON) is article
        (newer,) = factories.some_vouchers(session, keyring, site, article)
    with database.read() as session:
        assert session.get_one(Voucher, issued.voucher.id).copied_terms() == before
        terms = session.get_one(Voucher, newer.voucher.id)
        assert (terms.price_cents, terms.megabytes, terms.devices, terms.name) == (550, None, 2, "Day and night")
        assert terms.minutes == before["minutes"]


@pytest.mark.parametrize(
    ("changes", "code"),
    [({"minutes": None}, "no-minutes"), ({"free": True}, "free-is-fixed"), ({"price_cents": -1}, "bad-price")],
)
def test_a_pass_cannot_be_changed_into_one_that_cannot_be_kept(
    database: Database, changes: dict[str, Any], code: str
) -> None:
    with database.write() as session:
        factories.a_pass(session, slug="day")
        with pytest.raises(Refusal) as caught:
            change_pass(session, COMMAND_LINE, Scope(), "day", changes, NOON)
    assert caught.value.code == code


def test_a_retired_pass_is_offered_no_more_and_frees_its_slug(database: Database) -> None:
    with database.write() as session:
        site = factories.a_site(session)
        factories.a_pass(session, slug="day", site=site)
        wider = factories.a_pass(session, slug="day")
        retire_pass(session, COMMAND_LINE, Scope(site), "day", NOON)
        assert find_pass(session, site, "day") is wider
        with pytest.raises(NotFound):
            find_in_scope(session, Scope(site), "day")
        assert find_in_scope(session, Scope(site), factories.a_pass(session, slug="day", site=site).slug)
