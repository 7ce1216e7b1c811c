"""A small RADIUS client: what an access point does, for the software access point and for tests."""

import contextlib
import secrets
import socket
import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from pyrad.packet import (
    AccessAccept,
    AccessChallenge,
    AccessReject,
    AccountingResponse,
    AcctPacket,
    AuthPacket,
    Packet,
)

from hotspot.errors import SurfpassError
from radius.credentials import Chap, Pap
from radius.packet import load_dictionary, parse

Value = str | int | bytes
Attributes = Iterable[tuple[str, Value]]

_LARGEST_DATAGRAM = 8192


class RadiusTimeout(SurfpassError):
    """No server has answered, or none that knows the secret: the two look alike."""

    def __init__(self) -> None:
        super().__init__("radius-timeout", "The RADIUS server does not answer: check address, ports and secret.")


@dataclass(frozen=True, repr=False)
class AccessReply:
    """An Access-Accept or -Reject. `attributes` holds all values of each attribute the dictionary knows, by name.

    Times are seconds, None where the server set none. `class_` has the values to echo in accounting.
    """

    accepted: bool
    attributes: Mapping[str, tuple[Value, ...]]

    @property
    def reply_message(self) -> str:
        """The server's words to the guest, empty where there are none."""
        values = self.attributes.get("Reply-Message", ())
        return " ".join(one.decode("utf-8", "replace") if isinstance(one, bytes) else str(one) for one in values)

    @property
    def class_(self) -> tuple[bytes, ...]:
        """The values of Class, which accounting has to echo (RFC 2865 §5.25)."""
        return tuple(value for value in self.attributes.get("Class", ()) if isinstance(value, bytes))

    @property
    def session_timeout(self) -> int | None:
        """How long the guest may be online."""
        return self.integer("Session-Timeout")

    @property
    def idle_timeout(self) -> int | None:
        """How long the guest may be silent."""
        return self.integer("Idle-Timeout")

    @property
    def interim_interval(self) -> int | None:
        """How often the server wants to hear of the guest."""
        return self.integer("Acct-Interim-Interval")

    def integer(self, name: str) -> int | None:
        """The first value of an integer attribute."""
        value = next(iter(self.attributes.get(name, ())), None)
        return value if isinstance(value, int) else None


@dataclass(frozen=True, repr=False)
class RadiusClient:
    """A client of one server. `timeout` is seconds per try; after the first try come `retries` more.

    Each call has a socket of its own, so any number of threads may call at once.
    """

    server_host: str
    auth_port: int
    acct_port: int
    secret: bytes
    timeout: float = 3.0
    retries: int = 2

    def authenticate(self, user_name: str, proof: Pap | Chap, attributes: Attributes = ()) -> AccessReply:
        """Send an Access-Request; RadiusTimeout when no valid reply comes. Octets among `attributes` have to be `bytes`."""
        request = AuthPacket(secret=self.secret, id=secrets.randbelow(256), dict=load_dictionary())
        request.add_message_authenticator()  # first of all attributes (CVE-2024-3596)
        request["User-Name"] = user_name
        if isinstance(proof, Pap):
            request["User-Password"] = request.PwCrypt(proof.password)
        else:
            _add(request, "CHAP-Password", proof.identifier + proof.response)
            _add(request, "CHAP-Challenge", proof.challenge)
        for name, value in attributes:
            _add(request, name, value)
        # RFC 2865 §4.4: who cannot answer an Access-Challenge takes it for a reject.
        reply = self._exchange(request, self.auth_port, (AccessAccept, AccessReject, AccessChallenge))
        return AccessReply(reply.code == AccessAccept, decoded(reply))

    def account(self, attributes: Attributes) -> bool:
        """Send an Accounting-Request; returns whether the server has acknowledged it."""
        request = AcctPacket(secret=self.secret, id=secrets.randbelow(256), dict=load_dictionary())
        for name, value in attributes:
            _add(request, name, value)
        try:
            self._exchange(request, self.acct_port, (AccountingResponse,))
        except RadiusTimeout:
            return False
        return True

    def _exchange(self, request: AuthPacket | AcctPacket, port: int, codes: tuple[int, ...]) -> AuthPacket | AcctPacket:
        """Send the same octets until a valid reply comes, so that the server's duplicate cache knows them."""
        octets = request.RequestPacket()
        try:
            family, _, _, _, address = socket.getaddrinfo(self.server_host, port, type=socket.SOCK_DGRAM)[0]
        except OSError as error:
            raise RadiusTimeout from error
        with socket.socket(family, socket.SOCK_DGRAM) as connected:
            try:
                connected.connect(address)  # datagrams of other addresses never reach us
            except OSError as error:
                raise RadiusTimeout from error
            for _ in range(1 + self.retries):
                with contextlib.suppress(OSError):  # a server that is starting refuses first
                    connected.send(octets)
                reply = self._await_reply(connected, request, codes)
                if reply is not None:
                    return reply
        raise RadiusTimeout

    def _await_reply(
        self, connected: socket.socket, request: AuthPacket | AcctPacket, codes: tuple[int, ...]
    ) -> AuthPacket | AcctPacket | None:
        """The first valid reply within the timeout. A bad one is ignored: it may be forged, and the true one on its way."""
        deadline = time.monotonic() + self.timeout
        while (left := deadline - time.monotonic()) > 0:
            connected.settimeout(left)
            try:
                datagram = connected.recv(_LARGEST_DATAGRAM)
            except TimeoutError:
                return None
            except OSError:  # port unreachable: nobody listens yet
                continue
            reply = _verified(request, datagram, codes)
            if reply is not None:
                return reply
        return None


def _add(packet: AuthPacket | AcctPacket, name: str, value: Value) -> None:
    code = load_dictionary()[name].code
    if isinstance(value, bytes) and not load_dictionary()[name].vendor:
        packet.setdefault(code, []).append(value)  # as it is: pyrad takes octets that look like "0x.." for hex digits
    else:
        packet.AddAttribute(name, value)


def _verified(
    request: AuthPacket | AcctPacket, datagram: bytes, codes: tuple[int, ...]
) -> AuthPacket | AcctPacket | None:
    """The decoded reply if its form, its authenticators and its Message-Authenticator are right."""
    try:
        octets = parse(datagram, codes).octets
        reply = request.CreateReply(packet=octets)
        return reply if request.VerifyReply(reply, enforce_ma=True) else None
    except Exception:  # Discarded, and whatever pyrad's decoder trips over: not a reply of our server's
        return None


def decoded(reply: Packet) -> Mapping[str, tuple[Value, ...]]:
    """All values of each attribute of a packet that the dictionary knows, by name."""
    attributes: dict[str, tuple[Value, ...]] = {}
    for name in reply.keys():  # noqa: SIM118 -- pyrad's keys() gives names, iterating gives codes
        if isinstance(name, str):
            with contextlib.suppress(ValueError):  # a value of the wrong length
                attributes[name] = tuple(reply[name])
    return attributes
