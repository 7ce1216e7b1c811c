"""MikroTik's hotspot: the login page on the router posts what it knows to the portal; the guest's browser posts back."""

import hashlib
import re
from collections.abc import Mapping

from hotspot.directory import NasRecord
from portal.handoffs.addresses import read_origin
from portal.handoffs.arrival import Admission, Arrival, Failure, FormPost, Guest, Problem, Sent, State, Ticket
from portal.handoffs.parameters import Parameters, address, mac, name, read_fields, web_address

_ESCAPED = re.compile(r"\\([0-3][0-7]{2})|([\x20-\x5b\x5d-\x7e])", re.ASCII)
_LONGEST_CHALLENGE = 64


class MikroTik:
    """A RouterOS hotspot, with HTTP-CHAP where it sends a challenge, else with the plain password."""

    make = "mikrotik"
    ports: Mapping[int, str] = {80: "http", 443: "https"}
    admission = Admission.BY_TICKET

    def parse(self, sent: Sent) -> Arrival | Problem | None:
        """Read the form of the router's login page, or the same names in the query."""
        told = read_fields(sent)
        if told is None:
            return Problem.MALFORMED
        if "link-login-only" not in told:
            return None
        try:
            return _arrival(told)
        except ValueError:
            return Problem.MALFORMED

    def verify(self, sent: Sent, nas: NasRecord) -> bool:
        """RouterOS signs nothing."""
        return False

    def grant(self, nas: NasRecord, guest: Guest, ticket: Ticket) -> FormPost:
        """The form for the router; with a challenge its password is MD5(chap-id + password + chap-challenge)."""
        password = ticket.password
        if guest.challenge:
            octets = bytes.fromhex(guest.challenge)
            response = octets[:1] + password.encode() + octets[1:]
            password = hashlib.md5(response, usedforsecurity=False).hexdigest()  # what the protocol asks for
        fields = (
            ("username", ticket.user_name),
            ("password", password),
            ("dst", ticket.landing_url),
            ("popup", "false"),
        )
        return FormPost(f"{guest.gateway}/login", fields)

    def again(self, gateway: str) -> str:
        """The router's login page, which brings the guest to the portal with a new challenge."""
        return f"{gateway}/login"

    def logout(self, gateway: str) -> str:
        """The router ends the session."""
        return f"{gateway}/logout"


def _arrival(told: Parameters) -> Arrival:
    """ValueError for anything RouterOS would not send."""
    identity, server = name(told.get("identity")), name(told.get("server-name"))
    error = told.get("error")
    return Arrival(
        state=State.FAILED if error else State.NOT_YET,
        gateway=str(read_origin(told["link-login-only"])),
        nas_identifier=identity,
        # RADIUS is told the hotspot server's name as Called-Station-Id; with the router's own name it tells the place.
        place_names=tuple(one for one in (f"{identity}/{server}" if identity and server else None, identity) if one),
        challenge=_challenge(told),
        device=mac(told.get("mac")),
        address=address(told.get("ip")),
        original_url=web_address(told.get("link-orig")),
        failure=_failure(error) if error else None,
    )


def _challenge(told: Parameters) -> str | None:
    """chap-id, which is one octet, and chap-challenge behind it, in hex; None where the router takes plain passwords."""
    if not told.get("chap-id") and not told.get("chap-challenge"):
        return None
    identifier, challenge = unescape(told.get("chap-id", "")), unescape(told.get("chap-challenge", ""))
    if len(identifier) != 1 or not 0 < len(challenge) <= _LONGEST_CHALLENGE:
        raise ValueError("not a challenge")
    return (identifier + challenge).hex()


def unescape(text: str) -> bytes:
    """Undo RouterOS's octal escapes, `\\371` for an octet; ValueError for anything that is neither such nor plain ASCII."""
    octets = bytearray()
    position = 0
    while position < len(text):
        found = _ESCAPED.match(text, position)
        if not found:
            raise ValueError("not escaped")
        octets.append(int(found[1], 8) if found[1] else ord(found[2]))
        position = found.end()
    return bytes(octets)


def _failure(error: str) -> Failure:
    """RouterOS hands RADIUS's Reply-Message on as the error; of its own errors one says that RADIUS was silent."""
    return Failure.TIMEOUT if "not responding" in error else Failure.REJECT
