"""Every hand-off against a gateway of its make, which asks the real RADIUS server: login, wrong code, full, log-out."""

import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import pytest
from flask.testing import FlaskClient
from sqlalchemy import select
from werkzeug.test import TestResponse

from hotspot.database import Database
from hotspot.keys import Keyring
from hotspot.place import LoginWay
from hotspot.settings import Settings
from radius.server import RadiusServer
from radius.sockets import bind
from sessions.visit import Disconnect, VisitState
from tests.factories import SECRET, some_vouchers
from tests.portal.conftest import MovableClock
from tests.portal.gateways import GATEWAYS, NAMES, ChilliGateway, Cisco, Gateway, HandedBack, MacOnly, policy_of
from tests.portal.guest import Stage, words_of
from tests.radius import wire
from vouchers.codes import Code

# What happens is the same on either engine; that it is, the tests of sessions/ show.
pytestmark = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)


@dataclass
class House:
    """A site behind a gateway of one make, and a PoP with both doors."""

    stage: Stage
    gateway: Gateway
    port: int

    def log_in(self, code: str | None = None) -> TestResponse:
        """The guest arrives, types a code, accepts the terms and sends the form."""
        page = self.gateway.arrive()
        assert page.status_code == 200, page.text
        self.page_policy = policy_of(page)
        code = code or self.stage.voucher.code.printed
        return self.stage.phone.post(page.text, variant="voucher", code=code, terms=str(self.stage.terms.id))

    def ask(self, back: HandedBack) -> int:
        """What RADIUS says to the gateway about the guest who was handed back: its code."""
        asked: wire.Attributes = [
            (wire.USER_NAME, self.gateway.user_name(back.told).encode()),
            (wire.NAS_IDENTIFIER, NAMES["nas_identifier"].encode()),
            (wire.CALLED_STATION_ID, str(self.stage.place.access_point.radios[0].mac).encode()),
            (wire.CALLING_STATION_ID, self.gateway.station(back.told).encode()),
            (wire.ACCT_SESSION_ID, b"5f0c2a3b00000001"),
        ]
        request = self.gateway.credentials(back.told, asked, SECRET.encode())
        answer = wire.ask(self.port, request, timeout=10)
        assert answer
        return answer.code

    def come_online(self) -> None:
        """The whole way."""
        assert self.ask(self.gateway.take(self.log_in())) == wire.ACCESS_ACCEPT


@pytest.fixture
def build(
    database: Database, keyring: Keyring, client: FlaskClient, clock: MovableClock, settings: Settings
) -> Iterator[Callable[..., House]]:
    """Builds the house around a gateway."""
    stop, threads = threading.Event(), []
    sockets = bind("127.0.0.1", 0), bind("127.0.0.1", 0)

    def build(kind: type[Gateway], **told: object) -> House:
        record = {
            "make": kind.make,
            "gateway_addresses": (kind.gateway_address,) * bool(kind.gateway_address),
            "uam_secret": kind.uam_secret,
        }
        stage = Stage(database, keyring, client, clock, network="127.0.0.1/32", **NAMES | record | kind.more | told)
        server = RadiusServer(settings, database, keyring, *sockets, clock)
        threads.append(threading.Thread(target=server.run, args=(stop,)))
        threads[0].start()
        return House(stage, kind(stage.place.site.slug, client), sockets[0].getsockname()[1])

    yield build
    stop.set()
    for thread in threads:
        thread.join(10)
        assert not thread.is_alive()
    for one in sockets:
        one.close()


@pytest.fixture(params=GATEWAYS, ids=[kind.__name__ for kind in GATEWAYS])
def kind(request: pytest.FixtureRequest) -> type[Gateway]:
    """A make's gateway."""
    found: type[Gateway] = request.param
    return found


def test_a_guest_comes_online(build: Callable[..., House], kind: type[Gateway]) -> None:
    house = build(kind)
    back = house.gateway.take(house.log_in())
    own, *others = house.page_policy["form-action"]
    assert own == "'self'"
    assert all(back.url.startswith(gateway) for gateway in others), "the sign-in page lets its form end only there"
    (visit,) = house.stage.visits()
    assert visit.nas_id == house.stage.place.nas.id
    by_ticket = visit.way is LoginWay.TICKET
    assert by_ticket == (visit.device is None or issubclass(kind, ChilliGateway)), "only a signature proves the device"
    assert house.ask(back) == wire.ACCESS_ACCEPT
    assert "You are online" in words_of(house.gateway.succeed(back))
    (visit,) = house.stage.visits()
    assert visit.state is VisitState.RESERVED


def test_a_wrong_code_is_explained_before_the_gateway_is_asked(
    build: Callable[..., House], kind: type[Gateway]
) -> None:
    house = build(kind)
    assert "We do not know this code" in words_of(house.log_in(Code.new().printed))
    assert house.stage.visits() == []


def test_a_wrong_ticket_is_refused_and_the_guest_is_told(build: Callable[..., House], kind: type[Gateway]) -> None:
    house = build(kind)
    back = house.gateway.take(house.log_in())
    assert house.ask(HandedBack(back.url, house.gateway.forged(back.told))) == wire.ACCESS_REJECT
    page = house.gateway.fail()
    assert page.status_code == 200
    if house.gateway.tells_failures:
        assert 'role="alert"' in page.text
    assert 'name="flow"' in page.text


def test_a_full_access_point_is_explained(build: Callable[..., House], kind: type[Gateway]) -> None:
    house = build(kind, capacity=1)
    back = house.gateway.take(house.log_in())
    with house.stage.database.write() as session:
        place = house.stage.place
        extra = some_vouchers(session, house.stage.keyring, place.site, place.article)[0].code.value
    house.stage.admit(extra)
    assert house.ask(back) == wire.ACCESS_REJECT
    assert "No free place here right now" in words_of(house.gateway.fail())


def test_a_guest_logs_out(build: Callable[..., House], kind: type[Gateway]) -> None:
    house = build(kind)
    house.come_online()
    token = _cookie(house.gateway.client)
    answer = house.gateway.client.post(f"/s/{token}/logout")
    assert answer.status_code == 303
    (visit,) = house.stage.visits()
    assert visit.state is VisitState.CLOSED
    with house.stage.database.read() as session:
        assert session.scalar(select(Disconnect.visit_id)) == visit.id
    if answer.location.startswith("http"):
        assert answer.location.partition("//")[2].startswith(house.gateway.gateway_address)
    else:
        assert "logged out" in words_of(house.gateway.get(answer.location))


def _cookie(client: FlaskClient) -> str:
    cookie = client.get_cookie("surfpass_visit")
    assert cookie
    return cookie.value


def test_nobody_is_handed_back_to_an_address_outside_the_record(
    build: Callable[..., House], kind: type[Gateway]
) -> None:
    house = build(kind, **kind.stranger)
    page = house.gateway.arrive()
    assert page.status_code == 400
    assert "This hotspot is not set up for this page" in words_of(page)
    assert "<form" not in page.text


def test_a_guest_whose_device_has_to_come_back_is_told_what_to_do(build: Callable[..., House]) -> None:
    house = build(MacOnly)
    back = house.gateway.take(house.log_in())
    assert "switch the Wi-Fi of your device off and on" in words_of(house.gateway.get(back.url))


def test_a_browser_without_cookies_lands_on_a_page_that_shows_what_is_left_and_no_more(
    build: Callable[..., House],
) -> None:
    house = build(Cisco)
    back = house.gateway.take(house.log_in())
    assert house.ask(back) == wire.ACCESS_ACCEPT
    house.gateway.client.delete_cookie("surfpass_visit")
    page = house.gateway.succeed(back)
    assert "Time left" in words_of(page)
    assert "<form" not in page.text
    assert 'href="https://192.0.2.1/logout.html"' in page.text
    for stale in ("/online?visit=" + "A" * 80, "/online?visit=x", "/online"):
        page = house.gateway.get(f"/g/{house.gateway.slug}{stale}")
        assert (page.status_code, "Time left" in page.text) == (200, False)


def test_a_landing_page_shows_a_visit_for_an_hour(build: Callable[..., House], clock: MovableClock) -> None:
    house = build(Cisco)
    back = house.gateway.take(house.log_in())
    assert house.ask(back) == wire.ACCESS_ACCEPT
    house.gateway.client.delete_cookie("surfpass_visit")
    clock.pass_by(minutes=59)
    assert "Time left" in words_of(house.gateway.succeed(back))
    clock.pass_by(minutes=1)
    assert "Time left" not in words_of(house.gateway.succeed(back))


def test_where_no_challenge_runs_out_the_guest_has_an_hour(build: Callable[..., House], clock: MovableClock) -> None:
    house = build(Cisco)
    page = house.gateway.arrive().text
    clock.pass_by(minutes=59)
    filled = {"variant": "voucher", "code": house.stage.voucher.code.value, "terms": str(house.stage.terms.id)}
    assert house.ask(house.gateway.take(house.stage.phone.post(page, **filled))) == wire.ACCESS_ACCEPT
    clock.pass_by(minutes=1)
    late = words_of(house.stage.phone.post(page, **filled))
    assert "This page has been open too long" in late
    assert "open any web page while you are on the Wi-Fi" in late
