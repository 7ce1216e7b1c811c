"""The software access point's mind: who is online, what RADIUS said, and how the portal is told."""

import ipaddress
import time
from dataclasses import dataclass

import structlog

from deploy.software_ap.accounting import AccountingQueue
from deploy.software_ap.connection import Attributes, Cause, Connection, Limits
from deploy.software_ap.phones import Phone, Phones
from deploy.software_ap.uam import chap_proof, pap_proof, shared_challenge, signed_address
from hotspot.mac import Mac
from radius.client import AccessReply, RadiusClient, RadiusTimeout
from radius.credentials import Chap, Pap
from sessions.records import Status

_log = structlog.get_logger("demo-ap")

_NAS_PORT_TYPE_WIRELESS = 19
_LONGEST_USER_NAME = 253
_LONGEST_USER_URL = 1000


@dataclass(frozen=True, repr=False)
class AccessPointConfig:
    """What a gateway is set up with. `mac` and `ssid` are the access point's, `uam_secret` is shared with the portal.

    `coa_port` is the UDP port where the PoP may end sessions; None for none.
    """

    portal_url: str
    site_slug: str
    ssid: str
    mac: Mac
    nas_identifier: str
    radius_secret: bytes
    uam_secret: str | None = None
    host: str = "127.0.0.1"
    port: int = 3990
    radius_host: str = "127.0.0.1"
    auth_port: int = 1812
    acct_port: int = 1813
    coa_port: int | None = None
    radius_timeout: float = 3.0
    radius_retries: int = 2

    def client(self) -> RadiusClient:
        """A RADIUS client as configured."""
        return RadiusClient(
            self.radius_host,
            self.auth_port,
            self.acct_port,
            self.radius_secret,
            self.radius_timeout,
            self.radius_retries,
        )


@dataclass(frozen=True, repr=False)
class LogOn:
    """A guest's log-on as it comes from the portal: `response` for CHAP or the hidden `password` for PAP, both in hex."""

    user_name: str
    response: str
    password: str


@dataclass(frozen=True)
class Outcome:
    """What the portal is told: UAM's `res`, for a failure `reason` and the server's words."""

    res: str
    reason: str = ""
    reply: str = ""


NOT_YET, SUCCESS, ALREADY, LOGGED_OFF = Outcome("notyet"), Outcome("success"), Outcome("already"), Outcome("logoff")
_ASKS_TO_LOG_ON = ("notyet", "failed", "logoff")


class Gateway:
    """Phones, RADIUS and redirects; `host` and `port` are where guests reach it."""

    def __init__(self, config: AccessPointConfig, host: str, port: int, accounting: AccountingQueue) -> None:
        self.config, self.host, self.port = config, host, port
        self.phones = Phones()
        self._accounting = accounting
        self._client = config.client()

    def portal_address(self, phone: Phone, outcome: Outcome, user_url: str) -> str:
        """Where to send the guest, as CoovaChilli would: the portal's page with the hand-off's parameters."""
        now = time.monotonic()
        connection = phone.connection
        seconds_left = connection.seconds_left(now) if connection else None
        challenge = phone.challenge(now).hex() if outcome.res in _ASKS_TO_LOG_ON else ""
        parameters = [
            ("res", outcome.res),
            ("uamip", self.host),
            ("uamport", str(self.port)),
            ("challenge", challenge),
            ("called", self.config.mac.value),
            ("timeleft", "" if seconds_left is None else str(seconds_left)),
            ("mac", phone.mac.value),
            ("ip", phone.address),
            ("reason", outcome.reason),
            ("reply", outcome.reply),
            ("nasid", self.config.nas_identifier),
            ("sessionid", phone.session_id),
            ("ssid", self.config.ssid),
            ("userurl", user_url if len(user_url) <= _LONGEST_USER_URL else ""),
        ]
        portal = f"{self.config.portal_url.rstrip('/')}/g/{self.config.site_slug}"
        return signed_address(portal, [pair for pair in parameters if pair[1]], self.config.uam_secret)

    def log_on(self, phone: Phone, wish: LogOn) -> Outcome:
        """Ask RADIUS, and let the phone online if it says yes; blocks for as long as RADIUS may take."""
        with phone.logging_on:
            if phone.connection:
                return ALREADY
            proof = self._proof(phone, wish)
            if proof is None or not 0 < len(wish.user_name.encode(errors="replace")) <= _LONGEST_USER_NAME:
                return NOT_YET
            try:
                reply = self._client.authenticate(wish.user_name, proof, self._identity(phone))
            except RadiusTimeout:
                _log.warning("log-on failed", reason="the RADIUS server does not answer")
                return Outcome("failed", reason="timeout")
            if not reply.accepted:
                with phone.lock:
                    phone.renew_session()
                return Outcome("failed", reason="reject", reply=reply.reply_message)
            self._let_online(phone, wish.user_name, reply)
            return SUCCESS

    def log_off(self, phone: Phone, cause: Cause = Cause.USER_REQUEST) -> None:
        """Take a phone offline and account for it; nothing happens to one that is offline."""
        with phone.lock:
            connection, phone.connection = phone.connection, None
            if connection:
                connection.over = True
                phone.renew_session()
                self._accounting.put(connection.report(Status.STOP, time.monotonic(), cause))

    def look_after_connections(self) -> None:
        """End what has reached a limit, and report what is due."""
        now = time.monotonic()
        for phone in self.phones.all():
            connection = phone.connection
            if connection is None:
                continue
            cause = connection.overrun(now)
            if cause is not None:
                self.log_off(phone, cause)
            elif connection.interim_is_due(now):
                with phone.lock:  # never after its Stop
                    if phone.connection is connection:
                        self._accounting.put(connection.report(Status.INTERIM_UPDATE, now))

    def announce(self, status: Status) -> None:
        """Tell the PoP that this access point starts or ends (Accounting-On, -Off)."""
        self._accounting.put([("Acct-Status-Type", int(status)), *self._place()])

    def close(self) -> None:
        """Take everybody offline and say goodbye."""
        for phone in self.phones.all():
            self.log_off(phone, Cause.ADMIN_RESET)
        self.announce(Status.ACCOUNTING_OFF)

    def _proof(self, phone: Phone, wish: LogOn) -> Chap | Pap | None:
        challenge = phone.take_challenge(time.monotonic())
        if challenge is None:
            return None
        shared = shared_challenge(challenge, self.config.uam_secret)
        return chap_proof(wish.response, shared) if wish.response else pap_proof(wish.password, shared)

    def _let_online(self, phone: Phone, user_name: str, reply: AccessReply) -> None:
        # A server may name the guest otherwise, and accounting takes that name (RFC 2865 §5.1).
        named = next((one for one in reply.attributes.get("User-Name", ())), user_name)
        identity: Attributes = [("User-Name", named), *self._identity(phone)]
        identity += [("Class", value) for value in reply.class_]
        now = time.monotonic()
        with phone.lock:
            phone.connection = Connection(identity, Limits.of(reply), now)
            self._accounting.put(phone.connection.report(Status.START, now))

    def _identity(self, phone: Phone) -> Attributes:
        return [
            ("Acct-Session-Id", phone.session_id),
            ("Calling-Station-Id", phone.mac.value),
            ("Framed-IP-Address", phone.address),
            *self._place(),
        ]

    def _place(self) -> Attributes:
        version = ipaddress.ip_address(self.host).version
        return [
            ("NAS-IP-Address" if version == 4 else "NAS-IPv6-Address", self.host),
            ("NAS-Identifier", self.config.nas_identifier),
            ("NAS-Port-Type", _NAS_PORT_TYPE_WIRELESS),
            ("Called-Station-Id", f"{self.config.mac}:{self.config.ssid}"),
        ]
