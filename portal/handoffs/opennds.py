"""openNDS's FAS hand-off, as openNDS 9.10 does it: the gateway speaks no RADIUS, so the portal decides and keeps the visit.

At level 3 the query is encrypted with the faskey, and the gateway polls whom to let in. At level 1 it is only encoded, and the
guest's browser takes a hash back that shows the gateway who has let the guest in. Level 2 adds nothing that would be needed
here, and level 4 came with openNDS 10: level 3 is what all versions in the field speak.
"""

import base64
import binascii
import hashlib
from collections.abc import Mapping
from urllib.parse import unquote, urlencode

from cryptography.hazmat.primitives.ciphers import Cipher
from cryptography.hazmat.primitives.ciphers.algorithms import AES
from cryptography.hazmat.primitives.ciphers.modes import CBC
from cryptography.hazmat.primitives.padding import PKCS7

from hotspot.directory import NasRecord
from portal.handoffs.addresses import read_origin
from portal.handoffs.arrival import Admission, Arrival, Grant, Guest, Problem, Redirect, Sent, State, Ticket, Wait
from portal.handoffs.parameters import Parameters, address, mac, name, read_parameters, web_address

_HID = frozenset("0123456789abcdef")
_KEY_OCTETS = 32
_PORTS: Mapping[int, str] = {2050: "http"}


class OpenNds:
    """A gateway that runs openNDS with `fas_secure_enabled 3`."""

    make = "opennds"
    ports = _PORTS
    admission = Admission.BY_PORTAL

    def parse(self, sent: Sent) -> Arrival | Problem | None:
        """Read what one of `sent.keys` opens; the strict reading is what shows that it was the right one."""
        told = read_parameters(sent.query)
        if told is None or "fas" not in told or "iv" not in told:
            return None
        arrivals = (_open(told, key) for key in sent.keys)
        return next((arrival for arrival in arrivals if arrival), Problem.BAD_SIGNATURE)

    def verify(self, sent: Sent, nas: NasRecord) -> bool:
        """Whether the NAS's own key opens it: AES-CBC without a MAC, and yet nobody else can write something that reads well."""
        return bool(nas.uam_secret and _open(read_parameters(sent.query) or {}, nas.uam_secret))

    def grant(self, nas: NasRecord, guest: Guest, ticket: Ticket) -> Grant:
        """The gateway fetches whom it has to let in (portal/opennds_poll.py)."""
        return Wait()

    def again(self, gateway: str) -> str:
        """openNDS sends whoever is not let in from here to the portal."""
        return f"{gateway}/login"

    def logout(self, gateway: str) -> str:
        """openNDS ends the session of whoever asks for this."""
        return f"{gateway}/opennds_deny/"


class OpenNdsLevel1(OpenNds):
    """A gateway that runs openNDS with `fas_secure_enabled 1`, the only one that needs no PHP beside it."""

    make = "opennds-level1"

    def parse(self, sent: Sent) -> Arrival | Problem | None:
        """Nothing here is proved: a guest may give himself out for another device, until the gateway's report shows it."""
        told = read_parameters(sent.query)
        if told is None or "fas" not in told or "iv" in told:
            return None
        try:
            return _arrival(_decoded(told["fas"]))
        except ValueError:
            return Problem.MALFORMED

    def verify(self, sent: Sent, nas: NasRecord) -> bool:
        """The query is not signed."""
        return False

    def grant(self, nas: NasRecord, guest: Guest, ticket: Ticket) -> Grant:
        """The gateway's address that lets the guest in, with the hash that only who has the faskey can make."""
        told = {"tok": session_name(nas, guest), "redir": ticket.landing_url}
        return Redirect(f"{guest.gateway}/opennds_auth/?{urlencode(told)}")


def session_name(nas: NasRecord, guest: Guest) -> str:
    """What openNDS calls `rhid` and, at level 1, `tok`: SHA-256 of the session's hash and the faskey."""
    return hashlib.sha256(f"{guest.challenge}{nas.uam_secret}".encode()).hexdigest()


def gateway_hash(gateway_name: str) -> str:
    """What a gateway calls itself when it polls."""
    return hashlib.sha256(gateway_name.encode()).hexdigest()


def _open(told: Parameters, key: str) -> Arrival | None:
    """An arrival that was encrypted with this key, or None."""
    try:
        # Encoded twice: by openssl_encrypt, and once more for the query.
        octets, vector = base64.b64decode(_decoded(told["fas"]), validate=True), told["iv"].encode()
        cipher = Cipher(AES(key.encode()[:_KEY_OCTETS].ljust(_KEY_OCTETS, b"\0")), CBC(vector)).decryptor()
        padding = PKCS7(AES.block_size).unpadder()
        clear = padding.update(cipher.update(octets) + cipher.finalize()) + padding.finalize()
        return _arrival(clear)
    except (KeyError, ValueError):
        return None


def _decoded(text: str) -> bytes:
    """base64 as it stands in the query, where openNDS escapes nothing: a plus has become a space."""
    try:
        return base64.b64decode(text.replace(" ", "+"), validate=True)
    except binascii.Error as error:
        raise ValueError("not base64") from error


def _arrival(octets: bytes) -> Arrival:
    """Read `name=value, name=value`; ValueError for anything an openNDS would not send."""
    text = octets.decode("ascii")
    if not text.isprintable():
        raise ValueError("not text")
    told = dict(reversed([(key, value) for key, _, value in (pair.partition("=") for pair in text.split(", "))]))
    hid, device, gateway_name = told.get("hid", ""), mac(told.get("clientmac")), name(told.get("gatewayname"))
    if len(hid) != 64 or not _HID.issuperset(hid) or device is None or gateway_name is None:
        raise ValueError("not an openNDS query")
    return Arrival(
        state=State.NOT_YET,
        gateway=str(read_origin(f"http://{told.get('gatewayaddress', '')}")),
        nas_identifier=gateway_name,
        place_names=(gateway_name,),
        challenge=hid,
        device=device,
        address=address(told.get("clientip")),
        original_url=web_address(unquote(told.get("originurl", ""))),
    )
