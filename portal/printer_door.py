"""Where receipt printers fetch their jobs: Star CloudPRNT and Epson Server Direct Print.

They have no account: the address holds a random key. Whoever has none of ours meets 404, whatever they send.
"""

import json
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime
from typing import Any

from flask import Blueprint, Response, abort, jsonify, request
from sqlalchemy.orm import Session

from hotspot import limits
from hotspot.limits import Counted, Limit
from portal.context import Portal, current
from vouchers.printing import epson, printers, star
from vouchers.printing.cards import cards_of
from vouchers.printing.printers import Printer, PrinterKind, PrintJob
from vouchers.printing.slip import Line, slip, trial_slip

blueprint = Blueprint("printer", __name__)

_LARGEST_BODY = 16 * 1024
_NOTHING_TO_PRINT = "used meanwhile"
# As a slip that was ordered before an upgrade may be.
_UNREADABLE = "cannot be read"


@blueprint.url_value_preprocessor
def bound_body(_endpoint: str | None, _values: dict[str, Any] | None) -> None:
    """A printer has little to say; set before anything reads it."""
    request.max_content_length = request.max_form_memory_size = _LARGEST_BODY


@blueprint.post("/print/star/<key>")
def star_poll(key: str) -> Response:
    """Whether there is a job; a printer that is busy or has no paper is not told of any."""
    portal = current()
    busy = _told().get("printingInProgress") is True
    with _entered(portal, key, PrinterKind.STAR) as (session, printer):
        job = None if busy else printers.next_job(session, printer, portal.clock())
    if job is None:
        return jsonify(jobReady=False)
    return jsonify(jobReady=True, mediaTypes=[star.MEDIA_TYPE], jobToken=job.public_id, deleteMethod="DELETE")


def _told() -> dict[str, Any]:
    """What a poll says; nothing where that is no JSON object."""
    try:
        told = json.loads(request.get_data())
    except (ValueError, RecursionError):
        return {}
    return told if isinstance(told, dict) else {}


@blueprint.get("/print/star/<key>")
def star_fetch(key: str) -> Response:
    """The job, as a picture."""
    portal = current()
    with _entered(portal, key, PrinterKind.STAR) as (session, printer):
        job = printers.job_of(session, printer, request.args.get("token", ""))
        slips = _take(session, portal, printer, job) if job else []
    if not slips:
        return Response(status=404)
    if request.args.get("type", star.MEDIA_TYPE) != star.MEDIA_TYPE:
        return Response(status=415)
    return Response(star.encode(slips, printer.width), mimetype=star.MEDIA_TYPE)


@blueprint.delete("/print/star/<key>")
def star_end(key: str) -> Response:
    """What became of the job."""
    portal = current()
    with _entered(portal, key, PrinterKind.STAR) as (session, printer):
        job = printers.fetched_job(session, printer, request.args.get("token", ""))
        if job:
            printers.note_ended(job, star.trouble_of(request.args.get("code", "")), portal.clock())
    return Response(status=200)


@blueprint.post("/print/epson/<key>")
def epson_talk(key: str) -> Response:
    """A printer that asks for a job, or says what became of one."""
    portal, now = current(), current().clock()
    asks = request.form.get("ConnectionType", "")
    body = b""
    job: PrintJob | None = None
    slips: Sequence[Sequence[Line]] = ()
    with _entered(portal, key, PrinterKind.EPSON) as (session, printer):
        if asks == "SetResponse":
            _note_answer(session, printer, request.form.get("ResponseFile", ""), now)
        elif asks == "GetRequest":
            job = printers.next_job(session, printer, now)
            slips = _take(session, portal, printer, job) if job else []
    if job and slips:
        body = epson.encode(job.public_id, slips, printer.width)
    return Response(body, content_type="text/xml; charset=utf-8")


def _note_answer(session: Session, printer: Printer, answer: str, now: datetime) -> None:
    named, trouble = epson.read_answer(answer)
    job = printers.fetched_job(session, printer, named) if named else None
    if job:
        printers.note_ended(job, trouble, now)


@contextmanager
def _entered(portal: Portal, key: str, kind: PrinterKind) -> Iterator[tuple[Session, Printer]]:
    """A transaction of the printer with this key; 404 without a hint for every other, who never gets to hold up writers."""
    with portal.database.read() as session:
        if printers.find_by_key(session, portal.keyring, key, kind) is None:
            abort(404)
    with portal.database.write() as session:
        yield session, _enter(session, portal, key, kind)


def _enter(session: Session, portal: Portal, key: str, kind: PrinterKind) -> Printer:
    """The printer, which is noted as seen; 429 for one that raves."""
    printer = printers.find_by_key(session, portal.keyring, key, kind)
    if printer is None:
        abort(404)
    now = portal.clock()
    counted = [Counted(Limit.ASKS_OF_PRINTER, printer.public_id)]
    if limits.reached(session, portal.keyring, counted, now):
        abort(429)
    limits.hit(session, portal.keyring, counted, now)
    printer.last_seen_at = now
    return printer


def _take(session: Session, portal: Portal, printer: Printer, job: PrintJob) -> Sequence[Sequence[Line]]:
    """The slips of a job, which is noted as fetched; none once all its vouchers have been used."""
    now = portal.clock()
    printers.note_fetched(job, now)
    try:
        face = job.looks
    except (LookupError, TypeError, ValueError):
        printers.give_up(job, _UNREADABLE, now)
        return []
    if not job.voucher_ids:
        return [trial_slip(face, printer.name, printer.width)]
    cards = cards_of(session, portal.keyring, portal.settings.public_portal_url, job.voucher_ids, now)
    if not cards:
        printers.give_up(job, _NOTHING_TO_PRINT, now)
    return [slip(face, card, printer.width) for card in cards]
