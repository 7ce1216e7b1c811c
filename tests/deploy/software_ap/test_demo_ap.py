"""`surfpass demo-ap`: as a process of its own, beside the PoP's real RADIUS server, on both databases."""

import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from sqlalchemy import select

from deploy.installation import Work
from deploy.software_ap.setup import Wishes, set_up
from hotspot.database import Database
from hotspot.errors import NotFound, SetupError
from hotspot.keys import Keyring
from hotspot.mac import Mac
from hotspot.place import SiteKind
from hotspot.settings import Settings
from sessions.visit import CloseCause, Leg, Visit, VisitState
from tests.deploy.conftest import Surfpass
from tests.deploy.processes import free_ports, inherited_environment
from tests.deploy.software_ap.peers import UAM_SECRET, Browser, ScriptedPortal, eventually
from tests.factories import EARLIER, SECRET, a_mac, a_nas, a_pass, a_site, an_access_point, some_vouchers
from tests.radius.pop import Clockwork, Pop, serving

LISTEN = "127.0.0.1:3990"


@pytest.fixture
def work(database: Database, keyring: Keyring) -> Iterator[Work]:
    """A transaction with two sites: a Single one, and a Multi one with two access points and two SSIDs."""
    with database.write() as session:
        a_nas(session, keyring, gateway_addresses=("10.9.9.9:3990",), make="coovachilli")
        an_access_point(session, a_site(session, slug="single", ssid="One"), macs=(a_mac(1), a_mac(2)))
        multi = a_site(session, SiteKind.MULTI, slug="multi", ssid="Many")
        an_access_point(session, multi, macs=(), nas_identifier="pole-without-radio")
        for number in (3, 4):
            an_access_point(session, multi, macs=(a_mac(number),)).name = f"Pole {number}"
        yield Work(session, keyring, EARLIER)


def test_the_configuration_comes_from_the_database(work: Work, settings: Settings) -> None:
    a_nas(work.session, work.keyring, gateway_addresses=(LISTEN,), uam_secret="uam", nas_identifier="demo")
    config = set_up(work, settings, Wishes())
    assert (config.site_slug, config.ssid, config.mac) == ("single", "One", a_mac(1))
    assert (config.radius_secret, config.uam_secret, config.nas_identifier) == (SECRET.encode(), "uam", "demo")
    assert (config.host, config.port) == ("127.0.0.1", 3990)
    assert (config.radius_host, config.auth_port, config.acct_port) == ("127.0.0.1", 1812, 1813)
    assert config.portal_url == settings.public_portal_url


def test_wishes_win_over_database_and_settings(work: Work, settings: Settings) -> None:
    wishes = Wishes("multi", "Pole 4", "10.9.9.9:3990", "https://portal.example", "10.0.0.1", 11812, 11813)
    config = set_up(work, settings, wishes)
    assert (config.site_slug, config.ssid, config.mac) == ("multi", "Many", a_mac(4))
    assert (config.host, config.portal_url) == ("10.9.9.9", "https://portal.example")
    assert (config.radius_host, config.auth_port, config.acct_port) == ("10.0.0.1", 11812, 11813)
    assert set_up(work, settings, Wishes(site="multi", listen="10.9.9.9:3990")).mac == Mac("02-00-00-00-00-03")


@pytest.mark.parametrize(("bind", "host"), [("0.0.0.0", "127.0.0.1"), ("::", "::1"), ("10.1.1.1", "10.1.1.1")])  # noqa: S104
def test_a_radius_server_on_all_addresses_is_asked_on_loopback(
    work: Work, settings: Settings, bind: str, host: str
) -> None:
    settings = settings.model_copy(update={"radius_bind": bind})
    assert set_up(work, settings, Wishes(listen="10.9.9.9:3990")).radius_host == host


@pytest.mark.parametrize(
    ("wishes", "failure"),
    [
        (Wishes(), SetupError),
        (Wishes(listen="nonsense"), SetupError),
        (Wishes("nowhere", listen="10.9.9.9:3990"), NotFound),
        (Wishes("single", "Pole 3", listen="10.9.9.9:3990"), NotFound),
    ],
)
def test_what_is_missing_is_said(work: Work, settings: Settings, wishes: Wishes, failure: type[Exception]) -> None:
    with pytest.raises(failure):
        set_up(work, settings, wishes)


@contextmanager
def demo_ap(environment: dict[str, str], *arguments: str) -> Iterator[subprocess.Popen[str]]:
    """`surfpass demo-ap` until the block ends."""
    process = subprocess.Popen(
        [sys.executable, "-P", "-m", "deploy", "demo-ap", *arguments],
        env=inherited_environment() | environment, cwd="/", stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
    )  # fmt: skip
    try:
        yield process
    finally:
        if process.poll() is None:
            process.kill()
        process.communicate()


def listens(port: int) -> bool:
    """Whether somebody answers there."""
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


def test_a_voucher_gets_a_phone_online_and_a_signal_takes_it_off(
    database: Database, keyring: Keyring, settings: Settings, surfpass_environment: dict[str, str]
) -> None:
    clock, portal, (port,) = Clockwork(), ScriptedPortal(), free_ports(1)
    with database.write() as session:
        site = a_site(session)
        an_access_point(session, site)
        a_nas(session, keyring, network="127.0.0.1/32", make="coovachilli", uam_secret=UAM_SECRET,
              gateway_addresses=(f"127.0.0.1:{port}",))  # fmt: skip
        voucher = some_vouchers(session, keyring, site, a_pass(session), now=clock())[0]
    portal.user_name = portal.password = voucher.code.printed
    portal.start()
    with serving(Pop(database, keyring, settings, clock)) as pop:
        ports = ("--radius-auth-port", str(pop.auth_port), "--radius-acct-port", str(pop.acct_port))
        address = f"127.0.0.1:{port}"
        with demo_ap(surfpass_environment, "--listen", address, "--portal-url", portal.url, *ports) as process:
            eventually(lambda: listens(port), seconds=20)
            browser = Browser()
            assert browser.get(f"http://{address}/") == b"portal: success"
            assert b"The internet" in browser.get(f"http://{address}/")
            eventually(lambda: states(database) == [VisitState.OPEN])
            process.send_signal(signal.SIGTERM)
            assert process.wait(15) == 0
            assert process.stdout is not None
            written = process.stdout.read()
    portal.stop()
    with database.read() as session:
        visit, leg = session.scalars(select(Visit)).one(), session.scalars(select(Leg)).one()
        assert (visit.state, visit.close_cause) == (VisitState.CLOSED, CloseCause.STOPPED)
        assert leg.terminate_cause == 6
        assert leg.octets_to_guest > 500
        assert 50 < leg.octets_from_guest < 500, "the view of the NAS, though the make's is the guest's"
    assert "the access point is there" in written
    for secret in (voucher.code.printed, voucher.code.printed.replace("-", ""), portal.arrivals[0]["mac"]):
        assert secret not in written


def states(database: Database) -> list[VisitState]:
    """The states of all visits."""
    with database.read() as session:
        return list(session.scalars(select(Visit.state)))


def test_a_taken_port_is_named_in_one_sentence(
    database: Database, keyring: Keyring, surfpass_environment: dict[str, str]
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken, database.write() as session:
        address = f"127.0.0.1:{taken.getsockname()[1]}"
        an_access_point(session, a_site(session))
        a_nas(session, keyring, gateway_addresses=(address,))
        session.commit()
        with demo_ap(surfpass_environment, "--listen", address) as process:
            said, _ = process.communicate(timeout=20)
            assert process.returncode == 1
    assert said.startswith("surfpass: ")
    assert "SURFPASS_DEMO_AP_BIND" in said
    assert said.count("\n") == 1


def test_an_empty_place_is_said_in_one_sentence(surfpass: Surfpass) -> None:
    assert "No NAS has the gateway address" in surfpass("demo-ap", code=1).stderr
