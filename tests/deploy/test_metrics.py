"""The metrics server: what Prometheus is told of a PoP, also while its database is down."""

import os
import signal
import socket
import subprocess
import sys
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Callable
from contextlib import closing
from datetime import timedelta
from functools import partial
from pathlib import Path
from typing import NoReturn

import pytest
from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.parser import text_string_to_metric_families
from sqlalchemy import update
from sqlalchemy.orm import Session

from deploy import metrics
from deploy.metrics import SetAside, Standing
from hotspot.audit import COMMAND_LINE
from hotspot.clock import utc_now
from hotspot.database import Database
from hotspot.keys import Keyring
from hotspot.limits import Limit
from hotspot.webhooks import Delivery, Event, add_webhook, tell
from sessions.guessing import a_try, count
from sessions.heartbeat import beat
from sessions.outbox import ask_disconnect_ids
from sessions.visit import CloseCause, Visit, VisitState
from tests import factories
from tests.conftest import NOON
from tests.deploy.conftest import Surfpass, runner_with
from tests.deploy.processes import Ports, Running, eventually, free_ports, inherited_environment, running
from tests.deploy.test_run import code_on, log_in
from vouchers.codes import Code
from vouchers.printing.files import FileState, PrintFile

Numbers = dict[tuple[str, ...], float]


def parse(text: str) -> Numbers:
    """A scrape, by name and label values."""
    return {
        (sample.name, *(sample.labels[name] for name in sorted(sample.labels))): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
    }


def fetch(port: int) -> Numbers:
    with urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics", timeout=10) as answer:
        return parse(answer.read().decode())


def scrape(database: Callable[[], Database], patience: float = 3.0) -> Numbers:
    registry = CollectorRegistry()
    registry.register(Standing(database, lambda: NOON, patience))
    return parse(generate_latest(registry).decode())


def a_queue(session: Session, keyring: Keyring, place: factories.Place) -> None:
    """Messages to a webhook, two of which were tried, and a large print."""
    hook = add_webhook(session, COMMAND_LINE, keyring, place.customer, "https://till.example/", NOON).webhook
    for seconds, attempts in ((20, 0), (300, 3), (60, 1)):
        told_at = NOON - timedelta(seconds=seconds)
        tell(session, [hook.id], Event.TEST, {}, told_at)
        session.execute(update(Delivery).where(Delivery.created_at == told_at).values(attempts=attempts))
    (issued,) = factories.some_vouchers(session, keyring, place.site, place.article, 1, now=NOON)
    user = factories.a_user(session, customer=place.customer)
    session.execute(update(Delivery).where(Delivery.event == "vouchers.issued").values(next_try_at=None))
    file = PrintFile(
        user_id=user.id, site_id=place.site.id, batch_id=issued.voucher.batch_id, state=FileState.QUEUED, total=1,
        order="", created_at=NOON - timedelta(seconds=40), heard_at=NOON,
    )  # fmt: skip
    session.add(file)
    session.flush()


def test_places_outbox_and_house_keeping_are_told(database: Database, keyring: Keyring) -> None:
    with database.write() as session:
        place = factories.a_place(session, keyring)
        place.access_point.capacity = 2
        article = factories.a_pass(session, site=place.site)
        visits = []
        for number, state in enumerate((VisitState.ASKED, VisitState.OPEN, VisitState.RESERVED, VisitState.CLOSED)):
            visit = Visit(
                site_id=place.site.id,
                access_point_id=place.access_point.id,
                nas_id=place.nas.id,
                pass_id=article.id,
                way="ticket",
                state=state,
                device=bytes([number]) * 20,
                asked_at=NOON,
                reserved_at=None if state is VisitState.ASKED else NOON,
                closed_at=NOON if state is VisitState.CLOSED else None,
            )
            session.add(visit)
            visits.append(visit)
        session.flush()
        for visit, seconds in ((visits[1], 90), (visits[2], 30)):
            asked_at = NOON - timedelta(seconds=seconds)
            ask_disconnect_ids(session, [(visit.id, visit.nas_id)], CloseCause.REVOKED, asked_at)
        a_queue(session, keyring, place)
        beat(session, "housekeeping", NOON)
        snapshot = factories.directory(session, keyring)
        guess = a_try(factories.located(snapshot, place.access_point), "02-00-00-00-00-01", Code.new())
        count(session, keyring, [guess] * Limit.GUESSES_BY_DEVICE.allowed, NOON)
    numbers = scrape(lambda: database)
    assert numbers["surfpass_database_up",] == 1
    assert {state: numbers["surfpass_visits", state] for state in ("asked", "reserved", "open")} == {
        "asked": 1,
        "reserved": 1,
        "open": 1,
    }
    assert (numbers["surfpass_access_points",], numbers["surfpass_access_points_full",]) == (1, 1)
    assert (numbers["surfpass_disconnect_outbox",], numbers["surfpass_disconnect_outbox_age_seconds",]) == (2, 90)
    name, ages = "surfpass_webhook_messages_waiting", "surfpass_webhook_age_seconds"
    assert (numbers[name, "no"], numbers[ages, "no"], numbers[name, "yes"], numbers[ages, "yes"]) == (1, 20, 2, 300)
    assert (numbers["surfpass_prints_waiting",], numbers["surfpass_prints_age_seconds",]) == (1, 40)
    assert (numbers["surfpass_guess_alarms", "by_device"], numbers["surfpass_guess_alarms", "at_site"]) == (1, 0)
    assert numbers["surfpass_last_beat_timestamp_seconds", "housekeeping"] == NOON.timestamp()


def test_an_empty_database_is_up_and_full_of_nothing(database: Database) -> None:
    numbers = scrape(lambda: database)
    assert numbers["surfpass_database_up",] == 1
    assert numbers["surfpass_access_points_full",] == numbers["surfpass_disconnect_outbox_age_seconds",] == 0


def test_a_database_that_is_down_is_a_number_and_no_failure(tmp_path: Path) -> None:
    away = Database(f"sqlite:///{tmp_path / 'empty.db'}")
    assert scrape(lambda: away) == {("surfpass_database_up",): 0}
    away.dispose()


def test_spool_files_that_wait_for_the_operator_are_counted(tmp_path: Path) -> None:
    def told() -> Numbers:
        registry = CollectorRegistry()
        registry.register(SetAside(tmp_path))
        return parse(generate_latest(registry).decode())

    assert told() == {("surfpass_radius_spool_files_set_aside",): 0}
    (tmp_path / "spool").mkdir()
    for name in ("radius-1.7.0000000001.spool", "radius-1.rejected", "radius-2.9.0000000003.41.unreadable"):
        (tmp_path / "spool" / name).touch()
    assert told() == {("surfpass_radius_spool_files_set_aside",): 2}


def test_a_database_that_does_not_answer_holds_no_scrape_up() -> None:
    released = threading.Event()

    def hang() -> NoReturn:
        released.wait(20)
        raise OSError

    standing = Standing(hang, utc_now, patience=0.05)
    for _ in range(3):
        begun = time.monotonic()
        assert [family.name for family in standing.collect()] == ["surfpass_database_up"]
        assert time.monotonic() - begun < 2
    assert sum(thread.name == "measuring" for thread in threading.enumerate()) == 1
    released.set()
    for thread in threading.enumerate():
        if thread.name == "measuring":
            thread.join(10)


def test_the_database_is_asked_once_in_five_seconds(database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    asked = []

    def ask() -> Database:
        asked.append(1)
        return database

    standing = Standing(ask, utc_now)
    for _ in range(3):
        assert len(list(standing.collect())) > 3
    assert len(asked) == 1
    monkeypatch.setattr(metrics, "CACHE_SECONDS", 0.0)
    assert len(list(standing.collect())) == 1
    assert len(asked) == 2


def test_the_command_serves_metrics_and_stops_in_order(surfpass_environment: dict[str, str], tmp_path: Path) -> None:
    (port,) = free_ports(1)
    environment = surfpass_environment | {"SURFPASS_METRICS_BIND": f"127.0.0.1:{port}"}
    output = tmp_path / "output"
    with output.open("w") as out:
        process = subprocess.Popen(
            [sys.executable, "-P", "-m", "deploy", "metrics"], env=inherited_environment() | environment, stderr=out
        )
    try:
        eventually(lambda: listens(port), "no metrics")
        assert fetch(port)["surfpass_database_up",] == 1
        with pytest.raises(urllib.error.HTTPError):
            urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics", data=b"a post", timeout=5)
        with socket.create_connection(("127.0.0.1", port)) as rude:
            rude.sendall(b"GET / HT")
            assert fetch(port)["surfpass_database_up",] == 1
        process.send_signal(signal.SIGTERM)
        assert process.wait(15) == 0
    finally:
        process.kill()
        process.wait()
    assert output.read_text() == ""


def listens(port: int) -> bool:
    with closing(socket.socket()) as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


def test_without_a_bind_there_is_nothing_to_serve(surfpass_environment: dict[str, str]) -> None:
    surfpass: Surfpass = runner_with(surfpass_environment | {"SURFPASS_METRICS_BIND": ""})
    assert "SURFPASS_METRICS_BIND is empty" in surfpass("metrics", code=1).stderr


def test_run_serves_metrics_from_zero_and_none_where_none_are_wanted(tmp_path: Path) -> None:
    environment = {"SURFPASS_DATA_DIR": str(tmp_path / "data"), "SURFPASS_PORTAL_WORKERS": "1"}
    for _ in range(2):
        with running(environment, tmp_path, until="radclient") as pop:
            eventually(partial(listens, pop.ports.metrics), "no metrics")
            before = accepted(pop)
            assert before == 0
            assert log_in(pop, environment, code_on(pop.printed))
            eventually(partial(accepts_more, pop, before), "the login is not counted")
    without = running(environment | {"SURFPASS_METRICS_BIND": ""}, tmp_path, ports=NoMetrics.free())
    with without as pop, pytest.raises(LookupError):
        pop.child("metrics")


def test_the_numbers_of_several_workers_are_added_up_also_of_one_that_was_killed(tmp_path: Path) -> None:
    environment = {
        "SURFPASS_DATA_DIR": str(tmp_path / "data"),
        "SURFPASS_PORTAL_WORKERS": "1",
        "SURFPASS_RADIUS_WORKERS": "2",
    }
    with running(environment, tmp_path, until="radclient") as pop:
        eventually(partial(listens, pop.ports.metrics), "no metrics")
        for _ in range(8):  # the kernel deals them out by their random Identifiers
            log_in(pop, environment, "ABCDE-FGHJK")
        eventually(lambda: rejected(pop) == 8, "not all are counted")
        assert len(list((tmp_path / "data" / "metrics").glob("counter_*"))) == 2
        old = pop.child("radius-1")
        os.kill(old, signal.SIGKILL)
        eventually(lambda: pop_has(pop, "radius-1", other_than=old), "it does not come back")
        assert rejected(pop) == 8
        assert len(list((tmp_path / "data" / "metrics").glob("counter_*"))) == 2


def pop_has(pop: Running, name: str, other_than: int) -> bool:
    """Whether a part runs again, and has begun to count."""
    try:
        pid = pop.child(name)
    except LookupError:
        return False
    return pid != other_than and counts(pop, pid)


def counts(pop: Running, pid: int) -> bool:
    """Whether the process has a file of numbers."""
    return bool(list((pop.output.parent / "data" / "metrics").glob(f"counter_{pid}.*")))


def rejected(pop: Running) -> float:
    """How many logins the metrics count as rejected, for whatever reason."""
    return sum(value for key, value in fetch(pop.ports.metrics).items() if key[1:2] == ("rejected",))


def accepted(pop: Running) -> float:
    """How many logins the metrics count."""
    return fetch(pop.ports.metrics).get(("surfpass_radius_requests_total", "accepted", "authentication", ""), 0)


def accepts_more(pop: Running, before: float) -> bool:
    """Whether the metrics count more than before."""
    return accepted(pop) > before


class NoMetrics(Ports):
    """Ports of a PoP that serves no metrics."""

    @property
    def environment(self) -> dict[str, str]:
        """The settings that say so."""
        return super().environment | {"SURFPASS_METRICS_BIND": ""}


def test_no_number_names_a_guest(tmp_path: Path) -> None:
    environment = {"SURFPASS_DATA_DIR": str(tmp_path / "data"), "SURFPASS_PORTAL_WORKERS": "1"}
    with running(environment, tmp_path, until="radclient") as pop:
        eventually(lambda: listens(pop.ports.metrics), "no metrics")
        code = code_on(pop.printed)
        assert log_in(pop, environment, code)
        time.sleep(2.5)
        with urllib.request.urlopen(f"http://127.0.0.1:{pop.ports.metrics}/metrics", timeout=10) as answer:
            said = answer.read().decode().upper()
    numbers = (tmp_path / "data" / "metrics").rglob("*.db")
    files = b"".join(path.read_bytes() for path in numbers).decode("latin-1").upper()
    for text in (said, files):
        assert "SURFPASS_RADIUS" in text
        for secret in (code, code.replace("-", ""), "02-00-00-00-0F-01", "0200000F01", "02:00:00:00:0F:01"):
            assert secret not in text
