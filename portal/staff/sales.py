"""What a site has sold: the shifts that were closed, and the ledger as CSV."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from zoneinfo import ZoneInfo

from flask import Response, abort, render_template, request, stream_with_context
from sqlalchemy.orm import Session

from hotspot.clock import site_day
from hotspot.errors import WrongUse
from hotspot.people import User
from hotspot.place import Site
from hotspot.spreadsheet import csv_row
from portal import formats, gate
from portal.context import current
from portal.staff import wording
from portal.staff.user import signed_in
from vouchers import sales_export
from vouchers.sales_export import Cells, Period
from vouchers.shifts import ShiftClosing, closings

CLOSINGS_SHOWN = 100


@dataclass(frozen=True)
class ClosingLine:
    """A shift that was closed."""

    number: int
    closed: str
    person: str
    expected: str
    counted: str
    difference: str
    is_right: bool
    note: str


@dataclass(frozen=True)
class SalesPage:
    """The page; `month` and `day` are those of today at the site."""

    site_id: str
    site: str
    month: str
    day: str
    closings: list[ClosingLine]


def sales(site_id: str) -> str:
    """The page."""
    with current().database.read() as session:
        site = gate.find(session, signed_in(), Site, site_id)
        today = _today(site)
        lines = _closing_lines(session, site)
    page = SalesPage(site_id, site.name, today[:7], today, lines)
    return render_template("staff/sales.html", page=page)


def sales_csv(site_id: str) -> Response:
    """The lines of a day or month, `period`, or of this month; what they add up to by day, where `totals` is asked for."""
    with current().database.read() as session:
        site = gate.find(session, signed_in(), Site, site_id)
        slug, this_month = site.slug, _today(site)[:7]
    try:
        period = Period.parse(request.args.get("period", this_month))
    except WrongUse:
        abort(400)
    added_up = request.args.get("totals") == "1"
    response = Response(stream_with_context(_rows(site_id, period, added_up)), mimetype="text/csv; charset=utf-8")
    name = f"{slug}-{period.first.isoformat()}{'-totals' if added_up else ''}.csv"
    response.headers["Content-Disposition"] = f"attachment; filename={name}"
    return response


def _rows(site_id: str, period: Period, added_up: bool) -> Iterator[str]:
    with current().database.read() as session:
        site = gate.find(session, signed_in(), Site, site_id)
        rows: Iterable[Cells] = (sales_export.totals if added_up else sales_export.lines)(session, site, period)
        yield csv_row(sales_export.TOTALS_HEAD if added_up else sales_export.LINES_HEAD)
        for row in rows:
            yield csv_row(row)


def _today(site: Site) -> str:
    return site_day(current().clock(), ZoneInfo(site.timezone), site.day_ends).isoformat()


def _closing_lines(session: Session, site: Site) -> list[ClosingLine]:
    zone = ZoneInfo(site.timezone)
    return [_line(closing, person, zone) for closing, person in closings(session, site, CLOSINGS_SHOWN)]


def _line(closing: ShiftClosing, person: User | None, zone: ZoneInfo) -> ClosingLine:
    return ClosingLine(
        number=closing.number,
        closed=wording.day_and_hour(closing.at, zone),
        person=person.name if person else "",
        expected=formats.price(closing.expected_cents, closing.currency),
        counted=formats.price(closing.counted_cents, closing.currency),
        difference=formats.price(closing.difference_cents, closing.currency),
        is_right=closing.difference_cents == 0,
        note=closing.note,
    )
