"""A batch as CSV, for whoever keeps lists: what staff see of its vouchers, and unused codes for those who may print."""

import csv
import io
from zoneinfo import ZoneInfo

from flask import Response
from flask_babel import gettext as _

from hotspot.place import Site
from hotspot.rights import Right
from portal import gate
from portal.context import current
from portal.staff import wording
from portal.staff.user import signed_in
from sessions.status import voucher_statuses
from vouchers.printing.files import record_print
from vouchers.stock import vouchers_of
from vouchers.voucher import USABLE_LATER, Batch, Voucher, VoucherState, clear_code

# A spreadsheet takes what begins with these for a formula, and runs it.
_FORMULA = ("=", "+", "-", "@", "\t", "\r", "\n")


def batch_csv(batch_id: str) -> Response:
    """The vouchers of a batch, a line each. Codes in it are a print like any other, and recorded as one."""
    portal, user = current(), signed_in()
    now, prints = portal.clock(), Right.PRINT in signed_in().rights
    with portal.database.read() as session:
        batch = gate.find(session, user, Batch, batch_id)
        site, directory = session.get_one(Site, batch.site_id), portal.directory(session)
        found = vouchers_of(session, batch, offset=0, limit=batch.count)
        states = {id_: status.state for id_, status in voucher_statuses(session, directory, found, now).items()}
    codes = {one.id: _code(one, states[one.id]) if prints else "" for one in found}
    if count := sum(bool(code) for code in codes.values()):
        with portal.database.write() as session:
            record_print(session, user.actor, site, batch, count, now)
    out = io.StringIO()
    writer = csv.writer(out, delimiter=";")
    writer.writerow([_("Serial number"), _("State"), _("Note"), _("Good until"), _("Code")])
    zone = directory.sites[site.id].zone
    for one in found:
        writer.writerow(_line(one, batch, states[one.id], codes[one.id], zone))
    # With a byte order mark, without which spreadsheets take UTF-8 for something else.
    body = out.getvalue().encode("utf-8-sig")
    headers = {"Content-Disposition": f'attachment; filename="{batch.public_id}.csv"'}
    return Response(body, content_type="text/csv; charset=utf-8", headers=headers)


def _line(one: Voucher, batch: Batch, state: VoucherState, code: str, zone: ZoneInfo) -> list[str]:
    until = f"{one.first_use_by.astimezone(zone):%Y-%m-%d %H:%M}" if one.first_use_by else ""
    cells = (one.serial or "", str(wording.STATES[state].word), one.note or batch.note, until, code)
    return [harmless(cell) for cell in cells]


def _code(voucher: Voucher, state: VoucherState) -> str:
    code = clear_code(current().keyring, voucher) if state in USABLE_LATER else None
    return code.printed if code else ""


def harmless(cell: str) -> str:
    """The text, with a quote before it where a spreadsheet would take it for a formula."""
    return f"'{cell}" if cell.startswith(_FORMULA) else cell
