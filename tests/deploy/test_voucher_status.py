"""How a voucher is shown to stand, at a table of instants."""

from datetime import timedelta

import pytest
from sqlalchemy.orm import Session

from hotspot.database import Database
from hotspot.keys import Keyring
from hotspot.place import LoginWay
from sessions.status import voucher_status, voucher_statuses
from sessions.visit import Leg, Visit, VisitState
from tests.conftest import NOON
from tests.factories import Place, a_pass, a_place, directory, some_vouchers
from vouchers.passes import Clock
from vouchers.voucher import Voucher, VoucherState


def visited(session: Session, place: Place, voucher: Voucher, minutes: int, octets: int, state: VisitState) -> None:
    """Put a visit on a voucher, which began at noon and used so much."""
    visit = Visit(
        site_id=place.site.id,
        nas_id=place.nas.id,
        pass_id=place.article.id,
        voucher_id=voucher.id,
        way=LoginWay.TICKET,
        state=state,
        device=f"device {minutes}".encode(),
        asked_at=NOON,
        reserved_at=NOON,
        opened_at=NOON,
        closed_at=NOON + timedelta(minutes=minutes) if state is VisitState.CLOSED else None,
    )
    session.add(visit)
    session.flush()
    stopped = NOON + timedelta(minutes=minutes)
    leg = Leg(
        visit_id=visit.id, nas_id=place.nas.id, session=b"session", ordinal=0, started_at=NOON, last_heard_at=NOON
    )
    leg.stopped_at, leg.seconds, leg.octets_from_guest, leg.octets_to_guest = stopped, minutes * 60, 0, octets
    session.add(leg)
    session.flush()


def test_a_voucher_goes_from_unused_through_in_use_to_over(database: Database, keyring: Keyring) -> None:
    with database.write() as session:
        place = a_place(session, keyring, article=a_pass(session, minutes=60, megabytes=1))
        voucher = some_vouchers(session, keyring, place.site, place.article)[0].voucher
        snapshot = directory(session, keyring)

        unused = voucher_status(session, snapshot, voucher, NOON)
        assert (unused.state, unused.seconds_left, unused.octets_left) == (VoucherState.UNUSED, 3600, 1_000_000)

        voucher.first_used_at, voucher.ends_at = NOON, NOON + timedelta(hours=1)
        visited(session, place, voucher, 10, 400_000, VisitState.OPEN)
        later = NOON + timedelta(minutes=15)
        in_use = voucher_status(session, snapshot, voucher, later)
        assert (in_use.state, in_use.seconds_left, in_use.octets_left) == (VoucherState.IN_USE, 45 * 60, 600_000)
        assert (in_use.seconds_used, in_use.octets_used, in_use.devices) == (600, 400_000, 1)

        last_second = voucher_status(session, snapshot, voucher, NOON + timedelta(seconds=3599))
        assert (last_second.state, last_second.seconds_left) == (VoucherState.IN_USE, 1)
        over = voucher_status(session, snapshot, voucher, NOON + timedelta(hours=1))
        assert (over.state, over.seconds_left, over.octets_left) == (VoucherState.OVER, 0, 0)

        visited(session, place, voucher, 11, 600_000, VisitState.CLOSED)
        assert voucher_status(session, snapshot, voucher, later).state is VoucherState.OVER

        voucher.revoked_at = later
        assert voucher_status(session, snapshot, voucher, later).state is VoucherState.REVOKED


def test_a_voucher_never_used_is_over_after_its_time(database: Database, keyring: Keyring) -> None:
    with database.write() as session:
        place = a_place(session, keyring)
        voucher = some_vouchers(session, keyring, place.site, place.article)[0].voucher
        status = voucher_status(session, directory(session, keyring), voucher, voucher.good_until)
    assert (status.state, status.seconds_left) == (VoucherState.OVER, 0)


@pytest.mark.parametrize(("minutes", "left"), [(10, 50 * 60), (60, 0)])
def test_minutes_online_run_only_while_online(database: Database, keyring: Keyring, minutes: int, left: int) -> None:
    with database.write() as session:
        place = a_place(session, keyring, article=a_pass(session, Clock.ONLINE, minutes=60))
        voucher = some_vouchers(session, keyring, place.site, place.article)[0].voucher
        voucher.first_used_at = NOON
        visited(session, place, voucher, minutes, 0, VisitState.CLOSED)
        status = voucher_status(session, directory(session, keyring), voucher, NOON + timedelta(days=3))
    assert (status.seconds_left, status.devices) == (left, 0)


def test_many_vouchers_are_asked_after_at_once(database: Database, keyring: Keyring) -> None:
    with database.write() as session:
        place = a_place(session, keyring)
        issued = some_vouchers(session, keyring, place.site, place.article, 3)
        vouchers = [one.voucher for one in issued]
        visited(session, place, vouchers[1], 5, 7, VisitState.CLOSED)
        found = voucher_statuses(session, directory(session, keyring), vouchers, NOON)
    assert [found[voucher.id].octets_used for voucher in vouchers] == [0, 7, 0]
