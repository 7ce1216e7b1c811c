"""Printers that fetch their jobs: the queue, what becomes of a job, and keys that nobody can read back."""

from dataclasses import dataclass
from datetime import datetime, timedelta

import pytest
from sqlalchemy import select

from hotspot.audit import COMMAND_LINE, AuditEntry
from hotspot.database import Database
from hotspot.errors import WrongUse
from hotspot.keys import Keyring
from hotspot.place import Site
from tests.factories import a_site
from tests.vouchers.printing.pages import FACE
from vouchers.printing import printers
from vouchers.printing.printers import JobState, Printer, PrinterKind, PrintJob


@dataclass(frozen=True)
class Added:
    """A printer and the key in its address."""

    site: Site
    printer: Printer
    key: str


@pytest.fixture
def added(database: Database, keyring: Keyring, now: datetime) -> Added:
    """A Star printer at a site."""
    with database.write() as session:
        site = a_site(session)
        printer, key = printers.add_printer(
            session, COMMAND_LINE, keyring, site, "  Bar  left ", PrinterKind.STAR, 80, now
        )
        return Added(site, printer, key)


def send(database: Database, added: Added, now: datetime, *vouchers: int) -> str:
    with database.write() as session:
        return printers.send(session, COMMAND_LINE, added.printer, vouchers, FACE, now).public_id


def next_of(database: Database, added: Added, now: datetime) -> PrintJob | None:
    with database.read() as session:
        return printers.next_job(session, added.printer, now)


def fetch(database: Database, added: Added, now: datetime, trouble: str | None = None) -> PrintJob:
    with database.write() as session:
        job = printers.next_job(session, added.printer, now)
        assert job is not None
        printers.note_fetched(job, now)
        if trouble is not None:
            printers.note_ended(job, trouble, now)
        return job


def test_a_printer_is_found_by_its_key_and_kind_alone(database: Database, keyring: Keyring, added: Added) -> None:
    with database.read() as session:
        found = printers.find_by_key(session, keyring, added.key, PrinterKind.STAR)
        assert found is not None
        assert (found.id, found.name) == (added.printer.id, "Bar left")
        assert printers.find_by_key(session, keyring, added.key, PrinterKind.EPSON) is None
        for wrong in ("", "x" * 1000, added.key[:-1], added.key.swapcase(), "\x00"):
            assert printers.find_by_key(session, keyring, wrong, PrinterKind.STAR) is None
        assert added.key.encode() not in found.key_hash


def test_a_printer_that_is_taken_away_has_no_address_any_more(
    database: Database, keyring: Keyring, added: Added, now: datetime
) -> None:
    send(database, added, now, 1)
    with database.write() as session:
        printer = session.get_one(Printer, added.printer.id)
        printers.retire_printer(session, COMMAND_LINE, printer, added.site.customer_id, now)
        printers.retire_printer(session, COMMAND_LINE, printer, added.site.customer_id, now)
    with database.read() as session:
        assert printers.find_by_key(session, keyring, added.key, PrinterKind.STAR) is None
        assert printers.printers_at(session, added.site.id) == []
        assert session.scalars(select(PrintJob.state)).all() == [JobState.DROPPED]
        actions = session.scalars(select(AuditEntry.action).where(AuditEntry.subject.startswith("printer "))).all()
    assert actions == ["printer added", "printer removed"]


def test_a_printer_of_a_retired_site_has_no_address_either(
    database: Database, keyring: Keyring, added: Added, now: datetime
) -> None:
    with database.write() as session:
        session.get_one(Site, added.site.id).retired_at = now
    with database.read() as session:
        assert printers.find_by_key(session, keyring, added.key, PrinterKind.STAR) is None


@pytest.mark.parametrize(("name", "width"), [("", 80), (" ", 80), ("x" * 61, 80), ("Bar", 76)])
def test_a_printer_needs_a_name_and_a_width_that_there_is(
    database: Database, keyring: Keyring, added: Added, now: datetime, name: str, width: int
) -> None:
    with database.write() as session, pytest.raises(WrongUse):
        printers.add_printer(session, COMMAND_LINE, keyring, added.site, name, PrinterKind.STAR, width, now)


def test_jobs_come_in_the_order_they_were_sent(database: Database, added: Added, now: datetime) -> None:
    sent = [send(database, added, now, number) for number in (1, 2, 3)]
    assert [fetch(database, added, now, "").public_id for _ in sent] == sent
    assert next_of(database, added, now) is None


def test_a_job_holds_numbers_and_texts_and_no_code(database: Database, added: Added, now: datetime) -> None:
    send(database, added, now, 7, 9)
    job = next_of(database, added, now)
    assert job is not None
    assert job.voucher_ids == [7, 9]
    assert job.looks == FACE


def test_a_printer_that_falls_silent_gets_its_job_again(database: Database, added: Added, now: datetime) -> None:
    sent = send(database, added, now, 1)
    fetch(database, added, now)
    assert next_of(database, added, now + printers.SILENCE) is None
    again = next_of(database, added, now + printers.SILENCE + timedelta(seconds=1))
    assert again is not None
    assert again.public_id == sent


def test_a_job_that_fails_is_tried_again_and_at_last_given_up(database: Database, added: Added, now: datetime) -> None:
    send(database, added, now, 1)
    states = [fetch(database, added, now, "paper is out " * 9).state for _ in range(printers.MOST_TRIES)]
    assert states == [JobState.QUEUED] * (printers.MOST_TRIES - 1) + [JobState.FAILED]
    assert next_of(database, added, now) is None
    with database.read() as session:
        assert len(session.scalars(select(PrintJob.trouble)).one()) == 60


def test_what_nobody_has_fetched_for_an_hour_is_dropped_and_seen(
    database: Database, added: Added, now: datetime
) -> None:
    send(database, added, now, 1)
    late = now + printers.JOBS_WAIT + timedelta(seconds=1)
    assert next_of(database, added, now + printers.JOBS_WAIT) is not None
    assert next_of(database, added, late) is None
    with database.write() as session:
        assert printers.drop_old(session, late) == 1
        assert [job.state for job in printers.latest_jobs(session, [added.printer.id])] == [JobState.DROPPED]
        assert printers.drop_old(session, late + printers.JOBS_LIVE + timedelta(seconds=1)) == 0
        assert printers.latest_jobs(session, [added.printer.id]) == []


def test_the_last_slips_can_be_printed_again_and_tests_are_not_slips(
    database: Database, added: Added, now: datetime
) -> None:
    with database.write() as session:
        assert printers.send_again(session, COMMAND_LINE, added.printer, now) is None
    send(database, added, now, 4, 5)
    fetch(database, added, now, "")
    send(database, added, now)
    fetch(database, added, now, "")
    with database.write() as session:
        again = printers.send_again(session, COMMAND_LINE, added.printer, now)
        assert again is not None
        assert (again.voucher_ids, again.looks) == ([4, 5], FACE)


def test_a_printer_is_told_only_of_its_own_jobs(
    database: Database, keyring: Keyring, added: Added, now: datetime
) -> None:
    sent = send(database, added, now, 1)
    with database.write() as session:
        other, _key = printers.add_printer(
            session, COMMAND_LINE, keyring, added.site, "Desk", PrinterKind.STAR, 58, now
        )
        assert printers.next_job(session, other, now) is None
        assert printers.job_of(session, other, sent) is None
        assert printers.job_of(session, added.printer, sent) is not None
        assert printers.job_of(session, added.printer, "") is not None
        assert printers.job_of(session, added.printer, "x" * 5000) is None


def test_one_job_holds_only_so_many_slips(database: Database, added: Added, now: datetime) -> None:
    with pytest.raises(WrongUse):
        send(database, added, now, *range(printers.MOST_SLIPS + 1))
