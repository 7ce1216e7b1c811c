"""Enrolment: what is taken, what is refused, and what the database itself does not let in."""

from dataclasses import replace
from datetime import time
from typing import Any

import pytest
from sqlalchemy import func, insert, select, update
from sqlalchemy.exc import IntegrityError

from hotspot.audit import COMMAND_LINE, AuditEntry
from hotspot.database import Database
from hotspot.enrolment import NewAccessPoint, NewSite, add_access_points, add_site, find_customer, find_site
from hotspot.errors import NotFound, Refusal, WrongUse
from hotspot.keys import Keyring
from hotspot.mac import Mac
from hotspot.nas import NewNas, add_nas
from hotspot.place import AccessPoint, Grain, Nas, Site, SiteKind
from tests import factories
from tests.conftest import NOON

SITE = NewSite(slug="markt", name="Gasthof am Markt", kind=SiteKind.SINGLE, ssid="Surf Pass")
NAS = NewNas(name="gateway", network="10.0.0.0/24", make="generic", secret="a RADIUS secret")


def test_a_customer_is_found_by_name_and_by_public_id(database: Database) -> None:
    with database.write() as session:
        customer = factories.a_customer(session, "Gasthof am Markt")
        assert find_customer(session, "Gasthof am Markt") is customer
        assert find_customer(session, customer.public_id) is customer
        with pytest.raises(NotFound):
            find_customer(session, "Gasthof")


@pytest.mark.parametrize(("name", "code"), [("Markt", "name-taken"), (" Markt ", "name-taken"), ("", "bad-name"),
                                            ("x" * 81, "bad-name"), ("two\nlines", "bad-name")])  # fmt: skip
def test_a_customer_that_cannot_be_is_refused(database: Database, name: str, code: str) -> None:
    with database.write() as session:
        factories.a_customer(session, "Markt")
        with pytest.raises(Refusal) as caught:
            factories.a_customer(session, name)
    assert caught.value.code == code


def test_a_site_takes_over_what_was_told(database: Database) -> None:
    new = replace(SITE, kind=SiteKind.SINGLE_FOREIGN, day_ends=time(3, 30), line="GFO-W0100", privacy_mode=True)
    with database.write() as session:
        add_site(session, COMMAND_LINE, factories.a_customer(session), new, NOON)
    with database.read() as session:
        site = find_site(session, "markt")
        assert (site.kind, site.slots, site.day_ends) == (SiteKind.SINGLE_FOREIGN, 1, time(3, 30))
        assert (site.line, site.privacy_mode, site.timezone) == ("GFO-W0100", True, "Europe/Berlin")
        assert [ssid.ssid for ssid in site.ssids] == ["Surf Pass"]


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ({"slug": "Markt"}, "bad-slug"),
        ({"slug": "-markt"}, "bad-slug"),
        ({"slug": "am/markt"}, "bad-slug"),
        ({"slug": "x" * 41}, "bad-slug"),
        ({"slug": "taken"}, "slug-taken"),
        ({"name": " "}, "bad-name"),
        ({"timezone": "Europe/Köln"}, "bad-timezone"),
        ({"timezone": "Europe"}, "bad-timezone"),
        ({"timezone": "../../etc/passwd"}, "bad-timezone"),
        ({"timezone": ""}, "bad-timezone"),
        ({"timezone": "x" * 5000}, "bad-timezone"),
        ({"ssid": ""}, "bad-ssid"),
        ({"ssid": "x" * 33}, "bad-ssid"),
        ({"ssid": "ü" * 17}, "bad-ssid"),
    ],
)
def test_a_site_that_cannot_be_is_refused(database: Database, change: dict[str, Any], code: str) -> None:
    with database.write() as session:
        customer = factories.a_customer(session)
        factories.a_site(session, slug="taken")
        with pytest.raises(Refusal) as caught:
            add_site(session, COMMAND_LINE, customer, replace(SITE, **change), NOON)
        assert session.scalar(select(func.count()).select_from(Site)) == 1
    assert caught.value.code == code


def test_an_unknown_site_is_not_found(database: Database) -> None:
    with database.read() as session, pytest.raises(NotFound):
        find_site(session, "markt")


@pytest.mark.parametrize(
    ("kind", "capacity"), [(SiteKind.SINGLE, 100), (SiteKind.MULTI, 250), (SiteKind.SINGLE_FOREIGN, 100)]
)
def test_an_access_point_takes_what_its_kind_of_site_takes(database: Database, kind: SiteKind, capacity: int) -> None:
    with database.write() as session:
        assert factories.an_access_point(session, factories.a_site(session, kind)).capacity == capacity
        assert factories.an_access_point(session, factories.a_site(session, kind), capacity=7).capacity == 7


@pytest.mark.parametrize("kind", list(SiteKind))
def test_a_site_has_as_many_access_points_as_its_kind_allows(database: Database, kind: SiteKind) -> None:
    with database.write() as session:
        site = factories.a_site(session, kind)
        full = [NewAccessPoint(f"AP {n}", (factories.a_mac(),)) for n in range(kind.slots)]
        add_access_points(session, COMMAND_LINE, site, full, NOON)
        with pytest.raises(Refusal) as caught:
            factories.an_access_point(session, site)
    assert caught.value.code == "too-many-access-points"


def test_a_retired_access_point_makes_room(database: Database) -> None:
    with database.write() as session:
        site = factories.a_site(session)
        factories.an_access_point(session, site).retired_at = NOON
        session.flush()
        assert factories.an_access_point(session, site).slot == 1


@pytest.mark.parametrize("kind", list(SiteKind))
@pytest.mark.parametrize("slots", [None, 1, 250, 1000])
def test_the_database_itself_holds_a_site_to_its_access_points(
    database: Database, kind: SiteKind, slots: int | None
) -> None:
    """Whatever slot and whatever copy of the site's slots a raw INSERT gives: one too many does not get in."""
    with database.write() as session:
        site = factories.a_site(session, kind)
        points = [NewAccessPoint(f"AP {n}", (factories.a_mac(),)) for n in range(kind.slots)]
        add_access_points(session, COMMAND_LINE, site, points, NOON)
        site_id = site.id
    row = {"site_id": site_id, "slots": slots or kind.slots, "name": "one too many", "capacity": 1,
           "capacity_is_soft": False, "outdoor": False, "created_at": NOON}  # fmt: skip
    for number, slot in enumerate((0, 1, kind.slots, kind.slots + 1)):
        statement = insert(AccessPoint).values(slot=slot, public_id=f"raw{number}", **row)
        with database.read() as session, pytest.raises(IntegrityError):
            session.execute(statement)


def test_the_database_itself_holds_a_site_to_the_slots_of_its_kind(database: Database) -> None:
    with database.write() as session:
        factories.an_access_point(session, factories.a_site(session))
    for change in ({"slots": 250}, {"kind": SiteKind.MULTI}, {"slots": 250, "kind": SiteKind.MULTI}):
        with database.read() as session, pytest.raises(IntegrityError):
            session.execute(update(Site).values(**change))


@pytest.mark.parametrize(
    ("new", "code"),
    [
        (NewAccessPoint("AP", ()), "no-radio"),
        (NewAccessPoint("AP", (Mac("02-00-00-00-00-01"),)), "mac-taken"),
        (NewAccessPoint("AP", (Mac("02-00-00-00-00-09"), Mac("02-00-00-00-00-09"))), "mac-taken"),
        (NewAccessPoint("AP", (), nas_identifier="taken"), "identifier-taken"),
        (NewAccessPoint("", (), nas_identifier="new"), "bad-name"),
        (NewAccessPoint("AP", (), nas_identifier="new", capacity=0), "bad-capacity"),
        (NewAccessPoint("AP", (), nas_identifier="new", capacity=10_001), "bad-capacity"),
    ],
)
def test_an_access_point_that_cannot_be_is_refused_with_all_beside_it(
    database: Database, new: NewAccessPoint, code: str
) -> None:
    with database.write() as session:
        factories.an_access_point(
            session, factories.a_site(session), macs=(Mac("02-00-00-00-00-01"),), nas_identifier="taken"
        )
        site = factories.a_site(session, SiteKind.MULTI)
        good = NewAccessPoint("good", (factories.a_mac(),))
        with pytest.raises(Refusal) as caught:
            add_access_points(session, COMMAND_LINE, site, [good, new], NOON)
        assert session.scalar(select(func.count()).select_from(AccessPoint)) == 1
    assert caught.value.code == code


def test_a_nas_is_stored_with_its_secrets_encrypted(database: Database, keyring: Keyring) -> None:
    with database.write() as session:
        add_nas(session, COMMAND_LINE, keyring, replace(NAS, uam_secret="chilli secret"), None, NOON)
    with database.read() as session:
        nas = session.scalars(select(Nas)).one()
        assert b"RADIUS" not in nas.secret
        assert nas.uam_secret
        assert b"chilli" not in nas.uam_secret
        assert (nas.coa_port, nas.grain, nas.logins) == (3799, Grain.ACCESS_POINT, ["ticket"])


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ({"network": "10.0.0.1/24"}, "bad-network"),
        ({"network": "gateway"}, "bad-network"),
        ({"secret": "short"}, "bad-secret"),
        ({"secret": "x" * 129}, "bad-secret"),
        ({"grain": Grain.SITE}, "ambiguous-site"),
        ({"name": "taken"}, "name-taken"),
        ({"name": " taken "}, "name-taken"),
        ({"name": ""}, "bad-name"),
        # Another NAS has this network: the two must differ in identifier and share the secret (RFC 2865 §3).
        ({"network": "10.1.0.0/24", "nas_identifier": None}, "nas-indistinct"),
        ({"network": "10.1.0.0/24", "nas_identifier": "first"}, "nas-indistinct"),
        ({"network": "10.1.0.0/24", "nas_identifier": "second", "secret": "another secret"}, "nas-secret-differs"),
    ],
)
def test_a_nas_that_cannot_be_told_apart_is_refused(
    database: Database, keyring: Keyring, change: dict[str, Any], code: str
) -> None:
    with database.write() as session:
        factories.a_nas(session, keyring, name="taken", network="10.1.0.0/24", nas_identifier="first")
        with pytest.raises(Refusal) as caught:
            add_nas(session, COMMAND_LINE, keyring, replace(NAS, **change), None, NOON)
        assert session.scalar(select(func.count()).select_from(Nas)) == 1
    assert caught.value.code == code


def test_a_gateway_address_is_kept_as_portals_compare_it(database: Database, keyring: Keyring) -> None:
    with database.write() as session:
        new = replace(NAS, gateway_addresses=("10.1.0.1:03990", "WLC.example", "2001:DB8::0:1", "[2001:db8::1]:80"))
        added = add_nas(session, COMMAND_LINE, keyring, new, None, NOON)
        assert added.gateway_addresses == ["10.1.0.1:3990", "wlc.example", "[2001:db8::1]", "[2001:db8::1]:80"]
    with database.write() as session, pytest.raises(WrongUse):
        add_nas(session, COMMAND_LINE, keyring, replace(NAS, gateway_addresses=("http://10.1.0.1",)), None, NOON)


def test_a_second_nas_of_a_network_is_taken_with_an_identifier_of_its_own(database: Database, keyring: Keyring) -> None:
    with database.write() as session:
        for name in ("first", "second"):
            add_nas(session, COMMAND_LINE, keyring, replace(NAS, name=name, nas_identifier=name), None, NOON)
        assert session.scalar(select(func.count()).select_from(Nas)) == 2


def test_every_enrolment_is_in_the_audit_record(database: Database, keyring: Keyring) -> None:
    with database.write() as session:
        place = factories.a_place(session, keyring)
        entries = session.scalars(select(AuditEntry).order_by(AuditEntry.id)).all()
        customer_id = place.customer.id
    assert [(one.action, one.customer_id) for one in entries[:3]] == [
        ("customer added", customer_id),
        ("site added", customer_id),
        ("access point added", customer_id),
    ]
    assert [one.action for one in entries[3:]] == ["NAS added", "pass added"]


@pytest.mark.parametrize("text", ["00-00-00-00-00-00", "FF-FF-FF-FF-FF-FF", "01-00-5E-00-00-01"])
def test_an_address_that_no_device_has_is_no_radio(database: Database, keyring: Keyring, text: str) -> None:
    with database.write() as session:
        site = factories.a_site(session)
        with pytest.raises(WrongUse, match=text):
            add_access_points(session, COMMAND_LINE, site, [NewAccessPoint("Saal", (Mac.parse(text),))], NOON)


def test_two_access_points_of_a_site_do_not_share_a_name(database: Database, keyring: Keyring) -> None:
    with database.write() as session:
        site = factories.a_site(session, kind=SiteKind.MULTI)
        new = [NewAccessPoint("Saal", (), nas_identifier=str(number)) for number in range(2)]
        with pytest.raises(Refusal, match="Saal"):
            add_access_points(session, COMMAND_LINE, site, new, NOON)
        add_access_points(session, COMMAND_LINE, site, new[:1], NOON)
        with pytest.raises(Refusal, match="Saal"):
            add_access_points(session, COMMAND_LINE, site, new[1:], NOON)
