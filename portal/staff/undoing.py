"""The way back: what was done within the last minute, offered to be undone on the page that follows."""

from dataclasses import dataclass

from flask import request
from sqlalchemy.orm import Session

from portal import gate
from portal.context import current
from portal.staff.user import signed_in
from vouchers.deeds import UNDO_LIVES, Deed


@dataclass(frozen=True)
class Undoable:
    """A deed that can be undone for so many seconds more."""

    public_id: str
    seconds: int


def undoable(session: Session) -> Undoable | None:
    """The deed that the address names, while it can be undone."""
    if not (deed_id := request.args.get("done")):
        return None
    deed = gate.look_for(session, signed_in(), Deed, deed_id)
    left = int((deed.at + UNDO_LIVES - current().clock()).total_seconds()) if deed and not deed.undone_at else 0
    return Undoable(deed.public_id, left) if deed and left > 0 else None
