"""What a worker saw comes out in the metrics and in the traffic table, and costs next to nothing."""

import ipaddress
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest
from prometheus_client import generate_latest
from prometheus_client.parser import text_string_to_metric_families

from deploy.metrics import registry_of
from hotspot.clock import utc_now
from hotspot.database import Database
from hotspot.directory import NasRecord
from hotspot.keys import Keyring
from hotspot.place import Grain, MessageAuthenticatorPolicy
from hotspot.traffic import OTHER_SOURCES, traffic_of, traffic_of_strangers
from hotspot.traffic_words import words_for
from radius.clients import Request
from radius.observe import MOST_STRANGERS, Observer, Watch
from radius.packet import Cause
from radius.tally import forget_workers
from radius.trace import Tracer
from tests import factories
from tests.conftest import NOON
from vouchers.admission import Reason

AUTH, ACCT = "authentication", "accounting"
Scraped = dict[tuple[str, ...], float]


def nas_record(nas_id: int) -> NasRecord:
    return NasRecord(
        id=nas_id,
        name=f"nas {nas_id}",
        network=ipaddress.ip_network("127.0.0.1/32"),
        make="generic",
        secret=b"testing123",
        uam_secret=None,
        nas_identifier=None,
        gateway_addresses=(),
        message_authenticator=MessageAuthenticatorPolicy.YES,
        signed=True,
        accounting_heard=True,
        logins=frozenset(),
        grain=Grain.ACCESS_POINT,
        site_id=None,
        coa_port=3799,
    )


def a_request(nas: NasRecord) -> Request:
    """As much of a request as is counted."""
    return cast(Request, SimpleNamespace(nas=nas))


def scrape(data_dir: Path, database: Database) -> Scraped:
    """What Prometheus reads, by name and label values."""
    text = generate_latest(registry_of(data_dir, lambda: database, utc_now)).decode()
    return {
        (sample.name.removeprefix("surfpass_"), *(sample.labels[name] for name in sorted(sample.labels))): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
    }


@pytest.fixture
def nas(database: Database, keyring: Keyring) -> NasRecord:
    with database.write() as session:
        return nas_record(factories.a_nas(session, keyring).id)


@pytest.fixture
def watches(database: Database, tmp_path: Path) -> Iterator[list[Watch]]:
    """Two workers."""
    both = [Watch(tmp_path, database) for _ in range(2)]
    yield both
    for watch in both:
        watch.close(NOON)


def test_a_scrape_sums_what_all_workers_saw(
    database: Database, tmp_path: Path, nas: NasRecord, watches: list[Watch]
) -> None:
    for number, watch in enumerate(watches):
        auth, acct = watch.observer(AUTH), watch.observer(ACCT)
        for _ in range(3 + number):
            auth.answered(a_request(nas), "accepted", 0.004)
            auth.answered(a_request(nas), Reason.FULL, 0.3)
            acct.answered(a_request(nas), "spooled", 7.0)
        auth.discarded(Cause.WRONG_SECRET, "127.0.0.1", nas)
        auth.discarded(Cause.UNKNOWN_CLIENT, "192.0.2.1", None)
        auth.repeated(nas)
        auth.batch(5, 0.02)
        acct.unanswered(a_request(nas), "database away")
        watch.set_spooled(10)
        watch.set_database_away(number == 1)
        watch.flush(NOON)
        acct.answered(a_request(nas), "acknowledged", 0.0001)
        watch.flush(NOON)
    numbers = scrape(tmp_path, database)
    assert numbers["radius_requests_total", "accepted", AUTH, ""] == 7
    assert numbers["radius_requests_total", "rejected", AUTH, "full"] == 7
    assert numbers["radius_requests_total", "spooled", ACCT, ""] == 7
    assert numbers["radius_requests_total", "acknowledged", ACCT, ""] == 2
    assert numbers["radius_discarded_total", "wrong secret", AUTH] == 2
    assert numbers["radius_discarded_total", "unknown client", AUTH] == 2
    assert numbers["radius_discarded_total", "malformed", AUTH] == 0
    assert numbers["radius_unanswered_total", "database away", ACCT] == 2
    assert numbers["radius_repeated_total", AUTH] == 2
    assert (numbers["radius_spool_records",], numbers["radius_database_away",]) == (20, 1)


def test_latencies_and_batches_fall_into_their_buckets(
    database: Database, tmp_path: Path, nas: NasRecord, watches: list[Watch]
) -> None:
    acct = watches[0].observer(ACCT)
    for seconds in (0.001, 0.0011, 0.3, 7.0):
        acct.answered(a_request(nas), "acknowledged", seconds)
    acct.batch(1, 0.001)
    acct.batch(256, 0.001)
    acct.batch(257, 0.001)
    watches[0].flush(NOON)
    numbers = scrape(tmp_path, database)
    by_bucket = {
        le: numbers["radius_answer_seconds_bucket", le, ACCT]
        for le in ("0.001", "0.0025", "0.25", "0.5", "5.0", "+Inf")
    }
    assert by_bucket == {"0.001": 1, "0.0025": 2, "0.25": 2, "0.5": 3, "5.0": 3, "+Inf": 4}
    assert numbers["radius_answer_seconds_sum", ACCT] == pytest.approx(7.3021)
    assert numbers["radius_answer_seconds_count", ACCT] == 4
    sizes = [numbers["radius_batch_size_bucket", le, ACCT] for le in ("1.0", "128.0", "256.0", "+Inf")]
    assert sizes == [1, 1, 2, 3]
    assert numbers["radius_batch_size_sum", ACCT] == 514


def test_a_worker_that_has_ended_leaves_its_counters_but_not_its_spool(
    database: Database, tmp_path: Path, nas: NasRecord
) -> None:
    watch = Watch(tmp_path, database)
    watch.observer(AUTH).answered(a_request(nas), "accepted", 0.1)
    watch.set_spooled(3)
    watch.close(NOON)
    numbers = scrape(tmp_path, database)
    assert numbers["radius_requests_total", "accepted", AUTH, ""] == 1
    assert ("radius_spool_records",) not in numbers
    forget_workers(tmp_path)
    left = {name for name, *_labels in scrape(tmp_path, database) if name.startswith("radius")}
    assert left == {"radius_spool_files_set_aside"}, "which is counted in the folder"


def test_the_gauges_of_a_killed_worker_do_not_outlive_it(
    database: Database, tmp_path: Path, watches: list[Watch]
) -> None:
    for watch in watches:
        watch.set_spooled(3)
    path, _other = (tmp_path / "metrics").glob("gauge_*")
    nobody = path.with_name("gauge_livesum_4194305.ffff.db")
    nobody.write_bytes(path.read_bytes())
    assert scrape(tmp_path, database)["radius_spool_records",] == 6
    assert not nobody.exists()


def test_a_new_worker_goes_on_where_a_dead_one_ended_so_that_files_do_not_pile_up(
    database: Database, tmp_path: Path, nas: NasRecord
) -> None:
    for _ in range(3):
        watch = Watch(tmp_path, database)
        watch.observer(AUTH).answered(a_request(nas), "accepted", 0.1)
        watch.close(NOON)
        for path in (tmp_path / "metrics").iterdir():
            path.rename(path.with_name(path.name.split("_")[0] + "_4194305.ffff.db"))
    numbers = scrape(tmp_path, database)
    assert numbers["radius_requests_total", "accepted", AUTH, ""] == 3
    assert numbers["radius_answer_seconds_count", AUTH] == 3
    assert len(list((tmp_path / "metrics").iterdir())) == 2


def test_a_scrape_while_a_worker_makes_its_files_does_not_fail(
    database: Database, tmp_path: Path, watches: list[Watch]
) -> None:
    (tmp_path / "metrics" / "counter_1.ffff.db").touch()
    assert scrape(tmp_path, database)["database_up",] == 1


def test_without_a_place_for_metrics_the_rest_is_seen_all_the_same(
    database: Database, tmp_path: Path, nas: NasRecord
) -> None:
    (tmp_path / "metrics").write_text("no folder")
    watch = Watch(tmp_path, database)
    watch.observer(AUTH).discarded(Cause.WRONG_SECRET, "127.0.0.1", nas)
    watch.set_spooled(1)
    watch.close(NOON)
    with database.read() as session:
        assert [one.what for one in traffic_of(session, nas.id, NOON)] == ["wrong secret"]


def test_the_traffic_table_gets_everything_by_nas_and_strangers_by_address(
    database: Database, nas: NasRecord, watches: list[Watch]
) -> None:
    for watch in watches:
        auth, acct = watch.observer(AUTH), watch.observer(ACCT)
        for _ in range(2):
            auth.answered(a_request(nas), "accepted", 0.1)
            watch.flush(NOON)
            watch.flush(NOON + timedelta(hours=1))
        auth.answered(a_request(nas), Reason.FULL, 0.1)
        auth.repeated(nas)
        auth.discarded(Cause.UNSIGNED, "127.0.0.1", nas)
        auth.discarded(Cause.UNKNOWN_CLIENT, "192.0.2.1", None)
        acct.unanswered(a_request(nas), "overload")
        watch.close(NOON + timedelta(hours=1))
    with database.read() as session:
        seen = {(one.port, one.what): one.count for one in traffic_of(session, nas.id, NOON)}
        strangers = traffic_of_strangers(session, NOON)
    assert seen == {
        (AUTH, "accepted"): 4,
        (AUTH, "full"): 2,
        (AUTH, "repeated"): 2,
        (AUTH, "no Message-Authenticator"): 2,
        (ACCT, "overload"): 2,
    }
    assert [(one.source, one.what, one.count) for one in strangers] == [("192.0.2.1", "unknown client", 2)]


def test_forged_addresses_do_not_fill_the_memory(tmp_path: Path) -> None:
    observer = Observer(AUTH, Tracer(tmp_path))
    for number in range(3 * MOST_STRANGERS):
        observer.discarded(Cause.UNKNOWN_CLIENT, f"192.0.2.{number}", None)
        observer.discarded(Cause.UNKNOWN_CLIENT, "192.0.2.0", None)
    seen = observer.take()
    assert len(seen.discarded) == MOST_STRANGERS + 1
    assert seen.discarded.total() == 6 * MOST_STRANGERS
    assert seen.discarded[OTHER_SOURCES, Cause.UNKNOWN_CLIENT] == 2 * MOST_STRANGERS
    observer.discarded(Cause.UNKNOWN_CLIENT, "192.0.2.9999", None)
    assert observer.take().discarded == {("192.0.2.9999", Cause.UNKNOWN_CLIENT): 1}


def test_the_report_for_the_log_tells_each_thing_once(tmp_path: Path) -> None:
    observer = Observer(AUTH, Tracer(tmp_path))
    observer.answered(a_request(nas_record(1)), Reason.FULL, 0.1)
    observer.answered(a_request(nas_record(2)), Reason.FULL, 0.1)
    observer.repeated(nas_record(1))
    observer.take()
    assert observer.report() == {"full": 2, "repeated": 1}
    assert observer.report() == {}


def test_counts_that_cannot_be_written_are_kept_until_they_can(
    database: Database, tmp_path: Path, nas: NasRecord
) -> None:
    away = Database(f"sqlite:///{tmp_path / 'empty.db'}")
    watch = Watch(tmp_path, away)
    watch.observer(AUTH).discarded(Cause.UNSIGNED, "127.0.0.1", nas)
    watch.flush(NOON)
    watch._writer.write()
    watch._writer._database = cast(Any, None)
    watch._writer.write()
    watch._writer._database = database
    watch.close(NOON)
    away.dispose()
    with database.read() as session:
        assert [one.count for one in traffic_of(session, nas.id, NOON)] == [1]


def test_counts_of_a_nas_that_is_not_there_hold_nobody_up(database: Database, tmp_path: Path, nas: NasRecord) -> None:
    watch = Watch(tmp_path, database)
    auth = watch.observer(AUTH)
    auth.repeated(nas_record(nas.id + 1))
    watch.flush(NOON)
    watch._writer.write()
    auth.repeated(nas)
    watch.close(NOON)
    with database.read() as session:
        assert len(traffic_of(session, nas.id, NOON)) == 1


@pytest.mark.parametrize(
    "what",
    [
        *Cause,
        *Reason,
        *("accepted", "acknowledged", "status", "spooled", "repeated", "database away", "overload", "failed"),
    ],
)
def test_the_operator_is_told_in_words_what_everything_means(what: str) -> None:
    words = words_for(what)
    assert words.says.endswith(".")
    assert words.says != what
    assert not words.to_do or words.to_do.endswith((".", "--login."))
