"""The doors' snapshot of the place: read again when it has changed, and asked where a request comes from."""

import threading
from datetime import UTC, datetime, timedelta

import structlog

from hotspot.database import Database
from hotspot.directory import Directory, Located, NasRecord, Nowhere, WrongSsid, current_revision, load_directory
from hotspot.keys import Keyring
from radius.failures import is_away, name_of
from radius.makes import MAKES
from radius.packet import Packet
from radius.turn import Dismissed, Turn

# An operator who has changed something sees it so soon; a database hardly notices.
LOOK_EVERY_SECONDS = 0.25
# An SSID may cease to be valid at any second.
_ANSWERS_LAST = timedelta(seconds=1)
_MOST_ANSWERS = 20_000

log = structlog.get_logger("radius")

Whereabouts = Located | WrongSsid | Nowhere


class _Answers:
    """Where requests of one moment come from, by what they say."""

    def __init__(self, since: datetime) -> None:
        self.since, self.until = since, since + _ANSWERS_LAST
        self.found: dict[object, Whereabouts] = {}

    def hold_at(self, now: datetime) -> bool:
        """Whether they are true at `now`, and not too many."""
        return self.since <= now < self.until and len(self.found) <= _MOST_ANSWERS


class Place:
    """A snapshot that several threads use, and whichever has the database renews."""

    def __init__(self, database: Database, keyring: Keyring) -> None:
        self._database, self._keyring = database, keyring
        self._renewing = threading.Lock()
        self._next_look = 0.0
        self._answers = _Answers(datetime.min.replace(tzinfo=UTC))
        with database.read() as session:
            self._directory = load_directory(session, keyring)

    @property
    def directory(self) -> Directory:
        """The snapshot."""
        return self._directory

    def locate(self, nas: NasRecord, packet: Packet, now: datetime) -> Whereabouts:
        """Where a request comes from. Answers are kept for a second, for access points ask many times."""
        answers = self._answers
        if not answers.hold_at(now):
            answers = self._answers = _Answers(now)
        called, names = packet.text("Called-Station-Id"), MAKES[nas.make].place_names(packet)
        directory = self._directory
        key = (directory.revision, nas.id, called, names)
        found = answers.found.get(key)
        if found is None:
            found = answers.found[key] = directory.locate(nas, called, names, now)
        return found

    def renew(self, turn: Turn, now: float) -> None:
        """Look whether the place has changed, if that is due; only a thread that may wait for the database calls this.

        A row that cannot be read keeps the old snapshot, and does not end the service. `now` is monotonic seconds.
        """
        if now < self._next_look or not self._renewing.acquire(blocking=False):
            return
        try:
            self._next_look = now + LOOK_EVERY_SECONDS
            with self._database.read() as session:
                turn.uses(session)
                if current_revision(session) != self._directory.revision:
                    self._directory = load_directory(session, self._keyring)
        except Exception as error:
            if isinstance(error, Dismissed) or is_away(error):
                raise
            log.error("place not renewed", error=name_of(error))
        finally:
            turn.let_go()
            self._renewing.release()
