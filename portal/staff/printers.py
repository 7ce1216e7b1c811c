"""The receipt printers of a site: adding one, trying it, printing the last again, taking it away."""

from dataclasses import dataclass

from flask import flash, redirect, render_template, request, url_for
from flask_babel import gettext as _
from flask_babel import lazy_gettext as _l
from flask_wtf import FlaskForm
from sqlalchemy.orm import Session
from werkzeug import Response
from wtforms import SelectField, StringField
from wtforms.fields.choices import SelectChoice
from wtforms.validators import InputRequired, Length

from hotspot.place import Site
from portal import gate
from portal.context import current
from portal.languages import link_languages_to
from portal.staff import wording
from portal.staff.desk import ssid_of
from portal.staff.user import signed_in
from vouchers.printing import printers as store
from vouchers.printing.card import Face
from vouchers.printing.printers import WIDTHS, JobState, Printer, PrinterKind, PrintJob

KINDS = {
    PrinterKind.STAR: _l("Star, with CloudPRNT"),
    PrinterKind.EPSON: _l("Epson, with Server Direct Print"),
}
STATES = {
    JobState.QUEUED: _l("waits to be fetched"),
    JobState.FETCHED: _l("is being printed"),
    JobState.DONE: _l("printed"),
    JobState.FAILED: _l("failed"),
    JobState.DROPPED: _l("dropped: not fetched within an hour"),
}


class PrinterForm(FlaskForm):
    """A printer to add."""

    name = StringField(_l("Name"), [InputRequired(), Length(max=60)], render_kw={"maxlength": 60})
    kind = SelectField(_l("Make"), choices=[SelectChoice(value=one.value, label=words) for one, words in KINDS.items()])
    width = SelectField(_l("Width of the paper"), choices={str(one): f"{one} mm" for one in WIDTHS}, default="80")


@dataclass(frozen=True)
class PrinterLine:
    """A printer in the list."""

    public_id: str
    name: str
    kind: str
    width: int
    seen: str
    prints_taps: bool


@dataclass(frozen=True)
class JobLine:
    """A job in the list."""

    printer: str
    when: str
    state: str
    trouble: str


def site_printers(site_id: str) -> str:
    """The printers of a site and their latest jobs."""
    return _render(site_id, PrinterForm(None))


def add_printer(site_id: str) -> str | tuple[str, int]:
    """Add a printer; its address is shown on the answer, and never again."""
    portal, user, form = current(), signed_in(), PrinterForm()
    if not form.validate() or not (form.name.data or "").strip():
        return _render(site_id, form), 400
    with portal.database.write() as session:
        site = gate.find(session, user, Site, site_id)
        kind, width = PrinterKind(form.kind.data), int(form.width.data)
        actor, now = user.actor, portal.clock()
        _printer, key = store.add_printer(session, actor, portal.keyring, site, form.name.data or "", kind, width, now)
    endpoint = "printer.star_poll" if kind is PrinterKind.STAR else "printer.epson_talk"
    return _render(site_id, PrinterForm(None), portal.settings.public_portal_url + url_for(endpoint, key=key))


def test_printer(printer_id: str) -> Response:
    """Have a printer print a test."""
    portal, user = current(), signed_in()
    with portal.database.write() as session:
        printer, site = _find(session, printer_id)
        face = Face(site.name, portal.settings.operator_name, ssid_of(site), "", ())
        store.send(session, user.actor, printer, [], face, portal.clock())
    flash(_("A test waits for %(name)s.", name=printer.name), "good")
    return _back(site)


def print_again(printer_id: str) -> Response:
    """Have a printer print its last slip once more; a voucher that has been used is not printed."""
    portal, user = current(), signed_in()
    with portal.database.write() as session:
        printer, site = _find(session, printer_id)
        job = store.send_again(session, user.actor, printer, portal.clock())
        if job:
            store.record_again(session, user.actor, job, site.customer_id, portal.clock())
    if job:
        flash(_("The last slip waits for %(name)s once more.", name=printer.name), "good")
    else:
        flash(_("%(name)s has printed nothing in the last 24 hours.", name=printer.name), "bad")
    return _back(site)


def print_taps(printer_id: str) -> Response:
    """Have a printer print at once what is issued with one tap, or no more."""
    portal, user, on = current(), signed_in(), request.form.get("on") == "1"
    with portal.database.write() as session:
        printer, site = _find(session, printer_id)
        store.print_taps(session, user.actor, printer, site.customer_id, on, portal.clock())
    if on:
        flash(_("%(name)s prints at once whatever one tap issues.", name=printer.name), "good")
    else:
        flash(_("%(name)s prints only what it is told to.", name=printer.name), "good")
    return _back(site)


def remove_printer(printer_id: str) -> Response:
    """Take a printer away."""
    portal, user = current(), signed_in()
    with portal.database.write() as session:
        printer, site = _find(session, printer_id)
        store.retire_printer(session, user.actor, printer, site.customer_id, portal.clock())
    flash(_("%(name)s is removed: its address answers no more.", name=printer.name), "good")
    return _back(site)


def _find(session: Session, printer_id: str) -> tuple[Printer, Site]:
    printer = gate.find(session, signed_in(), Printer, printer_id)
    site = session.get_one(Site, printer.site_id)
    site.ssids  # noqa: B018 - loaded while the session is there
    return printer, site


def _back(site: Site) -> Response:
    return redirect(url_for("staff.site_printers", site_id=site.public_id), 303)


def _render(site_id: str, form: PrinterForm, address: str = "") -> str:
    portal = current()
    link_languages_to("staff.site_printers", site_id=site_id)
    with portal.database.read() as session:
        site = gate.find(session, signed_in(), Site, site_id)
        zone = portal.directory(session).sites[site.id].zone
        found = store.printers_at(session, site.id)
        jobs = store.latest_jobs(session, [one.id for one in found])
    names = {one.id: one.name for one in found}
    lines = [
        PrinterLine(
            one.public_id,
            one.name,
            str(KINDS[one.kind]),
            one.width,
            wording.day_and_hour(one.last_seen_at, zone) if one.last_seen_at else "",
            one.prints_taps,
        )
        for one in found
    ]
    shown = [_job_line(names[one.printer_id], one, wording.day_and_hour(one.created_at, zone)) for one in jobs]
    return render_template(
        "staff/printers.html", site_id=site_id, site=site.name, printers=lines, jobs=shown, form=form, address=address
    )


def _job_line(printer: str, job: PrintJob, when: str) -> JobLine:
    return JobLine(printer, when, str(STATES[job.state]), job.trouble)
