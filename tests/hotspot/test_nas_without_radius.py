"""openNDS is enrolled as a NAS that speaks no RADIUS: known by its name, proved by its key."""

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from hotspot.audit import COMMAND_LINE
from hotspot.database import Database
from hotspot.directory import load_directory
from hotspot.errors import Refusal
from hotspot.keys import Keyring
from hotspot.nas import NewNas, add_nas
from hotspot.nas_changes import NasChange, change_nas, change_secret, find_nas
from hotspot.place import LoginWay
from tests import factories
from tests.conftest import NOON
from tests.factories import EARLIER

NEW = NewNas(
    name="Gateway",
    network="203.0.113.7/32",
    make="opennds",
    uam_secret="Zq3vT8mK1xW6pL0d",
    gateway_addresses=("10.77.0.1:2050",),
    nas_identifier="markt-gateway",
)


def add(database: Database, keyring: Keyring, new: NewNas, *, with_site: bool = True) -> None:
    with database.write() as session:
        site = factories.a_site(session) if with_site else None
        add_nas(session, COMMAND_LINE, keyring, new, site, EARLIER)


def test_it_has_a_radius_secret_that_nobody_knows_and_is_no_radius_client(database: Database, keyring: Keyring) -> None:
    add(database, keyring, NEW)
    with database.read() as session:
        snapshot = load_directory(session, keyring)
    (nas,) = snapshot.nas
    assert len(nas.secret) >= 32
    assert snapshot.clients_at(nas.network.network_address) == ()


@pytest.mark.parametrize(
    ("changed", "code"),
    [
        ({"secret": "a RADIUS secret"}, "no-radius"),
        ({"uam_secret": None}, "bad-fas-key"),
        ({"uam_secret": "short"}, "bad-fas-key"),
        ({"uam_secret": "sixteen or more, with spaces"}, "bad-fas-key"),
        ({"nas_identifier": None}, "incomplete-nas"),
        ({"gateway_addresses": ()}, "incomplete-nas"),
        ({"logins": (LoginWay.TICKET, LoginWay.MAC)}, "no-radius"),
        ({"make": "generic"}, "no-secret"),
    ],
)
def test_what_could_not_work_is_refused(
    database: Database, keyring: Keyring, changed: dict[str, Any], code: str
) -> None:
    with pytest.raises(Refusal) as refused:
        add(database, keyring, replace(NEW, **changed))
    assert refused.value.code == code


def test_it_serves_one_site_and_has_a_name_of_its_own(database: Database, keyring: Keyring) -> None:
    with pytest.raises(Refusal) as refused:
        add(database, keyring, NEW, with_site=False)
    assert refused.value.code == "incomplete-nas"
    add(database, keyring, NEW)
    with pytest.raises(Refusal) as refused:
        add(database, keyring, replace(NEW, name="Another", network="203.0.113.8/32", make="opennds-level1"))
    assert refused.value.code == "identifier-taken"


def test_radius_clients_and_opennds_may_come_from_one_address(database: Database, keyring: Keyring) -> None:
    add(database, keyring, NEW)
    radius = NewNas(name="AP", network=NEW.network, make="generic", secret="a RADIUS secret")
    add(database, keyring, radius)
    with database.read() as session:
        snapshot = load_directory(session, keyring)
    assert [nas.name for nas in snapshot.clients_at(snapshot.nas[0].network.network_address)] == ["AP"]
    with database.write() as session, pytest.raises(Refusal):
        change_secret(session, COMMAND_LINE, keyring, find_nas(session, "Gateway"), "new secret", timedelta(7), NOON)
    with database.write() as session, pytest.raises(Refusal):
        change_nas(session, COMMAND_LINE, find_nas(session, "Gateway"), NasChange(logins=(LoginWay.MAC,)), NOON)
