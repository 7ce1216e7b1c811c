"""A guest who is online at the software access point: what was let through, until when, and what accounting tells of it."""

import threading
from dataclasses import dataclass
from enum import IntEnum

from radius.client import AccessReply, Value
from sessions.records import Status

Attributes = list[tuple[str, Value]]

_GIGAWORD = 1 << 32
_VIEW_OF_NAS = 1
_AUTHENTICATED_BY_RADIUS = 1
_PACKET_OCTETS = 1400


class Cause(IntEnum):
    """Acct-Terminate-Cause (RFC 2866 §5.10)."""

    USER_REQUEST = 1
    IDLE_TIMEOUT = 4
    SESSION_TIMEOUT = 5
    ADMIN_RESET = 6


@dataclass(frozen=True)
class Limits:
    """What the Access-Accept allows, in seconds and octets; None is no limit."""

    session_seconds: int | None
    idle_seconds: int | None
    interim_seconds: int | None
    total_octets: int | None

    @classmethod
    def of(cls, reply: AccessReply) -> "Limits":
        """Read the limits of an Access-Accept; a time of 0 is none, as with CoovaChilli."""
        octets = reply.integer("ChilliSpot-Max-Total-Octets")
        gigawords = reply.integer("ChilliSpot-Max-Total-Gigawords") or 0
        return cls(
            session_seconds=reply.session_timeout or None,
            idle_seconds=reply.idle_timeout or None,
            interim_seconds=reply.interim_interval or None,
            total_octets=None if octets is None else gigawords * _GIGAWORD + octets,
        )


class Connection:
    """One accounting session. `now` is monotonic seconds throughout; several threads may count at once."""

    def __init__(self, identity: Attributes, limits: Limits, now: float) -> None:
        self.limits = limits
        self.over = False
        self._identity = identity
        self._started = self._last_active = now
        self._reported = now
        self._from_guest = self._to_guest = 0
        self._lock = threading.Lock()

    @property
    def user_name(self) -> str:
        """The User-Name that RADIUS knows it by."""
        return next((str(value) for name, value in self._identity if name == "User-Name"), "")

    def count(self, from_guest: int, to_guest: int, now: float) -> None:
        """Note octets that went through."""
        with self._lock:
            self._from_guest += from_guest
            self._to_guest += to_guest
            self._last_active = now

    def seconds_left(self, now: float) -> int | None:
        """The seconds until Session-Timeout, None where there is none."""
        if self.limits.session_seconds is None:
            return None
        return max(0, self.limits.session_seconds - int(now - self._started))

    def overrun(self, now: float) -> Cause | None:
        """Why the guest has to go offline, None while there is no reason. CoovaChilli calls used-up volume a timeout too."""
        limits = self.limits
        if limits.session_seconds is not None and now - self._started >= limits.session_seconds:
            return Cause.SESSION_TIMEOUT
        if limits.total_octets is not None and self._from_guest + self._to_guest >= limits.total_octets:
            return Cause.SESSION_TIMEOUT
        if limits.idle_seconds is not None and now - self._last_active >= limits.idle_seconds:
            return Cause.IDLE_TIMEOUT
        return None

    def interim_is_due(self, now: float) -> bool:
        """Whether to report; once asked, the next report is an interval away."""
        interval = self.limits.interim_seconds
        if interval is None or now - self._reported < interval:
            return False
        self._reported = now
        return True

    def report(self, status: Status, now: float, cause: Cause | None = None) -> Attributes:
        """The attributes of a Start, Interim-Update or Stop; input is what came from the guest, and said to be."""
        with self._lock:
            from_guest, to_guest = self._from_guest, self._to_guest
        attributes: Attributes = [
            ("Acct-Status-Type", int(status)),
            *self._identity,
            ("Acct-Authentic", _AUTHENTICATED_BY_RADIUS),
            ("ChilliSpot-Acct-View-Point", _VIEW_OF_NAS),
        ]
        if status is not Status.START:
            attributes += [("Acct-Session-Time", int(now - self._started))]
            attributes += _volume("Input", from_guest) + _volume("Output", to_guest)
        if cause is not None:
            attributes += [("Acct-Terminate-Cause", int(cause))]
        return attributes


def _volume(direction: str, octets: int) -> Attributes:
    """32 bits are not enough for octets, so the upper ones go in a second attribute (RFC 2869 §5.1, §5.2)."""
    gigawords, rest = divmod(octets, _GIGAWORD)
    return [
        (f"Acct-{direction}-Octets", rest),
        (f"Acct-{direction}-Gigawords", gigawords),
        (f"Acct-{direction}-Packets", -(-octets // _PACKET_OCTETS) % _GIGAWORD),
    ]
