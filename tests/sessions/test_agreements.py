"""A device does not come back past a version it has not accepted, and acceptances are counted once their visits go."""

from datetime import date, timedelta

import pytest

from hotspot.audit import COMMAND_LINE
from hotspot.legal import Agreement, LegalKind, NewText, agreement_in_force, publish
from hotspot.place import Site
from sessions.agreements import accepted
from sessions.housekeeping import CLOSED_VISITS_LIVE
from tests.factories import a_mac
from tests.sessions.world import World
from vouchers.admission import Reason

PHONE = a_mac(1)
BOTH = (LegalKind.TERMS, LegalKind.PRICES)


@pytest.fixture
def agreement(world: World) -> Agreement:
    """Terms and prices in their first versions."""
    for kind in BOTH:
        publish_at(world, kind)
    return in_force(world)


def publish_at(world: World, kind: LegalKind, **after: float) -> None:
    with world.database.write() as session:
        valid_from = world.now + timedelta(**after)
        publish(session, COMMAND_LINE, kind, [NewText("en", "Be kind.")], valid_from, world.now)


def in_force(world: World) -> Agreement:
    with world.database.read() as session:
        return agreement_in_force(session, world.now)


def visit_by_ticket(world: World, agreement: Agreement) -> str:
    """A visit by the portal, which has stopped already; returns the voucher's code."""
    (code,) = world.vouchers(1)
    handle = world.ask(code, agreement=agreement)
    world.admit(world.ticket_login(handle, device=PHONE))
    leave(world, handle)
    return code


def leave(world: World, handle: str) -> None:
    world.start(handle, f"session-{handle}")
    world.stop(handle, 60, f"session-{handle}")


def counts(world: World) -> list[tuple[str, int, date, int]]:
    with world.database.read() as session:
        return [(one.kind, one.number, one.day, one.count) for one in accepted(session)]


def test_nothing_has_to_be_accepted_before_anything_is_published(world: World) -> None:
    publish_at(world, LegalKind.IMPRINT)
    publish_at(world, LegalKind.TERMS, days=1)
    assert in_force(world) == Agreement()
    assert in_force(world).name == ""
    visit_by_ticket(world, Agreement())
    world.get_in(PHONE.value, device=PHONE)


@pytest.mark.parametrize("kind", BOTH)
def test_a_device_does_not_come_back_past_a_version_it_has_not_accepted(
    world: World, agreement: Agreement, kind: LegalKind
) -> None:
    publish_at(world, kind, hours=1)
    code = visit_by_ticket(world, agreement)
    world.wait(minutes=59)
    leave(world, world.get_in(PHONE.value, device=PHONE))
    world.wait(minutes=1)
    assert world.reason(PHONE.value, device=PHONE) is Reason.TERMS_CHANGED

    handle = world.ask(code, agreement=agreement)
    world.admit(world.ticket_login(handle, device=PHONE))
    leave(world, handle)
    assert world.reason(PHONE.value, device=PHONE) is Reason.TERMS_CHANGED
    handle = world.ask(code, agreement=in_force(world))
    world.admit(world.ticket_login(handle, device=PHONE))
    leave(world, handle)
    world.get_in(PHONE.value, device=PHONE)


def test_a_version_that_is_still_to_come_asks_nobody(world: World, agreement: Agreement) -> None:
    publish_at(world, LegalKind.TERMS, days=3)
    publish_at(world, LegalKind.PRIVACY)
    visit_by_ticket(world, agreement)
    world.get_in(PHONE.value, device=PHONE)


def test_a_visit_that_runs_goes_on_under_what_was_accepted(world: World, agreement: Agreement) -> None:
    (code,) = world.vouchers(1)
    world.admit(world.ticket_login(world.ask(code, agreement=agreement), device=PHONE))
    publish_at(world, LegalKind.TERMS)
    handle = world.get_in(PHONE.value, device=PHONE)
    leave(world, handle)
    assert world.reason(PHONE.value, device=PHONE) is Reason.TERMS_CHANGED


def test_a_code_typed_at_the_gateways_own_page_accepts_what_is_in_force(world: World, agreement: Agreement) -> None:
    (code,) = world.vouchers(1)
    leave(world, world.get_in(code, device=PHONE))
    leave(world, world.get_in(PHONE.value, device=PHONE))
    publish_at(world, LegalKind.TERMS)
    assert world.reason(PHONE.value, device=PHONE) is Reason.TERMS_CHANGED
    leave(world, world.get_in(code, device=PHONE))
    world.get_in(PHONE.value, device=PHONE)


def test_acceptances_are_counted_by_version_and_day_while_visits_are_kept_and_after(
    world: World, agreement: Agreement
) -> None:
    monday = world.now.date()
    for _ in range(2):
        visit_by_ticket(world, agreement)
    publish_at(world, LegalKind.TERMS, hours=20)
    world.wait(hours=20)
    visit_by_ticket(world, in_force(world))
    world.ask(world.vouchers(1)[0], agreement=agreement)  # nobody ever comes with this ticket
    tuesday = monday + timedelta(days=1)
    expected = [
        ("prices", 1, monday, 2),
        ("prices", 1, tuesday, 1),
        ("terms", 1, monday, 2),
        ("terms", 2, tuesday, 1),
    ]
    assert counts(world) == expected
    world.wait(hours=5)
    world.keep_house()
    assert counts(world) == expected
    world.wait(seconds=CLOSED_VISITS_LIVE.total_seconds())
    world.keep_house()
    assert counts(world) == expected
    assert world.running() == 0


def test_a_site_in_privacy_mode_is_not_counted(world: World, agreement: Agreement) -> None:
    with world.database.write() as session:
        session.get_one(Site, world.place.site.id).privacy_mode = True
    visit_by_ticket(world, agreement)
    assert counts(world) == []
    world.wait(seconds=CLOSED_VISITS_LIVE.total_seconds() + 1)
    world.keep_house()
    assert counts(world) == []
