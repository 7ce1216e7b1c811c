"""CoovaChilli's UAM hand-off, as its `src/redir.c` does it."""

import hashlib
import hmac
import re
from ipaddress import ip_address
from urllib.parse import parse_qsl, urlencode, urlsplit

from hotspot.directory import NasRecord
from hotspot.mac import Mac
from portal.handoffs.arrival import Arrival, Failure, Guest, Problem, State

LONGEST_QUERY = 6000
LONGEST_ORIGINAL_URL = 500
_MOST_PARAMETERS = 60
_SIGNATURE = b"&md="
_CHALLENGE = re.compile(r"[0-9a-f]{32}", re.IGNORECASE | re.ASCII)
_LONGEST_NAME = 253


class CoovaChilli:
    """A gateway that runs CoovaChilli."""

    make = "coovachilli"

    def parse(self, query: bytes) -> Arrival | Problem | None:
        """Read what comes before the signature: what follows it, anybody could have added."""
        told = _parameters(query.partition(_SIGNATURE)[0])
        if told is None:
            return Problem.MALFORMED
        if "res" not in told and "uamip" not in told:
            return None
        try:
            return _arrival(told)
        except ValueError:
            return Problem.MALFORMED

    def verify(self, page_url: str, query: bytes, nas: NasRecord) -> bool:
        """`md` is the MD5 of the whole address up to `&md=`, followed by the UAM secret."""
        signed, found, rest = query.partition(_SIGNATURE)
        if not found or not nas.uam_secret:
            return False
        told = rest.partition(b"&")[0].upper()
        url = page_url.encode() + b"?" + signed
        return hmac.compare_digest(told, _md5(url + nas.uam_secret.encode()).hex().upper().encode())

    def grant(self, nas: NasRecord, guest: Guest, user_name: str, password: str) -> str:
        """The log-on address with a CHAP response, so that the password itself does not cross the air."""
        challenge = bytes.fromhex(guest.challenge or "")
        if nas.uam_secret:
            challenge = _md5(challenge + nas.uam_secret.encode())
        told = {"username": user_name, "response": _md5(b"\0" + password.encode() + challenge).hex()}
        if guest.original_url:
            told["userurl"] = guest.original_url
        return f"http://{guest.gateway}/logon?{urlencode(told)}"

    def again(self, gateway: str) -> str:
        """CoovaChilli answers with a redirect to the portal that carries a new challenge."""
        return f"http://{gateway}/prelogin"

    def logout(self, gateway: str) -> str:
        """CoovaChilli ends the session and sends the guest to the portal once more."""
        return f"http://{gateway}/logoff"


def _parameters(query: bytes) -> dict[str, str] | None:
    """Names and their first values; None for more than a gateway sends."""
    if len(query) > LONGEST_QUERY:
        return None
    try:
        pairs = parse_qsl(query.decode("latin-1"), keep_blank_values=True, max_num_fields=_MOST_PARAMETERS)
    except ValueError:
        return None
    return dict(reversed(pairs))


def _arrival(told: dict[str, str]) -> Arrival:
    """ValueError for anything a CoovaChilli would not send."""
    state = State(told.get("res", ""))
    challenge = told.get("challenge")
    if challenge is not None and not _CHALLENGE.fullmatch(challenge):
        raise ValueError("not a challenge")
    if challenge is None and state in (State.NOT_YET, State.FAILED):
        raise ValueError("no challenge to answer")
    return Arrival(
        state=state,
        gateway=_gateway(told),
        nas_identifier=_name(told.get("nasid")),
        called_station_id=_name(told.get("called")),
        challenge=challenge,
        device=Mac.parse(told["mac"]) if told.get("mac") else None,
        address=str(ip_address(told["ip"])) if told.get("ip") else None,
        ssid=_name(told.get("ssid")),
        session_id=_name(told.get("sessionid")),
        original_url=web_address(told.get("userurl")),
        failure=_failure(told) if state is State.FAILED else None,
    )


def _gateway(told: dict[str, str]) -> str:
    """The gateway's host:port, brackets around IPv6."""
    address, port = ip_address(told.get("uamip", "")), told.get("uamport", "")
    if not (port.isascii() and port.isdecimal() and len(port) <= 5 and 0 < int(port) < 65536):
        raise ValueError("not a port")
    return f"[{address}]:{int(port)}" if address.version == 6 else f"{address}:{int(port)}"


def _name(value: str | None) -> str | None:
    if not value:
        return None
    if len(value) > _LONGEST_NAME or not value.isprintable():
        raise ValueError("not a name")
    return value


def _failure(told: dict[str, str]) -> Failure:
    try:
        return Failure(told.get("reason", ""))
    except ValueError:
        return Failure.OTHER


def web_address(value: str | None) -> str | None:
    """`value` when it is a web address of ordinary length, else None: a guest is never sent to anything else."""
    if not value or len(value) > LONGEST_ORIGINAL_URL or not value.isprintable() or not value.isascii():
        return None
    try:
        parts = urlsplit(value)
        host = parts.hostname
    except ValueError:
        return None
    return value if parts.scheme in ("http", "https") and host and "@" not in parts.netloc else None


def _md5(octets: bytes) -> bytes:
    """MD5 because the protocol says so."""
    return hashlib.md5(octets, usedforsecurity=False).digest()
