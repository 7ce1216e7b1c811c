"""One installation as the commands use it: settings, database and keys, each opened at first need."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property
from pathlib import Path

from sqlalchemy.orm import Session

from deploy.migrate import require_newest_schema
from hotspot.clock import Clock, utc_now
from hotspot.database import Database
from hotspot.keys import Keyring, load_keyring, read_master_key
from hotspot.settings import Settings, load_settings


@dataclass(frozen=True, repr=False)
class Work:
    """What a command works with: a session, the keys, and the moment it was given."""

    session: Session
    keyring: Keyring
    now: datetime


class Installation:
    """The installation that the settings describe; SetupError where it is not ready."""

    def __init__(self, config: Path | None = None, clock: Clock = utc_now) -> None:
        self.config = config.absolute() if config else None
        self.clock = clock

    @cached_property
    def settings(self) -> Settings:
        """The settings in force."""
        return load_settings(self.config)

    @cached_property
    def database(self) -> Database:
        """The database, at the newest revision."""
        database = Database(self.settings.database)
        require_newest_schema(database)
        return database

    def keyring(self) -> Keyring:
        """The data keys."""
        with self.database.read() as session:
            return load_keyring(session, read_master_key(self.settings))

    @contextmanager
    def read(self) -> Iterator[Work]:
        """A transaction that only reads."""
        with self.database.read() as session:
            yield Work(session, load_keyring(session, read_master_key(self.settings)), self.clock())

    @contextmanager
    def write(self) -> Iterator[Work]:
        """A transaction that commits when the block ends, and takes everything back when it raises."""
        with self.database.write() as session:
            yield Work(session, load_keyring(session, read_master_key(self.settings)), self.clock())

    def close(self) -> None:
        """Close what was opened."""
        if "database" in self.__dict__:
            self.database.dispose()
