"""The operator's overview of the legal texts: what guests can read, what comes into force when, and what is missing."""

from dataclasses import dataclass
from datetime import UTC, datetime
from zoneinfo import ZoneInfo

from babel import Locale
from flask import render_template
from flask_babel import gettext as _
from sqlalchemy.orm import Session

from hotspot.legal import LegalVersion, Slot, slots
from portal.context import current
from portal.languages import language
from portal.legal import NAMES
from portal.staff import wording
from portal.staff.wording import StateWords

_UTC = ZoneInfo("UTC")


@dataclass(frozen=True)
class SlotLine:
    """A slot in the operator's words; `next` and `missing` are empty where there is nothing to say."""

    kind: str
    name: str
    state: StateWords
    since: str
    next: str
    missing: str


def texts() -> str:
    """The page."""
    portal = current()
    with portal.database.read() as session:
        lines = [_line(slot) for slot in slots(session, portal.clock())]
    return render_template("staff/texts.html", lines=lines)


def missing_texts(session: Session, now: datetime) -> list[str]:
    """The names of the slots that guests find empty."""
    return [str(NAMES[slot.kind]) for slot in slots(session, now) if slot.current is None]


def _line(slot: Slot) -> SlotLine:
    lacks = [Locale.parse(language()).languages[code] for code in slot.missing_languages] if slot.current else []
    return SlotLine(
        kind=slot.kind.value,
        name=str(NAMES[slot.kind]),
        state=wording.SLOT_STATES[slot.current is not None],
        since=_since(slot.current) if slot.current else "",
        next=_since(slot.upcoming[0]) if slot.upcoming else "",
        missing=", ".join(lacks),
    )


def _since(version: LegalVersion) -> str:
    moment = wording.day_and_hour(version.valid_from.astimezone(UTC), _UTC)
    return str(_("version %(number)s from %(moment)s UTC", number=version.number, moment=moment))
