"""Who is shut out whatever the voucher: outside the opening hours, and a device that the operator has excluded."""

from datetime import time, timedelta

from sqlalchemy import select

from hotspot.audit import COMMAND_LINE
from hotspot.exclusions import ExcludedDevice, NewExclusion, exclude
from hotspot.opening import Span, set_week
from hotspot.place import Site
from sessions.admit import Admitted
from sessions.visit import CloseCause
from tests.conftest import NOON
from tests.factories import a_mac
from tests.sessions.world import World
from vouchers.admission import Reason, Refused


def test_visits_end_when_their_site_closes_and_the_accept_has_said_so(world: World) -> None:
    code, left_over = world.vouchers(2)
    with world.database.write() as session:
        site = session.get_one(Site, world.place.site.id)
        set_week(session, COMMAND_LINE, site, dict.fromkeys(range(7), (Span(time(8), time(15)),)), world.now)
    world.reload()
    outcome = world.enter(code, device=a_mac(1))
    assert isinstance(outcome, Admitted)
    assert outcome.granted.seconds_left == 3600
    world.start(outcome.handle)
    world.wait(minutes=59)
    assert world.keep_house().over == 0
    world.wait(minutes=1)
    assert world.keep_house().over == 1
    assert world.outbox() == [(outcome.handle, CloseCause.OVER)]
    noted = Refused.read(world.visit(outcome.handle).refusal or "")
    assert noted
    assert noted.reason is Reason.CLOSED
    assert world.reason(left_over) is Reason.CLOSED
    assert world.stored(code).ends_at == outcome.granted.ends_at


def test_the_visits_of_a_device_end_once_it_is_excluded_and_no_way_leads_back(world: World) -> None:
    code, other = world.vouchers(2)
    handle, stays = world.go_online(code, device=a_mac(1)), world.go_online(other, device=a_mac(2))
    with world.database.write() as session:
        exclude(session, COMMAND_LINE, world.keyring, a_mac(1), NewExclusion(until=NOON + timedelta(hours=1)), NOON)
    world.reload()
    assert world.keep_house().over == 1
    assert world.outbox() == [(handle, CloseCause.OVER)]
    assert world.visit(handle).refusal == Refused(Reason.EXCLUDED, moment=NOON + timedelta(hours=1)).note
    assert world.visit(stays).runs
    assert world.visit(stays).refusal is None
    assert world.reason(code, device=a_mac(1)) is Reason.EXCLUDED
    assert world.reason(a_mac(1).value, device=a_mac(1)) is Reason.EXCLUDED
    world.wait(hours=1)
    world.get_in(code, device=a_mac(1))
    world.keep_house()
    with world.database.read() as session:
        assert session.scalars(select(ExcludedDevice)).all() == []
