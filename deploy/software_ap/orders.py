"""What the software access point does when the PoP ends a session, or changes its limits, by RADIUS (RFC 5176)."""

import contextlib
import socket
import threading

import structlog

from deploy.software_ap.connection import Cause, Limits
from deploy.software_ap.gateway import Gateway
from deploy.software_ap.phones import Phone
from hotspot.clock import Clock
from radius.client import AccessReply
from radius.das import ErrorCause, Told, read_order

_LOOK_EVERY_SECONDS = 0.2
_LARGEST_DATAGRAM = 4096
_log = structlog.get_logger("demo-ap")


class OrderTaker:
    """Listens on the CoA port. A port that somebody else has is no reason not to play the rest."""

    def __init__(self, gateway: Gateway, host: str, port: int, clock: Clock) -> None:
        self._gateway, self._clock = gateway, clock
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._listen, name="access-point-orders", daemon=True)
        self._socket = socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET, socket.SOCK_DGRAM)
        try:
            self._socket.bind((host, port))
        except OSError as error:
            self._stopping.set()
            _log.warning("takes no disconnects: the UDP port cannot be used", port=port, error=error.strerror)
        self._socket.settimeout(_LOOK_EVERY_SECONDS)

    @property
    def port(self) -> int:
        """The UDP port."""
        return int(self._socket.getsockname()[1])

    def start(self) -> None:
        """Begin to listen."""
        self._thread.start()

    def stop(self) -> None:
        """Stop, and give the port back."""
        self._stopping.set()
        self._thread.join()
        self._socket.close()

    def _listen(self) -> None:
        while not self._stopping.is_set():
            try:
                octets, source = self._socket.recvfrom(_LARGEST_DATAGRAM)
            except OSError:  # nothing came, or an earlier answer reached nobody
                continue
            told = read_order(octets, self._gateway.config.radius_secret, self._clock())
            if told is not None:
                with contextlib.suppress(OSError):
                    self._socket.sendto(self._obey(told), source)

    def _obey(self, told: Told) -> bytes:
        """As CoovaChilli: User-Name has to be there, and Acct-Session-Id picks one of its sessions."""
        user_name, session_id = told.text("User-Name"), told.text("Acct-Session-Id")
        if user_name is None:
            return told.refuse(ErrorCause.MISSING_ATTRIBUTE)
        found = [phone for phone in self._gateway.phones.all() if _is_meant(phone, user_name, session_id)]
        if not found:
            return told.refuse(ErrorCause.SESSION_CONTEXT_NOT_FOUND)
        for phone in found:
            if told.ends:
                self._gateway.log_off(phone, Cause.ADMIN_RESET)
            elif phone.connection:
                phone.connection.limits = Limits.of(AccessReply(accepted=True, attributes=told.attributes))
        return told.acknowledge()


def _is_meant(phone: Phone, user_name: str, session_id: str | None) -> bool:
    connection = phone.connection
    if connection is None or connection.user_name != user_name:
        return False
    return session_id is None or session_id == phone.session_id
