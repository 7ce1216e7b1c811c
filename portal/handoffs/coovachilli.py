"""CoovaChilli's UAM hand-off, as its `src/redir.c` does it."""

import itertools
import re
from collections.abc import Mapping
from ipaddress import ip_address
from urllib.parse import urlencode

from hotspot.directory import NasRecord
from portal.handoffs.addresses import make_origin
from portal.handoffs.arrival import Admission, Arrival, Failure, Guest, Problem, Redirect, Sent, State, Ticket
from portal.handoffs.parameters import Parameters, address, mac, name, read_parameters, web_address
from portal.handoffs.signatures import is_signed, md5, signed_part

_CHALLENGE = re.compile(r"[0-9a-f]{32}", re.IGNORECASE | re.ASCII)


class CoovaChilli:
    """A gateway that runs CoovaChilli."""

    make = "coovachilli"
    ports: Mapping[int, str] = {3990: "http"}
    admission = Admission.BY_TICKET

    def parse(self, sent: Sent) -> Arrival | Problem | None:
        """Read what comes before the signature: what follows it, anybody could have added."""
        told = read_parameters(signed_part(sent))
        if told is None:
            return Problem.MALFORMED
        if "res" not in told and "uamip" not in told:
            return None
        try:
            return _arrival(told)
        except ValueError:
            return Problem.MALFORMED

    def verify(self, sent: Sent, nas: NasRecord) -> bool:
        """By `md`, where there is a UAM secret."""
        return is_signed(sent, nas)

    def grant(self, nas: NasRecord, guest: Guest, ticket: Ticket) -> Redirect:
        """The log-on address with a CHAP response, or with the password hidden by the challenge that both know."""
        challenge = bytes.fromhex(guest.challenge or "")
        if nas.uam_secret:
            challenge = md5(challenge + nas.uam_secret.encode())
        told = {"username": ticket.user_name}
        if nas.uam_pap:
            told["password"] = _hide(ticket.password.encode(), challenge).hex()
        else:
            told["response"] = md5(b"\0" + ticket.password.encode() + challenge).hex()
        if guest.original_url:
            told["userurl"] = guest.original_url
        return Redirect(f"{guest.gateway}/logon?{urlencode(told)}")

    def again(self, gateway: str) -> str:
        """CoovaChilli answers with a redirect to the portal that carries a new challenge."""
        return f"{gateway}/prelogin"

    def logout(self, gateway: str) -> str:
        """CoovaChilli ends the session and sends the guest to the portal once more."""
        return f"{gateway}/logoff"


def _arrival(told: Parameters) -> Arrival:
    """ValueError for anything a CoovaChilli would not send."""
    state = State(told.get("res", ""))
    challenge = told.get("challenge")
    if challenge is not None and not _CHALLENGE.fullmatch(challenge):
        raise ValueError("not a challenge")
    if challenge is None and state in (State.NOT_YET, State.FAILED):
        raise ValueError("no challenge to answer")
    nas_identifier = name(told.get("nasid"))
    return Arrival(
        state=state,
        gateway=str(make_origin("http", str(ip_address(told.get("uamip", ""))), told.get("uamport", ""))),
        nas_identifier=nas_identifier,
        called_station_id=name(told.get("called")),
        place_names=(nas_identifier,) if nas_identifier else (),
        challenge=challenge,
        device=mac(told.get("mac")),
        address=address(told.get("ip")),
        ssid=name(told.get("ssid")),
        session_id=name(told.get("sessionid")),
        original_url=web_address(told.get("userurl")),
        failure=_failure(told) if state is State.FAILED else None,
    )


def _failure(told: Parameters) -> Failure:
    try:
        return Failure(told.get("reason", ""))
    except ValueError:
        return Failure.OTHER


def _hide(password: bytes, challenge: bytes) -> bytes:
    """XOR with the challenge, again and again; at least one NUL ends the password in what CoovaChilli makes of it."""
    padded = password + bytes(len(challenge) - len(password) % len(challenge))
    return bytes(a ^ b for a, b in zip(padded, itertools.cycle(challenge), strict=False))
