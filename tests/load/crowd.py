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
from tests.load.wires import Ear, RadiusPorts, fetch
from tests.radius import wire

GATEWAY = "10.1.0.1:3990"
UAM_SECRET = "the uam secret"
NAS_IDENTIFIER = "crowd"
_PATIENCE_SECONDS = 30.0
# How often a guest lets the portal say "please wait".
_MOST_WAITS = 20
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
    """An answer; one that asks for patience says after how many seconds the browser is to come back, and where."""

    status: int
    location: str
    text: str
    wait: int | None = None
    again: str = ""


class Crowd:
    """Guests who arrive at random moments of a span of time."""

    def __init__(self, doors: Doors, guests: list[Guest]) -> None:
        self.seen = Seen()
        self._doors = doors
        self._guests = guests
        self._host, self._port = urlsplit(doors.portal_url).hostname or "", urlsplit(doors.portal_url).port or 80

    async def arrive(self, within: float) -> None:
        """Let everybody in; returns when the last one knows."""
        self._auth, self._acct = [await RadiusPorts.open(one) for one in (self._doors.auth_port, self._doors.acct_port)]
        moments = sorted(random.uniform(0, within) for _ in self._guests)
        await asyncio.gather(*(self._live(guest, moment) for guest, moment in zip(self._guests, moments, strict=True)))

    async def _live(self, guest: Guest, moment: float) -> None:
        await asyncio.sleep(moment)
        begun = time.monotonic()
        try:
            end = await self._visit(guest)
        except (OSError, TimeoutError) as error:
            end = f"failed: {type(error).__name__}"
        self.seen.ends[end] += 1
        if end == "online" and len(guest.codes) == 1:
            self.seen.seconds["arrival to online"].append(time.monotonic() - begun)

    async def _visit(self, guest: Guest) -> str:
        challenge = make_challenge()
        page = await self._get("page", self.redirect(guest, "notyet", challenge))
        for code in guest.codes:
            page = await self._log_in(page, code)
            if page.status == 303:
                return await self._at_the_gateway(guest, challenge, page.location)
            await asyncio.sleep(random.uniform(*_READING_SECONDS))
        return f"refused by the portal: {_alert(page)}"

    async def _log_in(self, page: _Page, code: str) -> _Page:
        body = urlencode(form_of(page.text, code)).encode()
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
        ear, identifier = self._auth.take()
        request = wire.access_request(attributes, self._doors.radius_secret, identifier=identifier)
        answer = await self._radius("Access-Request", self._auth, ear, request)
        if answer.code != wire.ACCESS_ACCEPT:
            page = await self._get("return", self.redirect(guest, "failed", make_challenge(), reason="reject"))
            return f"refused by RADIUS: {_alert(page)}"
        self.seen.accepted.append(guest)
        await self._start(guest, told["username"][0], answer)
        page = await self._get("return", self.redirect(guest, "success", challenge))
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
        ear, identifier = self._acct.take()
        request = wire.accounting_request(record, self._doors.radius_secret, identifier=identifier)
        await self._radius("Accounting-Request", self._acct, ear, request)

    def redirect(self, guest: Guest, state: str, challenge: bytes, **more: str) -> str:
        """Path and query that the gateway sends a guest to."""
        host, _, port = GATEWAY.rpartition(":")
        told = {
            "res": state, "uamip": host, "uamport": port, "challenge": challenge.hex(), "called": guest.access_point.value,
            "mac": guest.device.value, "ip": "10.1.0.7", "nasid": NAS_IDENTIFIER, "userurl": "http://captive.apple.com/hotspot-detect.html",
        } | more  # fmt: skip
        whole = signed_address(f"{self._doors.portal_url}/g/{self._doors.slug}", told.items(), UAM_SECRET)
        return whole.removeprefix(self._doors.portal_url)

    async def _get(self, kind: str, path: str) -> _Page:
        return await self._ask(kind, "GET", path)

    async def _ask(self, kind: str, method: str, path: str, body: bytes = b"") -> _Page:
        """One request, and as often as the portal asks for patience another, as a browser sends it."""
        for _ in range(_MOST_WAITS):
            page = await self._ask_once(kind, method, path, body)
            if page.wait is None:
                return page
            await asyncio.sleep(page.wait)
            method, path, body = "GET", page.again or path, b""
        raise TimeoutError

    async def _ask_once(self, kind: str, method: str, path: str, body: bytes) -> _Page:
        begun = time.monotonic()
        head = (
            f"{method} {path} HTTP/1.1\r\nHost: {self._host}:{self._port}\r\nConnection: close\r\n"
            f"Accept-Language: en\r\nContent-Type: application/x-www-form-urlencoded\r\nContent-Length: {len(body)}\r\n\r\n"
        )
        async with asyncio.timeout(_PATIENCE_SECONDS):
            answer = await fetch(self._host, self._port, head.encode() + body)
        page = _page(answer.decode())
        self.seen.seconds[kind if page.wait is None else f"{kind}: please wait"].append(time.monotonic() - begun)
        self.seen.statuses[f"{kind} {page.status}"] += 1
        return page

    async def _radius(self, kind: str, ports: RadiusPorts, ear: Ear, request: wire.Wire) -> wire.Answer:
        begun = time.monotonic()
        answer, tries = await ports.ask(ear, request)
        self.seen.seconds[kind].append(time.monotonic() - begun)
        self.seen.statuses[f"{kind} sent again"] += tries - 1
        return answer


def _place(guest: Guest) -> wire.Attributes:
    return [
        (wire.NAS_IDENTIFIER, NAS_IDENTIFIER.encode()),
        (wire.CALLED_STATION_ID, guest.access_point.value.encode()),
        (wire.CALLING_STATION_ID, guest.device.value.encode()),
    ]


def _page(answer: str) -> _Page:
    head, _, text = answer.partition("\r\n\r\n")
    told = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in head.split("\r\n")[1:])}
    status, location = int(head.split(" ", 2)[1]), told.get("location", "")
    if "retry-after" not in told:
        return _Page(status, location, text)
    seconds, _, again = told.get("refresh", told["retry-after"]).partition("; url=")
    return _Page(status, location, text, int(seconds), again)


def form_of(page: str, code: str) -> dict[str, str]:
    """The form of a page with a code typed in."""
    return {name: _value(page, name) for name in ("flow", "terms")} | {"variant": "voucher", "code": code}


def _value(text: str, name: str) -> str:
    found = re.search(rf'name="{name}" value="([^"]*)"', text)
    return html.unescape(found[1]) if found else ""


def _alert(page: _Page) -> str:
    found = re.search(r'role="alert">\s*<h2>([^<]*)', page.text) or re.search(r"<h1[^>]*>([^<]*)", page.text)
    return html.unescape(found[1]) if found else f"HTTP {page.status}"
