"""Issuing by a CSV file: a preview that names each line with a fault and issues nothing, then the confirmation."""

from dataclasses import dataclass, replace

from flask import flash, redirect, render_template, request, url_for
from flask_babel import gettext as _
from flask_babel import lazy_gettext as _l
from flask_babel import ngettext
from sqlalchemy.orm import Session
from werkzeug import Response

from hotspot.database import new_public_id
from hotspot.errors import Refusal
from hotspot.place import Site
from portal import gate
from portal.context import current
from portal.languages import link_languages_to
from portal.staff import wording
from portal.staff.user import signed_in
from vouchers.csv_in import ReadLine, Trouble, Unreadable, read_orders
from vouchers.issuing import Order, open_batch
from vouchers.once import once
from vouchers.passes import Pass, passes_at
from vouchers.voucher import Batch

TROUBLES = {
    Trouble.NO_HEADER: _l("The first line has to name the columns: pass, count, note, good_from, good_until."),
    Trouble.TOO_MANY_LINES: _l("A file may have 100 lines."),
    Trouble.TOO_MANY_VOUCHERS: _l("A file may order 2,000 vouchers in all."),
    Trouble.NO_LINES: _l("There is nothing in it but the names of the columns."),
    Trouble.NO_PASS: _l("There is no such pass here."),
    Trouble.BAD_COUNT: _l("The number has to be 1 to 500."),
    Trouble.LONG_NOTE: _l("The note is longer than 200 characters."),
    Trouble.BAD_DATE: _l("A date is written 2027-06-15 or 2027-06-15 14:00."),
    Trouble.BAD_LINE: _l("There are more cells than columns."),
}


@dataclass(frozen=True)
class LineView:
    """A line of the file in the preview; `fault` is empty where it can be issued."""

    number: int
    count: int
    name: str
    note: str
    fault: str


def import_page(site_id: str, fault: str = "") -> str:
    """The page to choose a file on, and what was wrong with the one before."""
    with current().database.read() as session:
        site = gate.find(session, signed_in(), Site, site_id)
        passes = _sold(session, site)
    return _render(site_id, site, passes, fault=fault)


def import_vouchers(site_id: str) -> Response | str | tuple[str, int]:
    """The preview of a file, or once that was confirmed the vouchers of all its lines."""
    try:
        return _read(site_id, _sent())
    except Unreadable as error:
        return import_page(site_id, str(TROUBLES[error.trouble])), 400
    except Refusal as refusal:
        return import_page(site_id, wording.refusal_words(refusal)), 400


def _read(site_id: str, text: str) -> Response | str | tuple[str, int]:
    with current().database.write() as session:
        site = gate.find(session, signed_in(), Site, site_id)
        passes = _sold(session, site)
        lines = read_orders(text, passes, current().directory(session).sites[site.id].zone)
        views = [_view(session, site, one) for one in lines]
        if "key" in request.form and not any(one.fault for one in views):
            return _issue(session, site, lines)
    return _render(site_id, site, passes, views, text), 400 if any(one.fault for one in views) else 200


def _sent() -> str:
    """The file that was chosen, or the one that is confirmed."""
    file = request.files.get("file")
    octets = file.read() if file else b""
    return octets.decode("utf-8-sig", "replace") if octets else request.form.get("text", "")


def _sold(session: Session, site: Site) -> list[Pass]:
    return [one for one in passes_at(session, site.id, site.customer_id) if not one.free]


def _view(session: Session, site: Site, line: ReadLine) -> LineView:
    if line.order is None:
        return LineView(line.number, 0, "", "", str(TROUBLES[line.trouble or Trouble.BAD_LINE]))
    order = line.order
    return LineView(line.number, order.count, order.article.name, order.note, _fault(session, site, order))


def _fault(session: Session, site: Site, order: Order) -> str:
    """Why the order would be refused: one voucher is issued, and taken back."""
    portal = current()
    tried = session.begin_nested()
    try:
        open_batch(session, signed_in().actor, portal.keyring, site, replace(order, count=1), portal.clock())
    except Refusal as refusal:
        return wording.refusal_words(refusal)
    finally:
        tried.rollback()
    return ""


def _issue(session: Session, site: Site, lines: list[ReadLine]) -> Response:
    """All lines in one transaction; sent twice, they are issued once."""
    portal, actor, now = current(), signed_in().actor, current().clock()
    count = 0
    for line in lines:
        order = line.order
        assert order is not None  # noqa: S101 - the caller has seen to it

        def make(order: Order = order) -> Batch:
            return open_batch(session, actor, portal.keyring, site, order, now)

        asked = (order.article.public_id, order.count, order.note, order.good_from, order.good_until)
        done = once(session, site, signed_in().once_key(f"{request.form['key'][:100]}-{line.number}"), asked, make, now)
        count += 0 if done.again else order.count
    flash(ngettext("%(num)s voucher issued.", "%(num)s vouchers issued.", count), "good")
    return redirect(url_for("staff.site", site_id=site.public_id), 303)


def _render(
    site_id: str, site: Site, passes: list[Pass], lines: list[LineView] | None = None, text: str = "", fault: str = ""
) -> str:
    link_languages_to("staff.import_page", site_id=site_id)
    # Texts within an f-string are not found by those who translate.
    note = _("conference")
    return render_template(
        "staff/import.html",
        site_id=site_id,
        site=site.name,
        example=f"pass;count;note;good_from;good_until\n{passes[0].slug if passes else 'day'};10;{note};;",
        lines=lines or [],
        text=text,
        fault=fault,
        bad=sum(bool(one.fault) for one in lines or []),
        total=sum(one.count for one in lines or []),
        key=new_public_id(),
    )
