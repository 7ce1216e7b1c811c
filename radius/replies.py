"""Answers: Access-Accept with the limits of the NAS's make, Access-Reject with a sentence, and the plain acknowledgements."""

import struct
from functools import lru_cache
from typing import NamedTuple

from pyrad.packet import AccessAccept, AccessReject, AccountingResponse, AuthPacket

from radius.clients import Request
from radius.makes import MAKES, Attributes, Make
from radius.packet import HEADER_LENGTH, load_dictionary
from radius.signatures import seal
from sessions.admit import Admitted
from sessions.login import Login
from vouchers.admission import MOST_SECONDS, Granted, Reason, Refused


class Reply(NamedTuple):
    """An answer ready to leave, and what it says, for counting."""

    octets: bytes
    says: str


# A packet of 4096 octets less its header and Message-Authenticator.
_ROOM = 4096 - HEADER_LENGTH - 18
# What an Access-Accept may need beside Proxy-State.
ROOM_FOR_LIMITS = 1024
IDLE_TIMEOUT_SECONDS = 900
# Neither digits nor "0x" in front: pyrad would take those for numbers.
CLASS_PREFIX = b"surfpass:"

# Gateways with a login page of their own show this to the guest.
SENTENCES: dict[Reason, str] = {
    Reason.MISTYPED: "This code is mistyped: please check each character.",
    Reason.UNKNOWN_CODE: "This code is not known here: please check it, or ask where you got it.",
    Reason.TOO_MANY_TRIES: "Too many wrong codes: please try again later.",
    Reason.ONCE_MORE: "Please wait half a minute and send your code once more.",
    Reason.EXCLUDED: "The operator has excluded this device from the hotspot.",
    Reason.CLOSED: "The hotspot is closed now.",
    Reason.OTHER_SITE: "This Surf Pass is for another place.",
    Reason.REVOKED: "This Surf Pass was cancelled: please ask where you got it.",
    Reason.INACTIVE: "This Surf Pass is not switched on: please ask where you got it.",
    Reason.NOT_YET_VALID: "This Surf Pass is not valid yet.",
    Reason.EXPIRED: "This Surf Pass was not used in time and has expired.",
    Reason.OVER: "The time of this Surf Pass is over.",
    Reason.USED_UP: "The data volume of this Surf Pass is used up.",
    Reason.IN_USE: "This Surf Pass is in use on another device: log out there first.",
    Reason.FULL: "No free place here right now: please try again in a few minutes, or at another access point.",
    Reason.FREE_PASS_USED: "Today's free pass of this device is used up.",
    Reason.WRONG_SSID: "This network is not part of the hotspot.",
    Reason.NO_PLACE: "This access point is not known to the hotspot.",
    Reason.NO_DEVICE: "The gateway did not say which device asks (Calling-Station-Id).",
    Reason.WAY_NOT_ALLOWED: "This way to log in is switched off here: please use the portal page.",
    Reason.BAD_TICKET: "This login is not valid: please open the portal page again.",
    Reason.STALE_TICKET: "This login has expired: please open the portal page again.",
    Reason.UNKNOWN_DEVICE: "This device has no running Surf Pass: please open the portal page.",
    Reason.TERMS_CHANGED: "The terms of use or the prices have changed: please open the portal page and accept them.",
    Reason.BAD_REQUEST: "The gateway's request cannot be answered.",
}

# The same, where it is known when the reason began to hold, or when it will have ceased to.
SENTENCES_WITH_MOMENT: dict[Reason, str] = {
    Reason.EXCLUDED: "The operator has excluded this device from the hotspot until {}.",
    Reason.CLOSED: "The hotspot is closed now. It opens again on {}.",
    Reason.TOO_MANY_TRIES: "Too many wrong codes: please try again after {}.",
    Reason.NOT_YET_VALID: "This Surf Pass is valid from {}.",
    Reason.EXPIRED: "This Surf Pass had to be used for the first time by {}.",
    Reason.OVER: "This Surf Pass was valid until {}.",
    Reason.FREE_PASS_USED: "Today's free pass of this device is used up: there is another one from {}.",
}


# What is never the same twice, and what always is.
_TIMES = struct.Struct("!BBIBBIBBIBB")


def accept(request: Request, make: Make, admitted: Admitted) -> bytes:
    """An Access-Accept: time, idle time, accounting interval, Class, and the make's rate and volume."""
    granted = admitted.granted
    class_ = CLASS_PREFIX + admitted.handle.encode()
    times = _TIMES.pack(
        *(27, 6, min(granted.seconds_left, MOST_SECONDS)),  # Session-Timeout
        *(28, 6, IDLE_TIMEOUT_SECONDS),  # Idle-Timeout
        *(85, 6, admitted.interim_seconds),  # Acct-Interim-Interval
        *(25, 2 + len(class_)),  # Class
    )
    limits = encode_limits(make.name, granted.down_kbit, granted.up_kbit, granted.octets_left)
    return _sealed(request, AccessAccept, times + class_ + limits)


def reject(request: Request, refused: Refused) -> bytes:
    """An Access-Reject that says why."""
    return _sealed(request, AccessReject, encode_sentence(refused.reason, _local_time(request, refused)))


def status(request: Request, *, accounting: bool) -> bytes:
    """The answer to a Status-Server (RFC 5997 §4.2): Access-Accept, or Accounting-Response on the accounting port."""
    return _sealed(request, AccountingResponse if accounting else AccessAccept, b"")


def acknowledge(request: Request) -> bytes:
    """An Accounting-Response."""
    return seal(AccountingResponse, request.packet, request.secret, request.packet.proxy_states, signed=False)


def _sealed(request: Request, code: int, attributes: bytes) -> bytes:
    """A reply with Message-Authenticator as its first attribute (CVE-2024-3596) and the request's Proxy-State."""
    states = request.packet.proxy_states
    if len(states) + len(attributes) > _ROOM:
        attributes = b""  # Proxy-State has to go back whatever else there is (RFC 2865 §5.33)
    return seal(code, request.packet, request.secret, attributes + states, signed=True)


@lru_cache(maxsize=4096)
def encode_limits(make: str, down_kbit: int | None, up_kbit: int | None, octets_left: int | None) -> bytes:
    """The attributes by which a make is told rate and volume, encoded."""
    granted = Granted(0, octets_left, down_kbit, up_kbit, None)
    return _encoded(MAKES[make].limits(granted))


@lru_cache(maxsize=1024)
def encode_sentence(reason: Reason, moment: str = "") -> bytes:
    """A Reply-Message, encoded; `moment` as the guest reads it."""
    sentence = SENTENCES_WITH_MOMENT[reason].format(moment) if moment else SENTENCES[reason]
    return _encoded([("Reply-Message", sentence)])


def _local_time(request: Request, refused: Refused) -> str:
    """The moment of a refusal by the site's clock, to the minute; empty where there is nothing to say of it."""
    if refused.moment is None or refused.reason not in SENTENCES_WITH_MOMENT or not isinstance(request.told, Login):
        return ""
    return refused.moment.astimezone(request.told.located.site.zone).strftime("%d %b %Y, %H:%M")


def _encoded(attributes: Attributes) -> bytes:
    """Attributes as pyrad encodes them; what it puts around them is cut off."""
    packet = AuthPacket(code=AccessAccept, secret=b"-", authenticator=bytes(16), dict=load_dictionary())
    for name, value in attributes:
        packet[name] = value
    return bytes(packet.ReplyPacket())[HEADER_LENGTH:]
