"""The anonymized connection log (R11, decision 8): which device, as a day's token, was when on which access point.

A token is keyed with the random key of its day. While that key exists an entry is pseudonymous; once it is destroyed nobody
can tell whose entry it was. Day keys never enter a backup: on SQLite each is a file beside the database, on PostgreSQL they
live in two UNLOGGED tables that are used on alternate days and truncated.
"""

import hmac
import secrets
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from pathlib import Path
from typing import cast

from sqlalchemy import (
    BigInteger,
    Date,
    Index,
    Integer,
    LargeBinary,
    String,
    Table,
    TableClause,
    bindparam,
    column,
    exists,
    select,
    table,
    text,
)
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Mapped, Session, mapped_column

from hotspot import bulk
from hotspot.clock import site_day
from hotspot.database import Base, BigId, new_public_id
from hotspot.directory import SiteRecord
from hotspot.questions import Query

TOKEN_OCTETS = 8
_TIME_STEP = timedelta(minutes=5)
_OCTET_STEP = 100_000
_DAY_TABLES = tuple(
    table(name, column("day", Date), column("key", LargeBinary)) for name in ("log_day_key_even", "log_day_key_odd")
)


def _day_key_query(keys: TableClause) -> Query:
    return Query(lambda _is_in: select(keys.c.key).where(keys.c.day == bindparam("day", type_=Date())))


_DAY_KEYS = tuple(map(_day_key_query, _DAY_TABLES))
_TRUNCATE = {"log_day_key_even": "TRUNCATE log_day_key_even", "log_day_key_odd": "TRUNCATE log_day_key_odd"}
_KEY_FILES = "????-??-??.key"
_COLUMNS = ("reference", "site_id", "access_point_id", "day", "token", "started_at", "minutes", "octets")


class LogEntry(Base):
    """One visit in the log; times are rounded to 5 minutes, volume to 100 kB."""

    __tablename__ = "log_entry"
    __table_args__ = (Index("ix_log_entry_site_day", "site_id", "day"),)

    id: Mapped[int] = mapped_column(BigId, primary_key=True)
    reference: Mapped[str] = mapped_column(String(16), unique=True, default=new_public_id)
    site_id: Mapped[int] = mapped_column(BigId)
    access_point_id: Mapped[int | None] = mapped_column(BigId)
    day: Mapped[date] = mapped_column(Date)
    token: Mapped[bytes] = mapped_column(LargeBinary(TOKEN_OCTETS))
    started_at: Mapped[datetime]
    minutes: Mapped[int] = mapped_column(Integer)
    octets: Mapped[int] = mapped_column(BigInteger)


@dataclass(frozen=True)
class Connection:
    """What a closed visit tells the log; `device` is the device's keyed hash."""

    access_point_id: int | None
    device: bytes
    started_at: datetime
    seconds: int
    octets: int


class Journal:
    """The entries that a transaction writes and withdraws; the caller ends with `write`."""

    def __init__(self, session: Session) -> None:
        self._session = session
        self._entries: dict[str, tuple[object, ...]] = {}
        self._withdrawn: set[str] = set()

    def add(self, site: SiteRecord, connection: Connection, now: datetime) -> str | None:
        """The reference of a new entry for a visit that closed at `now`; nothing and None in privacy mode (R32)."""
        if site.privacy_mode:
            return None
        day = site_day(now, site.zone, site.day_ends)
        step = _TIME_STEP.total_seconds()
        reference = new_public_id()
        self._entries[reference] = (
            reference,
            site.id,
            connection.access_point_id,
            day,
            _token(_day_key(self._session, day), site.id, connection.device),
            datetime.fromtimestamp(connection.started_at.timestamp() // step * step, connection.started_at.tzinfo),
            round(connection.seconds / 60),
            round(connection.octets / _OCTET_STEP) * _OCTET_STEP,
        )
        return reference

    def withdraw(self, reference: str | None) -> None:
        """Remove the entry of a visit that turned out to go on."""
        if reference is not None and self._entries.pop(reference, None) is None:
            self._withdrawn.add(reference)

    def write(self) -> None:
        """Bring it all to the database."""
        entries = cast(Table, LogEntry.__table__)
        bulk.delete(self._session, entries, "reference", self._withdrawn)
        bulk.insert(self._session, entries, _COLUMNS, list(self._entries.values()))
        self._withdrawn, self._entries = set(), {}


def todays_tokens(session: Session, site_id: int, day: date, devices: Sequence[bytes]) -> list[bytes]:
    """What the log would call these devices on a day that is not over; themselves while it has no key, and so no entry."""
    key = _known_day_key(session, day)
    return [_token(key, site_id, device) if key else device for device in devices]


def has_day_keys(session: Session, before: date) -> bool:
    """Whether there are keys of days before `before`."""
    folder = _key_folder(session)
    if folder is None:
        return any(session.scalar(select(exists().where(keys.c.day < before))) for keys in _DAY_TABLES)
    return any(path.stem < before.isoformat() for path in folder.glob(_KEY_FILES))


def destroy_day_keys(session: Session, before: date) -> None:
    """Destroy the keys of all days before `before`: from then on their entries are anonymous."""
    folder = _key_folder(session)
    if folder is None:
        for keys in _DAY_TABLES:
            _destroy_in_table(session, keys, before)
        return
    for path in folder.glob(_KEY_FILES):
        if path.stem < before.isoformat():
            path.unlink(missing_ok=True)


def _destroy_in_table(session: Session, keys: TableClause, before: date) -> None:
    """TRUNCATE, since a deleted row would stay in the table's file; a key that is still needed is written anew."""
    rows = session.execute(select(keys.c.day, keys.c.key)).all()
    if all(day >= before for day, _key in rows):
        return
    session.execute(text(_TRUNCATE[keys.name]))
    for day, key in rows:
        if day >= before:
            session.execute(insert(keys).values(day=day, key=key))


def _token(day_key: bytes, site_id: int, device: bytes) -> bytes:
    return hmac.digest(day_key, site_id.to_bytes(8, "big") + device, "sha256")[:TOKEN_OCTETS]


def _key_folder(session: Session) -> Path | None:
    """The folder of the key files; None on PostgreSQL."""
    url = session.get_bind().engine.url
    return Path(f"{url.database}.day-keys") if url.get_backend_name() == "sqlite" else None


def _day_key(session: Session, day: date) -> bytes:
    """The key of a day, made at first need; asked of the store once a transaction."""
    known = _known_day_key(session, day)
    if known is None:
        folder = _key_folder(session)
        known = _make_day_key_in_table(session, day) if folder is None else _make_day_key_in_file(folder, day)
        _day_keys(session)[day] = known
    return known


def _known_day_key(session: Session, day: date) -> bytes | None:
    """The key of a day that has one; asked of the store once a transaction."""
    if day not in _day_keys(session):
        folder = _key_folder(session)
        found = _read_day_key_in_table(session, day) if folder is None else _read_day_key_in_file(folder, day)
        if found is None:
            return None
        _day_keys(session)[day] = found
    return _day_keys(session)[day]


def _day_keys(session: Session) -> dict[date, bytes]:
    known: dict[date, bytes] = session.info.setdefault("log_day_keys", {})
    return known


def _key_file(folder: Path, day: date) -> Path:
    return folder / f"{day.isoformat()}.key"


def _read_day_key_in_file(folder: Path, day: date) -> bytes | None:
    path = _key_file(folder, day)
    return path.read_bytes() if path.exists() else None


def _make_day_key_in_file(folder: Path, day: date) -> bytes:
    """The write lock of the transaction keeps other writers out; a crash half-way leaves no half-written key."""
    folder.mkdir(mode=0o700, exist_ok=True)
    path, key = _key_file(folder, day), secrets.token_bytes(32)
    draft = path.with_suffix(".new")
    draft.touch(mode=0o600)
    draft.write_bytes(key)
    draft.replace(path)
    return key


def _read_day_key_in_table(session: Session, day: date) -> bytes | None:
    known = _DAY_KEYS[day.toordinal() % 2].rows(session, day=day)
    return bytes(known[0][0]) if known else None


def _make_day_key_in_table(session: Session, day: date) -> bytes:
    """Race: of two transactions that make the day's key, the second waits for the first and reads its key."""
    keys = _DAY_TABLES[day.toordinal() % 2]
    fresh = insert(keys).values(day=day, key=secrets.token_bytes(32)).on_conflict_do_nothing(index_elements=["day"])
    made = session.scalar(fresh.returning(keys.c.key))
    return bytes(made or _DAY_KEYS[day.toordinal() % 2].rows(session, day=day)[0][0])
