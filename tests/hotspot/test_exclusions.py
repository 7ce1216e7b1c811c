"""Excluded devices: where and until when an exclusion holds, and that nothing clear is stored."""

from datetime import timedelta

import pytest
from sqlalchemy import select

from hotspot.audit import COMMAND_LINE
from hotspot.database import Database
from hotspot.errors import NotFound, WrongUse
from hotspot.exclusions import (
    ExcludedDevice,
    Exclusion,
    NewExclusion,
    exclude,
    exclusions_in_force,
    forget_ended,
    readmit,
)
from hotspot.keys import Keyring
from hotspot.mac import Mac
from sessions.visit import hash_device
from tests.conftest import NOON
from tests.factories import a_mac, a_site, directory

DAY = timedelta(days=1)


def test_an_exclusion_holds_where_and_until_when_it_says(database: Database, keyring: Keyring) -> None:
    mac = a_mac()
    device = hash_device(keyring, mac)
    with database.write() as session:
        here = a_site(session)
        sister, foreign = a_site(session, customer=here.customer), a_site(session)
        scopes = [
            (NewExclusion(site=here, until=NOON + DAY), {here.id}),
            (NewExclusion(customer=here.customer, until=NOON + DAY), {here.id, sister.id}),
            (NewExclusion(until=NOON + DAY), {here.id, sister.id, foreign.id}),
        ]
        for new, expected in scopes:
            exclude(session, COMMAND_LINE, keyring, mac, new, NOON)
            sites = directory(session, keyring).sites.values()
            assert {site.id for site in sites if site.exclusion(device, NOON)} == expected
            assert not any(site.exclusion(device, NOON + DAY) for site in sites)
            assert not any(site.exclusion(hash_device(keyring, a_mac()), NOON) for site in sites)
            readmit(session, COMMAND_LINE, keyring, mac, NOON)
        assert not any(site.exclusions for site in directory(session, keyring).sites.values())


def test_of_several_exclusions_the_longest_counts(database: Database, keyring: Keyring) -> None:
    mac = a_mac()
    with database.write() as session:
        site = a_site(session)
        for until in (NOON + 2 * DAY, None, NOON + DAY):
            exclude(session, COMMAND_LINE, keyring, mac, NewExclusion(site=site, until=until), NOON)
        snapshot = directory(session, keyring)
        assert snapshot.sites[site.id].exclusion(hash_device(keyring, mac), NOON + 9 * DAY) == Exclusion(None)
        assert snapshot.excluded_devices == {hash_device(keyring, mac)}


def test_what_is_over_is_forgotten_and_no_mac_is_stored(database: Database, keyring: Keyring) -> None:
    mac = a_mac()
    with database.write() as session:
        for until in (NOON + DAY, NOON + 2 * DAY):
            exclude(session, COMMAND_LINE, keyring, mac, NewExclusion(until=until, note="spam"), NOON)
        row = session.execute(select(ExcludedDevice.__table__)).first()
        assert mac.value not in str(row)
        assert [one.until for one in exclusions_in_force(session, NOON + DAY)] == [NOON + 2 * DAY]
        forget_ended(session, NOON + DAY)
        assert session.scalars(select(ExcludedDevice.until)).all() == [NOON + 2 * DAY]


def test_one_of_several_is_taken_back_by_its_id(database: Database, keyring: Keyring) -> None:
    with database.write() as session:
        first, _second = (exclude(session, COMMAND_LINE, keyring, a_mac(1), NewExclusion(), NOON) for _ in range(2))
        assert readmit(session, COMMAND_LINE, keyring, first.public_id, NOON) == 1
        assert readmit(session, COMMAND_LINE, keyring, a_mac(1), NOON) == 1
        with pytest.raises(NotFound):
            readmit(session, COMMAND_LINE, keyring, a_mac(1), NOON)


def test_what_cannot_be_excluded_is_refused(database: Database, keyring: Keyring) -> None:
    with database.write() as session:
        site = a_site(session)
        for mac, new, code in (
            (Mac.parse("ff-ff-ff-ff-ff-ff"), NewExclusion(), "bad-mac"),
            (a_mac(), NewExclusion(site=site, customer=site.customer), "two-scopes"),
            (a_mac(), NewExclusion(until=NOON), "past"),
        ):
            with pytest.raises(WrongUse) as caught:
                exclude(session, COMMAND_LINE, keyring, mac, new, NOON)
            assert caught.value.code == code
