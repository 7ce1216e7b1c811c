"""What was done to a voucher, and by whom: never what its guest did."""

import re
from dataclasses import dataclass
from datetime import datetime
from zoneinfo import ZoneInfo

from flask_babel import gettext as _
from flask_babel import lazy_gettext as _l
from sqlalchemy import select
from sqlalchemy.orm import Session

from hotspot.api_keys import ApiKey
from hotspot.audit import AuditEntry
from hotspot.people import User
from portal import formats
from portal.staff import wording
from vouchers.deeds import Action
from vouchers.printing.files import SHOWN
from vouchers.voucher import Batch, Voucher

_MOST = 100

_WORDS = {
    "vouchers issued": _l("issued"),
    "voucher revoked": _l("revoked"),
    "voucher noted": _l("note changed"),
    "voucher good until": _l("first use by another day"),
    "voucher time changed": _l("time changed"),
    "outage credited": _l("outage credited"),
    "vouchers switched on": _l("switched on"),
    "vouchers switched off": _l("switched off"),
    "voucher printed": _l("printed"),
    "vouchers printed": _l("vouchers printed"),
    "batch cancelled": _l("batch cancelled"),
    "device freed": _l("device freed"),
    "voucher replaced": _l("slip replaced"),
}
_UNDONE = "undone: "


@dataclass(frozen=True)
class HistoryLine:
    """One entry of the record, in words."""

    at: str
    who: str
    what: str
    detail: str


def history(session: Session, voucher: Voucher, batch: Batch | None, zone: ZoneInfo) -> list[HistoryLine]:
    """The record of a voucher and of its batch, the latest first; one query.

    Not who looked at its codes: the list of a batch that is opened every day would leave room for nothing else.
    """
    subjects = [f"voucher {voucher.public_id}", *([f"batch {batch.public_id}"] if batch else [])]
    query = (
        select(AuditEntry, User, ApiKey.name)
        .outerjoin(User, User.id == AuditEntry.user_id)
        .outerjoin(ApiKey, ApiKey.id == AuditEntry.api_key_id)
        .where(AuditEntry.subject.in_(subjects), AuditEntry.action != SHOWN)
        .order_by(AuditEntry.id.desc())
        .limit(_MOST)
    )
    return [
        HistoryLine(wording.day_and_hour(entry.at, zone), key or _who(user), _what(entry.action), _detail(entry, zone))
        for entry, user, key in session.execute(query)
    ]


def _who(user: User | None) -> str:
    """A colleague by name; the operator's people are the operator."""
    return user.name if user and user.customer_id is not None else str(_("the operator"))


def _detail(entry: AuditEntry, zone: ZoneInfo) -> str:
    """What the record notes beside, in the page's language: of a whole batch, how many it was done to."""
    if many := re.fullmatch(r"([0-9]+) x ?(.*)", entry.detail):
        return f"{many[1]} × {_words_for(entry, many[2], zone)}".removesuffix(" ")
    return _words_for(entry, entry.detail, zone)


def _words_for(entry: AuditEntry, detail: str, zone: ZoneInfo) -> str:
    if found := re.fullmatch(r"([+-])([0-9]+) minutes", detail):
        return f"{'+' if found[1] == '+' else '−'}{formats.duration(int(found[2]) * 60)}"
    if found := re.search(r"^(?:replaced by|in place of) ([0-9]+)$", detail):
        by = detail.startswith("replaced")
        return str(_("replaced by %(serial)s", serial=found[1]) if by else _("in place of %(serial)s", serial=found[1]))
    if found := re.fullmatch(r"([0-9]+) of ([0-9]+)", detail):
        return str(_("%(issued)s of %(count)s", issued=found[1], count=found[2]))
    if detail == "again":
        return str(_("again"))
    if entry.action == Action.GOOD_UNTIL.entry:
        return wording.day_and_hour(datetime.fromisoformat(detail), zone)
    return detail


def _what(action: str) -> str:
    undone = action.startswith(_UNDONE)
    words = str(_WORDS.get(action.removeprefix(_UNDONE), action))
    return str(_("undone: %(what)s", what=words)) if undone else words
