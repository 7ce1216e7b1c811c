"""Printing a batch, slips and signs at the desk; and printers that are set up there."""

import re
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from threading import Event

import pytest
from flask import Flask
from sqlalchemy import select, update

from deploy.printing import Workshop, make_next
from hotspot.audit import COMMAND_LINE as NOBODY
from hotspot.audit import AuditEntry
from hotspot.counters import Counters
from hotspot.database import Database
from hotspot.keys import Keyring
from hotspot.people import Role
from hotspot.place import Site
from portal.staff import prints
from tests.factories import Place, a_pass, a_place, a_user, some_vouchers
from tests.portal.conftest import PORTAL_URL, MovableClock
from tests.portal.desk import Staff, form_of, signed_in, words_of
from tests.vouchers.printing.pages import read_codes, rendered, written
from vouchers.issuing import Issued
from vouchers.printing.printers import Printer, PrinterKind, PrintJob, add_printer
from vouchers.voucher import Batch, Voucher


@dataclass(frozen=True)
class Desk:
    """A place with a batch, its owner and the front desk, both signed in."""

    place: Place
    issued: list[Issued]
    batch_id: str
    owner: Staff
    desk: Staff

    @property
    def page(self) -> str:
        """Where the batch is printed."""
        return f"/desk/batches/{self.batch_id}/printing"

    @property
    def slips(self) -> str:
        """Where its slips are."""
        return f"/desk/batches/{self.batch_id}/slips"

    @property
    def printers(self) -> str:
        """Where the printers of the site are."""
        return f"/desk/sites/{self.place.site.public_id}/printers"


@pytest.fixture
def desk(app: Flask, database: Database, keyring: Keyring, now: datetime) -> Desk:
    with database.write() as session:
        place = a_place(session, keyring, article=a_pass(session, minutes=180, price_cents=290))
        a_user(session, customer=place.customer, email="owner@example.org")
        a_user(session, Role.FRONT_DESK, customer=place.customer, email="desk@example.org")
        issued = some_vouchers(session, keyring, place.site, place.article, 3, now=now)
        batch = session.get_one(Batch, issued[0].voucher.batch_id)
    owner, front = signed_in(app, "owner@example.org"), signed_in(app, "desk@example.org")
    return Desk(place, issued, batch.public_id, owner, front)


@pytest.fixture
def printer(database: Database, keyring: Keyring, desk: Desk, now: datetime) -> Printer:
    """A printer at the bar."""
    with database.write() as session:
        site = session.get_one(Site, desk.place.site.id)
        return add_printer(session, NOBODY, keyring, site, "Bar", PrinterKind.STAR, 80, now)[0]


def form_without_test(staff: Staff, page: str) -> dict[str, str]:
    """The form as it is, sent by its first button."""
    form = form_of(staff.get(page), page)
    # A browser sends a box that is ticked and leaves others out; the parser of the tests does not know the difference.
    return {name: value for name, value in form.items() if name not in ("black_only",)}


def printed_entries(database: Database) -> list[tuple[str, str, str]]:
    with database.read() as session:
        found = session.scalars(
            select(AuditEntry).where(AuditEntry.action.in_(("vouchers printed", "voucher printed")))
        )
        return [(one.action, one.subject, one.detail) for one in found]


def addresses(desk: Desk) -> list[str]:
    return sorted(f"{PORTAL_URL}/v/{one.code.value}" for one in desk.issued)


def test_a_batch_is_printed_as_pdf_with_its_codes(desk: Desk, database: Database, tmp_path: Path) -> None:
    answer = desk.desk.post(desk.page, **form_without_test(desk.desk, desk.page) | {"paper": "avery-c32011"})
    assert (answer.status_code, answer.mimetype) == (200, "application/pdf")
    assert answer.headers["Cache-Control"] == "no-store"
    (page,) = rendered(answer.data, tmp_path, 200)
    assert [one for one in read_codes(tmp_path, page) if one.startswith("http")] == addresses(desk)
    text = written(answer.data, tmp_path)
    for part in (
        desk.place.site.name,
        "3 Stunden",
        "2,90 € / €2.90",
        "Surf Pass",
        "Stadtnetz GmbH",
        desk.issued[0].code.printed,
    ):
        assert part in text
    for one in desk.issued:
        assert one.code.printed in text
        assert one.serial in text
    assert "ab der ersten" in text
    assert "from first use" in text
    assert re.search("3 hours(?! from)", text)
    assert "Code eingeben" in text
    assert "type the code" in text
    assert printed_entries(database) == [("vouchers printed", f"batch {desk.batch_id}", "3 x")]


def test_the_next_print_needs_no_choosing(desk: Desk) -> None:
    filled = form_without_test(desk.owner, desk.page) | {"paper": "own", "shift_x": "1.5", "width": "80", "start": "4"}
    assert desk.owner.post(desk.page, **filled).status_code == 200
    page = desk.desk.get(desk.page).text
    assert '<option selected value="own">' in page
    form = form_of(desk.desk.get(desk.page), desk.page)
    assert (form["shift_x"], form["width"], form["start"]) == ("1.5", "80.0", "1")


def test_tent_cards_have_a_page_each(desk: Desk, tmp_path: Path) -> None:
    answer = desk.desk.post(desk.page, **form_without_test(desk.desk, desk.page) | {"paper": "tents", "start": "40"})
    assert len(rendered(answer.data, tmp_path, 30)) == 3


@pytest.mark.parametrize(
    ("wrong", "words"),
    [
        ({"start": "11"}, "There are not so many cards on a sheet of this paper."),
        ({"start": "x"}, "Not a valid integer value."),
        ({"shift_y": "11"}, "A shift can be 10 mm at most."),
        ({"paper": "own", "width": "120"}, "Margin, cards and gaps together are wider than 210 mm."),
        ({"paper": "own", "rows": "99"}, "A sheet has 1 to 5 columns and 1 to 20 rows."),
        ({"paper": "own", "gap_x": "nan"}, "Each measure is a length in millimetres, 0 or more."),
        ({"paper": "papyrus"}, "Not a valid choice."),
        ({"shift_x": "1e999"}, "A shift can be 10 mm at most."),
    ],
)
def test_what_cannot_be_printed_is_said_at_the_field(
    desk: Desk, database: Database, wrong: dict[str, str], words: str
) -> None:
    answer = desk.desk.post(desk.page, **form_without_test(desk.desk, desk.page) | wrong)
    assert answer.status_code == 400
    assert words in words_of(answer)
    assert printed_entries(database) == []


def test_a_test_page_shows_no_code_and_is_no_print(desk: Desk, database: Database, tmp_path: Path) -> None:
    answer = desk.desk.post(desk.page, **form_without_test(desk.desk, desk.page) | {"test": "1"})
    assert answer.mimetype == "application/pdf"
    assert "100 %" in written(answer.data, tmp_path)
    assert printed_entries(database) == []


def test_vouchers_that_were_used_are_not_printed_any_more(
    desk: Desk, database: Database, now: datetime, tmp_path: Path
) -> None:
    used = desk.issued[0]
    with database.write() as session:
        session.get_one(Voucher, used.voucher.id).first_used_at = now
    answer = desk.desk.post(desk.page, **form_without_test(desk.desk, desk.page))
    text = written(answer.data, tmp_path)
    assert used.code.printed not in text
    assert desk.issued[1].code.printed in text


def test_a_batch_without_unused_vouchers_has_nothing_to_print(desk: Desk, database: Database, now: datetime) -> None:
    with database.write() as session:
        for one in session.scalars(select(Voucher)):
            one.revoked_at = now
    assert "None of these can be printed any more" in words_of(desk.desk.get(desk.page))


def test_a_large_print_is_made_elsewhere_and_fetched_by_who_ordered_it(
    desk: Desk,
    database: Database,
    keyring: Keyring,
    clock: MovableClock,
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
) -> None:
    monkeypatch.setattr(prints, "MOST_AT_ONCE", 2)
    ordered = desk.desk.post(desk.page, **form_without_test(desk.desk, desk.page))
    assert ordered.status_code == 303
    waiting = desk.desk.get(ordered.location)
    assert waiting.headers["Refresh"] == "1"
    assert "0 of 3" in words_of(waiting)
    assert "Refresh" not in desk.desk.get(f"{ordered.location}?still=1").headers
    file = f"{ordered.location}/vouchers.pdf"
    assert desk.desk.get(file).status_code == 404

    assert make_next(Workshop(database, keyring, clock, PORTAL_URL, Event(), Counters(tmp_path, "printing")))
    ready = desk.desk.get(ordered.location)
    assert "Refresh" not in ready.headers
    assert "3 of 3" in words_of(ready)
    fetched = desk.desk.get(file)
    assert fetched.mimetype == "application/pdf"
    assert desk.issued[0].code.printed in written(fetched.data, tmp_path)
    for path in (ordered.location, file):
        assert desk.owner.get(path).status_code == 404
    assert printed_entries(database) == [("vouchers printed", f"batch {desk.batch_id}", "3 x")]


def test_a_large_print_can_be_cancelled(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(prints, "MOST_AT_ONCE", 2)
    ordered = desk.desk.post(desk.page, **form_without_test(desk.desk, desk.page)).location
    page = desk.desk.get(ordered)
    assert desk.desk.submit(page, f"{ordered}/cancel").status_code == 303
    assert "cancelled" in words_of(desk.desk.get(ordered))
    assert "Refresh" not in desk.desk.get(ordered).headers


def test_who_waits_for_too_many_prints_is_told_so(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(prints, "MOST_AT_ONCE", 2)
    form = form_without_test(desk.desk, desk.page)
    answers = [desk.desk.post(desk.page, **form) for _ in range(6)]
    assert [one.status_code for one in answers] == [303] * 5 + [400]
    assert "Prints of yours are still being made" in words_of(answers[-1])


def test_slips_are_printed_by_the_browser_on_paper_of_a_width(desk: Desk, database: Database) -> None:
    answer = desk.desk.submit(desk.desk.get(desk.page), desk.slips, how="browser", width="58")
    assert '<body class="w58">' in answer.text
    assert answer.text.count('<article class="slip">') == 3
    for one in desk.issued:
        assert one.code.printed in answer.text
    assert len(printed_entries(database)) == 3
    assert {action for action, _subject, _detail in printed_entries(database)} == {"voucher printed"}


def test_slips_are_to_be_had_as_escpos(desk: Desk) -> None:
    answer = desk.desk.submit(desk.desk.get(desk.page), desk.slips, how="escpos", width="80")
    assert answer.headers["Content-Disposition"] == 'attachment; filename="slips.escpos"'
    for one in desk.issued:
        assert one.code.printed.encode() in answer.data
        assert f"{PORTAL_URL}/v/{one.code.value}".encode() in answer.data


def test_slips_wait_for_a_printer_one_by_one(desk: Desk, database: Database, printer: Printer) -> None:
    answer = desk.desk.submit(desk.desk.get(desk.page), desk.slips, how=printer.public_id)
    assert answer.location == desk.page
    assert "3 slips wait for Bar." in words_of(desk.desk.get(desk.page))
    with database.read() as session:
        jobs = session.scalars(select(PrintJob).order_by(PrintJob.id)).all()
    assert [job.voucher_ids for job in jobs] == [[one.voucher.id] for one in desk.issued]
    for job in jobs:
        assert not any(one.code.value in job.face or one.code.printed in job.face for one in desk.issued)


def test_one_voucher_is_printed_by_itself(desk: Desk, database: Database) -> None:
    voucher = desk.issued[1].voucher.public_id
    page = desk.desk.get(f"/desk/vouchers/{voucher}/slip")
    assert f'href="/desk/vouchers/{voucher}/slip"' in desk.desk.get(f"/desk/vouchers/{voucher}").text
    answer = desk.desk.submit(page, f"/desk/vouchers/{voucher}/slip", how="browser", width="80")
    assert desk.issued[1].code.printed in answer.text
    assert printed_entries(database) == [("voucher printed", f"voucher {voucher}", "")]


def test_a_used_voucher_is_on_no_slip(desk: Desk, database: Database, now: datetime) -> None:
    voucher = desk.issued[1].voucher
    with database.write() as session:
        session.get_one(Voucher, voucher.id).first_used_at = now
    path = f"/desk/vouchers/{voucher.public_id}/slip"
    answer = desk.desk.submit(desk.desk.get(path), path, how="escpos", width="80")
    assert answer.status_code == 303
    assert printed_entries(database) == []


@pytest.mark.parametrize("filled", [{"how": "papyrus"}, {"how": "browser", "width": "59"}, {"how": ""}])
def test_slips_on_what_there_is_not_are_not_printed(desk: Desk, database: Database, filled: dict[str, str]) -> None:
    answer = desk.desk.submit(desk.desk.get(desk.page), desk.slips, **filled)
    assert answer.status_code in (400, 404)
    assert printed_entries(database) == []


def test_slips_go_to_no_printer_of_another_site(
    desk: Desk, database: Database, keyring: Keyring, now: datetime
) -> None:
    with database.write() as session:
        other = a_place(session, keyring)
        other.site.customer_id = desk.place.customer.id
        foreign = add_printer(session, NOBODY, keyring, other.site, "Far", PrinterKind.STAR, 80, now)[0]
    answer = desk.desk.submit(desk.desk.get(desk.page), desk.slips, how=foreign.public_id)
    assert answer.status_code == 404


def test_the_owner_adds_a_printer_and_sees_its_address_once(desk: Desk, database: Database) -> None:
    page = desk.owner.get(desk.printers)
    added = desk.owner.submit(page, desk.printers, name="Bar", kind="epson", width="58")
    found = re.search(rf"{PORTAL_URL}(/print/epson/[\w-]{{24}})", added.text)
    assert found
    assert desk.owner.client.post(found[1], data={"ConnectionType": "GetRequest"}).status_code == 200
    assert found[1] not in desk.owner.get(desk.printers).text
    assert "Bar" in words_of(desk.desk.get(desk.printers))
    with database.read() as session:
        assert session.scalars(select(AuditEntry.action).where(AuditEntry.action.startswith("printer"))).all() == [
            "printer added"
        ]


@pytest.mark.parametrize("wrong", [{"name": " "}, {"name": "x" * 61}, {"kind": "daisywheel"}, {"width": "76"}])
def test_a_printer_that_cannot_be_is_not_added(desk: Desk, database: Database, wrong: dict[str, str]) -> None:
    filled = {"name": "Bar", "kind": "star", "width": "80"} | wrong
    assert desk.owner.submit(desk.owner.get(desk.printers), desk.printers, **filled).status_code == 400
    with database.read() as session:
        assert session.scalars(select(Printer)).all() == []


def test_a_printer_is_tried_asked_again_and_removed(desk: Desk, database: Database, printer: Printer) -> None:
    def press(staff: Staff, step: str) -> str:
        action = f"/desk/printers/{printer.public_id}/{step}"
        assert staff.submit(staff.get(desk.printers), action).status_code == 303
        return words_of(staff.get(desk.printers))

    assert "Bar has printed nothing" in press(desk.desk, "again")
    assert "A test waits for Bar." in press(desk.desk, "test")
    desk.desk.submit(desk.desk.get(desk.page), desk.slips, how=printer.public_id)
    assert "once more" in press(desk.desk, "again")
    assert printed_entries(database)[-1] == ("voucher printed", f"voucher {desk.issued[2].voucher.public_id}", "again")
    assert "Remove" not in words_of(desk.desk.get(desk.printers))
    assert "There is no receipt printer here yet." in press(desk.owner, "remove")


def test_a_printer_prints_at_once_what_one_tap_issues_if_the_owner_says_so(
    desk: Desk, database: Database, printer: Printer
) -> None:
    site = f"/desk/sites/{desk.place.site.public_id}"

    def tap() -> int:
        assert desk.desk.submit(desk.desk.get(site), f"{site}/one").status_code == 303
        with database.read() as session:
            return len(session.scalars(select(PrintJob)).all())

    assert tap() == 0
    taps = f"/desk/printers/{printer.public_id}/taps"
    desk.owner.post(taps, **form_of(desk.owner.get(desk.printers), taps), on="1")
    assert "Do not print one-tap passes at once" in words_of(desk.owner.get(desk.printers))
    assert [tap(), len(printed_entries(database))] == [1, 1]
    desk.owner.post(taps, **form_of(desk.owner.get(desk.printers), taps), on="0")
    assert tap() == 1


def test_a_slip_with_a_price_says_that_it_is_no_receipt(desk: Desk, database: Database) -> None:
    for price, count in ((0, 0), (490, 3)):
        with database.write() as session:
            session.execute(update(Voucher).values(price_cents=price))
        answer = desk.desk.submit(desk.desk.get(desk.page), desk.slips, how="browser", width="58")
        assert answer.text.count("Kein Kassenbeleg · Not a till receipt") == count


def test_signs_come_with_the_sites_name(desk: Desk, tmp_path: Path) -> None:
    page = f"/desk/sites/{desk.place.site.public_id}/signs"
    links = re.findall(rf'href="({page}/[\w-]+\.pdf)"', desk.desk.get(page).text)
    assert len(links) == 5
    answer = desk.desk.get(links[1])
    text = written(answer.data, tmp_path)
    for part in (desk.place.site.name, "WLAN für Gäste", "Wi-Fi for guests", "Stadtnetz GmbH"):
        assert part in text
    assert desk.desk.get(f"{page}/billboard.pdf").status_code == 404
