"""The other end of a Disconnect- or CoA-Request (RFC 5176): what an access point does with one; for the software access point."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import IntEnum

from pyrad.packet import CoANAK, CoAPacket, CoARequest, DisconnectNAK, DisconnectRequest

from radius.client import Value, decoded
from radius.packet import load_dictionary, parse

# RFC 5176 §6.3: what is older may be a recording.
TIME_WINDOW_SECONDS = 300


class ErrorCause(IntEnum):
    """Why a NAK (RFC 5176 §3.5)."""

    MISSING_ATTRIBUTE = 402
    SESSION_CONTEXT_NOT_FOUND = 503


@dataclass(frozen=True, repr=False)
class Told:
    """A request whose signatures are right: to end a session, or with new limits for it."""

    packet: CoAPacket
    attributes: Mapping[str, tuple[Value, ...]]

    @property
    def ends(self) -> bool:
        """Whether it is a Disconnect-Request."""
        return bool(self.packet.code == DisconnectRequest)

    def text(self, name: str) -> str | None:
        """The first value of a text attribute."""
        value = next(iter(self.attributes.get(name, ())), None)
        return value if isinstance(value, str) else None

    def acknowledge(self) -> bytes:
        """An ACK."""
        return bytes(self._reply().ReplyPacket())

    def refuse(self, cause: ErrorCause) -> bytes:
        """A NAK."""
        reply = self._reply()
        reply.code = DisconnectNAK if self.ends else CoANAK
        reply["Error-Cause"] = int(cause)
        return bytes(reply.ReplyPacket())

    def _reply(self) -> CoAPacket:
        reply = self.packet.CreateReply()
        reply.add_message_authenticator()
        return reply


def read_order(octets: bytes, secret: bytes, now: datetime) -> Told | None:
    """What a datagram tells; None for one that must not be answered: malformed, of another secret, or too old."""
    try:
        packet = CoAPacket(
            packet=parse(octets, (DisconnectRequest, CoARequest)).octets, secret=secret, dict=load_dictionary()
        )
        if not packet.VerifyCoARequest():
            return None
        if packet.message_authenticator and not packet.verify_message_authenticator():
            return None
        attributes = decoded(packet)
    except Exception:  # Discarded, and whatever pyrad's decoder trips over
        return None
    stamp = next(iter(attributes.get("Event-Timestamp", ())), None)
    if isinstance(stamp, int) and abs(now.timestamp() - stamp) > TIME_WINDOW_SECONDS:
        return None
    return Told(packet, attributes)
