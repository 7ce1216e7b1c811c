"""What a guest who is online can do: go on with another voucher, add a device, see what is stored, be forgotten."""

import re
from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from flask.testing import FlaskClient
from sqlalchemy import Connection, event, func, select
from sqlalchemy.exc import OperationalError

from hotspot.database import Database
from hotspot.keys import Keyring
from hotspot.limits import Limit, LimitCounter
from hotspot.mac import Mac
from hotspot.place import LoginWay, Site, announce_change
from sessions.admit import Admitted
from sessions.extensions import Extension
from sessions.visit import CloseCause, Disconnect, OrderKind, Visit, VoucherDevice, hash_device, hash_page_token
from tests.factories import a_mac, directory, some_vouchers
from tests.portal.conftest import MovableClock
from tests.portal.guest import Stage, words_of
from vouchers.codes import Code
from vouchers.issuing import Issued
from vouchers.voucher import Voucher

TV = Mac("7C-10-C9-2B-40-A1")


def own_address(stage: Stage, page: str = "") -> str:
    """Where the guest's own pages are, as the cookie knows."""
    cookie = stage.phone.client.get_cookie("surfpass_visit")
    assert cookie
    return f"/s/{cookie.value}{page}"


def another_voucher(stage: Stage) -> Issued:
    with stage.database.write() as session:
        return some_vouchers(session, stage.keyring, stage.place.site, stage.place.article)[0]


def for_devices(stage: Stage, devices: int, return_days: int = 14) -> None:
    with stage.database.write() as session:
        voucher = session.get_one(Voucher, stage.voucher.voucher.id)
        voucher.devices, voucher.return_days = devices, return_days


def promised(stage: Stage) -> list[bytes]:
    with stage.database.read() as session:
        return list(session.scalars(select(VoucherDevice.device).where(VoucherDevice.promised_at.is_not(None))))


# Another voucher


def test_a_guest_goes_on_with_another_voucher(stage: Stage) -> None:
    second = another_voucher(stage)
    stage.come_online()
    status = stage.phone.get(own_address(stage))
    assert f'href="{own_address(stage, "/extend")}"' in status.text
    page = stage.phone.get(own_address(stage, "/extend"))
    assert "You stay online all the time." in words_of(page)
    answer = stage.phone.client.post(own_address(stage, "/extend"), data={"code": second.code.printed.lower()})
    assert (answer.status_code, answer.location) == (303, own_address(stage))
    words = words_of(stage.phone.get(own_address(stage)))
    assert f"After that {stage.place.article.name}" in words
    assert "Time left 1 day" in words
    with stage.database.read() as session:
        (extension,) = session.scalars(select(Extension))
        assert (extension.voucher_id, extension.next_voucher_id) == (stage.voucher.voucher.id, second.voucher.id)
        assert session.scalars(select(Disconnect.kind)).all() == [OrderKind.COA]


def test_where_no_limits_can_be_changed_the_break_is_told(
    database: Database, keyring: Keyring, client: FlaskClient, clock: MovableClock
) -> None:
    stage = Stage(database, keyring, client, clock, make="mikrotik", gateway_addresses=("10.1.0.1:80",))
    come_online_by_radius(stage)
    assert "a break of a few seconds" in words_of(stage.phone.get(own_address(stage, "/extend")))


def test_where_a_device_cannot_stay_on_nothing_is_promised(
    database: Database, keyring: Keyring, client: FlaskClient, clock: MovableClock
) -> None:
    ways = (LoginWay.TICKET, LoginWay.VOUCHER)
    stage = Stage(database, keyring, client, clock, make="mikrotik", gateway_addresses=("10.1.0.1:80",), logins=ways)
    come_online_by_radius(stage)
    assert "/extend" not in stage.phone.get(own_address(stage)).text
    for answer in (
        stage.phone.get(own_address(stage, "/extend")),
        stage.phone.client.post(own_address(stage, "/extend"), data={"code": stage.voucher.code.value}),
    ):
        assert (answer.status_code, answer.location) == (303, own_address(stage))


def come_online_by_radius(stage: Stage) -> None:
    """Online without a hand-off of the portal; the browser has the token all the same."""
    assert isinstance(stage.admit(stage.voucher.code.value), Admitted)
    with stage.database.write() as session:
        session.scalars(select(Visit)).one().page_token = hash_page_token(stage.keyring, "token")
    stage.phone.client.set_cookie("surfpass_visit", "token")


def test_wrong_codes_are_told_and_count_as_guesses_of_the_device(stage: Stage) -> None:
    stage.come_online()
    for typed, words in (
        ("", "Please enter the code of your voucher"),
        ("hello", "There is a slip in this code"),
        (stage.voucher.code.value, "You are using this voucher already"),
        (Code.new().value, "We do not know this code"),
    ):
        page = stage.phone.client.post(own_address(stage, "/extend"), data={"code": typed})
        assert (page.status_code, words in words_of(page)) == (200, True), typed
    with stage.database.write() as session:
        for counter in session.scalars(select(LimitCounter)):
            counter.hits = Limit.GUESSES_BY_DEVICE.allowed
    page = stage.phone.client.post(own_address(stage, "/extend"), data={"code": Code.new().value})
    assert "Too many wrong codes" in words_of(page)


def test_a_visit_that_is_over_is_not_extended(stage: Stage) -> None:
    stage.come_online()
    address = own_address(stage, "/extend")
    stage.close_visits(CloseCause.STOPPED)
    assert stage.phone.get(address).location == own_address(stage)
    assert stage.phone.client.post(address, data={"code": another_voucher(stage).code.value}).status_code == 303
    with stage.database.read() as session:
        assert session.scalars(select(Extension)).all() == []


# A device without a browser


@pytest.mark.parametrize("typed", ["7c:10:c9:2b:40:a1", "7C10C92B40A1", " 7c-1o-c9-2b-40-ai "])
def test_a_television_comes_in_by_the_address_on_its_label(stage: Stage, typed: str) -> None:
    for_devices(stage, 2)
    stage.come_online()
    assert f'href="{own_address(stage, "/device")}"' in stage.phone.get(own_address(stage)).text
    assert "room for 1 more device." in words_of(stage.phone.get(own_address(stage, "/device")))
    answer = stage.phone.client.post(own_address(stage, "/device"), data={"address": typed})
    page = stage.phone.get(answer.location)
    assert "The device may come in now" in words_of(page)
    assert "Your voucher has no room for a further device." in words_of(page)
    assert isinstance(stage.admit(TV.value, device=TV), Admitted)
    assert promised(stage) == []
    assert {visit.voucher_id for visit in stage.visits()} == {stage.voucher.voucher.id}


def test_who_was_not_added_does_not_come_in(stage: Stage) -> None:
    for_devices(stage, 3)
    stage.come_online()
    stage.phone.client.post(own_address(stage, "/device"), data={"address": TV.value})
    assert not isinstance(stage.admit("7C-10-C9-2B-40-A2", device=Mac("7C-10-C9-2B-40-A2")), Admitted)


@pytest.mark.parametrize(("devices", "return_days"), [(1, 14), (2, 0)])
def test_a_pass_for_one_device_or_without_return_offers_no_second(stage: Stage, devices: int, return_days: int) -> None:
    for_devices(stage, devices, return_days)
    stage.come_online()
    assert "/device" not in stage.phone.get(own_address(stage)).text
    assert stage.phone.get(own_address(stage, "/device")).status_code == 303
    stage.phone.client.post(own_address(stage, "/device"), data={"address": TV.value})
    assert promised(stage) == []


def test_addresses_that_are_none_are_told_apart(stage: Stage) -> None:
    for_devices(stage, 3)
    stage.come_online()
    radio = next(iter(stage_directory_macs(stage)))
    for typed, words in (
        ("", "This is not the address of a device"),
        ("7C-10-C9-2B-40", "This is not the address of a device"),
        ("7C-10-C9-2B-40-G1", "This is not the address of a device"),
        ("01-00-5E-00-00-01", "This is not the address of a device"),
        (radio.value, "This is not the address of a device"),
        (stage.phone.chilli.device.value, "This is the device you are using now"),
    ):
        page = stage.phone.client.post(own_address(stage, "/device"), data={"address": typed})
        assert (page.status_code, words in words_of(page)) == (200, True), typed
    assert promised(stage) == []


def stage_directory_macs(stage: Stage) -> set[Mac]:
    with stage.database.read() as session:
        return set(directory(session, stage.keyring).by_mac)


def test_a_made_up_address_is_explained_and_taken_when_the_guest_is_sure(stage: Stage) -> None:
    for_devices(stage, 2)
    stage.come_online()
    made_up = a_mac()
    page = stage.phone.client.post(own_address(stage, "/device"), data={"address": made_up.value})
    assert "This is a random address" in words_of(page)
    assert promised(stage) == []
    stage.phone.client.post(own_address(stage, "/device"), data={"address": made_up.value, "random": "1"})
    assert promised(stage) == [hash_device(stage.keyring, made_up)]


def test_no_more_devices_than_the_pass_has_and_one_can_be_taken_back(stage: Stage) -> None:
    for_devices(stage, 2)
    stage.come_online()
    for number in (1, 2):
        page = stage.phone.client.post(own_address(stage, "/device"), data={"address": f"7C-10-C9-2B-40-0{number}"})
    assert "No further device fits on your voucher" in words_of(page)
    assert "1 device you have added has not come yet." in words_of(page)
    stage.phone.client.post(own_address(stage, "/device/forget"))
    assert promised(stage) == []
    assert "room for 1 more device." in words_of(stage.phone.get(own_address(stage, "/device")))


def test_addresses_cannot_be_tried_through(stage: Stage) -> None:
    for_devices(stage, 1000)
    stage.come_online()
    for number in range(Limit.DEVICES_BY_VOUCHER.allowed + 1):
        page = stage.phone.client.post(own_address(stage, "/device"), data={"address": f"7C-10-C9-2B-41-{number:02}"})
    assert "Too many devices one after the other" in words_of(page)
    assert len(promised(stage)) == Limit.DEVICES_BY_VOUCHER.allowed


def test_a_strangers_promise_does_not_take_a_device_from_its_own_voucher(stage: Stage) -> None:
    neighbour, own = a_mac(), another_voucher(stage)
    stage.admit(own.code.value, device=neighbour)
    stage.close_visits(CloseCause.STOPPED)
    for_devices(stage, 2)
    stage.come_online()
    stage.phone.client.post(own_address(stage, "/device"), data={"address": neighbour.value, "random": "1"})
    stage.admit(neighbour.value, device=neighbour)
    assert stage.visits()[-1].voucher_id == own.voucher.id


@pytest.mark.parametrize(
    ("page", "form", "expected"),
    [
        ("/extend", {"code": "another"}, {"extensions": 1}),
        ("/device", {"address": TV.value}, {"promised": 1}),
        ("/device/forget", {}, {"promised": 0}),
        ("/forget", {}, {"remembered": 0}),
        ("/logout", {}, {"running": 0}),
    ],
)
def test_who_was_overtaken_by_another_process_is_served_all_the_same(
    stage: Stage, page: str, form: dict[str, str], expected: dict[str, int]
) -> None:
    for_devices(stage, 3)
    if "code" in form:
        form = {"code": another_voucher(stage).code.value}
    stage.come_online()
    if page == "/device/forget":
        stage.phone.client.post(own_address(stage, "/device"), data={"address": TV.value})
    with losing_one_race(stage.database):
        answer = stage.phone.client.post(own_address(stage, page), data=form)
    assert answer.status_code == 303
    with stage.database.read() as session:
        counts = {
            "extensions": session.scalar(select(func.count()).select_from(Extension)),
            "promised": len(promised(stage)),
            "remembered": len(session.scalars(select(VoucherDevice).where(VoucherDevice.promised_at.is_(None))).all()),
            "running": session.scalar(select(func.count()).select_from(Visit).where(Visit.runs)),
        }
    assert counts | expected == counts


@contextmanager
def losing_one_race(database: Database) -> Iterator[None]:
    """The first transaction to commit is the one that the database ends for a deadlock."""
    lost: list[Connection] = []

    def lose(connection: Connection) -> None:
        if not lost:
            lost.append(connection)
            raise OperationalError(None, None, Exception("deadlock detected"))

    event.listen(database.engine, "commit", lose)
    yield
    event.remove(database.engine, "commit", lose)
    assert lost


# What is stored


def test_the_page_says_what_is_stored_as_the_rows_have_it(stage: Stage, clock: MovableClock) -> None:
    stage.come_online()
    words = words_of(stage.phone.get(own_address(stage, "/data")))
    for expected in (
        "encrypted To end the connection when its time is over until 10 minutes after the visit",
        "until 24 hours after the visit",
        "Which version of the terms of use you have accepted",
        "So that it can come back without the sign-in page until tomorrow, 14:00",
        "an entry in the connection log",
        "from tomorrow, 05:00 on nobody can say",
        "In your browser: the way back to this page",
    ):
        assert expected in words
    stage.close_visits(CloseCause.STOPPED)
    closed = words_of(stage.phone.get(own_address(stage, "/data")))
    assert "until today, 14:10" in closed
    assert "until tomorrow, 14:00" in closed
    with stage.database.write() as session:
        session.scalars(select(Visit)).one().identifiers = None
    assert "(MAC and IP)" not in words_of(stage.phone.get(own_address(stage, "/data")))


def test_a_free_pass_is_remembered_until_the_sites_day_ends(stage: Stage) -> None:
    page = stage.phone.arrive().text
    stage.phone.post(page, variant=f"pass:{stage.free.public_id}", terms=str(stage.terms.id))
    stage.let_in()
    words = words_of(stage.phone.get(own_address(stage, "/data")))
    assert "has taken its free access today It is there once a day until tomorrow, 04:00" in words


def test_privacy_mode_has_no_log_to_speak_of(stage: Stage) -> None:
    stage.come_online()
    with stage.database.write() as session:
        session.get_one(Site, stage.place.site.id).privacy_mode = True
        announce_change(session)
    assert "connection log" not in words_of(stage.phone.get(own_address(stage, "/data")))


def test_a_forgotten_device_has_to_use_the_portal_again(stage: Stage) -> None:
    stage.come_online()
    address = own_address(stage, "/data")
    answer = stage.phone.client.post(own_address(stage, "/forget"))
    page = words_of(stage.phone.get(answer.location))
    assert "We have forgotten this device" in page
    assert "come back without the sign-in page" not in page
    assert stage.visits()[0].runs, "who is online stays online"
    stage.close_visits(CloseCause.STOPPED)
    device = stage.phone.chilli.device
    assert not isinstance(stage.admit(device.value, device=device), Admitted)
    answer = stage.phone.client.post(address.replace("/data", "/forget"))
    assert "surfpass_visit=;" in answer.headers["Set-Cookie"]
    assert stage.visits()[0].identifiers is None


@pytest.mark.parametrize("page", ["/extend", "/device", "/data"])
def test_nobody_without_the_token_comes_here(stage: Stage, page: str) -> None:
    stage.come_online()
    assert stage.phone.get(f"/s/guessed{page}").status_code == 404
    assert stage.phone.client.post(f"/s/guessed{page.replace('data', 'forget')}").status_code == 404


@pytest.mark.parametrize("page", ["", "/extend", "/device", "/data"])
def test_each_page_is_light_and_can_be_had_in_german(stage: Stage, page: str) -> None:
    for_devices(stage, 2)
    stage.come_online()
    stage.phone.language = "de"
    answer = stage.phone.get(own_address(stage, page))
    assert answer.status_code == 200
    assert f'href="{own_address(stage, page)}?lang=en"' in answer.text
    assert len(answer.data) < 20_000
    assert not re.search(r"<script|style=", answer.text)
