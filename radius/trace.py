"""Live, anonymized, why requests of a NAS are answered as they are: what a worker tells those who listen.

A listener binds a Unix datagram socket in `trace/` of the data folder. The socket's name says which NAS it wants and
the key of its pseudonyms, so that all workers use the same: one phone can be followed within one trace and no further.
"""

import base64
import contextlib
import hashlib
import hmac
import json
import secrets
import socket
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from functools import cache
from pathlib import Path

import structlog

from hotspot.directory import NasRecord
from hotspot.errors import SetupError
from hotspot.mac import Mac
from hotspot.place import LoginWay
from radius.clients import Request
from radius.packet import Cause, Packet, load_dictionary
from sessions.login import Login, is_handle
from sessions.records import Record

FOLDER = "trace"
LONGEST_EVENT = 4096
# So many events that a listener did not take in a row, and it is given up.
_MOST_LOST = 1000
_PSEUDONYM_LENGTH = 4

log = structlog.get_logger("radius")


@dataclass(frozen=True)
class Event:
    """What became of one request. `device` is a pseudonym of this trace alone; of attributes there are only the names."""

    at: str
    port: str
    says: str
    milliseconds: float | None = None
    device: str | None = None
    way: str | None = None
    access_point: str | None = None
    make: str | None = None
    attributes: tuple[str, ...] = ()

    def encode(self) -> bytes:
        """As one datagram."""
        return json.dumps(asdict(self)).encode()[:LONGEST_EVENT]

    @classmethod
    def decode(cls, datagram: bytes) -> "Event":
        """Undo `encode`; ValueError or TypeError for anything else."""
        fields = json.loads(datagram)
        return cls(**{**fields, "attributes": tuple(fields.get("attributes", ()))})


def listen(data_dir: Path, nas_id: int) -> tuple[socket.socket, Path]:
    """A socket for the events of a NAS, with a key of its own, and its path, which the caller removes."""
    folder = data_dir / FOLDER
    for one in (data_dir, folder):
        one.mkdir(mode=0o700, parents=True, exist_ok=True)
    path = folder / f"{nas_id}.{secrets.token_urlsafe(16)}"
    bound = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
    try:
        bound.bind(str(path))
    except OSError as error:
        bound.close()
        sentence = f"No trace can be received in {str(folder)!r}: its name is too long, or it may not be written."
        raise SetupError("no-trace", sentence) from error
    return bound, path


class _Listener:
    """Somebody who wants to hear of one NAS."""

    def __init__(self, path: Path) -> None:
        number, _dot, self._key = path.name.partition(".")
        self.nas_id = int(number)
        self.path = path
        self._lost = 0

    def pseudonym(self, device: Mac | None) -> str | None:
        """Four characters for a device."""
        if device is None:
            return None
        digest = hmac.new(self._key.encode(), device.value.encode(), hashlib.sha256).digest()
        return base64.b32encode(digest).decode().lower()[:_PSEUDONYM_LENGTH]

    def tell(self, sender: socket.socket, event: Event) -> None:
        """Send an event, or lose it. Who is gone, or takes nothing any more, is no longer listening."""
        try:
            sender.sendto(event.encode(), str(self.path))
            self._lost = 0
        except BlockingIOError:
            self._lost += 1
            if self._lost >= _MOST_LOST:
                self.leave()
        except OSError:
            self.leave()

    def leave(self) -> None:
        """Take the socket away, so that no worker looks at it again."""
        with contextlib.suppress(OSError):
            self.path.unlink(missing_ok=True)


class Tracer:
    """A worker's side: looks once a second who listens. `listeners` is empty, and nothing is done, while nobody does."""

    def __init__(self, data_dir: Path) -> None:
        self._folder = data_dir / FOLDER
        self._sender: socket.socket | None = None
        self.listeners: tuple[_Listener, ...] = ()

    def look(self) -> None:
        """Look who listens."""
        try:
            paths = {path for path in self._folder.iterdir() if path.name.partition(".")[0].isdecimal()}
        except OSError:
            paths = set()
        if paths or self.listeners:
            known = {listener.path: listener for listener in self.listeners}
            self.listeners = tuple(known.get(path) or _Listener(path) for path in sorted(paths))

    def answered(self, port: str, request: Request, says: str, seconds: float | None, now: datetime) -> None:
        """Tell of a request, and how it was answered; `seconds` is None when it was not."""
        for listener in self.listeners:
            if listener.nas_id == request.nas.id:
                try:
                    event = self._describe(listener, port, request, says, seconds, now)
                except Exception as error:  # who watches must not cost those who are watched
                    log.error("not traced", error=type(error).__name__)
                else:
                    self._tell(listener, event)

    def discarded(self, port: str, nas: NasRecord, cause: Cause, now: datetime) -> None:
        """Tell of a datagram that was dropped; nobody knows who sent it, so nothing else is said of it."""
        for listener in self.listeners:
            if listener.nas_id == nas.id:
                self._tell(listener, Event(_moment(now), port, cause, make=nas.make))

    def close(self) -> None:
        """Close the sender."""
        if self._sender:
            self._sender.close()

    def _tell(self, listener: _Listener, event: Event) -> None:
        if self._sender is None:
            self._sender = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
            self._sender.setblocking(False)
        listener.tell(self._sender, event)

    @staticmethod
    def _describe(
        listener: _Listener, port: str, request: Request, says: str, seconds: float | None, now: datetime
    ) -> Event:
        packet, told = request.packet, request.told
        located = told.located if isinstance(told, Login | Record) else None
        point = located.access_point if located else None
        return Event(
            at=_moment(now),
            port=port,
            says=says,
            milliseconds=None if seconds is None else round(seconds * 1000, 1),
            device=listener.pseudonym(packet.device),
            way=_way(packet) if port == "authentication" else None,
            access_point=point.name if point else None,
            make=request.nas.make,
            attributes=tuple(dict.fromkeys(_attribute_names().get(kind, str(kind)) for kind, _ in packet.attributes)),
        )


def _moment(now: datetime) -> str:
    return now.astimezone(UTC).isoformat(timespec="milliseconds")


def _way(packet: Packet) -> str:
    """How it wants to log in, as far as the User-Name tells."""
    name = packet.text("User-Name") or ""
    if is_handle(name):
        return LoginWay.TICKET
    device, _rest = Mac.split(name)
    return LoginWay.MAC if device and device == packet.device else LoginWay.VOUCHER


@cache
def _attribute_names() -> dict[int, str]:
    """Names of the standard attributes by their numbers."""
    return {int(one.code): name for name, one in load_dictionary().attributes.items() if not one.vendor}
