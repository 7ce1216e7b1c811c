"""The whole way with Debian's openNDS in network namespaces: portal, voucher, internet, log-out, revoking, full."""

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
from sqlalchemy import select

from hotspot.database import Database
from hotspot.keys import load_keyring, read_master_key
from hotspot.settings import Settings
from sessions.visit import Leg, Visit, VisitState
from tests import factories
from tests.conftest import SECRET_KEY
from tests.deploy import namespaces
from tests.deploy.conftest import Surfpass, runner_with
from tests.deploy.opennds_house import FAS_KEY, GATEWAY, GATEWAY_NAME, House, eventually, running_house

REASON = namespaces.why_not("opennds", "php", "nft", "iptables", "wget")
pytestmark = pytest.mark.skipif(REASON is not None, reason=f"openNDS cannot run here: {REASON}")


class Pop:
    """An installation with one access point for one guest behind openNDS, and two vouchers."""

    def __init__(self, folder: Path, template: Path, make: str) -> None:
        url = f"sqlite:///{folder / 'surfpass.db'}"
        shutil.copyfile(template, folder / "surfpass.db")
        self.environment = {
            "SURFPASS_DATABASE_URL": url,
            "SURFPASS_DATA_DIR": str(folder / "data"),
            "SURFPASS_SECRET_KEY": SECRET_KEY,
        }
        self.surfpass: Surfpass = runner_with(self.environment)
        self.database = Database(url)
        settings = Settings(data_dir=folder / "data", database_url=url, secret_key=SECRET_KEY)
        with self.database.write() as session:
            keyring = load_keyring(session, read_master_key(settings))
            site = factories.a_site(session, slug="markt")
            factories.an_access_point(session, site, capacity=1)
            article = factories.a_pass(session, site=site, megabytes=500)
            self.vouchers = factories.some_vouchers(session, keyring, site, article, 2)
        self.surfpass(
            *("nas", "add", "--name", "Gateway", "--make", make, "--site", "markt", "--network", "198.51.100.1/32"),
            *("--nas-identifier", GATEWAY_NAME, "--uam-secret", FAS_KEY, "--gateway-address", f"{GATEWAY}:2050"),
        )

    def code(self, number: int) -> str:
        """The code of a voucher."""
        return self.vouchers[number].code.printed

    def states(self) -> list[VisitState]:
        """How the visits stand that were let in, the oldest first."""
        with self.database.read() as session:
            return list(session.scalars(select(Visit.state).where(Visit.reserved_at.is_not(None)).order_by(Visit.id)))

    def octets(self) -> int:
        """What all guests were sent."""
        with self.database.read() as session:
            return sum(session.scalars(select(Leg.octets_to_guest)))


@pytest.fixture
def make_pop(tmp_path: Path, sqlite_template: Path) -> Callable[[str], Pop]:
    """Makes an installation that knows a gateway of this make."""
    return lambda make: Pop(tmp_path, sqlite_template, make)


@pytest.mark.parametrize(("level", "make"), [(1, "opennds-level1"), (3, "opennds")])
def test_guests_come_online_through_opennds_and_go_when_they_have_to(
    make_pop: Callable[[str], Pop], tmp_path: Path, level: int, make: str
) -> None:
    pop = make_pop(make)
    with running_house(tmp_path, pop.environment, level=level) as house:
        try:
            _way_through(pop, house, level)
        except AssertionError as error:
            raise AssertionError(f"{error}\n{house.said()}") from error


def _way_through(pop: Pop, house: House, level: int) -> None:
    first, second = house.guests
    status = first.log_in(pop.code(0))
    assert ("One moment" if level == 3 else "You are online") in status.words
    eventually(lambda: "You are online" in first.open(status.url).words, "the page never said so")
    assert first.is_online()
    eventually(lambda: pop.states() == [VisitState.OPEN], "the gateway's word never came")
    # Full, for the other one; who is online is not affected.
    assert "No free place here right now" in second.log_in(pop.code(1)).words
    assert not second.is_online()
    # The guest leaves: at once at the gateway, and the place is free.
    status = first.open(status.url)
    first.log_out(status)
    eventually(lambda: not first.is_online(), "logged out and still online")
    assert pop.states() == [VisitState.CLOSED]
    # The next one gets it, and is sent away when the voucher is withdrawn.
    second.log_in(pop.code(1))
    eventually(second.is_online, "no way in after the first guest")
    second.open("http://203.0.113.80/much")
    eventually(lambda: pop.octets() > 2_000_000, "octets were never counted")
    serial = pop.vouchers[1].voucher.serial
    pop.surfpass("voucher", "revoke", str(serial))
    eventually(lambda: not second.is_online(), "revoked and still online")
    eventually(lambda: pop.states() == [VisitState.CLOSED, VisitState.CLOSED], "revoked and still running")
