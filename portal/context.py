"""What every view needs: settings, database, keys, clock, and the place as it stands."""

import threading
from dataclasses import dataclass, field
from typing import cast

from flask import current_app
from sqlalchemy.orm import Session

from hotspot.clock import Clock
from hotspot.database import Database
from hotspot.directory import Directory, current_revision, load_directory
from hotspot.keys import Keyring
from hotspot.settings import Settings
from portal.overload import Turns
from portal.tally import Tally

EXTENSION = "surfpass"


class _Snapshot:
    """The latest snapshot of the place, read again once the place has changed."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._directory: Directory | None = None

    def get(self, session: Session, keyring: Keyring) -> Directory:
        revision = current_revision(session)
        with self._lock:
            if self._directory is None or self._directory.revision != revision:
                self._directory = load_directory(session, keyring)
            return self._directory


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
    _snapshot: _Snapshot = field(default_factory=_Snapshot, repr=False)

    def directory(self, session: Session) -> Directory:
        """The place at its latest revision; one small query unless it has changed."""
        return self._snapshot.get(session, self.keyring)


def current() -> Portal:
    """The portal that answers this request."""
    return cast(Portal, current_app.extensions[EXTENSION])
