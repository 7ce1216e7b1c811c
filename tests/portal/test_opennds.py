"""Guests behind openNDS: the portal decides, the gateway fetches whom to let in, and its reports carry the visit to its end."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import timedelta
from threading import Barrier

import pytest
from flask.testing import FlaskClient
from sqlalchemy import select

from deploy.housekeeper import do_round
from hotspot import limits
from hotspot.database import Database
from hotspot.keys import Keyring
from hotspot.legal import NOTHING_AGREED
from hotspot.limits import Counted, Limit
from portal.opennds_poll import MOST_ENTRIES
from sessions.devices import remember
from sessions.heartbeat import Heartbeat
from sessions.housekeeping import LISTENER
from sessions.kept import REPORT_SECONDS, TAKEN_WITHIN
from sessions.ledger import Ledger
from sessions.login import Wish
from sessions.outbox import has_due
from sessions.visit import CloseCause, Disconnect, Leg, Visit, VisitState, VoucherDevice
from tests.factories import a_pass, directory, revoke, some_vouchers
from tests.portal.conftest import MovableClock
from tests.portal.guest import Stage, a_free_pass, flow_of, words_of
from tests.portal.opennds import FAS_KEY, GATEWAY, NAME, NETWORK, OpenNds
from vouchers.codes import Code
from vouchers.voucher import Voucher

# As many as press the button together.
AT_ONCE = 4


class House:
    """A site behind openNDS, and one guest with a voucher."""

    def __init__(self, stage: Stage, gateway: OpenNds, clock: MovableClock) -> None:
        self.stage, self.gateway, self.clock = stage, gateway, clock

    def log_in(self, gateway: OpenNds | None = None, code: str | None = None) -> str:
        """Arrive and type the code; returns where the guest is sent."""
        gateway = gateway or self.gateway
        form = {
            "flow": flow_of(gateway.arrive().text),
            "variant": "voucher",
            "code": code or self.stage.voucher.code.printed,
            "terms": str(self.stage.terms.id),
        }
        answer = gateway.client.post(f"/g/{gateway.slug}/login", data=form, headers={"Accept-Language": "en"})
        return answer.headers.get("Location") or words_of(answer)

    def page(self, address: str) -> str:
        """What the guest reads there."""
        return words_of(self.gateway.client.get(address, headers={"Accept-Language": "en"}))

    def visit(self) -> Visit:
        """The newest visit."""
        return self.stage.visits()[-1]

    def come_online(self) -> str:
        """The whole way; returns the address of the status page."""
        address = self.log_in()
        self.gateway.acknowledge(*(entry[0] for entry in self.gateway.poll()))
        return address

    def report(self, *online: tuple[str, int, int]) -> list[str]:
        """The gateway reports these; returns whom it has to send away."""
        answer = self.gateway.report(self.clock(), *online)
        assert answer.status_code == 200, answer.text
        return answer.text.split()

    def keep_house(self) -> None:
        """What house-keeping does at this moment; RADIUS has listened all the time."""
        now = self.clock()
        with self.stage.database.write() as session:
            session.merge(Heartbeat(name=LISTENER, since=now - timedelta(hours=2), beat_at=now))
            snapshot = directory(session, self.stage.keyring)
        do_round(self.stage.database, snapshot, now)

    def octets(self) -> int:
        """All that was counted."""
        with self.stage.database.read() as session:
            return sum(one.octets_from_guest + one.octets_to_guest for one in session.scalars(select(Leg)))

    def revoke(self) -> None:
        """Withdraw the voucher."""
        with self.stage.database.write() as session:
            voucher = self.stage.voucher.voucher
            revoke(session, voucher, self.clock())


@pytest.fixture
def make_house(database: Database, keyring: Keyring, client: FlaskClient, clock: MovableClock) -> Callable[..., House]:
    """Makes a house whose openNDS runs at this level; further options as `a_place` takes them."""

    def make(level: int = 3, **told: object) -> House:
        record: dict[str, object] = {
            "make": "opennds" if level == 3 else "opennds-level1",
            "secret": None,
            "uam_secret": FAS_KEY,
            "nas_identifier": NAME,
            "gateway_addresses": (GATEWAY,),
            "network": NETWORK,
            "logins": ("ticket",),
        }
        stage = Stage(database, keyring, client, clock, **record | told)
        return House(stage, OpenNds(stage.place.site.slug, client, level), clock)

    return make


@pytest.fixture
def house(make_house: Callable[..., House]) -> House:
    """At level 3."""
    return make_house()


def test_the_gateway_fetches_the_guest_and_the_page_says_so(house: House) -> None:
    address = house.log_in()
    assert "One moment" in house.page(address)
    assert house.visit().state is VisitState.RESERVED
    (entry,) = house.gateway.poll()
    assert entry[0] == house.gateway.rhid
    assert house.gateway.poll() == [entry], "until it is acknowledged"
    house.gateway.acknowledge(house.gateway.rhid)
    assert house.gateway.poll() == []
    assert house.visit().state is VisitState.OPEN
    assert "You are online" in house.page(address)


def test_the_gateway_is_told_the_limits_of_the_pass(house: House) -> None:
    with house.stage.database.write() as session:
        article = a_pass(session, minutes=90, megabytes=10, down_kbit=2000, up_kbit=500)
        (issued,) = some_vouchers(session, house.stage.keyring, house.stage.place.site, article)
    house.log_in(code=issued.code.printed)
    house.clock.pass_by(seconds=30)
    assert house.gateway.poll() == [[house.gateway.rhid, "90", "500", "2000", "9765", "9765"]]


def test_without_an_answer_of_the_gateway_the_guest_is_told_and_the_place_is_free_again(house: House) -> None:
    house.come_online()
    house.clock.pass_by(minutes=5)
    late = OpenNds(house.gateway.slug, house.gateway.client)
    with house.stage.database.write() as session:
        (issued,) = some_vouchers(session, house.stage.keyring, house.stage.place.site, house.stage.place.article)
    address = house.log_in(late, issued.code.printed)
    house.clock.pass_by(seconds=TAKEN_WITHIN.total_seconds())
    assert house.gateway.poll() == []
    assert "The hotspot did not answer in time" in house.page(address)
    house.clock.pass_by(minutes=2)
    house.keep_house()
    assert house.visit().close_cause is CloseCause.NEVER_STARTED


@pytest.mark.parametrize("level", [1, 3])
def test_a_wrong_code_is_explained_and_lets_nobody_in(make_house: Callable[..., House], level: int) -> None:
    house = make_house(level=level)
    known = house.stage.voucher.code.printed
    mistyped = known[:-1] + ("0" if known[-1] != "0" else "1")
    assert "There is a slip in this code" in house.log_in(code=mistyped)
    assert "We do not know this code" in house.log_in(code=Code.new().printed)
    assert house.stage.visits() == []
    assert house.gateway.poll() == []


def test_a_refusal_is_told_at_once_and_holds_no_place(make_house: Callable[..., House]) -> None:
    house = make_house(capacity=1)
    house.come_online()
    other = OpenNds(house.gateway.slug, house.gateway.client)
    with house.stage.database.write() as session:
        (issued,) = some_vouchers(session, house.stage.keyring, house.stage.place.site, house.stage.place.article)
    assert "No free place here right now" in house.log_in(other, issued.code.printed)
    assert house.gateway.poll() == []
    assert [one.state for one in house.stage.visits()].count(VisitState.OPEN) == 1


def test_what_only_the_device_decides_is_told_at_once_too(make_house: Callable[..., House]) -> None:
    house = make_house(level=1)
    house.log_in()
    house.report((house.gateway.mac, 0, 0))
    other = OpenNds(house.gateway.slug, house.gateway.client, 1)
    assert "This voucher is in use on another device" in house.log_in(other)
    assert [one.runs for one in house.stage.visits()] == [True, False]


def test_only_the_gateway_itself_may_ask(house: House) -> None:
    house.log_in()
    assert house.gateway.post("view", "none", source="192.0.2.8").status_code == 403
    assert house.gateway.post("view", "none", name="another").status_code == 403
    assert house.gateway.post("view", "none").status_code == 200


def test_only_a_fresh_report_signed_with_the_faskey_counts(house: House) -> None:
    house.come_online()
    assert house.gateway.report(house.clock(), key="another key 12345").status_code == 403
    assert house.gateway.report(house.clock() - timedelta(minutes=6)).status_code == 403
    assert house.gateway.report(house.clock() + timedelta(minutes=6)).status_code == 403
    assert house.gateway.post("custom", "").status_code == 403
    assert house.gateway.report(house.clock(), ("02:00", 1, 1)).status_code == 403
    house.clock.pass_by(minutes=1)
    assert house.visit().state is VisitState.OPEN
    assert house.report() == []
    assert house.visit().close_cause is CloseCause.STOPPED


def test_what_a_starting_gateway_says_unsigned_ends_nothing(house: House) -> None:
    house.come_online()
    house.clock.pass_by(minutes=1)
    assert house.gateway.post("clear", "none").text == ""
    assert house.gateway.post("deauthed", f"method=idle_deauth, clientmac={house.gateway.mac}").text == ""
    assert house.visit().state is VisitState.OPEN


def test_reports_count_octets_and_whoever_is_gone_has_left(house: House) -> None:
    house.come_online()
    house.clock.pass_by(seconds=REPORT_SECONDS)
    assert house.report((house.gateway.mac, 300, 700)) == []
    assert house.octets() == 1000 * 1024
    house.clock.pass_by(seconds=REPORT_SECONDS)
    assert house.report() == []
    assert house.visit().close_cause is CloseCause.STOPPED


def test_a_report_made_just_before_the_guest_was_let_in_ends_nothing(house: House) -> None:
    house.come_online()
    house.clock.pass_by(seconds=5)
    house.report()
    assert house.visit().state is VisitState.OPEN


def test_a_report_that_says_nothing_new_writes_nothing(house: House) -> None:
    house.come_online()
    house.clock.pass_by(seconds=REPORT_SECONDS)
    house.report((house.gateway.mac, 300, 700))
    house.clock.pass_by(seconds=10)
    house.report((house.gateway.mac, 400, 800))
    assert house.octets() == 1000 * 1024


def test_a_withdrawn_voucher_is_sent_away_and_its_visit_ends_for_that(house: House) -> None:
    house.come_online()
    house.clock.pass_by(seconds=20)
    house.revoke()
    assert house.report((house.gateway.mac, 1, 5)) == [house.gateway.mac]
    assert house.octets() == 6 * 1024, "the last word on its octets"
    assert house.report((house.gateway.mac, 1, 5)) == [house.gateway.mac], "until it is gone"
    assert house.visit().state is VisitState.OPEN
    assert house.report() == []
    assert house.visit().close_cause is CloseCause.REVOKED
    with house.stage.database.read() as session:
        assert session.scalars(select(Disconnect.done_at)).one() is not None


def test_no_disconnect_request_is_sent_for_what_a_report_fetches(house: House) -> None:
    house.come_online()
    house.revoke()
    with house.stage.database.read() as session:
        assert not has_due(session, house.clock())


def test_a_guest_who_logs_out_is_sent_to_the_gateway_and_away_by_the_next_report(house: House) -> None:
    house.come_online()
    token = house.gateway.client.get_cookie("surfpass_visit")
    assert token
    answer = house.gateway.client.post(f"/s/{token.value}/logout")
    assert answer.headers["Location"] == f"http://{GATEWAY}/opennds_deny/"
    assert house.visit().close_cause is CloseCause.LOGGED_OUT
    assert house.report((house.gateway.mac, 1, 5)) == [house.gateway.mac]
    assert house.report() == []


def test_whoever_is_online_without_a_visit_is_sent_away(make_house: Callable[..., House]) -> None:
    house = make_house(level=1)
    victim = OpenNds(house.gateway.slug, house.gateway.client)
    # A guest who gives himself out for another device gets in with his own, and the report shows which it was.
    house.log_in(OpenNds(house.gateway.slug, house.gateway.client, 1, device=victim.device, hid=house.gateway.hid))
    assert house.report((house.gateway.mac, 0, 0)) == [house.gateway.mac]
    assert house.visit().state is VisitState.RESERVED


def test_at_level_1_the_guest_takes_a_hash_to_the_gateway_and_the_report_opens_the_visit(
    make_house: Callable[..., House],
) -> None:
    house = make_house(level=1)
    address = house.log_in()
    assert address.startswith(f"http://{GATEWAY}/opennds_auth/?tok={house.gateway.rhid}&redir=")
    token = house.gateway.client.get_cookie("surfpass_visit")
    assert token
    assert "You are online" in house.page(f"/s/{token.value}")
    assert house.report((house.gateway.mac, 0, 0)) == []
    assert house.visit().state is VisitState.OPEN


def test_a_volume_that_is_used_up_ends_the_visit(house: House) -> None:
    with house.stage.database.write() as session:
        article = a_pass(session, megabytes=10)
        (issued,) = some_vouchers(session, house.stage.keyring, house.stage.place.site, article)
    house.log_in(code=issued.code.printed)
    house.gateway.acknowledge(house.gateway.rhid)
    house.clock.pass_by(seconds=10)
    assert house.report((house.gateway.mac, 1000, 2000)) == []
    house.clock.pass_by(seconds=10)
    assert house.report((house.gateway.mac, 1000, 9000)) == [house.gateway.mac]
    assert house.report() == []
    assert house.visit().close_cause is CloseCause.OVER


def test_polls_alone_keep_a_visit_alive_and_their_silence_ends_it(house: House) -> None:
    house.come_online()
    for _ in range(4):
        house.clock.pass_by(seconds=100)
        house.gateway.poll()
    house.keep_house()
    assert house.visit().state is VisitState.OPEN
    house.clock.pass_by(seconds=3 * REPORT_SECONDS + 1)
    house.keep_house()
    assert house.visit().close_cause is CloseCause.SILENCE


def test_a_visit_closed_for_silence_goes_on_with_the_next_report(house: House) -> None:
    house.come_online()
    house.clock.pass_by(seconds=3 * REPORT_SECONDS + 1)
    house.keep_house()
    assert house.visit().close_cause is CloseCause.SILENCE
    assert house.report((house.gateway.mac, 1, 5)) == []
    assert house.visit().state is VisitState.OPEN


def test_a_guest_who_comes_back_after_the_gateway_forgot_him_is_let_in_once_more(house: House) -> None:
    house.come_online()
    house.clock.pass_by(minutes=1)
    again = OpenNds(house.gateway.slug, house.gateway.client, device=house.gateway.device)
    house.log_in(again)
    assert [entry[0] for entry in house.gateway.poll()] == [again.rhid]
    house.gateway.acknowledge(again.rhid)
    assert house.report((again.mac, 1, 5)) == []
    running = [one for one in house.stage.visits() if one.runs]
    assert len(running) == 1


def test_many_guests_are_fetched_in_answers_that_authmon_can_read(house: House) -> None:
    guests = [OpenNds(house.gateway.slug, house.gateway.client) for _ in range(12)]
    with house.stage.database.write() as session:
        place = house.stage.place
        codes = some_vouchers(session, house.stage.keyring, place.site, place.article, len(guests))
    for guest, issued in zip(guests, codes, strict=True):
        house.log_in(guest, issued.code.printed)
    left = {guest.rhid for guest in guests}
    while left:
        answer = house.gateway.post("view", "none")
        assert len(answer.text) < 1024
        fetched = {entry[0] for entry in house.gateway.poll()}
        assert fetched
        assert fetched <= left
        house.gateway.acknowledge(*fetched)
        left -= fetched


def test_an_unsigned_acknowledgement_keeps_nobody_from_being_let_in_where_reports_come(house: House) -> None:
    assert house.report() == []
    house.log_in()
    (entry,) = house.gateway.poll()
    # Whoever knows the name of the gateway says so from behind it; the gateway has let in nobody.
    house.gateway.acknowledge(house.gateway.rhid)
    house.clock.pass_by(seconds=20)
    assert house.report() == []
    assert house.visit().runs, "a report that does not show the guest yet ends nothing"
    assert house.gateway.poll() == [entry]
    house.clock.pass_by(seconds=10)
    assert house.report((house.gateway.mac, 0, 0)) == []
    assert house.gateway.poll() == []
    house.clock.pass_by(seconds=10)
    assert house.report() == []
    assert house.visit().close_cause is CloseCause.STOPPED


def test_who_was_acknowledged_and_never_shown_is_given_up_with_the_promise(house: House) -> None:
    assert house.report() == []
    house.log_in()
    house.gateway.acknowledge(house.gateway.rhid)
    house.clock.pass_by(seconds=TAKEN_WITHIN.total_seconds() - 1)
    assert house.gateway.poll(), "and no poll makes the guest one who is in"
    assert house.report() == []
    assert house.visit().runs
    house.clock.pass_by(seconds=1)
    assert house.gateway.poll() == []
    assert house.report() == []
    assert house.visit().close_cause is CloseCause.STOPPED


def test_guests_whom_nobody_has_acknowledged_are_fetched_before_the_others(house: House) -> None:
    assert house.report() == []
    guests = [OpenNds(house.gateway.slug, house.gateway.client) for _ in range(2 * MOST_ENTRIES)]
    with house.stage.database.write() as session:
        place = house.stage.place
        codes = some_vouchers(session, house.stage.keyring, place.site, place.article, len(guests))
    for guest, issued in zip(guests, codes, strict=True):
        house.log_in(guest, issued.code.printed)
    names = [guest.rhid for guest in guests]
    house.gateway.acknowledge(*names[:MOST_ENTRIES])
    assert {entry[0] for entry in house.gateway.poll()} == set(names[MOST_ENTRIES:])
    house.gateway.acknowledge(*names[MOST_ENTRIES:])
    assert len(house.gateway.poll()) == MOST_ENTRIES


def test_the_directory_of_radius_clients_knows_no_opennds(house: House) -> None:
    with house.stage.database.read() as session:
        snapshot = directory(session, house.stage.keyring)
    (nas,) = snapshot.nas
    assert not nas.speaks_radius
    assert snapshot.clients_at(nas.network.network_address) == ()


def test_a_free_pass_that_a_device_takes_several_times_at_once_is_taken_once(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    with house.stage.database.write() as session:
        article = a_free_pass(session, always=True)
    page = house.gateway.arrive()
    form = {"flow": flow_of(page.text), "variant": f"pass:{article.public_id}", "terms": str(house.stage.terms.id)}
    together, read = Barrier(AT_ONCE), Ledger._free_passes_taken
    first_tries: list[int] = []

    def read_together(self: Ledger, wishes: list[Wish]) -> dict[int, tuple[tuple[int, int, bytes], int]]:
        """Everybody has read what the device has taken, and stores one more. SQLite lets nobody else in meanwhile."""
        taken = read(self, wishes)
        if house.stage.database.engine.dialect.name == "postgresql" and first_tries and first_tries.pop():
            together.wait(5)
        return taken

    def press(_: int) -> int:
        client = house.gateway.client.application.test_client()
        return client.post(f"/g/{house.gateway.slug}/login", data=form).status_code

    def take_at_once() -> list[int]:
        first_tries.extend([1] * AT_ONCE)
        with ThreadPoolExecutor(AT_ONCE) as threads:
            return list(threads.map(press, range(AT_ONCE)))

    def rounds() -> list[int]:
        with house.stage.database.read() as session:
            of_pass = select(Voucher.free_round).where(Voucher.pass_id == article.id)
            return list(session.scalars(of_pass.order_by(Voucher.free_round)))

    monkeypatch.setattr(Ledger, "_free_passes_taken", read_together)
    assert take_at_once() == [303] * AT_ONCE
    assert rounds() == [0]
    house.clock.pass_by(minutes=60)
    form["flow"] = flow_of(house.gateway.arrive().text)
    assert take_at_once() == [303] * AT_ONCE
    assert rounds() == [0, 1], "once more when it is spent"
    assert sum(visit.runs for visit in house.stage.visits()) == 1


def liar(house: House) -> OpenNds:
    """Somebody else at the same gateway, who names the guest's device."""
    return replace(house.gateway, client=house.gateway.client.application.test_client(), hid="f" * 64)


def test_at_level_1_nobody_takes_the_place_of_a_device_that_is_online_by_naming_it(
    make_house: Callable[..., House],
) -> None:
    house = make_house(level=1)
    house.log_in()
    with house.stage.database.write() as session:
        place, keyring = house.stage.place, house.stage.keyring
        other = some_vouchers(session, keyring, place.site, place.article)[0]
    assert "could not recognise your device" in house.log_in(liar(house), code=other.code.printed)
    assert [visit.state for visit in house.stage.visits()] == [VisitState.RESERVED]
    assert house.log_in().startswith(f"http://{GATEWAY}/opennds_auth/"), (
        "the guest's own voucher opens the gateway again"
    )


def test_at_level_1_only_so_many_unsigned_guests_a_minute_get_a_place(make_house: Callable[..., House]) -> None:
    house = make_house(level=1)
    bound = Limit.UNSIGNED_AT_NAS
    counted = Counted(bound, str(house.stage.place.nas.id))
    with house.stage.database.write() as session:
        for _ in range(bound.allowed):
            limits.hit(session, house.stage.keyring, [counted], house.clock())
    assert "Many guests are signing in right now" in house.log_in()
    assert not [visit for visit in house.stage.visits() if visit.runs]


def test_at_level_1_a_visit_lets_nobody_forget_the_device_it_names(make_house: Callable[..., House]) -> None:
    house = make_house(level=1)
    house.log_in()
    token = house.gateway.client.get_cookie("surfpass_visit")
    assert token
    with house.stage.database.write() as session:
        device = house.visit().device
        assert device
        remember(session, house.stage.voucher.voucher.id, device, NOTHING_AGREED, house.clock())
    assert "Forget this device now" not in house.page(f"/s/{token.value}/data")
    house.gateway.client.post(f"/s/{token.value}/forget")
    with house.stage.database.read() as session:
        assert session.scalars(select(VoucherDevice.device)).all() == [device]
