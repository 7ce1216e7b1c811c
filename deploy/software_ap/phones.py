"""The phones in the software access point's Wi-Fi: browsers, told apart by a cookie, or by their address without one."""

import hashlib
import re
import secrets
import threading

from deploy.software_ap.connection import Connection
from deploy.software_ap.uam import CHALLENGE_SECONDS, make_challenge
from hotspot.mac import Mac

_TOKEN = re.compile(r"[A-Za-z0-9_-]{22}", re.ASCII)
_MOST_PHONES = 2000
_LOCALLY_ADMINISTERED, _GROUP = 0x02, 0x01


class Phone:
    """A device. MAC and address follow from its token, so that a browser stays the same phone when we start anew."""

    def __init__(self, token: str) -> None:
        digest = hashlib.sha256(token.encode()).digest()
        first = (digest[0] | _LOCALLY_ADMINISTERED) & ~_GROUP
        self.token = token
        self.mac = Mac.parse(bytes([first, *digest[1:6]]).hex())
        self.address = f"10.{digest[6]}.{digest[7]}.{1 + digest[8] % 254}"
        self.shows_cookie = False
        self.session_id = _new_session_id()
        self.connection: Connection | None = None
        self.lock = threading.Lock()
        self.logging_on = threading.Lock()  # held while RADIUS is asked: a second click waits for the first
        self._challenge: tuple[bytes, float] | None = None

    def challenge(self, now: float, *, fresh: bool = False) -> bytes:
        """The challenge to send to the portal; the same one while it lives, for a browser asks for several things at once."""
        with self.lock:
            if fresh or self._challenge is None or now >= self._challenge[1]:
                self._challenge = make_challenge(), now + CHALLENGE_SECONDS
            return self._challenge[0]

    def take_challenge(self, now: float) -> bytes | None:
        """The challenge a log-on answers, good for one try; None where there is none or it is too old."""
        with self.lock:
            taken, self._challenge = self._challenge, None
            return taken[0] if taken and now < taken[1] else None

    def renew_session(self) -> None:
        """The next log-on is another accounting session. Called with `lock` held or before anyone else knows the phone."""
        self.session_id = _new_session_id()


class Phones:
    """All phones seen."""

    def __init__(self) -> None:
        self._by_token: dict[str, Phone] = {}
        self._by_address: dict[str, Phone] = {}
        self._lock = threading.Lock()

    def find(self, token: str | None, address: str, *, own_path: bool) -> Phone:
        """The phone that asks, a new one where it was never seen.

        Without a cookie it is the last phone of this address that never showed one, as long as that makes sense: to log
        on or off, or because it is online. Else it is a browser that comes for the first time.
        """
        with self._lock:
            if token and _TOKEN.fullmatch(token):
                phone = self._by_token.get(token) or self._add(token)
                phone.shows_cookie = True
                return phone
            known = self._by_address.get(address)
            if known and not known.shows_cookie and (own_path or known.connection):
                return known
            phone = self._by_address[address] = self._add(secrets.token_urlsafe(16))
            return phone

    def all(self) -> list[Phone]:
        """Every phone there is now."""
        with self._lock:
            return list(self._by_token.values())

    def _add(self, token: str) -> Phone:
        if len(self._by_token) >= _MOST_PHONES:
            oldest = next((phone for phone in self._by_token.values() if not phone.connection), None)
            if oldest:
                del self._by_token[oldest.token]
        phone = self._by_token[token] = Phone(token)
        return phone


def _new_session_id() -> str:
    return secrets.token_hex(8)
