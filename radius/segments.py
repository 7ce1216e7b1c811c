"""One file of the spool: framed entries behind a durable position, held by flock as long as its owner lives."""

import errno
import fcntl
import os
import struct
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import structlog

SUFFIX = ".spool"
# What nobody replays by itself; called `.spool`, it is taken up again.
REJECTED = ".rejected"
UNREADABLE = ".unreadable"
LONGEST_BODY = 8192
FIRST_FRAME = 64

_MAGIC = b"\xf1SPL"
# Magic, length of the body, CRC-32 of that length and the body.
_FRAME = struct.Struct("!4sII")
# The position and its CRC-32. Two slots are written in turn: a power cut can tear one, never both.
_SLOT = struct.Struct("!QI")
_SLOT_STARTS = (0, 32)
_WINDOW = 1 << 20

log = structlog.get_logger("radius")


@dataclass(frozen=True)
class Frame:
    """An entry's body and the offset in the file behind it."""

    body: bytes
    end: int


def frame(body: bytes) -> bytes:
    """A body as it stands in the file."""
    if len(body) > LONGEST_BODY:
        raise ValueError("an entry of the spool is too long")
    return _FRAME.pack(_MAGIC, len(body), _check(body)) + body


class Segment:
    """A spool file that this process owns: written at its end, read and dropped at its front."""

    def __init__(self, path: Path, fd: int) -> None:
        self._path, self._fd = path, fd
        self._drops = 0
        self.size = max(os.fstat(fd).st_size, FIRST_FRAME)
        self._position = self._read_position()
        self.waiting = 0
        whole = self._position
        for one in self.frames():
            self.waiting, whole = self.waiting + 1, one.end
        self.size = whole

    @classmethod
    def create(cls, path: Path) -> "Segment":
        """Make the file, durably named. FileExistsError when the name is taken; OSError when it cannot be made."""
        while True:
            fd = os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o600)
            # Between open and flock another process may have taken the empty file for an orphan and removed it.
            if _hold(fd):
                break
            os.close(fd)
        try:
            sync_folder(path.parent)
            return cls(path, fd)
        except OSError:
            os.close(fd)
            raise

    @classmethod
    def adopt(cls, path: Path) -> "Segment | None":
        """Take over a file whose owner is gone; None while somebody has it."""
        try:
            fd = os.open(path, os.O_RDWR)
        except FileNotFoundError:
            return None
        try:
            if _hold(fd):
                return cls(path, fd)
        except OSError as error:
            log.error("spool file not adopted", file=path.name, error=type(error).__name__)
        os.close(fd)
        return None

    def append(self, frames: bytes, count: int) -> None:
        """Write frames durably. OSError: nothing of them will be read, and this file should take no more."""
        try:
            _write(self._fd, frames, self.size)
        except OSError:
            os.ftruncate(self._fd, self.size)
            raise
        self.size += len(frames)
        self.waiting += count

    def frames(self) -> Iterator[Frame]:
        """The entries not yet dropped, in order. What is torn or damaged is passed over and logged."""
        base, at = self._position, 0
        window = self._read(base)
        while True:
            found = _find(window, at)
            if found:
                start, body = found
                if start > at:
                    log.error("spool damaged", file=self._path.name, octets=start - at)
                at = start + _FRAME.size + len(body)
                yield Frame(body, base + at)
                continue
            if len(window) < _WINDOW:
                if at < len(window):
                    log.warning("spool ends torn", file=self._path.name, octets=len(window) - at)
                return
            # The last frame of the window may go on behind it; a window of rubbish is left behind.
            base, at = base + max(at, len(window) - _FRAME.size - LONGEST_BODY), 0
            window = self._read(base)

    def drop(self, position: int, count: int) -> None:
        """Forget `count` entries up to `position`, durably."""
        self._position = position
        self.waiting -= count
        packed = struct.pack("!Q", position)
        self._drops += 1
        slot = _SLOT_STARTS[self._drops % 2]
        os.pwrite(self._fd, packed + struct.pack("!I", zlib.crc32(packed)), slot)
        os.fdatasync(self._fd)

    def remove(self) -> None:
        """Delete the file and let go of it."""
        try:
            self._path.unlink()
            sync_folder(self._path.parent)
        finally:
            self.close()

    def set_aside(self) -> None:
        """Give the file a name that nobody adopts, and let go of it. OSError: it has its old one."""
        # With its inode the name is nobody else's: a process number comes round again.
        name = f"{self._path.stem}.{os.fstat(self._fd).st_ino}{UNREADABLE}"
        log.error("spool file unreadable", file=name, entries=self.waiting)
        try:
            self._path.rename(self._path.with_name(name))
            sync_folder(self._path.parent)
        finally:
            self.close()

    def close(self) -> None:
        """Let go of the file: whatever waits in it is for others to adopt."""
        os.close(self._fd)

    def _read(self, offset: int) -> bytes:
        return os.pread(self._fd, min(_WINDOW, self.size - offset), offset)

    def _read_position(self) -> int:
        """The furthest position of those that are whole; without any, everything is replayed."""
        positions = [FIRST_FRAME]
        head = os.pread(self._fd, FIRST_FRAME, 0).ljust(FIRST_FRAME, b"\0")
        for start in _SLOT_STARTS:
            position, check = _SLOT.unpack_from(head, start)
            if check == zlib.crc32(head[start : start + 8]):
                positions.append(position)
        return min(max(positions), self.size)


def keep_apart(path: Path, frames: bytes) -> None:
    """Write frames durably behind those of a file that several processes may write to, and make it at need. OSError."""
    fd = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
    try:
        if not _hold(fd):  # another process writes, or an operator has just renamed it
            raise BlockingIOError(errno.EAGAIN, "the file is in use")
        end = max(os.fstat(fd).st_size, FIRST_FRAME)
        try:
            _write(fd, frames, end)
        except OSError:
            os.ftruncate(fd, end)
            raise
        sync_folder(path.parent)
    finally:
        os.close(fd)


def _write(fd: int, octets: bytes, at: int) -> None:
    written = 0
    while written < len(octets):
        written += os.pwrite(fd, octets[written:], at + written)
    os.fdatasync(fd)


def sync_folder(folder: Path) -> None:
    """Make the names in a folder durable."""
    fd = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(fd)
    finally:
        os.close(fd)


def _hold(fd: int) -> bool:
    """Lock the file; False when another process has it, or had it and has removed it."""
    try:
        fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return os.fstat(fd).st_nlink > 0


def _find(window: bytes, at: int) -> tuple[int, bytes] | None:
    """Where the next whole frame starts, and its body."""
    while (at := window.find(_MAGIC, at)) >= 0:
        if at + _FRAME.size <= len(window):
            _magic, length, check = _FRAME.unpack_from(window, at)
            body = window[at + _FRAME.size : at + _FRAME.size + length]
            if len(body) == length <= LONGEST_BODY and _check(body) == check:
                return at, body
        at += 1
    return None


def _check(body: bytes) -> int:
    return zlib.crc32(body, zlib.crc32(struct.pack("!I", len(body))))
