"""The doors' snapshot of the place: renewed when it has changed, and asked anew when a moment has passed."""

import time
from datetime import datetime, timedelta

import pytest
from sqlalchemy import select, text

from hotspot.clock import utc_now
from hotspot.database import Database
from hotspot.directory import Located, NasRecord, WrongSsid
from hotspot.keys import Keyring
from hotspot.place import SiteSsid, announce_change
from radius.packet import Packet, parse
from radius.place import LOOK_EVERY_SECONDS, Place
from radius.turn import Dismissed, Turn
from tests.radius import wire
from tests.radius.pop import SECRET, lay_out, login_attributes


@pytest.fixture
def place(database: Database, keyring: Keyring) -> Place:
    """The place of the tests."""
    lay_out(database, keyring, utc_now())
    return Place(database, keyring)


def a_packet() -> Packet:
    attributes = login_attributes("code", "0A-00-00-00-00-01")
    return parse(wire.access_request(attributes, SECRET.encode()).octets, (1,))


def only_nas(place: Place) -> NasRecord:
    [nas] = place.directory.nas
    return nas


def end_ssid(database: Database, moment: datetime) -> None:
    with database.write() as session:
        session.scalars(select(SiteSsid)).one().valid_until = moment
        announce_change(session)


def test_a_change_is_seen_at_the_next_look_and_not_before_it_is_due(place: Place, database: Database) -> None:
    now = time.monotonic()
    place.renew(Turn(), now)
    before = place.directory
    end_ssid(database, utc_now())
    place.renew(Turn(), now + LOOK_EVERY_SECONDS / 2)
    assert place.directory is before
    place.renew(Turn(), now + LOOK_EVERY_SECONDS * 2)
    assert place.directory is not before


def test_what_was_true_of_one_moment_is_not_taken_for_another(place: Place, database: Database) -> None:
    end = utc_now() + timedelta(minutes=5)
    end_ssid(database, end)
    place.renew(Turn(), time.monotonic())
    for offset in (-1, 2, -60, 0, -0.1, 600, -600):
        found = place.locate(only_nas(place), a_packet(), end + timedelta(seconds=offset))
        assert isinstance(found, Located if offset < 0 else WrongSsid), offset


def test_a_change_holds_at_once_for_who_has_asked_before(place: Place, database: Database) -> None:
    now = utc_now()
    assert isinstance(place.locate(only_nas(place), a_packet(), now), Located)
    end_ssid(database, now - timedelta(hours=1))
    place.renew(Turn(), time.monotonic())
    assert isinstance(place.locate(only_nas(place), a_packet(), now), WrongSsid)


def test_a_row_that_cannot_be_read_keeps_the_old_snapshot(place: Place, database: Database) -> None:
    before = place.directory
    with database.write() as session:
        session.execute(text("UPDATE nas SET network = 'no network'"))
        announce_change(session)
    place.renew(Turn(), time.monotonic())
    assert place.directory is before


def test_a_thread_that_was_dismissed_reads_no_snapshot(place: Place, database: Database) -> None:
    before, turn = place.directory, Turn()
    end_ssid(database, utc_now())
    turn.begin([])
    time.sleep(0.01)
    assert turn.dismiss_if_stuck(0.001) == []
    with pytest.raises(Dismissed):
        place.renew(turn, time.monotonic())
    assert place.directory is before
