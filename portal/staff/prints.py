"""Printing a batch: the page to choose on what, the PDF, and the page of a large print that is being made."""

from dataclasses import dataclass

from flask import abort, redirect, render_template, request, url_for
from flask_babel import gettext as _
from flask_babel import lazy_gettext as _l
from sqlalchemy.orm import Session
from werkzeug import Response

from hotspot.errors import Refusal
from hotspot.place import Site
from portal import gate
from portal.context import current
from portal.headers import look_again_after
from portal.languages import link_languages_to
from portal.staff import faces
from portal.staff.print_form import REFUSALS, TENTS, PrintForm
from portal.staff.user import signed_in
from vouchers.printing import calibration, cards, choices, files, printers
from vouchers.printing.files import FileState, PrintFile
from vouchers.printing.orders import Order, Output
from vouchers.printing.paper import Sheet
from vouchers.printing.sheets import Style
from vouchers.stock import vouchers_of
from vouchers.voucher import Batch, Voucher

# As many as are made while somebody waits: well under a second.
MOST_AT_ONCE = 200
_LOOK_AGAIN_SECONDS = 1

STATES = {
    FileState.QUEUED: _l("waiting for its turn"),
    FileState.WORKING: _l("being made"),
    FileState.DONE: _l("ready"),
    FileState.FAILED: _l("failed"),
    FileState.CANCELLED: _l("cancelled"),
}


@dataclass(frozen=True)
class PrinterChoice:
    """A receipt printer to choose."""

    public_id: str
    name: str


@dataclass(frozen=True)
class PrintPage:
    """What the page to choose on is made from."""

    batch_id: str
    site_id: str
    name: str
    count: int
    site: str
    printers: list[PrinterChoice]
    most_slips: int


@dataclass(frozen=True)
class FilePage:
    """A large print as its page shows it."""

    public_id: str
    batch_id: str
    state: str
    percent: int
    done: int
    total: int
    waits: bool
    ready: bool


def printing(batch_id: str) -> str:
    """The page to choose on."""
    with current().database.read() as session:
        page, site = _load(session, batch_id)
        choice = choices.choice_of(session, site.id)
    return _render(page, PrintForm.showing(choice))


def print_pdf(batch_id: str) -> Response | tuple[str, int]:
    """The PDF of a batch; of a large one the page where it is made."""
    with current().database.read() as session:
        page, _site = _load(session, batch_id)
    form = PrintForm()
    sheet = form.sheet()
    if sheet is None:
        return _render(page, form), 400
    if "test" in request.form:
        return _pdf(calibration.render(sheet, _advice()), "test-page")
    try:
        return _print(batch_id, form, sheet)
    except Refusal as refusal:
        form.paper.errors = [REFUSALS[refusal.code]]
        return _render(page, form), 400


def _print(batch_id: str, form: PrintForm, sheet: Sheet) -> Response:
    portal, user = current(), signed_in()
    now, actor = portal.clock(), user.actor
    with portal.database.write() as session:
        batch = gate.find(session, user, Batch, batch_id)
        site = session.get_one(Site, batch.site_id)
        choices.remember(session, site.id, form.choice)
        count = cards.count_printable(session, batch.id, now)
        order = _order(session, site, batch, form, sheet)
        if count > MOST_AT_ONCE:
            file = files.order_file(session, actor, user.id, site, batch, order, count, now)
            return redirect(url_for("staff.print_file", file_id=file.public_id), 303)
        files.record_print(session, actor, site, batch, count, now)
        found = cards.cards_of_batch(session, portal.keyring, portal.settings.public_portal_url, batch.id, now)
        logo = cards.logo_of(session, site)
    return _pdf(order.make(found, logo), batch.public_id)


def _order(session: Session, site: Site, batch: Batch, form: PrintForm, sheet: Sheet) -> Order:
    voucher = _first(session, batch)
    face = faces.face_of(session, current(), site, voucher)
    output = Output.TENTS if form.paper.data == TENTS else Output.SHEETS
    return Order(face, output, sheet, Style(form.wifi_code.data, form.black_only.data))


def print_file(file_id: str) -> str:
    """How far a large print is; the browser asks again by itself while it is being made."""
    with current().database.read() as session:
        file = _own_file(session, file_id)
        batch = session.get_one(Batch, file.batch_id)
    waits = file.state in files.WAITING
    if waits and "still" not in request.args:
        look_again_after(_LOOK_AGAIN_SECONDS)
    page = FilePage(
        public_id=file.public_id,
        batch_id=batch.public_id,
        state=str(STATES[file.state]),
        percent=100 if file.state is FileState.DONE else file.done * 100 // max(1, file.total),
        done=file.total if file.state is FileState.DONE else file.done,
        total=file.total,
        waits=waits,
        ready=file.state is FileState.DONE,
    )
    return render_template("staff/print_file.html", page=page)


def fetch_print_file(file_id: str) -> Response:
    """The file of a large print."""
    portal = current()
    with portal.database.read() as session:
        file = _own_file(session, file_id)
        body = files.body_of(session, portal.keyring, file)
    if body is None:
        abort(404)
    return _pdf(body, file.public_id)


def cancel_print_file(file_id: str) -> Response:
    """End a large print, or throw its file away."""
    with current().database.write() as session:
        file = _own_file(session, file_id)
        files.cancel(session, file)
    return redirect(url_for("staff.print_file", file_id=file_id), 303)


def _own_file(session: Session, file_id: str) -> PrintFile:
    """A print that the user has ordered: it holds codes, and is nobody else's, whatever they may print themselves."""
    user = signed_in()
    file = gate.find(session, user, PrintFile, file_id)
    if file.user_id != user.id:
        abort(404)
    return file


def _load(session: Session, batch_id: str) -> tuple[PrintPage, Site]:
    batch = gate.find(session, signed_in(), Batch, batch_id)
    site = session.get_one(Site, batch.site_id)
    voucher = _first(session, batch)
    count = cards.count_printable(session, batch.id, current().clock())
    here = [PrinterChoice(one.public_id, one.name) for one in printers.printers_at(session, site.id)]
    page = PrintPage(batch.public_id, site.public_id, voucher.name, count, site.name, here, printers.MOST_SLIPS)
    return page, site


def _first(session: Session, batch: Batch) -> Voucher:
    """A voucher of the batch, which all others are like; 404 while there is none yet."""
    found = vouchers_of(session, batch, offset=0, limit=1)
    return found[0] if found else abort(404)


def _render(page: PrintPage, form: PrintForm) -> str:
    link_languages_to("staff.printing", batch_id=page.batch_id)
    return render_template("staff/printing.html", page=page, form=form)


def _advice() -> tuple[str, ...]:
    return (
        _("Print this page at 100 %, without “fit to page”. Hold it against a sheet of your stock, before a light."),
        _(
            "If the frames lie to the left of the cards, shift to the right by as much; if they lie above, shift down. "
            "The rulers begin 20 mm from the left and the upper edge."
        ),
    )


def _pdf(body: bytes, name: str) -> Response:
    headers = {"Content-Disposition": f'inline; filename="{name}.pdf"'}
    return Response(body, mimetype="application/pdf", headers=headers)
