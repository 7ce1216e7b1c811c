"""How long the voucher desk takes: `python -m tests.load.voucher_desk DATABASE_URL [--vouchers N]`.

The database has to be empty and migrated. It issues a batch of 10,000 by chunks, fills a site with N vouchers of which a
third was used, and then times each list, each search, and the queries of one tap.
"""

import argparse
import sys
import time
from collections.abc import Callable
from datetime import timedelta

from sqlalchemy import select, text
from sqlalchemy.orm import Session

from hotspot.audit import COMMAND_LINE
from hotspot.clock import utc_now
from hotspot.database import Database
from hotspot.enrolment import NewSite, add_customer, add_site
from hotspot.keys import Keyring, create_missing_keys, derive_master_key, load_keyring
from hotspot.place import Site, SiteKind
from sessions.desk import of_batch, revoke_vouchers, switch_off
from vouchers.finding import Filter, count_vouchers, find_voucher, list_vouchers
from vouchers.issuing import LARGEST_BATCH, Order, issue_more, open_batch
from vouchers.once import once
from vouchers.pass_changes import NewPass, add_pass
from vouchers.passes import Clock, Pass, Terms
from vouchers.stock import latest_batches
from vouchers.voucher import Batch, Voucher, VoucherState

_MASTER = derive_master_key("a secret for measuring only, long enough for everyone")
_TIMES = 5


def main() -> None:
    """Measure, and print a line for each thing."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("url")
    parser.add_argument("--vouchers", type=int, default=100_000)
    told = parser.parse_args()
    database = Database(told.url)
    keyring, site_id, pass_id = _lay_out(database)
    begun = time.process_time()
    seconds = [_issue_largest(database, keyring, site_id, pass_id) for _ in range(3)]
    _say("10,000 vouchers in chunks", min(seconds))
    _say("... of which CPU of this process", (time.process_time() - begun) / 3)
    while _count(database) < told.vouchers:
        _issue_largest(database, keyring, site_id, pass_id)
    _use_some(database)
    _look(database, keyring, site_id, pass_id)
    database.dispose()


def _lay_out(database: Database) -> tuple[Keyring, int, int]:
    now = utc_now()
    with database.write() as session:
        create_missing_keys(session, _MASTER, now)
        customer = add_customer(session, COMMAND_LINE, "Measured", now)
        site = add_site(session, COMMAND_LINE, customer, NewSite("m", "M", SiteKind.SINGLE, "M"), now)
        terms = Terms(Clock.FIRST_USE, minutes=60)
        article = add_pass(session, COMMAND_LINE, NewPass("hour", "1 hour", terms), site=site, customer=None, now=now)
        session.flush()
        return load_keyring(session, _MASTER), site.id, article.id


def _issue_largest(database: Database, keyring: Keyring, site_id: int, pass_id: int) -> float:
    begun = time.perf_counter()
    with database.write() as session:
        site, article = session.get_one(Site, site_id), session.get_one(Pass, pass_id)
        order = Order(article, LARGEST_BATCH, "measured")
        batch_id = open_batch(session, COMMAND_LINE, keyring, site, order, utc_now()).id
    issued = 1
    while issued:
        with database.write() as session:
            issued = issue_more(session, keyring, session.get_one(Batch, batch_id))
    return time.perf_counter() - begun


def _count(database: Database) -> int:
    with database.read() as session:
        return int(session.execute(text("SELECT count(*) FROM voucher")).scalar_one())


def _use_some(database: Database) -> None:
    """A third was used: most of them long ago, one in a thousand now. One in five thousand is revoked, one in as many noted."""
    now = utc_now()
    moments = {
        "then": now - timedelta(days=9),
        "over": now - timedelta(days=8),
        "now": now,
        "end": now + timedelta(hours=1),
    }
    sqlite = database.engine.dialect.name == "sqlite"
    if sqlite:
        moments = {name: one.replace(tzinfo=None) for name, one in moments.items()}
    with database.write() as session:
        for statement in (
            "UPDATE voucher SET first_used_at = :then, ends_at = :over, code_ciphertext = NULL WHERE id % 3 = 0",
            "UPDATE voucher SET first_used_at = :now, ends_at = :end, code_ciphertext = NULL WHERE id % 1000 = 1",
            "UPDATE voucher SET revoked_at = :now WHERE id % 5000 = 2",
            "UPDATE voucher SET note = 'room 7' WHERE id % 5000 = 4",
        ):
            session.execute(text(statement), moments)
    with database.engine.execution_options(isolation_level="AUTOCOMMIT").connect() as connection:
        connection.exec_driver_sql("ANALYZE" if sqlite else "VACUUM ANALYZE")


def _look(database: Database, keyring: Keyring, site_id: int, pass_id: int) -> None:
    now = utc_now()
    _time(database, "stock of the site", lambda session: count_vouchers(session, [site_id], now))
    _time(database, "latest batches", lambda session: latest_batches(session, site_id, now))
    with database.read() as session:
        middle = session.scalars(select(Voucher).order_by(Voucher.id).offset(_count(database) // 2).limit(1)).one()
    serial = middle.serial or ""
    _time(database, "search by serial number", lambda session: find_voucher(session, keyring, serial))
    for name, wanted in {"all": Filter(), **{state.value: Filter(state) for state in VoucherState}}.items():
        for place, before in (("first page", None), ("middle", middle.id), ("end", 60)):
            _time(database, f"list {name}, {place}", _lists(site_id, wanted, before))
    _time(database, "list with a word in the note", _lists(site_id, Filter(note="room"), None))
    _time(database, "list with a word nobody wrote", _lists(site_id, Filter(note="nothing"), None))
    _time_tap(database, keyring, site_id, pass_id)
    _time_batch(database, site_id)


def _lists(site_id: int, wanted: Filter, before: int | None) -> Callable[[Session], object]:
    return lambda session: list_vouchers(session, [site_id], utc_now(), wanted=wanted, before=before)


def _time_tap(database: Database, keyring: Keyring, site_id: int, pass_id: int) -> None:
    best = 9.0
    for number in range(_TIMES):
        begun = time.perf_counter()
        with database.write() as session:
            site, article = session.get_one(Site, site_id), session.get_one(Pass, pass_id)
            now = utc_now()

            def make(session: Session = session, site: Site = site, article: Pass = article) -> Batch:
                return open_batch(session, COMMAND_LINE, keyring, site, Order(article), utc_now())

            once(session, site, f"tap {number}", 1, make, now)
        best = min(best, time.perf_counter() - begun)
    _say("one tap, to the commit", best)


def _time_batch(database: Database, site_id: int) -> None:
    """What holds SQLite's only writer longest."""
    for name, act in (("switch 10,000 off", switch_off), ("revoke 10,000", revoke_vouchers)):
        begun = time.perf_counter()
        with database.write() as session:
            site = session.get_one(Site, site_id)
            batch = session.scalars(select(Batch).order_by(Batch.id).limit(1)).one()
            if act is switch_off:
                switch_off(session, COMMAND_LINE, site, batch, utc_now())
            else:
                revoke_vouchers(session, COMMAND_LINE, site, of_batch(batch), utc_now())
        _say(name, time.perf_counter() - begun)


def _time(database: Database, name: str, ask: Callable[[Session], object]) -> None:
    best = 9.0
    for _ in range(_TIMES):
        begun = time.perf_counter()
        with database.read() as session:
            ask(session)
        best = min(best, time.perf_counter() - begun)
    _say(name, best)


def _say(name: str, seconds: float) -> None:
    sys.stdout.write(f"{name:40} {seconds * 1000:8.1f} ms\n")
    sys.stdout.flush()


if __name__ == "__main__":
    main()
