"""What every view needs: settings, database, keys, clock, and the place as it stands."""

import threading
from dataclasses import dataclass, field
from typing import cast

from flask import current_app
from sqlalchemy.orm import Session

from hotspot.clock import Clock
from hotspot.database import Database
from hotspot.directory import Directory, current_revisions, load_directory
from hotspot.keys import Keyring
from hotspot.place import Part
from hotspot.settings import Settings
from portal.kept_pages import KeptPages
from portal.overload import HASHES_AT_ONCE, Turns, WaitingRoom
from portal.shown import Shown
from portal.tally import Tally

EXTENSION = "surfpass"
_REVISIONS = "revisions"


class _Snapshot:
    """The latest snapshots of the place and of what is shown, each read again once it has changed."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._directory: Directory | None = None
        self._shown = Shown(0)

    def directory(self, session: Session, keyring: Keyring) -> Directory:
        revision = _revision(session, Part.PLACE)
        with self._lock:
            if self._directory is None or self._directory.revision != revision:
                self._directory = load_directory(session, keyring)
            return self._directory

    def shown(self, session: Session) -> Shown:
        revision = _revision(session, Part.SHOWN)
        with self._lock:
            if self._shown.revision != revision:
                self._shown = Shown(revision)
            return self._shown


def _revision(session: Session, part: Part) -> int:
    """As it was when this transaction first asked: what it reads after that is as new, or newer."""
    revisions: dict[int, int] | None = session.info.get(_REVISIONS)
    if revisions is None:
        revisions = session.info[_REVISIONS] = current_revisions(session)
    return revisions.get(part, 0)


@dataclass(frozen=True)
class Portal:
    """The parts a portal process is made of. `coa_makes`: the makes of NAS that change the limits of a running session."""

    settings: Settings
    database: Database
    keyring: Keyring
    clock: Clock
    tally: Tally
    coa_makes: frozenset[str] = frozenset()
    logins: Turns = field(default_factory=Turns, repr=False)
    hashing: Turns = field(default_factory=lambda: Turns(HASHES_AT_ONCE), repr=False)
    waiting: WaitingRoom = field(default_factory=WaitingRoom, repr=False)
    pages: KeptPages = field(default_factory=KeptPages, repr=False)
    _snapshot: _Snapshot = field(default_factory=_Snapshot, repr=False)

    def directory(self, session: Session) -> Directory:
        """The place at its latest revision; one small query in a transaction, unless it has changed."""
        return self._snapshot.directory(session, self.keyring)

    def shown(self, session: Session) -> Shown:
        """What guests are shown at its latest revision; no further query, unless it has changed."""
        return self._snapshot.shown(session)


def current() -> Portal:
    """The portal that answers this request."""
    return cast(Portal, current_app.extensions[EXTENSION])
