"""Where a request comes from: the NAS by its address, the place by what the request names (decision 5)."""

import ipaddress
from dataclasses import dataclass
from datetime import timedelta

import pytest
from sqlalchemy import event

from hotspot.database import Database
from hotspot.directory import Directory, Located, NasRecord, WrongSsid, current_revision
from hotspot.keys import Keyring
from hotspot.mac import Mac
from hotspot.place import Grain, MessageAuthenticatorPolicy, SiteKind, SiteSsid
from tests import factories
from tests.conftest import NOON

LOBBY, GARDEN, OTHER = (Mac(f"02-00-00-00-00-0{n}") for n in (1, 2, 3))
UNKNOWN = "02-00-00-00-00-FF"


@dataclass(frozen=True)
class World:
    """A Multi site `markt` with lobby and garden, a Single site `post`, and NAS of every kind."""

    directory: Directory
    nas: dict[str, NasRecord]

    def locate(self, nas: str, called: str | None, identifier: str | None) -> str:
        """What a request is located as, in words: `site/access point`, `site/-`, `wrong SSID` or `nowhere`."""
        found = self.directory.locate(self.nas[nas], called, (identifier,) if identifier else (), NOON)
        if isinstance(found, Located):
            return f"{found.site.slug}/{found.access_point.name if found.access_point else '-'}"
        return "wrong SSID" if isinstance(found, WrongSsid) else "nowhere"


@pytest.fixture
def world(database: Database, keyring: Keyring) -> World:
    with database.write() as session:
        markt = factories.a_site(session, SiteKind.MULTI, slug="markt", ssid="Markt")
        post = factories.a_site(session, slug="post", ssid="Post")
        for site, name, mac in ((markt, "lobby", LOBBY), (markt, "garden", GARDEN), (post, "counter", OTHER)):
            point = factories.an_access_point(session, site, macs=(mac,), nas_identifier=f"{name}-ap")
            point.name = name
        for ssid, days in (("Old name", 1), ("Very old name", 0)):
            session.add(SiteSsid(site_id=markt.id, ssid=ssid, valid_until=NOON + timedelta(days=days)))
        for name, bound, grain in (
            ("free", None, Grain.ACCESS_POINT),
            ("of markt", markt, Grain.ACCESS_POINT),
            ("of post", post, Grain.ACCESS_POINT),
            ("site markt", markt, Grain.SITE),
        ):
            factories.a_nas(session, keyring, site=bound, name=name, grain=grain)
        directory = factories.directory(session, keyring)
    return World(directory, {nas.name: nas for nas in directory.nas})


@pytest.mark.parametrize(
    ("nas", "called", "identifier", "place"),
    [
        # The access point's MAC, in any spelling, with or without the SSID.
        ("free", "02-00-00-00-00-01:Markt", None, "markt/lobby"),
        ("free", "02:00:00:00:00:02:Markt", None, "markt/garden"),
        ("free", "0200.0000.0001", None, "markt/lobby"),
        ("free", "020000000001", None, "markt/lobby"),
        ("free", "02-00-00-00-00-03:Post", None, "post/counter"),
        # The MAC comes before the identifier.
        ("free", "02-00-00-00-00-01:Markt", "garden-ap", "markt/lobby"),
        # The identifier, where the MAC is unknown (a gateway's), missing or no MAC at all.
        ("free", f"{UNKNOWN}:Markt", "garden-ap", "markt/garden"),
        ("free", None, "counter-ap", "post/counter"),
        ("free", "hotspot1", "lobby-ap", "markt/lobby"),
        # The only access point of the site a NAS is bound to.
        ("of post", None, None, "post/counter"),
        ("of post", f"{UNKNOWN}:Post", "chilli", "post/counter"),
        ("of markt", None, None, "nowhere"),
        ("of markt", UNKNOWN, None, "nowhere"),
        # A name that is not the site's (R14); the old one as long as it is valid.
        ("free", "02-00-00-00-00-01:Post", None, "wrong SSID"),
        ("free", "02-00-00-00-00-01:markt", None, "wrong SSID"),
        ("free", "02-00-00-00-00-01:Old name", None, "markt/lobby"),
        ("free", "02-00-00-00-00-01:Very old name", None, "wrong SSID"),
        ("of post", f"{UNKNOWN}:Other", None, "wrong SSID"),
        ("site markt", f"{UNKNOWN}:Other", None, "wrong SSID"),
        # Nothing that names a place.
        ("free", None, None, "nowhere"),
        ("free", "", "", "nowhere"),
        ("free", f"{UNKNOWN}:Markt", "unknown-ap", "nowhere"),
        # A NAS that is bound to a site cannot speak for another's access point.
        ("of markt", "02-00-00-00-00-03:Markt", None, "nowhere"),
        ("of markt", None, "counter-ap", "nowhere"),
        ("of markt", "02-00-00-00-00-03", "garden-ap", "markt/garden"),
        # Where only the site is known, nothing but the SSID counts.
        ("site markt", None, None, "markt/-"),
        ("site markt", f"{UNKNOWN}:Markt", "anything", "markt/-"),
        ("site markt", "02-00-00-00-00-03", "counter-ap", "markt/-"),
    ],
)
def test_a_request_is_located_by_what_it_names(
    world: World, nas: str, called: str | None, identifier: str | None, place: str
) -> None:
    assert world.locate(nas, called, identifier) == place


def test_names_are_believed_in_their_order(world: World) -> None:
    for names, point in ((("unknown", "garden-ap", "counter-ap"), "garden"), (("counter-ap", "garden-ap"), "counter")):
        found = world.directory.locate(world.nas["free"], UNKNOWN, names, NOON)
        assert isinstance(found, Located)
        assert found.access_point is not None
        assert found.access_point.name == point


def test_an_old_network_name_is_valid_until_its_moment(world: World) -> None:
    markt = next(site for site in world.directory.sites.values() if site.slug == "markt")
    end = NOON + timedelta(days=1)
    assert markt.has_ssid("Old name", end - timedelta(microseconds=1))
    assert not markt.has_ssid("Old name", end)
    assert markt.has_ssid("Markt", end + timedelta(days=1000))


@pytest.mark.parametrize(
    ("address", "names"),
    [
        ("10.1.2.3", ["host"]),
        ("10.1.2.4", ["net 24 a", "net 24 b"]),
        ("10.9.9.9", ["net 8"]),
        ("192.0.2.1", []),
        ("::ffff:10.1.2.3", ["host"]),
        ("2001:db8::1", ["v6"]),
        ("2001:db9::1", []),
    ],
)
def test_a_client_is_told_by_the_longest_prefix(
    database: Database, keyring: Keyring, address: str, names: list[str]
) -> None:
    with database.write() as session:
        for name, network in (
            ("net 8", "10.0.0.0/8"),
            ("net 24 a", "10.1.2.0/24"),
            ("net 24 b", "10.1.2.0/24"),
            ("host", "10.1.2.3/32"),
            ("v6", "2001:db8::/32"),
        ):
            factories.a_nas(session, keyring, name=name, network=network, nas_identifier=name)
        directory = factories.directory(session, keyring)
    group = directory.clients_at(ipaddress.ip_address(address))
    assert [nas.name for nas in group] == names


def test_clients_of_one_network_are_told_apart_by_identifier(database: Database, keyring: Keyring) -> None:
    with database.write() as session:
        for name in ("a", "b"):
            factories.a_nas(session, keyring, name=name, network="10.0.0.0/24", nas_identifier=name)
        directory = factories.directory(session, keyring)
    group = directory.clients_at(ipaddress.ip_address("10.0.0.7"))
    chosen = [Directory.choose_client(group, identifier) for identifier in ("a", "b", "c", "", None)]
    assert [one and one.name for one in chosen] == ["a", "b", None, None, None]
    assert Directory.choose_client(group[:1], None) == group[0]
    assert Directory.choose_client((), "a") is None


@pytest.mark.parametrize(
    ("policy", "signed", "must"),
    [
        (MessageAuthenticatorPolicy.YES, False, True),
        (MessageAuthenticatorPolicy.NO, True, False),
        (MessageAuthenticatorPolicy.AUTO, False, False),
        (MessageAuthenticatorPolicy.AUTO, True, True),
    ],
)
def test_auto_demands_a_signature_once_one_was_seen(
    database: Database, keyring: Keyring, policy: MessageAuthenticatorPolicy, signed: bool, must: bool
) -> None:
    with database.write() as session:
        nas = factories.a_nas(session, keyring, message_authenticator=policy)
        nas.signed_at = NOON if signed else None
        directory = factories.directory(session, keyring)
    assert directory.nas[0].must_sign is must


def test_a_snapshot_has_the_secrets_in_clear_but_does_not_show_them(database: Database, keyring: Keyring) -> None:
    with database.write() as session:
        factories.a_nas(session, keyring, secret="xyzzy5461", uam_secret="chilli secret")
        directory = factories.directory(session, keyring)
    assert (directory.nas[0].secret, directory.nas[0].uam_secret) == (b"xyzzy5461", "chilli secret")
    assert "xyzzy" not in repr(directory)
    assert "chilli secret" not in repr(directory)


def test_retired_rows_are_no_part_of_the_place(database: Database, keyring: Keyring) -> None:
    with database.write() as session:
        place = factories.a_place(session, keyring)
        place.site.retired_at = place.access_point.retired_at = place.nas.retired_at = NOON
        directory = factories.directory(session, keyring)
    assert (directory.sites, directory.access_points, directory.by_mac, directory.nas) == ({}, {}, {}, ())


def test_every_change_of_the_place_counts_the_revision_up(database: Database, keyring: Keyring) -> None:
    with database.write() as session:
        before = current_revision(session)
        site = factories.a_site(session, SiteKind.MULTI)
        after_site = current_revision(session)
        factories.an_access_point(session, site)
        after_point = current_revision(session)
        factories.a_nas(session, keyring)
        assert before < after_site < after_point < current_revision(session)


def test_the_place_is_read_in_the_same_few_queries_however_large(database: Database, keyring: Keyring) -> None:
    def count() -> int:
        statements: list[str] = []
        listener = lambda *arguments: statements.append(arguments[2])  # noqa: E731
        event.listen(database.engine, "before_cursor_execute", listener)
        with database.read() as session:
            factories.directory(session, keyring)
        event.remove(database.engine, "before_cursor_execute", listener)
        return len(statements)

    with database.write() as session:
        factories.a_place(session, keyring)
    few = count()
    with database.write() as session:
        for _ in range(5):
            factories.a_place(session, keyring, SiteKind.MULTI, access_points=5)
    assert count() == few <= 8
