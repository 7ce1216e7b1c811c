"""A crowd of guests at gateways: each comes to the portal, types a code, and its gateway asks RADIUS."""

import asyncio
import html
import random
import re
import time
from collections import Counter, defaultdict
from dataclasses import dataclass, field
from urllib.parse import parse_qs, urlencode, urlsplit

from deploy.software_ap.uam import make_challenge, shared_challenge, signed_address
from hotspot.mac import Mac
from tests.radius import wire

GATEWAY = "10.1.0.1:3990"
UAM_SECRET = "the uam secret"
NAS_IDENTIFIER = "crowd"
_PATIENCE_SECONDS = 30.0
_RADIUS_TRIES, _RADIUS_SECONDS = 4, 3.0
# Between two tries a guest reads what was wrong and types anew.
_READING_SECONDS = (2.0, 6.0)


@dataclass(frozen=True)
class Guest:
    """A device, the access point it is at, and the codes its owner types one after the other."""

    device: Mac
    access_point: Mac
    codes: tuple[str, ...]


@dataclass(frozen=True)
class Doors:
    """Where the PoP is."""

    portal_url: str
    slug: str
    auth_port: int
    acct_port: int
    radius_secret: bytes


@dataclass
class Seen:
    """What the crowd has met: seconds by kind of request, HTTP statuses, and how each guest ended."""

    seconds: defaultdict[str, list[float]] = field(default_factory=lambda: defaultdict(list))
    statuses: Counter[str] = field(default_factory=Counter)
    ends: Counter[str] = field(default_factory=Counter)
    accepted: list[Guest] = field(default_factory=list)


@dataclass(frozen=True)
class _Page:
    status: int
    location: str
    text: str


class Crowd:
    """Guests who arrive at random moments of a span of time."""

    def __init__(self, doors: Doors, guests: list[Guest]) -> None:
        self.seen = Seen()
        self._doors = doors
        self._guests = guests
        self._host, self._port = urlsplit(doors.portal_url).hostname, urlsplit(doors.portal_url).port

    async def arrive(self, within: float) -> None:
        """Let everybody in; returns when the last one knows."""
        moments = sorted(random.uniform(0, within) for _ in self._guests)
        await asyncio.gather(*(self._live(guest, moment) for guest, moment in zip(self._guests, moments, strict=True)))

    async def _live(self, guest: Guest, moment: float) -> None:
        await asyncio.sleep(moment)
        try:
            self.seen.ends[await self._visit(guest)] += 1
        except (OSError, TimeoutError, asyncio.IncompleteReadError) as error:
            self.seen.ends[f"failed: {type(error).__name__}"] += 1

    async def _visit(self, guest: Guest) -> str:
        challenge = make_challenge()
        page = await self._get("page", self._redirect(guest, "notyet", challenge))
        for code in guest.codes:
            page = await self._log_in(page, code)
            if page.status == 303:
                return await self._at_the_gateway(guest, challenge, page.location)
            await asyncio.sleep(random.uniform(*_READING_SECONDS))
        return f"refused by the portal: {_alert(page)}"

    async def _log_in(self, page: _Page, code: str) -> _Page:
        fields = {name: _value(page.text, name) for name in ("flow", "terms")}
        body = urlencode({**fields, "variant": "voucher", "code": code}).encode()
        return await self._ask("login", "POST", f"/g/{self._doors.slug}/login", body)

    async def _at_the_gateway(self, guest: Guest, challenge: bytes, location: str) -> str:
        told = parse_qs(urlsplit(location).query)
        shared = shared_challenge(challenge, UAM_SECRET)
        attributes = [
            (wire.USER_NAME, told["username"][0].encode()),
            (wire.CHAP_PASSWORD, b"\0" + bytes.fromhex(told["response"][0])),
            (wire.CHAP_CHALLENGE, shared),
            *_place(guest),
        ]
        request = wire.access_request(attributes, self._doors.radius_secret, identifier=random.randrange(256))
        answer = await self._radius("Access-Request", request, self._doors.auth_port)
        if answer.code != wire.ACCESS_ACCEPT:
            page = await self._get("return", self._redirect(guest, "failed", make_challenge(), reason="reject"))
            return f"refused by RADIUS: {_alert(page)}"
        self.seen.accepted.append(guest)
        await self._start(guest, told["username"][0], answer)
        page = await self._get("return", self._redirect(guest, "success", challenge))
        return "online" if page.status in (200, 303) else f"online, and then HTTP {page.status}"

    async def _start(self, guest: Guest, user_name: str, answer: wire.Answer) -> None:
        classes = [(wire.CLASS, value) for kind, value in answer.attributes if kind == wire.CLASS]
        record = [
            (wire.ACCT_STATUS_TYPE, wire.integer(1)),
            (wire.ACCT_SESSION_ID, guest.device.value.encode()),
            (wire.USER_NAME, user_name.encode()),
            *_place(guest),
            *classes,
        ]
        request = wire.accounting_request(record, self._doors.radius_secret, identifier=random.randrange(256))
        await self._radius("Accounting-Request", request, self._doors.acct_port)

    def _redirect(self, guest: Guest, state: str, challenge: bytes, **more: str) -> str:
        host, _, port = GATEWAY.rpartition(":")
        told = {
            "res": state, "uamip": host, "uamport": port, "challenge": challenge.hex(), "called": guest.access_point.value,
            "mac": guest.device.value, "ip": "10.1.0.7", "nasid": NAS_IDENTIFIER, "userurl": "http://news.example/",
        } | more  # fmt: skip
        whole = signed_address(f"{self._doors.portal_url}/g/{self._doors.slug}", told.items(), UAM_SECRET)
        return whole.removeprefix(self._doors.portal_url)

    async def _get(self, kind: str, path: str) -> _Page:
        return await self._ask(kind, "GET", path)

    async def _ask(self, kind: str, method: str, path: str, body: bytes = b"") -> _Page:
        """One request on a connection of its own, as a captive browser's are."""
        begun = time.monotonic()
        async with asyncio.timeout(_PATIENCE_SECONDS):
            reader, writer = await asyncio.open_connection(self._host, self._port)
            head = (
                f"{method} {path} HTTP/1.1\r\nHost: {self._host}:{self._port}\r\nConnection: close\r\n"
                f"Accept-Language: en\r\nContent-Type: application/x-www-form-urlencoded\r\nContent-Length: {len(body)}\r\n\r\n"
            )
            writer.write(head.encode() + body)
            answer = await reader.read()
            writer.close()
        self.seen.seconds[kind].append(time.monotonic() - begun)
        page = _page(answer.decode())
        self.seen.statuses[f"{kind} {page.status}"] += 1
        return page

    async def _radius(self, kind: str, request: wire.Wire, port: int) -> wire.Answer:
        """Ask from a port of its own, and again when no answer comes, as a gateway does."""
        begun = time.monotonic()
        loop = asyncio.get_running_loop()
        heard: asyncio.Future[bytes] = loop.create_future()
        transport, _ = await loop.create_datagram_endpoint(lambda: _Ear(heard), remote_addr=("127.0.0.1", port))
        try:
            for _try in range(_RADIUS_TRIES):
                transport.sendto(request.octets)
                done, _ = await asyncio.wait([heard], timeout=_RADIUS_SECONDS)
                if done:
                    self.seen.seconds[kind].append(time.monotonic() - begun)
                    return wire.check(request, heard.result())
                self.seen.statuses[f"{kind} sent again"] += 1
        finally:
            transport.close()
        raise TimeoutError


class _Ear(asyncio.DatagramProtocol):
    def __init__(self, heard: asyncio.Future[bytes]) -> None:
        self._heard = heard

    def datagram_received(self, data: bytes, addr: object) -> None:
        if not self._heard.done():
            self._heard.set_result(data)


def _place(guest: Guest) -> wire.Attributes:
    return [
        (wire.NAS_IDENTIFIER, NAS_IDENTIFIER.encode()),
        (wire.CALLED_STATION_ID, guest.access_point.value.encode()),
        (wire.CALLING_STATION_ID, guest.device.value.encode()),
    ]


def _page(answer: str) -> _Page:
    head, _, text = answer.partition("\r\n\r\n")
    location = re.search(r"(?i)^location: (\S+)", head, re.MULTILINE)
    return _Page(int(head.split(" ", 2)[1]), html.unescape(location[1]) if location else "", text)


def _value(text: str, name: str) -> str:
    found = re.search(rf'name="{name}" value="([^"]*)"', text)
    return html.unescape(found[1]) if found else ""


def _alert(page: _Page) -> str:
    found = re.search(r'role="alert">\s*<h2>([^<]*)', page.text) or re.search(r"<h1[^>]*>([^<]*)", page.text)
    return html.unescape(found[1]) if found else f"HTTP {page.status}"
