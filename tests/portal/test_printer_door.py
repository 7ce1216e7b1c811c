"""Where printers fetch their jobs: as they speak, and as villains do."""

import io
import json
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from xml.etree.ElementTree import fromstring

import pytest
from flask.testing import FlaskClient
from PIL import Image
from sqlalchemy import select

from hotspot.audit import COMMAND_LINE
from hotspot.database import Database
from hotspot.keys import Keyring
from tests.factories import a_place, some_vouchers
from tests.portal.conftest import PORTAL_URL, MovableClock
from tests.vouchers.printing.pages import FACE, read_codes
from tests.vouchers.printing.test_slips import ANSWER
from vouchers.issuing import Issued
from vouchers.printing import printers
from vouchers.printing.printers import JobState, Printer, PrinterKind, PrintJob
from vouchers.voucher import Voucher


@dataclass
class Venue:
    """Two printers at a site, and a voucher."""

    database: Database
    client: FlaskClient
    clock: MovableClock
    star: Printer
    star_key: str
    epson: Printer
    epson_key: str
    issued: Issued

    def send(self, printer: Printer, *vouchers: int) -> str:
        """Have slips printed; the job's name."""
        with self.database.write() as session:
            return printers.send(session, COMMAND_LINE, printer, vouchers, FACE, self.clock()).public_id

    def jobs(self) -> list[tuple[JobState, str]]:
        """How far all jobs are, and what went wrong."""
        with self.database.read() as session:
            return [(job.state, job.trouble) for job in session.scalars(select(PrintJob).order_by(PrintJob.id))]

    @property
    def star_path(self) -> str:
        """The address that the Star printer was given."""
        return f"/print/star/{self.star_key}"

    @property
    def epson_path(self) -> str:
        """The address that the Epson printer was given."""
        return f"/print/epson/{self.epson_key}"

    def poll(self, **told: object) -> dict[str, object]:
        """What the Star printer is answered."""
        answer = self.client.post(
            self.star_path, json={"statusCode": "200%20OK", "printerMAC": "00:11:62:00:00:01"} | told
        )
        assert answer.status_code == 200
        found: dict[str, object] = answer.get_json()
        return found

    def ask_epson(self) -> bytes:
        """What the Epson printer is answered."""
        answer = self.client.post(self.epson_path, data={"ConnectionType": "GetRequest", "ID": "x"})
        assert (answer.status_code, answer.mimetype) == (200, "text/xml")
        found: bytes = answer.data
        return found

    def tell_epson(self, answer: str) -> None:
        """The Epson printer says what became of a job."""
        data = {"ConnectionType": "SetResponse", "ID": "x", "ResponseFile": answer}
        assert self.client.post(self.epson_path, data=data).status_code == 200


@pytest.fixture
def venue(database: Database, keyring: Keyring, client: FlaskClient, clock: MovableClock, now: datetime) -> Venue:
    with database.write() as session:
        place = a_place(session, keyring)
        star, star_key = printers.add_printer(
            session, COMMAND_LINE, keyring, place.site, "Bar", PrinterKind.STAR, 80, now
        )
        epson, epson_key = printers.add_printer(
            session, COMMAND_LINE, keyring, place.site, "Desk", PrinterKind.EPSON, 58, now
        )
        issued = some_vouchers(session, keyring, place.site, place.article, now=now)[0]
    return Venue(database, client, clock, star, star_key, epson, epson_key, issued)


def test_a_star_printer_fetches_a_slip_and_says_that_it_is_printed(venue: Venue, tmp_path: Path) -> None:
    assert venue.poll() == {"jobReady": False}
    job = venue.send(venue.star, venue.issued.voucher.id)
    ready = venue.poll()
    assert ready == {"jobReady": True, "mediaTypes": ["image/png"], "jobToken": job, "deleteMethod": "DELETE"}
    fetched = venue.client.get(venue.star_path, query_string={"type": "image/png", "token": job, "mac": "x"})
    assert fetched.mimetype == "image/png"
    assert fetched.headers["Cache-Control"] == "no-store"
    picture = Image.open(io.BytesIO(fetched.data))
    assert read_codes(tmp_path, picture.convert("L")) == [f"{PORTAL_URL}/v/{venue.issued.code.value}"]
    venue.client.delete(venue.star_path, query_string={"code": "200 OK", "token": job})
    assert venue.jobs() == [(JobState.DONE, "")]
    assert venue.poll() == {"jobReady": False}


def test_a_star_printer_without_paper_gets_its_job_again(venue: Venue) -> None:
    job = venue.send(venue.star, venue.issued.voucher.id)
    venue.client.get(venue.star_path, query_string={"token": job})
    venue.client.delete(venue.star_path, query_string={"code": "410 Paper Out", "token": job})
    assert venue.jobs() == [(JobState.QUEUED, "410 Paper Out")]
    assert venue.poll()["jobToken"] == job


def test_a_star_printer_of_old_that_knows_no_tokens_is_served_in_order(venue: Venue) -> None:
    venue.send(venue.star, venue.issued.voucher.id)
    assert venue.client.get(venue.star_path, query_string={"type": "image/png"}).status_code == 200
    venue.client.delete(venue.star_path, query_string={"code": "OK"})
    assert venue.jobs() == [(JobState.DONE, "")]


def test_a_star_printer_of_old_that_repeats_itself_ends_no_slip_that_it_was_not_given(venue: Venue) -> None:
    for _ in range(2):
        venue.send(venue.star, venue.issued.voucher.id)
    venue.client.get(venue.star_path)
    for _ in range(2):
        venue.client.delete(venue.star_path, query_string={"code": "OK"})
    assert venue.jobs() == [(JobState.DONE, ""), (JobState.QUEUED, "")]


def test_a_slip_of_another_version_fails_by_itself(venue: Venue) -> None:
    for printer in (venue.star, venue.epson):
        venue.send(printer, venue.issued.voucher.id)
    with venue.database.write() as session:
        for job in session.scalars(select(PrintJob)):
            job.face = '{"of": "a later version"}'
    assert venue.client.get(venue.star_path).status_code == 404
    assert venue.ask_epson() == b""
    assert venue.jobs() == [(JobState.FAILED, "cannot be read")] * 2
    with venue.database.write() as session:
        assert printers.send_again(session, COMMAND_LINE, venue.star, venue.clock())
    assert venue.client.get(venue.star_path).status_code == 404


def test_a_star_printer_that_prints_is_not_told_of_a_job(venue: Venue) -> None:
    venue.send(venue.star, venue.issued.voucher.id)
    assert venue.poll(printingInProgress=True) == {"jobReady": False}


def test_what_a_star_printer_cannot_have_it_does_not_get(venue: Venue) -> None:
    job = venue.send(venue.star, venue.issued.voucher.id)
    assert venue.client.get(venue.star_path, query_string={"type": "text/plain", "token": job}).status_code == 415
    assert venue.client.get(venue.star_path, query_string={"token": "x" * 3000}).status_code == 404
    venue.client.delete(venue.star_path, query_string={"code": "200 OK", "token": "somebody else's"})
    assert venue.jobs()[0][0] is not JobState.DONE


def test_an_epson_printer_fetches_a_slip_and_says_that_it_is_printed(venue: Venue) -> None:
    assert venue.ask_epson() == b""
    job = venue.send(venue.epson, venue.issued.voucher.id)
    asked = venue.ask_epson()
    assert fromstring(asked).findtext("ePOSPrint/Parameter/printjobid") == job
    assert venue.issued.code.printed.encode() in asked
    assert venue.ask_epson() == b""
    venue.tell_epson(ANSWER.format("true", "").replace("abc", job))
    assert venue.jobs() == [(JobState.DONE, "")]


def test_an_epson_printer_without_paper_gets_its_job_again(venue: Venue) -> None:
    job = venue.send(venue.epson, venue.issued.voucher.id)
    venue.ask_epson()
    venue.tell_epson(ANSWER.format("false", "EPTR_REC_EMPTY").replace("abc", job))
    assert venue.jobs() == [(JobState.QUEUED, "EPTR_REC_EMPTY")]
    assert venue.ask_epson()


def test_a_test_is_printed_without_any_voucher(venue: Venue) -> None:
    venue.send(venue.epson)
    asked = venue.ask_epson().decode()
    assert "Test" in asked
    assert "Desk" in asked
    assert f"{PORTAL_URL}/v/" not in asked


def test_a_voucher_that_was_used_meanwhile_is_not_printed(venue: Venue) -> None:
    for printer in (venue.star, venue.epson):
        venue.send(printer, venue.issued.voucher.id)
    with venue.database.write() as session:
        session.get_one(Voucher, venue.issued.voucher.id).first_used_at = venue.clock()
    assert venue.client.get(venue.star_path).status_code == 404
    assert venue.ask_epson() == b""
    assert venue.jobs() == [(JobState.FAILED, "used meanwhile")] * 2
    assert venue.poll() == {"jobReady": False}


def test_a_printer_that_comes_back_after_hours_prints_nothing_old(venue: Venue) -> None:
    venue.send(venue.star, venue.issued.voucher.id)
    venue.clock.pass_by(minutes=61)
    assert venue.poll() == {"jobReady": False}


def test_when_a_printer_was_seen_is_known(venue: Venue) -> None:
    venue.clock.pass_by(minutes=5)
    venue.poll()
    with venue.database.read() as session:
        assert session.get_one(Printer, venue.star.id).last_seen_at == venue.clock()
        assert session.get_one(Printer, venue.epson.id).last_seen_at is None


def test_whoever_has_no_key_finds_nothing(venue: Venue, monkeypatch: pytest.MonkeyPatch) -> None:
    # Nobody waits for them either.
    monkeypatch.delattr(Database, "write")
    for key in ("x", "x" * 24, venue.epson_key, venue.star_key[:-1], "x" * 5000):
        path = f"/print/star/{key}"
        answers = [venue.client.post(path, json={}), venue.client.get(path), venue.client.delete(path)]
        assert {answer.status_code for answer in answers} == {404}
    nowhere = venue.client.post("/print/epson/nobody", data={"ConnectionType": "GetRequest"})
    assert nowhere.status_code == 404
    assert nowhere.data == venue.client.post(f"/print/epson/{venue.star_key}").data


def test_a_printer_that_raves_is_told_to_wait(venue: Venue) -> None:
    answers = [venue.client.post(venue.star_path, json={}).status_code for _ in range(242)]
    assert answers == [200] * 240 + [429] * 2
    assert venue.client.post(venue.epson_path).status_code == 200
    venue.clock.pass_by(minutes=2)
    assert venue.client.post(venue.star_path, json={}).status_code == 200


@pytest.mark.parametrize(
    "body",
    [b"", b"{", b"[]", b"null", b'"x"', b"\xff\xfe", json.dumps({"printingInProgress": [1]}).encode(), b"[" * 5000],
)
def test_nonsense_is_answered_as_a_poll(venue: Venue, body: bytes) -> None:
    answer = venue.client.post(venue.star_path, data=body, content_type="application/json")
    assert answer.get_json() == {"jobReady": False}


def test_a_printer_that_says_too_much_is_not_listened_to(venue: Venue) -> None:
    job = venue.send(venue.epson, venue.issued.voucher.id)
    venue.ask_epson()
    data = {"ConnectionType": "SetResponse", "ResponseFile": "x" * 20_000 + job}
    assert venue.client.post(venue.epson_path, data=data).status_code == 413
    assert venue.client.post(venue.star_path, data=b"[" + b"1," * 10_000).status_code == 413
    assert venue.jobs() == [(JobState.FETCHED, "")]


def test_nothing_of_a_job_can_be_read_in_the_logs(venue: Venue, capfd: pytest.CaptureFixture[str]) -> None:
    job = venue.send(venue.star, venue.issued.voucher.id)
    venue.poll()
    venue.client.get(venue.star_path, query_string={"token": job})
    said = "".join(capfd.readouterr())
    for secret in (venue.star_key, venue.issued.code.value, venue.issued.code.printed):
        assert secret not in said
