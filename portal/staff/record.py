"""The audit record as a page and as CSV: who changed what, and when."""

from collections.abc import Iterator
from dataclasses import dataclass
from zoneinfo import ZoneInfo

from flask import Response, abort, render_template, request, stream_with_context
from flask_babel import gettext as _

from hotspot.keys import Purpose
from hotspot.people.record import Kind, Line, read_record
from hotspot.spreadsheet import csv_row
from portal import gate
from portal.context import current
from portal.staff import audit_words, wording
from portal.staff.user import signed_in

PAGE = 50
CSV_PAGE = 1000


@dataclass(frozen=True)
class RecordLine:
    """An entry in words; `customer` is empty where all are of the same."""

    at: str
    person: str
    action: str
    detail: str
    customer: str


@dataclass(frozen=True)
class _Asked:
    """Which entries somebody wants to see."""

    person_id: str
    kind: Kind | None
    user_id: int | None
    before: int | None
    zone: ZoneInfo


def record() -> str:
    """The latest entries, or those before a cursor."""
    user = signed_in()
    asked, people = _asked()
    with current().database.read() as session:
        found = read_record(
            session,
            customer_id=user.customer_id,
            user_id=asked.user_id,
            kind=asked.kind,
            before=asked.before,
            limit=PAGE + 1,
        )
    lines = [_line(one, asked.zone, with_customer=user.is_operator) for one in found[:PAGE]]
    further = _cursor(found[PAGE - 1].id) if len(found) > PAGE else ""
    return render_template(
        "staff/record.html", lines=lines, further=further, first=asked.before is None, people=people, asked=asked,
        kinds=[(kind.value, audit_words.KINDS[kind]) for kind in Kind], with_customer=user.is_operator,
    )  # fmt: skip


def record_csv() -> Response:
    """All of them as CSV, in UTC."""
    asked, _people = _asked()
    response = Response(stream_with_context(_csv(asked)), mimetype="text/csv; charset=utf-8")
    response.headers["Content-Disposition"] = "attachment; filename=record.csv"
    return response


def _asked() -> tuple[_Asked, list[tuple[str, str]]]:
    """What the address asks for, and the people to choose among."""
    user, person_id, kind = signed_in(), request.args.get("person", ""), request.args.get("kind", "")
    if kind and kind not in list(Kind):
        abort(404)
    with current().database.read() as session:
        people = gate.people(session, user)
        chosen = gate.find_person(session, user, person_id).id if person_id else None
        zone = gate.home_zone(session, user)
    asked = _Asked(person_id, Kind(kind) if kind else None, chosen, _before(), zone)
    return asked, [(one.public_id, one.name) for one in people]


def _before() -> int | None:
    """The cursor: encrypted, since row numbers are nobody's business."""
    cursor = request.args.get("before", "")
    try:
        return int(current().keyring.decrypt(Purpose.PAGES, bytes.fromhex(cursor))) if cursor else None
    except ValueError:
        abort(404)


def _cursor(entry_id: int) -> str:
    return current().keyring.encrypt(Purpose.PAGES, str(entry_id)).hex()


def _csv(asked: _Asked) -> Iterator[str]:
    customer_id, before, full = signed_in().customer_id, asked.before, True
    yield csv_row(["at", "person", "action", "subject", "detail", "customer"])
    while full:
        # A transaction for each part: a slow reader must not hold one open.
        with current().database.read() as session:
            found = read_record(
                session, customer_id=customer_id, user_id=asked.user_id, kind=asked.kind, before=before, limit=CSV_PAGE
            )
        for one in found:
            at = one.at.isoformat(timespec="seconds")
            yield csv_row([at, one.person or "", one.action, one.subject, one.detail, one.customer or ""])
        full = len(found) == CSV_PAGE
        before = found[-1].id if found else before


def _line(one: Line, zone: ZoneInfo, *, with_customer: bool) -> RecordLine:
    return RecordLine(
        at=wording.day_and_hour(one.at, zone),
        person=one.person or _("Operator, by command"),
        action=str(audit_words.ACTIONS.get(one.action, one.action)),
        detail=one.detail,
        customer=(one.customer or "") if with_customer else "",
    )
