"""Webhooks: what is told, to whom, over which addresses, and how often it is tried."""

import base64
import hmac
import ipaddress
import json
import re
import socket
import ssl
import subprocess
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
from prometheus_client import CollectorRegistry, generate_latest
from sqlalchemy import func, select, update

from deploy.metrics import Workers
from deploy.webhooks.addresses import is_outside, is_public, local_addresses
from deploy.webhooks.client import LARGEST_ANSWER, Client, Outcome
from deploy.webhooks.sender import AT_ONCE, REST, Sender, look_after_stock
from hotspot.audit import COMMAND_LINE
from hotspot.counters import Counters
from hotspot.database import Database
from hotspot.errors import WrongUse
from hotspot.keys import Keyring
from hotspot.place import Customer
from hotspot.webhooks import (
    KEPT,
    WAITS,
    Delivery,
    Event,
    MadeWebhook,
    Webhook,
    add_webhook,
    is_https,
    retire_webhook,
    send_test,
    tell,
)
from sessions.desk import by_ids, revoke_vouchers, undo
from tests.conftest import NOON
from tests.factories import Place, a_place, some_vouchers
from vouchers.stock_alarms import set_threshold

# There is no such folder, nor can it be made.
NO_COUNTERS = Counters(Path(__file__), "webhooks")


@dataclass
class Receiver:
    """A till's web server, with a certificate for till.example."""

    port: int
    context: ssl.SSLContext
    got: list[tuple[str, dict[str, str], bytes]] = field(default_factory=list)
    answer: Callable[[BaseHTTPRequestHandler], None] = lambda handler: plain(handler, 200)

    @property
    def url(self) -> str:
        """Its address."""
        return f"https://till.example:{self.port}/hook?till=1"

    def client(self, whole_seconds: float = 15.0) -> Client:
        """A client that is told where till.example is, and may go there."""
        return Client(lambda _host, _port: ["127.0.0.1"], lambda _address: True, self.context, whole_seconds)


def plain(handler: BaseHTTPRequestHandler, status: int, **headers: str) -> None:
    """An answer without a body."""
    handler.send_response(status)
    for name, value in headers.items():
        handler.send_header(name, value)
    handler.send_header("Content-Length", "0")
    handler.end_headers()


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A certificate for till.example and its key, in one file."""
    path = tmp_path_factory.mktemp("tls") / "till.pem"
    command = [
        "openssl",
        "req",
        "-x509",
        "-newkey",
        "ec",
        "-pkeyopt",
        "ec_paramgen_curve:P-256",
        "-nodes",
        "-days",
        "2",
    ]
    told = ["-subj", "/CN=till.example", "-addext", "subjectAltName=DNS:till.example", "-keyout", "-", "-out", "-"]
    path.write_bytes(subprocess.run([*command, *told], check=True, capture_output=True).stdout)
    return path


@pytest.fixture
def receiver(certificate: Path) -> Iterator[Receiver]:
    """A receiver that is running."""

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            running.got.append((self.path, dict(self.headers.items()), body))
            running.answer(self)

        def log_message(self, *_args: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    inside = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    inside.load_cert_chain(certificate)
    server.socket = inside.wrap_socket(server.socket, server_side=True)
    server.handle_error = lambda *_args: None  # type: ignore[method-assign]
    running = Receiver(server.server_port, ssl.create_default_context(cafile=str(certificate)))
    thread = threading.Thread(target=server.serve_forever, args=(0.05,))
    thread.start()
    yield running
    server.shutdown()
    server.server_close()
    thread.join()


@dataclass
class Told:
    """A venue whose till is told."""

    place: Place
    made: MadeWebhook


@pytest.fixture
def venue(database: Database, keyring: Keyring, receiver: Receiver) -> Told:
    """A venue with a webhook, and another customer with one."""
    with database.write() as session:
        place = a_place(session, keyring)
        made = add_webhook(session, COMMAND_LINE, keyring, place.customer, "https://till.example/", NOON)
        # Its port is one that was free, and none that a form takes.
        made.webhook.url = receiver.url
        other = a_place(session, keyring)
        add_webhook(session, COMMAND_LINE, keyring, other.customer, "https://other.example/", NOON)
    return Told(place, made)


def waiting(database: Database) -> list[tuple[str, dict[str, object]]]:
    """What waits to be told, in order."""
    with database.read() as session:
        rows = session.execute(
            select(Delivery.event, Delivery.body).where(Delivery.next_try_at.is_not(None)).order_by(Delivery.id)
        )
        return [(event, json.loads(body)["data"]) for event, body in rows]


def a_test_event(database: Database, venue: Told, now: datetime = NOON) -> None:
    """Have a test event told."""
    with database.write() as session:
        tell(session, [venue.made.webhook.id], Event.TEST, {}, now)


def send_due(database: Database, keyring: Keyring, client: Client, now: datetime) -> int:
    """Send what is due, and wait for what becomes of it; how many were tried."""
    sender = Sender(database, keyring, client, lambda: now, NO_COUNTERS)
    sent = sender.begin()
    while sent and sender.gather(20):
        continue
    return sent


@pytest.mark.parametrize(
    "address",
    [
        *(
            "127.0.0.1",
            "10.1.2.3",
            "172.16.0.1",
            "192.168.1.1",
            "169.254.169.254",
            "100.64.0.1",
            "0.0.0.1",
            "224.0.0.1",
        ),
        *("255.255.255.255", "192.0.2.1", "198.18.0.1", "240.0.0.1", "::1", "::", "fe80::1", "fe80::1%eth0", "fc00::1"),
        *("::ffff:10.0.0.1", "::ffff:8.8.8.8", "2002:7f00:1::1", "2001:0:7f00:1::", "64:ff9b::7f00:1", "ff02::1"),
        *("64:ff9b:1::1", "2001:db8::1", "nonsense", "", "fec0::1", "3fff::1", "5f00::1", "100::1", "100:0:0:1::1"),
        *("192.0.0.8", "192.88.99.1", "2001:2::1", "2001:10::1", "4000::1", "::8.8.8.8", "::ffff:0:8.8.8.8"),
    ],
)
def test_no_address_of_a_network_of_our_own_is_public(address: str) -> None:
    assert not is_public(address)


def test_addresses_on_the_internet_are_public() -> None:
    assert all(is_public(one) for one in ("8.8.8.8", "193.99.144.80", "2a02:2e0:3fe:1001::1", "2606:4700::1111"))


def test_the_pop_itself_is_not_outside(monkeypatch: pytest.MonkeyPatch) -> None:
    assert ipaddress.ip_address("127.0.0.1") in local_addresses()
    own = {ipaddress.ip_address("193.99.144.80"), ipaddress.ip_address("2606:4700::1111")}
    monkeypatch.setattr("deploy.webhooks.addresses.local_addresses", lambda: own)
    found = [one for one in (*map(str, own), "9.9.9.9", "8.8.8.8") if is_outside("9.9.9.9", one)]
    assert found == ["8.8.8.8"]
    assert is_outside("portal.invalid", "9.9.9.9")


def test_a_name_that_leads_inside_is_not_called(receiver: Receiver) -> None:
    for addresses in (["127.0.0.1"], ["8.8.8.8", "127.0.0.1"], ["::ffff:127.0.0.1"], []):
        client = Client(lambda _host, _port, found=addresses: found, context=receiver.context)  # type: ignore[misc]
        assert client.post(receiver.url, {}, b"").reason == "not-public"
    assert Client(context=receiver.context).post(f"https://127.0.0.1:{receiver.port}/", {}, b"").reason == "not-public"
    assert Client().post("https://nowhere.invalid/", {}, b"").reason == "no-address"
    assert receiver.got == []


def test_what_is_told_arrives_signed_at_the_name_that_was_given(
    database: Database, keyring: Keyring, venue: Told, receiver: Receiver
) -> None:
    a_test_event(database, venue)

    assert send_due(database, keyring, receiver.client(), NOON) == 1
    path, headers, body = receiver.got[0]
    assert (path, headers["Host"]) == ("/hook?till=1", f"till.example:{receiver.port}")
    assert json.loads(body) == {"type": "test", "timestamp": "2026-06-15T12:00:00Z", "data": {}}
    secret = base64.b64decode(venue.made.secret.removeprefix("whsec_"))
    signed = f"{headers['webhook-id']}.{headers['webhook-timestamp']}.{body.decode()}".encode()
    expected = "v1," + base64.b64encode(hmac.digest(secret, signed, "sha256")).decode()
    assert headers["webhook-signature"] == expected
    assert int(headers["webhook-timestamp"]) == NOON.timestamp()
    assert waiting(database) == []
    assert send_due(database, keyring, receiver.client(), NOON) == 0


def test_a_redirect_is_not_followed_and_no_delivery(receiver: Receiver) -> None:
    receiver.answer = lambda handler: plain(handler, 302, Location=receiver.url)

    outcome = receiver.client().post(receiver.url, {}, b"{}")
    assert (outcome.status, outcome.is_delivered, len(receiver.got)) == (302, False, 1)


def test_a_wrong_certificate_gets_nothing(receiver: Receiver) -> None:
    url = receiver.url.replace("till.example", "other.example")
    trusting = Client(lambda _host, _port: ["127.0.0.1"], lambda _address: True)

    assert receiver.client().post(url, {}, b"{}").reason == "bad-certificate"
    assert trusting.post(receiver.url, {}, b"{}").reason == "bad-certificate"
    assert receiver.got == []


def test_of_an_endless_answer_a_little_is_read(receiver: Receiver) -> None:
    sent = 0

    def flood(handler: BaseHTTPRequestHandler) -> None:
        nonlocal sent
        handler.send_response(200)
        handler.end_headers()
        while sent < 100_000_000:
            sent += handler.wfile.write(bytes(65536))

    receiver.answer = flood
    assert receiver.client().post(receiver.url, {}, b"{}").status == 200
    assert sent < 100 * LARGEST_ANSWER


def test_a_receiver_that_drips_is_cut_off(receiver: Receiver) -> None:
    def drip(handler: BaseHTTPRequestHandler) -> None:
        for _ in range(100):
            handler.wfile.write(b"H")
            handler.wfile.flush()
            time.sleep(0.05)

    receiver.answer = drip
    started = time.monotonic()
    assert receiver.client(whole_seconds=0.4).post(receiver.url, {}, b"{}").reason in ("cut-off", "no-answer")
    assert time.monotonic() - started < 3


def test_a_slow_name_leaves_a_receiver_no_more_time(receiver: Receiver) -> None:
    def drip(handler: BaseHTTPRequestHandler) -> None:
        for _ in range(60):
            handler.wfile.write(b"H")
            handler.wfile.flush()
            time.sleep(0.05)

    receiver.answer = drip
    client = receiver.client(whole_seconds=0.5)

    def late(*_asked: object) -> list[str]:
        time.sleep(0.49)
        return ["127.0.0.1"]

    connect = socket.create_connection

    def slowly(*told: Any, **also: Any) -> socket.socket:
        time.sleep(0.2)
        return connect(*told, **also)

    started = time.monotonic()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(socket, "create_connection", slowly)
        assert replace(client, resolve=late).post(receiver.url, {}, b"{}").reason == "too-slow"
    assert time.monotonic() - started < 2


class Refusing(Client):
    """A receiver that is down."""

    def post(self, *_args: object) -> Outcome:
        """Nobody answers."""
        return Outcome(reason="no-answer")


def test_what_becomes_of_messages_is_counted(database: Database, keyring: Keyring, venue: Told, tmp_path: Path) -> None:
    answers = [Outcome(200), Outcome(500), Outcome(500)]
    with database.write() as session:
        tell(session, [venue.made.webhook.id] * 3, Event.TEST, {}, NOON)
        last = select(func.max(Delivery.id)).scalar_subquery()
        session.execute(update(Delivery).where(Delivery.id == last).values(attempts=len(WAITS)))

    class Answering(Client):
        def post(self, *_args: object) -> Outcome:
            return answers.pop(0)

    sender = Sender(database, keyring, Answering(), lambda: NOON, Counters(tmp_path, "webhooks"))
    while sender.begin():
        sender.gather(5)
    registry = CollectorRegistry()
    registry.register(Workers(tmp_path))
    told = generate_latest(registry).decode()
    assert re.findall(r'surfpass_webhook_tries_total{result="(\w+)"} 1.0', told) == ["delivered", "failed", "given_up"]


def test_what_fails_is_tried_for_three_days_and_then_given_up(
    database: Database, keyring: Keyring, venue: Told
) -> None:
    a_test_event(database, venue)
    now, tries = NOON, 0
    while send_due(database, keyring, Refusing(), now):
        tries += 1
        with database.read() as session:
            at = session.scalar(select(Delivery.next_try_at))
        if at is None:
            break
        assert send_due(database, keyring, Refusing(), at - timedelta(seconds=1)) == 0
        now = at
    assert tries == len(WAITS) + 1
    assert timedelta(days=2.9) < now - NOON < timedelta(days=3)
    with database.read() as session:
        one = session.scalars(select(Delivery)).one()
        assert (one.state, one.attempts, one.outcome) == ("given-up", tries, "no-answer")


def test_a_receiver_that_is_down_holds_up_nobody_else(
    database: Database, keyring: Keyring, venue: Told, receiver: Receiver
) -> None:
    with database.write() as session:
        down = session.scalars(select(Webhook.id).where(Webhook.id != venue.made.webhook.id)).one()
        for _ in range(3):
            tell(session, [down], Event.TEST, {}, NOON)
    a_test_event(database, venue)

    def resolve(host: str, _port: int) -> list[str]:
        return ["127.0.0.1"] if host == "till.example" else []

    assert send_due(database, keyring, Client(resolve, lambda _one: True, receiver.context), NOON) == 2
    assert len(receiver.got) == 1


def test_a_receiver_that_never_answers_delays_nobody_else(
    database: Database, keyring: Keyring, venue: Told, receiver: Receiver
) -> None:
    customer, silent, others = venue.place.customer, threading.Event(), 0
    with database.write() as session:
        tell(session, [venue.made.webhook.id] * 3, Event.TEST, {}, NOON)
        for number in range(20):
            url = f"https://other{number}.example/"
            hook = add_webhook(session, COMMAND_LINE, keyring, customer, url, NOON).webhook
            tell(session, [hook.id] * 2, Event.TEST, {}, NOON)
            if number % 5 == 4:
                customer = a_place(session, keyring).customer

    class Slow(Client):
        def post(self, url: str, *_args: object) -> Outcome:
            nonlocal others
            if "till" in url:
                silent.wait(20)
            else:
                others += 1
            return Outcome(200)

    sender, started = Sender(database, keyring, Slow(), lambda: NOON, NO_COUNTERS), time.monotonic()
    while others < 40 and time.monotonic() - started < 10:
        sender.begin()
        sender.gather(1)
    assert (others, time.monotonic() - started < 2) == (40, True)
    assert (sender.begin(), sender.gather(0.1)) == (0, 1)
    silent.set()
    assert sender.gather(5) == 0


def test_one_customer_takes_two_connections_and_all_a_bounded_number(
    database: Database, keyring: Keyring, venue: Told
) -> None:
    silent = threading.Event()
    with database.write() as session:
        for _ in range(AT_ONCE):
            customer = a_place(session, keyring).customer
            for number in range(3):
                hook = add_webhook(session, COMMAND_LINE, keyring, customer, f"https://a{number}.example/", NOON)
                tell(session, [hook.webhook.id], Event.TEST, {}, NOON)
    a_test_event(database, venue)

    class Silent(Client):
        def post(self, *_args: object) -> Outcome:
            silent.wait(20)
            return Outcome(200)

    sender = Sender(database, keyring, Silent(), lambda: NOON, NO_COUNTERS)
    assert (sender.begin(), sender.begin()) == (AT_ONCE, 0)
    assert max(Counter(one.customer_id for one in sender.away).values()) == 2
    silent.set()
    while sender.gather(5):
        continue


def test_who_does_not_answer_rests_and_leaves_room_for_others(
    database: Database, keyring: Keyring, venue: Told
) -> None:
    clock = [NOON]
    with database.write() as session:
        hooks = [
            add_webhook(session, COMMAND_LINE, keyring, venue.place.customer, f"https://a{number}.example/", NOON)
            for number in range(3)
        ]
        for one in hooks:
            tell(session, [one.webhook.id] * 3, Event.TEST, {}, NOON)
    sender = Sender(database, keyring, Refusing(), lambda: clock[0], NO_COUNTERS)

    def turn() -> int:
        sent = sender.begin()
        while sent and sender.gather(5):
            continue
        return sent

    assert [turn(), turn(), turn()] == [2, 1, 0]
    clock[0] += REST
    assert turn() == 2


def test_a_message_that_cannot_be_made_costs_the_others_nothing(
    database: Database, keyring: Keyring, venue: Told, receiver: Receiver
) -> None:
    with database.write() as session:
        broken = session.scalars(select(Webhook).where(Webhook.id != venue.made.webhook.id)).one()
        broken.secret = b"of other keys"
        tell(session, [broken.id, venue.made.webhook.id], Event.TEST, {}, NOON)

    assert send_due(database, keyring, receiver.client(), NOON) == 2
    with database.read() as session:
        told = session.execute(select(Delivery.outcome, Delivery.status).order_by(Delivery.id)).all()
    assert told == [("no-answer", None), ("", 200)]


def test_looking_up_a_name_counts(receiver: Receiver) -> None:
    released = threading.Event()

    def look_up(_host: str, _port: int) -> list[str]:
        released.wait(20)
        return ["127.0.0.1"]

    client, started = Client(look_up, lambda _one: True, receiver.context, 0.2), time.monotonic()
    assert client.post(receiver.url, {}, b"").reason == "too-slow"
    assert time.monotonic() - started < 2
    released.set()
    assert receiver.got == []


def test_nothing_is_sent_twice_by_two_senders_nor_after_retirement(
    database: Database, keyring: Keyring, venue: Told, receiver: Receiver
) -> None:
    a_test_event(database, venue)

    class Nested(Client):
        def post(self, *_args: object) -> Outcome:
            assert send_due(database, keyring, receiver.client(), NOON) == 0
            return Outcome(200)

    assert send_due(database, keyring, Nested(), NOON) == 1
    a_test_event(database, venue)
    with database.write() as session:
        retire_webhook(session, COMMAND_LINE, session.get_one(Webhook, venue.made.webhook.id), NOON)
    assert send_due(database, keyring, receiver.client(), NOON) == 0
    assert receiver.got == []
    assert waiting(database) == []


def test_what_fails_after_its_webhook_was_withdrawn_waits_no_more(
    database: Database, keyring: Keyring, venue: Told
) -> None:
    a_test_event(database, venue)

    class Withdrawn(Client):
        def post(self, *_args: object) -> Outcome:
            with database.write() as session:
                retire_webhook(session, COMMAND_LINE, session.get_one(Webhook, venue.made.webhook.id), NOON)
            return Outcome(reason="no-answer")

    assert send_due(database, keyring, Withdrawn(), NOON) == 1
    assert waiting(database) == []


def test_issuing_revoking_and_undoing_are_told_to_the_own_customer_without_codes(
    database: Database, keyring: Keyring, venue: Told
) -> None:
    place = venue.place
    with database.write() as session:
        issued = some_vouchers(session, keyring, place.site, place.article, 2, now=NOON)
        public_id = issued[0].voucher.public_id
        done = revoke_vouchers(session, COMMAND_LINE, place.site, by_ids([issued[0].voucher.id]), NOON)
        assert done.deed
        undo(session, COMMAND_LINE, place.site, done.deed, NOON)

    told = waiting(database)
    assert [event for event, _data in told] == ["vouchers.issued", "vouchers.revoked", "vouchers.restored"]
    assert (told[0][1]["count"], told[0][1]["site_id"]) == (2, place.site.public_id)
    assert told[1][1]["vouchers"] == [{"id": public_id, "serial": issued[0].serial}]
    for one in issued:
        assert one.code.value not in str(told)
        assert one.code.printed not in str(told)
    with database.read() as session:
        assert set(session.scalars(select(Delivery.webhook_id))) == {venue.made.webhook.id}


def test_what_is_taken_back_is_never_told(database: Database, keyring: Keyring, venue: Told) -> None:
    def fail() -> None:
        with database.write() as session:
            some_vouchers(session, keyring, session.merge(venue.place.site), venue.place.article)
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        fail()
    assert waiting(database) == []


def test_of_one_webhook_a_bounded_number_waits_and_its_owner_sees_that_the_rest_was_lost(
    database: Database, keyring: Keyring, venue: Told, receiver: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("hotspot.webhooks.MOST_WAITING", 3)

    def lost_at() -> datetime | None:
        with database.read() as session:
            return session.get_one(Webhook, venue.made.webhook.id).lost_at

    for minute in range(5):
        a_test_event(database, venue, NOON + timedelta(minutes=minute))
        assert (lost_at() is None) == (minute < 3)
    with database.read() as session:
        kept = session.scalars(select(Delivery.created_at).order_by(Delivery.id)).all()
    assert kept == [NOON + timedelta(minutes=minute) for minute in range(3)]
    assert lost_at() == NOON + timedelta(minutes=4)
    # What was told makes room again.
    send_due(database, keyring, receiver.client(), NOON + timedelta(minutes=4))
    a_test_event(database, venue, NOON + timedelta(minutes=5))
    assert (len(waiting(database)), lost_at()) == (3, NOON + timedelta(minutes=4))
    with database.write() as session:
        send_test(session, session.get_one(Webhook, venue.made.webhook.id), NOON)
    assert len(waiting(database)) == 4
    look_after_stock(database, NOON + KEPT + timedelta(minutes=5))
    assert lost_at() is None


def test_low_stock_is_told_once_until_it_was_refilled(database: Database, keyring: Keyring, venue: Told) -> None:
    place = venue.place

    def levels(now: datetime) -> list[object]:
        look_after_stock(database, now)
        return [data["left"] for event, data in waiting(database) if event == "stock.low"]

    with database.write() as session:
        set_threshold(session, COMMAND_LINE, place.site, place.article, 2, NOON)
    assert levels(NOON) == [0]
    assert levels(NOON) == [0]
    with database.write() as session:
        issued = some_vouchers(session, keyring, place.site, place.article, 2, now=NOON)
    assert levels(NOON) == [0]
    with database.write() as session:
        revoke_vouchers(session, COMMAND_LINE, place.site, by_ids([issued[0].voucher.id]), NOON)
    assert levels(NOON) == [0, 1]


def test_deliveries_are_forgotten_after_a_month(database: Database, venue: Told) -> None:
    a_test_event(database, venue)
    look_after_stock(database, NOON + KEPT + timedelta(seconds=1))
    with database.read() as session:
        assert session.scalar(select(func.count(Delivery.id))) == 0


@pytest.mark.parametrize(
    "url",
    [
        *("http://till.example/", "https://", "till.example", "https://user:word@till.example/", "ftp://till.example"),
        *(
            "https://till.example/#part",
            "https://till.example:99999/",
            "https://till.example/ a",
            "https://t\u00fcll.example",
        ),
        *("https://till.example/\n", "https://[::1", "javascript:alert(1)", "https://till.example/" + "x" * 500),
        *("https://localhost/", "https://till./", "https://till.example:22/", "https://till.example:0/"),
    ],
)
def test_what_is_no_https_address_is_refused(url: str) -> None:
    assert not is_https(url)


def test_https_addresses_with_usual_ports_are_taken() -> None:
    for url in ("https://till.example", "https://till.example:8443/hook?x=1", "https://[2606:4700::1111]:443/"):
        assert is_https(url)


def test_the_secret_is_not_stored_in_clear(database: Database, keyring: Keyring, venue: Told) -> None:
    secret = base64.b64decode(venue.made.secret.removeprefix("whsec_"))
    with database.read() as session:
        assert secret not in session.scalars(select(Webhook.secret)).first()  # type: ignore[operator]


def test_a_bad_address_adds_no_webhook(database: Database, keyring: Keyring, venue: Told) -> None:
    with database.write() as session:
        customer = session.get_one(Customer, venue.made.webhook.customer_id)
        with pytest.raises(WrongUse):
            add_webhook(session, COMMAND_LINE, keyring, customer, "http://till.example/", NOON)
