"""What stands around the software access point in its tests: a RADIUS server, a portal and phones, all scripted and real."""

import hashlib
import http.client
import http.cookiejar
import socket
import threading
import time
import urllib.request
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TypeVar
from urllib.error import HTTPError
from urllib.parse import parse_qsl, urlencode, urlsplit

from pyrad.packet import AccessAccept, AccessReject, AcctPacket, AuthPacket

from radius.credentials import Chap, Pap, read_proof
from radius.packet import Packet, load_dictionary, parse
from radius.signatures import verify
from sessions.records import Status

RADIUS_SECRET = b"the RADIUS secret"
UAM_SECRET = "the UAM secret"
PASSWORD = "K7QP-2M4X-9TZ"

T = TypeVar("T")

Replies = Mapping[str, str | int | bytes]


def eventually(look: Callable[[], T], seconds: float = 5.0) -> T:
    """Look until there is something true to see."""
    deadline = time.monotonic() + seconds
    while not (seen := look()):
        assert time.monotonic() < deadline, "waited in vain"
        time.sleep(0.02)
    return seen


@dataclass
class ScriptedRadius:
    """A RADIUS server that accepts PASSWORD. `silent` makes it deaf; `accounting_silent` only its accounting."""

    accept_with: Replies = field(default_factory=dict)
    reject_with: Replies = field(default_factory=dict)
    silent: bool = False
    accounting_silent: bool = False
    logins: list[Packet] = field(default_factory=list)
    proofs: list[Pap | Chap | None] = field(default_factory=list)
    records: list[Packet] = field(default_factory=list)

    def start(self) -> None:
        """Listen on two ports of loopback."""
        self._stop = threading.Event()
        self._sockets = [socket.socket(socket.AF_INET, socket.SOCK_DGRAM) for _ in range(2)]
        self._threads = []
        for bound, answer in zip(self._sockets, (self._authenticate, self._account), strict=True):
            bound.bind(("127.0.0.1", 0))
            bound.settimeout(0.05)
            self._threads.append(threading.Thread(target=self._serve, args=(bound, answer)))
        self.auth_port, self.acct_port = (bound.getsockname()[1] for bound in self._sockets)
        for thread in self._threads:
            thread.start()

    def stop(self) -> None:
        """Close the ports."""
        self._stop.set()
        for thread in self._threads:
            thread.join()
        for bound in self._sockets:
            bound.close()

    def records_of(self, status: Status) -> list[Packet]:
        """The accounting that came, of one kind."""
        return [one for one in self.records if one.integer("Acct-Status-Type") == status]

    def await_record(self, status: Status) -> Packet:
        """The first accounting record of a kind, which may be on its way."""
        return eventually(lambda: self.records_of(status))[0]

    def _serve(self, bound: socket.socket, answer: Callable[[bytes], bytes | None]) -> None:
        while not self._stop.is_set():
            try:
                datagram, source = bound.recvfrom(4096)
            except TimeoutError:
                continue
            reply = None if self.silent else answer(datagram)
            if reply:
                bound.sendto(reply, source)

    def _authenticate(self, datagram: bytes) -> bytes:
        packet = parse(datagram, (1,))
        decoded = AuthPacket(packet=datagram, secret=RADIUS_SECRET, dict=load_dictionary())
        assert verify(packet, RADIUS_SECRET), "an Access-Request has to be signed"
        self.logins.append(packet)
        proof = read_proof(packet, RADIUS_SECRET)
        self.proofs.append(proof)
        accepted = proof is not None and proof.matches(PASSWORD)
        reply = decoded.CreateReply()
        reply.code = AccessAccept if accepted else AccessReject
        reply.add_message_authenticator()
        for name, value in (self.accept_with if accepted else self.reject_with).items():
            reply[name] = value
        return bytes(reply.ReplyPacket())

    def _account(self, datagram: bytes) -> bytes | None:
        if self.accounting_silent:
            return None
        packet = parse(datagram, (4,))
        decoded = AcctPacket(packet=datagram, secret=RADIUS_SECRET, dict=load_dictionary())
        assert not verify(packet, RADIUS_SECRET), "CoovaChilli does not sign accounting"
        self.records.append(packet)
        return bytes(decoded.CreateReply().ReplyPacket())


def signature(url: str) -> str:
    """`md` as PROTOCOLS §3 has it, computed here a second time."""
    return hashlib.md5((url + UAM_SECRET).encode(), usedforsecurity=False).hexdigest().upper()


class ScriptedPortal:
    """A portal that checks `md` and knows what to do: it logs on whoever has to, and shows `res` to everyone else.

    `user_name` and `password` are what it logs on with; `pap` whether it hides the password instead of answering the challenge.
    """

    def __init__(self) -> None:
        self.arrivals: list[dict[str, str]] = []
        self.user_name, self.password = "the-handle", PASSWORD
        self.pap = False
        self.logs_on = True
        portal = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                portal._answer(self)

            def log_message(self, *_args: object) -> None:
                """Quiet."""

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self._server.server_port}"
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.05,))

    def start(self) -> None:
        """Serve."""
        self._thread.start()

    def stop(self) -> None:
        """Close."""
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()

    def _answer(self, handler: BaseHTTPRequestHandler) -> None:
        signed, _, md = f"{self.url}{handler.path}".partition("&md=")
        assert md == signature(signed), "the hand-off has to be signed"
        arrival = dict(parse_qsl(urlsplit(signed).query))
        self.arrivals.append(arrival)
        if arrival["res"] == "notyet" and self.logs_on:
            handler.send_response(302)
            handler.send_header("Location", log_on_address(arrival, self.password, self.user_name, pap=self.pap))
            handler.end_headers()
            return
        body = f"portal: {arrival['res']}".encode()
        handler.send_response(200)
        handler.send_header("Content-Length", str(len(body)))
        handler.send_header("Set-Cookie", "session=the-portal's; Path=/; HttpOnly")
        handler.end_headers()
        handler.wfile.write(body)


def log_on_address(
    arrival: Mapping[str, str], password: str, user_name: str = "the-handle", *, pap: bool = False
) -> str:
    """Where a portal sends a guest to log on, made from PROTOCOLS §3."""
    challenge = hashlib.md5(bytes.fromhex(arrival["challenge"]) + UAM_SECRET.encode(), usedforsecurity=False).digest()
    wish = {"username": user_name}
    if pap:
        key = challenge * (1 + len(password) // 16)
        wish["password"] = bytes(a ^ b for a, b in zip(password.encode(), key, strict=False)).hex()
    else:
        wish["response"] = hashlib.md5(b"\0" + password.encode() + challenge, usedforsecurity=False).hexdigest()
    wish["userurl"] = arrival.get("userurl", "")
    return f"http://{arrival['uamip']}:{arrival['uamport']}/logon?{urlencode(wish)}"


class Browser:
    """A phone's browser: follows redirects and keeps cookies, unless it is told not to."""

    def __init__(self, *, cookies: bool = True, language: str = "en") -> None:
        self.jar = http.cookiejar.CookieJar()
        handlers = [urllib.request.HTTPCookieProcessor(self.jar)] if cookies else []
        self._opener = urllib.request.build_opener(urllib.request.ProxyHandler({}), *handlers)
        self._opener.addheaders = [("Accept-Language", language)]

    def get(self, url: str) -> bytes:
        """The page that is there in the end."""
        try:
            with self._opener.open(url, timeout=10) as answer:
                return bytes(answer.read())
        except HTTPError as error:
            with error:
                return error.read()


def fetch(url: str, headers: Mapping[str, str] | None = None) -> http.client.HTTPResponse:
    """One request; redirects are not followed. The answer has been read."""
    split = urlsplit(url)
    connection = http.client.HTTPConnection(split.hostname or "", split.port, timeout=10)
    connection.request("GET", f"{split.path or '/'}{'?' + split.query if split.query else ''}", headers=headers or {})
    response = connection.getresponse()
    response.read()
    connection.close()
    return response


def arrival_at(response: http.client.HTTPResponse) -> dict[str, str]:
    """What a redirect tells the portal, its signature checked."""
    assert response.status == 302
    location = response.getheader("Location") or ""
    signed, _, md = location.partition("&md=")
    assert md == signature(signed)
    return dict(parse_qsl(urlsplit(signed).query))
