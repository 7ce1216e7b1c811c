"""Large prints as a process: it makes what is ordered, one after the other, and throws old prints away."""

import secrets
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass

import structlog

from deploy.installation import Installation
from hotspot.clock import Clock
from hotspot.counters import Counters
from hotspot.database import Database
from hotspot.keys import Keyring
from hotspot.place import Site
from vouchers.printing import cards, files, printers
from vouchers.printing.files import Claimed
from vouchers.printing.orders import Order

LOOK_EVERY_SECONDS = 1.0
TIDY_EVERY_SECONDS = 60.0
_REPORT_EVERY_SECONDS = 0.7

log = structlog.get_logger("printing")


class _Interrupted(Exception):
    """The print is not to be finished: somebody has cancelled it, or the process has to stop."""


@dataclass(frozen=True)
class Workshop:
    """What prints are made with."""

    database: Database
    keyring: Keyring
    clock: Clock
    portal_url: str
    stop: threading.Event
    counters: Counters

    def count(self, result: str, times: int = 1) -> None:
        """Count a print that was made, or failed."""
        self.counters.add("surfpass_prints", "Large prints", times, result=result)


def run(installation: Installation, stop: threading.Event) -> None:
    """Make prints until `stop` is set; one that is not finished by then is made anew by whoever comes next."""
    settings = installation.settings
    counters, address = Counters(settings.data_dir, "printing"), settings.public_portal_url
    shop = Workshop(installation.database, installation.keyring(), installation.clock, address, stop, counters)
    for result in ("made", "failed"):
        shop.count(result, 0)
    log.info("printing", every_seconds=LOOK_EVERY_SECONDS)
    work(shop)


def work(shop: Workshop) -> None:
    """Make prints until the workshop is told to stop; neither a print that fails nor tidying keeps the other from being done."""
    tidy_at = 0.0
    while not shop.stop.is_set():
        if not _try(make_next, shop):
            shop.stop.wait(LOOK_EVERY_SECONDS)
        if time.monotonic() >= tidy_at:
            tidy_at = time.monotonic() + TIDY_EVERY_SECONDS
            _try(tidy, shop)


def _try(what: Callable[[Workshop], object], shop: Workshop) -> bool:
    try:
        return bool(what(shop))
    except Exception:
        log.exception("printing failed", what=what.__name__)
        return False


def tidy(shop: Workshop) -> None:
    """Throw away files of an hour ago, and give up what no printer has fetched."""
    with shop.database.write() as session:
        files.forget_old(session, shop.clock())
        dropped = printers.drop_old(session, shop.clock())
    if dropped:
        log.warning("print jobs were not fetched within the hour", jobs=dropped)


def make_next(shop: Workshop) -> bool:
    """Make the print that has waited longest; whether there was one."""
    with shop.database.read() as session:
        if not files.has_work(session, shop.clock()):
            return False
    worker, now = secrets.token_hex(8), shop.clock()
    with shop.database.write() as session:
        given_up = files.give_up(session, now)
        claimed = files.claim(session, worker, now)
    if given_up:
        log.warning("prints were given up: whoever began one died of it", prints=given_up)
        shop.count("failed", given_up)
    if claimed is not None:
        _make(shop, claimed, worker)
    return True


def _make(shop: Workshop, claimed: Claimed, worker: str) -> None:
    began = time.monotonic()
    try:
        body = _render(shop, claimed, worker)
    except _Interrupted:
        with shop.database.write() as session:
            files.give_back(session, claimed, worker)
        return
    except Exception:
        with shop.database.write() as session:
            files.fail(session, claimed, worker, shop.clock())
        shop.count("failed")
        raise
    with shop.database.write() as session:
        wanted = files.finish(session, shop.keyring, claimed, worker, body, shop.clock())
    if wanted:
        shop.count("made")
        seconds = time.monotonic() - began
        shop.counters.add("surfpass_prints_seconds", "Time that the prints took which were made", seconds)


def _render(shop: Workshop, claimed: Claimed, worker: str) -> bytes:
    order = Order.parse(claimed.order)
    with shop.database.read() as session:
        found = cards.cards_of_batch(session, shop.keyring, shop.portal_url, claimed.batch_id, shop.clock())
        logo = cards.logo_of(session, session.get_one(Site, claimed.site_id))
    return order.make(found, logo, _reporter(shop, claimed, worker))


def _reporter(shop: Workshop, claimed: Claimed, worker: str) -> Callable[[int], None]:
    """Says how far the print is, not too often; _Interrupted once it is not to go on."""
    due = time.monotonic()

    def report(done: int) -> None:
        nonlocal due
        if shop.stop.is_set():
            raise _Interrupted
        if time.monotonic() < due:
            return
        with shop.database.write() as session:
            if not files.report(session, claimed, worker, done, shop.clock()):
                raise _Interrupted
        due = time.monotonic() + _REPORT_EVERY_SECONDS

    return report
