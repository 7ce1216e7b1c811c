"""The HTTP side of the software access point: catches a guest who is offline, and is the internet for one who is online."""

import re
import secrets
import socket
import socketserver
import sys
import time
from collections.abc import Mapping
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlsplit

import structlog

from deploy.software_ap.connection import Connection
from deploy.software_ap.gateway import ALREADY, LOGGED_OFF, NOT_YET, Gateway, LogOn, Outcome
from deploy.software_ap.pages import CONTENT_SECURITY_POLICY, choose_language, internet_page
from deploy.software_ap.phones import Phone

_log = structlog.get_logger("demo-ap")

# Cookies are shared by all ports of a host, the portal's too: hence the long name.
COOKIE = "software_access_point_device"
_COOKIE_SECONDS = 7 * 24 * 3600
_OWN_PATHS = ("/logon", "/login", "/logoff", "/logout", "/prelogin", "/status")
_DOWNLOAD = re.compile(r"/download/([1-9][0-9]{0,2})(kB|MB)", re.ASCII)
_OCTETS = {"kB": 1000, "MB": 1000_000}
_PIECE = 64 * 1024
_SECONDS_TO_SPEAK = 30


class AccessPointServer(ThreadingHTTPServer):
    """The listening socket; OSError when the port is taken. `gateway` has to be set before it serves."""

    daemon_threads = True
    request_queue_size = 128
    gateway: Gateway

    def __init__(self, host: str, port: int) -> None:
        self.address_family = socket.AF_INET6 if ":" in host else socket.AF_INET
        super().__init__((host, port), _Handler)

    def server_bind(self) -> None:
        # Not HTTPServer's, which asks the DNS for our name.
        socketserver.TCPServer.server_bind(self)

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A browser that goes away in the middle is everyday life; anything else is a line without address or path."""
        error = sys.exception()
        if not isinstance(error, ConnectionError | TimeoutError):
            _log.error("request failed", error=type(error).__name__)


class _Handler(BaseHTTPRequestHandler):
    server: AccessPointServer
    timeout = _SECONDS_TO_SPEAK
    phone: Phone

    def log_message(self, *_args: object) -> None:
        """Nothing: a request line holds what must not be logged."""

    def version_string(self) -> str:
        return "software-access-point"

    def do_HEAD(self) -> None:
        self.do_GET()

    def do_GET(self) -> None:
        gateway = self.server.gateway
        split = urlsplit(self.path)
        own_path = split.path in _OWN_PATHS
        self.phone = gateway.phones.find(self._token(), self.client_address[0], own_path=own_path)
        connection = self.phone.connection
        if own_path:
            query = {name: values[0] for name, values in parse_qs(split.query).items()}
            self._send_to_portal(self._own_path(split.path, query), query.get("userurl", ""))
        elif connection:
            self._be_the_internet(connection, split.path)
        else:
            self._send_to_portal(NOT_YET, f"http://{self.headers.get('Host', '')}{self.path}")

    def _own_path(self, path: str, query: Mapping[str, str]) -> Outcome:
        gateway, phone = self.server.gateway, self.phone
        if path in ("/logon", "/login"):
            wish = LogOn(query.get("username", ""), query.get("response", ""), query.get("password", ""))
            return gateway.log_on(phone, wish)
        if path in ("/logoff", "/logout"):
            gateway.log_off(phone)
            return LOGGED_OFF
        if phone.connection:
            return ALREADY
        if path == "/prelogin":
            phone.challenge(time.monotonic(), fresh=True)
        return NOT_YET

    def _send_to_portal(self, outcome: Outcome, user_url: str) -> None:
        self._head(302, 0, ("Location", self.server.gateway.portal_address(self.phone, outcome, user_url)))

    def _be_the_internet(self, connection: Connection, path: str) -> None:
        connection.count(len(self.requestline) + len(str(self.headers)), 0, time.monotonic())
        download = _DOWNLOAD.fullmatch(path)
        if download:
            self._download(connection, int(download[1]) * _OCTETS[download[2]])
            return
        page = internet_page(choose_language(self.headers.get("Accept-Language", "")))
        self._head(
            200,
            len(page),
            ("Content-Type", "text/html; charset=utf-8"),
            ("Content-Security-Policy", CONTENT_SECURITY_POLICY),
        )
        self._let_through(connection, page)

    def _download(self, connection: Connection, octets: int) -> None:
        disposition = 'attachment; filename="download.bin"'
        self._head(200, octets, ("Content-Type", "application/octet-stream"), ("Content-Disposition", disposition))
        piece = secrets.token_bytes(_PIECE)
        while octets > 0 and not connection.over and connection.overrun(time.monotonic()) is None:
            self._let_through(connection, piece[:octets])
            octets -= _PIECE

    def _let_through(self, connection: Connection, octets: bytes) -> None:
        if self.command != "HEAD":
            self.wfile.write(octets)
            connection.count(0, len(octets), time.monotonic())

    def _head(self, status: int, length: int, *headers: tuple[str, str]) -> None:
        self.send_response(status)
        for name, value in headers:
            self.send_header(name, value)
        self.send_header("Content-Length", str(length))
        self.send_header("Cache-Control", "no-store")
        self.send_header("Referrer-Policy", "no-referrer")
        self.send_header("X-Content-Type-Options", "nosniff")
        self.send_header(
            "Set-Cookie", f"{COOKIE}={self.phone.token}; Path=/; Max-Age={_COOKIE_SECONDS}; HttpOnly; SameSite=Lax"
        )
        self.end_headers()

    def _token(self) -> str | None:
        """Our cookie; by hand, because the portal's cookies come along and one odd value must not hide ours."""
        for part in self.headers.get("Cookie", "").split(";"):
            name, _, value = part.strip().partition("=")
            if name == COOKIE:
                return str(value)
        return None
