"""The captive portal API: what a phone is told before, during and after its visit (RFC 8908)."""

from typing import Any

import jsonschema  # type: ignore[import-untyped]
import pytest
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from hotspot.audit import COMMAND_LINE
from hotspot.database import Database
from hotspot.errors import Refusal, WrongUse
from hotspot.keys import Keyring
from hotspot.nas_changes import NasChange, change_nas
from hotspot.place import Nas
from sessions.accounting import account
from sessions.housekeeping import IDENTIFIERS_LIVE, keep_house
from sessions.records import Record, Status
from sessions.visit import CloseCause
from tests import factories
from tests.factories import a_nas, directory, some_vouchers
from tests.portal.conftest import MovableClock
from tests.portal.guest import GATEWAY, PORTAL_URL, Stage, words_of
from vouchers.voucher import Voucher

ADDRESS, NEIGHBOUR = "10.1.0.7", "10.1.0.8"
MEDIA_TYPE = "application/captive+json"
# RFC 8908 §5; members that are not known are to be ignored, but we send none.
SCHEMA = {
    "$schema": "https://json-schema.org/draft/2020-12/schema",
    "type": "object",
    "required": ["captive"],
    "additionalProperties": False,
    "properties": {
        "captive": {"type": "boolean"},
        "user-portal-url": {"type": "string", "pattern": "^https://"},
        "venue-info-url": {"type": "string", "pattern": "^https://"},
        "can-extend-session": {"type": "boolean"},
        "seconds-remaining": {"type": "integer", "minimum": 0},
        "bytes-remaining": {"type": "integer", "minimum": 0},
    },
    "if": {"properties": {"captive": {"const": True}}},
    "then": {"not": {"anyOf": [{"required": ["seconds-remaining"]}, {"required": ["bytes-remaining"]}]}},
}


@pytest.fixture
def stage(database: Database, keyring: Keyring, client: FlaskClient, clock: MovableClock) -> Stage:
    """A site whose guests reach the portal from their own addresses."""
    return Stage(database, keyring, client, clock, guest_networks=("10.1.0.0/24",))


def get(stage: Stage, path: str = "/captive", address: str = ADDRESS, accept: str = MEDIA_TYPE) -> TestResponse:
    return stage.phone.client.get(
        path, environ_overrides={"REMOTE_ADDR": address}, headers={"Accept": accept, "Accept-Language": "en"}
    )


def ask(stage: Stage, address: str = ADDRESS) -> dict[str, Any]:
    """The API's answer, which has to be as the RFC says."""
    answer = get(stage, address=address)
    assert answer.status_code == 200
    assert answer.headers["Content-Type"] == MEDIA_TYPE
    assert answer.headers["Cache-Control"] in ("private", "no-store")
    state: dict[str, Any] = answer.get_json(force=True)
    jsonschema.validate(state, SCHEMA)
    assert state["user-portal-url"] == f"{PORTAL_URL}/captive"
    return state


def report(stage: Stage, status: Status, address: str = ADDRESS, seconds: int = 0, octets: int = 0) -> None:
    """Accounting of the guest's visit, with its address."""
    with stage.database.write() as session:
        snapshot = directory(session, stage.keyring)
        record = Record(
            factories.nas_of(snapshot, stage.place.nas),
            status,
            at=stage.clock(),
            acct_session_id="5f0c2a3b00000001",
            handle=stage.visits()[-1].handle,
            user_name="",
            device=stage.phone.chilli.device,
            located=factories.located(snapshot, stage.place.access_point),
            nas_address="10.0.0.1",
            framed_address=address or None,
            seconds=seconds,
            octets_to_guest=octets,
        )
        account(session, stage.keyring, snapshot, [record], stage.clock())


def test_the_api_tells_the_truth_before_during_and_after_the_visit(stage: Stage, clock: MovableClock) -> None:
    assert ask(stage)["captive"] is True
    with stage.database.write() as session:
        session.get_one(Voucher, stage.voucher.voucher.id).megabytes = 10
    stage.come_online()
    report(stage, Status.START)
    clock.pass_by(hours=1)
    report(stage, Status.INTERIM_UPDATE, seconds=3600, octets=4_000_000)
    state = ask(stage)
    assert (state["captive"], state["can-extend-session"]) == (False, True)
    assert (state["seconds-remaining"], state["bytes-remaining"]) == (23 * 3600, 6_000_000)
    report(stage, Status.STOP, seconds=3600)
    assert ask(stage)["captive"] is True


def test_a_voucher_that_is_spent_leaves_nothing(stage: Stage, clock: MovableClock) -> None:
    stage.come_online()
    report(stage, Status.START)
    clock.pass_by(days=1)
    assert ask(stage)["seconds-remaining"] == 0


def test_what_follows_counts_as_remaining(stage: Stage) -> None:
    stage.come_online()
    report(stage, Status.START)
    with stage.database.write() as session:
        second = some_vouchers(session, stage.keyring, stage.place.site, stage.place.article)[0]
    answer = stage.phone.client.post(
        "/s/here/extend", data={"code": second.code.value}, environ_overrides={"REMOTE_ADDR": ADDRESS}
    )
    assert (answer.status_code, answer.location) == (303, "/s")
    assert ask(stage)["seconds-remaining"] == 2 * 24 * 3600


def test_a_neighbour_learns_nothing_of_the_visit(stage: Stage) -> None:
    stage.come_online()
    report(stage, Status.START)
    assert ask(stage, NEIGHBOUR)["captive"] is True


@pytest.mark.parametrize("address", ["192.0.2.1", "10.1.1.7", "2001:db8::1", "unknown"])
def test_for_whom_no_address_tells_there_is_no_api(stage: Stage, address: str) -> None:
    assert get(stage, address=address).status_code == 404
    assert get(stage, address=address, accept="text/html").status_code == 404


def test_a_browser_is_led_to_the_sign_in_and_later_to_how_the_visit_stands(stage: Stage) -> None:
    html = "text/html,application/xhtml+xml,*/*;q=0.8"
    assert get(stage, accept=html).location == f"http://{GATEWAY}/prelogin"
    stage.come_online()
    stage.phone.client.delete_cookie("surfpass_visit")
    report(stage, Status.START)
    assert get(stage, accept=html).location == "/s"
    page = get(stage, "/s", accept=html)
    words = words_of(page)
    assert "You are online" in words
    assert "Time left 1 day" in words
    assert 'href="/s/here/extend"' in page.text
    assert "You stay online all the time." in words_of(get(stage, "/s/here/extend", accept=html))


def test_an_address_alone_lets_nobody_end_or_change_the_visit(stage: Stage) -> None:
    stage.come_online()
    report(stage, Status.START)
    for path in ("/s/here/logout", "/s/here/forget", "/s/here/device"):
        answer = stage.phone.client.post(path, environ_overrides={"REMOTE_ADDR": ADDRESS})
        assert answer.status_code == 404
    assert stage.visits()[0].runs


def test_the_short_address_leads_a_known_guest_on_without_a_cookie(stage: Stage) -> None:
    page = get(stage, "/s", accept="text/html")
    assert f'href="http://{GATEWAY}/prelogin"' in page.text


def test_the_address_is_kept_as_a_hash_and_goes_with_the_other_identifiers(stage: Stage, clock: MovableClock) -> None:
    stage.come_online()
    report(stage, Status.START)
    (visit,) = stage.visits()
    assert visit.address
    assert ADDRESS.encode() not in visit.address
    stage.close_visits(CloseCause.STOPPED)
    clock.now += IDENTIFIERS_LIVE
    clock.pass_by(seconds=1)
    with stage.database.write() as session:
        keep_house(session, directory(session, stage.keyring), clock.now)
    (visit,) = stage.visits()
    assert (visit.address, visit.identifiers) == (None, None)


def test_behind_a_nat_no_address_is_kept(
    database: Database, keyring: Keyring, client: FlaskClient, clock: MovableClock
) -> None:
    stage = Stage(database, keyring, client, clock)
    stage.come_online()
    report(stage, Status.START)
    assert stage.visits()[0].address is None


def test_without_https_there_is_no_api(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    portal = stage.phone.client.application.extensions["surfpass"]
    plain = portal.settings.model_copy(update={"portal_url": "http://portal.example"})
    monkeypatch.setitem(portal.__dict__, "settings", plain)
    assert get(stage).status_code == 404


def test_a_guest_network_names_one_site(stage: Stage, database: Database, keyring: Keyring) -> None:
    with database.write() as session:
        for networks, code in ((("10.1.0.128/25",), "guest-network-taken"), (("10.2.0.0/24",), "ambiguous-site")):
            site = stage.place.site if code == "guest-network-taken" else None
            with pytest.raises(Refusal) as refused:
                a_nas(session, keyring, site=site, guest_networks=networks)
            assert refused.value.code == code
        with pytest.raises(WrongUse):
            a_nas(session, keyring, site=stage.place.site, guest_networks=("10.3.0.1/24",))


def test_guest_networks_of_a_nas_that_runs_are_changed(stage: Stage, database: Database, clock: MovableClock) -> None:
    with database.write() as session:
        nas = session.get_one(Nas, stage.place.nas.id)
        change_nas(session, COMMAND_LINE, nas, NasChange(guest_networks=("10.7.0.0/24", "2001:db8:7::/64")), clock.now)
    assert get(stage).status_code == 404
    assert get(stage, address="2001:db8:7::5").status_code == 200
    with database.write() as session:
        change_nas(session, COMMAND_LINE, session.get_one(Nas, nas.id), NasChange(guest_networks=()), clock.now)
    assert get(stage, address="10.7.0.1").status_code == 404


def test_an_address_that_comes_or_changes_later_is_the_guests_from_then_on(stage: Stage) -> None:
    stage.come_online()
    report(stage, Status.START, address="")
    report(stage, Status.INTERIM_UPDATE, seconds=60)
    assert ask(stage)["captive"] is False
    another = ADDRESS.rpartition(".")[0] + ".77"
    report(stage, Status.INTERIM_UPDATE, address=another, seconds=120)
    assert ask(stage, address=another)["captive"] is False
    assert ask(stage)["captive"] is True
    report(stage, Status.INTERIM_UPDATE, address="", seconds=180)
    assert ask(stage, address=another)["captive"] is False
