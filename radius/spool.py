"""The spool: accounting that could not be committed waits here, durable and encrypted, until it can."""

import errno
import os
import re
import struct
import threading
from collections import deque
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

import structlog

from hotspot.keys import Keyring, Purpose
from radius.segments import REJECTED, SUFFIX, UNREADABLE, Segment, frame, keep_apart, sync_folder

MOST_OCTETS = 2 << 30
# A file is removed once emptied; under a load that never lets up that happens only because a new one is begun.
_SEGMENT_OCTETS = 64 << 20
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)
# Microseconds since 1970, id of the NAS, length of the source's address.
_ENTRY = struct.Struct("!qqB")

log = structlog.get_logger("radius")


@dataclass(frozen=True)
class Spooled:
    """An Accounting-Request as it came in."""

    arrived: datetime
    nas_id: int
    source: str
    octets: bytes


@dataclass(frozen=True)
class _Handed:
    """An entry that `oldest` gave out: dropping it moves its segment on to `position`."""

    segment: Segment
    position: int


class Spool:
    """A worker's queue on disk, in files `name.number.spool`; its methods may be called from several threads."""

    def __init__(self, folder: Path, name: str, keyring: Keyring) -> None:
        self._folder, self._name, self._keyring = folder, name, keyring
        self._segments: deque[Segment] = deque()
        self._current: Segment | None = None
        self._handed: list[_Handed] = []
        self._lock = threading.RLock()
        self._depth = 0
        self._closed = False

    @property
    def depth(self) -> int:
        """How many entries wait; asked at all times, so it waits for nobody."""
        return self._depth

    @property
    def octets(self) -> int:
        """How much room the files take."""
        with self._lock:
            return sum(segment.size for segment in self._segments)

    def append(self, entries: Iterable[Spooled]) -> None:
        """Queue entries; they are durable when this returns. OSError: none of them is queued, stay silent."""
        frames = [frame(self._keyring.encrypt(Purpose.SESSIONS, _pack(entry))) for entry in entries]
        if not frames:
            return
        octets = b"".join(frames)
        with self._lock:
            if self.octets + len(octets) > MOST_OCTETS:
                raise OSError(errno.ENOSPC, "the spool is full")
            segment = self._open_segment()
            try:
                segment.append(octets, len(frames))
            except OSError:
                # What a failed write or sync has left in a file is unknown: no entry is put behind it.
                self._current = None
                self._retire_empty()
                raise
            self._depth += len(frames)

    def oldest(self, most: int) -> list[Spooled]:
        """The first entries, `most` at most, oldest first; they stay until dropped.

        A file is set aside from the entry on that our keys do not open: it is another installation's, and no loss to us.
        """
        with self._lock:
            entries: list[Spooled] = []
            self._handed = []
            for segment in tuple(self._segments):
                before = len(entries)
                try:
                    self._read(segment, most, entries)
                except OSError as error:
                    if len(entries) == before:
                        self._leave(segment, error)
                if len(entries) >= most:
                    break
            self._retire_empty()
            return entries

    def drop(self, count: int) -> None:
        """Forget the first `count` entries of what `oldest` gave last: they are committed elsewhere."""
        with self._lock:
            if count > len(self._handed):
                raise ValueError("more entries to drop than were read")
            moved: dict[Segment, tuple[int, int]] = {}
            for handed in self._handed[:count]:
                frames = moved.get(handed.segment, (0, 0))[1]
                moved[handed.segment] = handed.position, frames + 1
            del self._handed[:count]
            for segment, (position, frames) in moved.items():
                self._move_on(segment, position, frames)
            self._retire_empty()

    def reject(self, entries: Iterable[Spooled]) -> None:
        """Keep entries that cannot be committed in `name.rejected`, durably, for the operator. OSError: not done."""
        frames = [frame(self._keyring.encrypt(Purpose.SESSIONS, _pack(entry))) for entry in entries]
        keep_apart(self._folder / f"{self._name}{REJECTED}", b"".join(frames))

    def adopt_orphans(self) -> int:
        """Take over the files of processes that are gone, before what waits here already; returns how many entries.

        Reading them through takes a while, and nobody is kept waiting meanwhile.
        """
        paths = sorted(self._folder.glob(f"*{SUFFIX}"), key=lambda path: (_number(path), path.name))
        adopted = [segment for segment in map(Segment.adopt, paths) if segment]
        count = sum(segment.waiting for segment in adopted)
        with self._lock:
            self._segments.extendleft(reversed(adopted))
            self._retire_empty()
            if self._closed:
                self.close()
        if count:
            log.info("spool adopted", files=len(adopted), entries=count)
        return count

    def close(self) -> None:
        """Let go of the files; what waits is for another process to adopt."""
        with self._lock:
            for segment in self._segments:
                segment.close()
            self._segments.clear()
            self._handed, self._current = [], None
            self._depth, self._closed = 0, True

    def _read(self, segment: Segment, most: int, entries: list[Spooled]) -> None:
        """Add to `entries` what can be read of a segment; set it aside when that is nothing at all."""
        before = len(self._handed)
        for one in segment.frames():
            if len(entries) >= most:
                return
            entry = self._decrypt(one.body)
            if entry is None:
                if len(self._handed) == before:
                    self._set_aside(segment)
                return
            entries.append(entry)
            self._handed.append(_Handed(segment, one.end))
        # What has been damaged since it was counted would wait for ever.
        segment.waiting = len(self._handed) - before

    def _set_aside(self, segment: Segment) -> None:
        """Keep a file that our keys do not open; the operator may have the ones that do."""
        self._forget(segment)
        try:
            segment.set_aside()
        except OSError as error:
            log.error("spool file not renamed", error=type(error).__name__)

    def _leave(self, segment: Segment, error: OSError) -> None:
        """A file that the disk does not give back is left where it is, so that the others are not held up."""
        log.error("spool file set aside", error=type(error).__name__, entries=segment.waiting)
        self._forget(segment)
        segment.close()

    def _decrypt(self, body: bytes) -> Spooled | None:
        try:
            return _unpack(self._keyring.decrypt(Purpose.SESSIONS, body))
        except (ValueError, struct.error):
            return None

    def _move_on(self, segment: Segment, position: int, frames: int) -> None:
        try:
            segment.drop(position, frames)
        except OSError as error:  # they would be replayed after a crash, which is harmless
            log.error("spool position not kept", error=type(error).__name__)

    def _retire_empty(self) -> None:
        for segment in [segment for segment in self._segments if not segment.waiting]:
            self._forget(segment)
            try:
                segment.remove()
            except OSError as error:
                log.error("spool file not removed", error=type(error).__name__)
        self._depth = sum(segment.waiting for segment in self._segments)

    def _forget(self, segment: Segment) -> None:
        self._segments.remove(segment)
        if segment is self._current:
            self._current = None

    def _open_segment(self) -> Segment:
        if self._current is None or self._current.size >= _SEGMENT_OCTETS:
            self._current = self._create_segment()
            self._segments.append(self._current)
        return self._current

    def _create_segment(self) -> Segment:
        if not self._folder.is_dir():
            self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            sync_folder(self._folder.parent)
        number = 1 + max(map(_number, self._folder.glob(f"*{SUFFIX}")), default=0)
        return Segment.create(self._folder / f"{self._name}.{os.getpid()}.{number:010d}{SUFFIX}")


def count_set_aside(folder: Path) -> int:
    """How many files in a spool folder wait for the operator: `reject` wrote them, or no key opens them."""
    return sum(1 for path in folder.glob("*") if path.suffix in (REJECTED, UNREADABLE))


def _number(path: Path) -> int:
    """When a file was begun, compared with the others in the folder."""
    match = re.search(r"\.(\d+)$", path.stem)
    return int(match[1]) if match else 0


def _pack(entry: Spooled) -> bytes:
    source = entry.source.encode()
    return _ENTRY.pack((entry.arrived - _EPOCH) // _MICROSECOND, entry.nas_id, len(source)) + source + entry.octets


def _unpack(clear: bytes) -> Spooled:
    microseconds, nas_id, length = _ENTRY.unpack_from(clear)
    source, octets = clear[_ENTRY.size : _ENTRY.size + length], clear[_ENTRY.size + length :]
    return Spooled(_EPOCH + microseconds * _MICROSECOND, nas_id, source.decode(), octets)
