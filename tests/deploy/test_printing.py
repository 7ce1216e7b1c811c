"""The process that makes large prints."""

import re
import threading
from collections.abc import Callable
from dataclasses import replace
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest
from prometheus_client import CollectorRegistry, generate_latest

from deploy import printing
from deploy.metrics import Workers
from deploy.printing import Workshop, make_next
from hotspot.audit import Actor
from hotspot.counters import Counters
from hotspot.database import Database
from hotspot.keys import Keyring
from hotspot.place import Site
from tests.factories import a_place, a_user, some_vouchers
from tests.vouchers.printing.pages import FACE
from vouchers.printing import files
from vouchers.printing.files import FileState, PrintFile
from vouchers.printing.orders import Order, Output
from vouchers.printing.paper import STOCKS, Sheet
from vouchers.printing.sheets import Style
from vouchers.voucher import Batch

ORDER = Order(FACE, Output.SHEETS, Sheet(STOCKS["plain-85x55"]), Style())


@pytest.fixture
def shop(database: Database, keyring: Keyring, now: datetime, tmp_path: Path) -> Workshop:
    """All that prints are made with."""
    return Workshop(
        database, keyring, lambda: now, "https://portal.example", threading.Event(), Counters(tmp_path, "printing")
    )


@pytest.fixture
def ordered(shop: Workshop, now: datetime) -> PrintFile:
    """A print of thirty cards that somebody waits for."""
    with shop.database.write() as session:
        place = a_place(session, shop.keyring)
        issued = some_vouchers(session, shop.keyring, place.site, place.article, 30, now=now)
        user = a_user(session, customer=place.customer)
        batch = session.get_one(Batch, issued[0].voucher.batch_id)
        return files.order_file(session, Actor(user.id), user.id, place.site, batch, ORDER, 30, now)


def now_is(shop: Workshop, file: PrintFile) -> PrintFile:
    with shop.database.read() as session:
        return session.get_one(PrintFile, file.id)


def when_first_reported(monkeypatch: pytest.MonkeyPatch, do: Callable[[], None]) -> None:
    """Have something happen while a print is being made."""
    report = files.report

    def reported(*told: object) -> bool:
        do()
        return report(*told)  # type: ignore[arg-type]

    monkeypatch.setattr(files, "report", reported)


def counted(folder: Path, name: str) -> float:
    """What Prometheus is told of prints."""
    registry = CollectorRegistry()
    registry.register(Workers(folder))
    told = generate_latest(registry).decode()
    name = "_seconds_total" if name == "_seconds" else f"_total{name}"
    found = re.search(rf"^surfpass_prints{re.escape(name)} (\S+)$", told, re.MULTILINE)
    assert found
    return float(found[1])


def test_a_print_is_made_and_then_there_is_nothing_to_do(shop: Workshop, ordered: PrintFile, tmp_path: Path) -> None:
    shop.count("failed", 0)
    assert make_next(shop)
    assert not make_next(shop)
    made, failed, seconds = (counted(tmp_path, name) for name in ('{result="made"}', '{result="failed"}', "_seconds"))
    assert (made, failed, 0 < seconds < 60) == (1, 0, True)
    file = now_is(shop, ordered)
    assert file.state is FileState.DONE
    with shop.database.read() as session:
        body = files.body_of(session, shop.keyring, file)
    assert body
    assert body.startswith(b"%PDF")
    assert body.count(b"/Type /Page\n") == 3


def test_a_print_that_is_cancelled_meanwhile_is_dropped(
    shop: Workshop, ordered: PrintFile, monkeypatch: pytest.MonkeyPatch
) -> None:
    reporter = printing._reporter

    # SQLite has one writer: it is cancelled before the worker's own transaction begins.
    def cancelled(*told: Any) -> Callable[[int], None]:
        with shop.database.write() as session:
            files.cancel(session, session.get_one(PrintFile, ordered.id))
        return reporter(*told)

    monkeypatch.setattr(printing, "_reporter", cancelled)
    assert make_next(shop)
    assert now_is(shop, ordered).state is FileState.CANCELLED
    with shop.database.read() as session:
        assert files.body_of(session, shop.keyring, ordered) is None


def test_a_process_that_is_told_to_stop_leaves_its_print_to_the_next(
    shop: Workshop, ordered: PrintFile, monkeypatch: pytest.MonkeyPatch
) -> None:
    when_first_reported(monkeypatch, shop.stop.set)
    assert make_next(shop)
    file = now_is(shop, ordered)
    assert (file.state, file.tries) == (FileState.QUEUED, 0)

    assert make_next(replace(shop, stop=threading.Event()))
    assert now_is(shop, ordered).state is FileState.DONE


def test_a_print_that_cannot_be_made_is_said_to_have_failed(
    shop: Workshop, ordered: PrintFile, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def break_down(*_told: object, **_more: object) -> bytes:
        raise ArithmeticError

    monkeypatch.setattr(Order, "make", break_down)
    with pytest.raises(ArithmeticError):
        make_next(shop)
    assert now_is(shop, ordered).state is FileState.FAILED
    assert counted(tmp_path, '{result="failed"}') == 1
    assert not make_next(shop)


def test_a_print_that_ended_every_worker_is_counted_as_failed(
    shop: Workshop, ordered: PrintFile, now: datetime, tmp_path: Path
) -> None:
    with shop.database.write() as session:
        file = session.get_one(PrintFile, ordered.id)
        file.state, file.tries, file.heard_at = FileState.WORKING, files.MOST_TRIES, now - 2 * files.SILENCE
    shop.count("failed", 0)
    assert make_next(shop)
    assert not make_next(shop)
    assert now_is(shop, ordered).state is FileState.FAILED
    assert counted(tmp_path, '{result="failed"}') == 1


def test_a_print_that_cannot_be_read_fails_by_itself_and_the_next_one_is_made(
    shop: Workshop, ordered: PrintFile, now: datetime
) -> None:
    with shop.database.write() as session:
        session.get_one(PrintFile, ordered.id).order = '{"face": {"of": "a later version"}}'
        site, batch = session.get_one(Site, ordered.site_id), session.get_one(Batch, ordered.batch_id)
        files.order_file(session, Actor(ordered.user_id), ordered.user_id, site, batch, ORDER, 30, now)
    with pytest.raises(KeyError):
        make_next(shop)
    assert now_is(shop, ordered).state is FileState.FAILED
    assert make_next(shop)
    assert not make_next(shop)


def test_old_files_are_thrown_away_though_no_print_succeeds(
    shop: Workshop, now: datetime, monkeypatch: pytest.MonkeyPatch
) -> None:
    def break_down(_shop: Workshop) -> bool:
        raise ArithmeticError

    monkeypatch.setattr(printing, "make_next", break_down)
    monkeypatch.setattr(printing, "tidy", lambda shop: shop.stop.set())
    worker = threading.Thread(target=printing.work, args=[shop])
    worker.start()
    worker.join(5)
    tidied = shop.stop.is_set()
    shop.stop.set()
    worker.join()
    assert tidied


def test_old_files_are_thrown_away(shop: Workshop, ordered: PrintFile, now: datetime) -> None:
    make_next(shop)
    printing.tidy(replace(shop, clock=lambda: now + 2 * files.FILES_LIVE))
    with shop.database.read() as session:
        assert session.get(PrintFile, ordered.id) is None
