"""Answers: Access-Accept with the limits of the NAS's make, Access-Reject with a sentence, and the plain acknowledgements."""

from dataclasses import dataclass

from pyrad.packet import AccessAccept, AccessReject, AccountingResponse, AcctPacket, AuthPacket

from radius.makes import Make
from sessions.admit import Admitted
from vouchers.admission import MOST_SECONDS, Reason


@dataclass(frozen=True, repr=False)
class Reply:
    """An answer ready to leave, and what it says, for counting."""

    octets: bytes
    says: str


IDLE_TIMEOUT_SECONDS = 900
# Neither digits nor "0x" in front: pyrad would take those for numbers.
CLASS_PREFIX = b"surfpass:"

# Gateways with a login page of their own show this to the guest.
SENTENCES: dict[Reason, str] = {
    Reason.MISTYPED: "This code is mistyped: please check each character.",
    Reason.UNKNOWN_CODE: "This code is not known here: please check it, or ask where you got it.",
    Reason.TOO_MANY_TRIES: "Too many tries: please wait ten minutes.",
    Reason.OTHER_SITE: "This Surf Pass is for another place.",
    Reason.REVOKED: "This Surf Pass was cancelled: please ask where you got it.",
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
    Reason.BAD_REQUEST: "The gateway's request cannot be answered.",
}


def accept(request: AuthPacket, make: Make, admitted: Admitted) -> bytes:
    """An Access-Accept: time, idle time, accounting interval, Class, and the make's rate and volume."""
    answer = _signed(request, AccessAccept)
    granted = admitted.granted
    answer["Session-Timeout"] = min(granted.seconds_left, MOST_SECONDS)
    answer["Idle-Timeout"] = IDLE_TIMEOUT_SECONDS
    answer["Acct-Interim-Interval"] = admitted.interim_seconds
    answer["Class"] = CLASS_PREFIX + admitted.handle.encode()
    for name, value in make.limits(granted):
        answer[name] = value
    return bytes(answer.ReplyPacket())


def reject(request: AuthPacket, reason: Reason) -> bytes:
    """An Access-Reject that says why."""
    answer = _signed(request, AccessReject)
    answer["Reply-Message"] = SENTENCES[reason]
    return bytes(answer.ReplyPacket())


def status(request: AuthPacket, *, accounting: bool) -> bytes:
    """The answer to a Status-Server (RFC 5997 §4.2): Access-Accept, or Accounting-Response on the accounting port."""
    return bytes(_signed(request, AccountingResponse if accounting else AccessAccept).ReplyPacket())


def acknowledge(request: AcctPacket) -> bytes:
    """An Accounting-Response."""
    return bytes(request.CreateReply().ReplyPacket())


def _signed(request: AuthPacket, code: int) -> AuthPacket:
    """A reply with Message-Authenticator as its first attribute (CVE-2024-3596) and the request's Proxy-State."""
    answer = request.CreateReply()
    answer.code = code
    answer.add_message_authenticator()
    return answer
