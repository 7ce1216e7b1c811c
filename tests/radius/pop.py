"""A RADIUS server on loopback with a place around it, and radclient to ask it."""

import subprocess
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime

from hotspot.audit import COMMAND_LINE
from hotspot.clock import utc_now
from hotspot.database import Database
from hotspot.enrolment import NewAccessPoint, NewSite, add_access_points, add_customer, add_site, find_site
from hotspot.keys import Keyring
from hotspot.mac import Mac
from hotspot.nas import NewNas, add_nas
from hotspot.place import LoginWay, MessageAuthenticatorPolicy, SiteKind
from hotspot.settings import Settings
from radius.server import RadiusServer
from radius.sockets import bind
from tests.radius import wire
from vouchers.issuing import Order, issue
from vouchers.pass_changes import NewPass, add_pass
from vouchers.passes import Clock, Terms

SECRET = "testing123"
AP_MAC = "02-00-00-00-00-01"
SSID = "Surf here"


@dataclass
class Clockwork:
    """A clock that a test can turn."""

    ahead: float = 0.0

    def __call__(self) -> datetime:
        return datetime.fromtimestamp(utc_now().timestamp() + self.ahead, utc_now().tzinfo)


@dataclass
class Pop:
    """A PoP with one Single site, one access point, one NAS on loopback."""

    database: Database
    keyring: Keyring
    settings: Settings
    clock: Clockwork
    auth_port: int = 0
    acct_port: int = 0
    server: RadiusServer | None = None
    macs: Iterator[int] = field(default_factory=lambda: iter(range(1, 1000)))

    def codes(self, count: int, terms: Terms | None = None, slug: str = "hour") -> list[str]:
        """Fresh voucher codes of a pass made for them."""
        now = self.clock()
        terms = terms or Terms(Clock.FIRST_USE, minutes=60)
        with self.database.write() as session:
            site = find_site(session, "markt")
            article = add_pass(session, COMMAND_LINE, NewPass(slug, "Pass", terms), site=site, customer=None, now=now)
            return [
                one.code.printed for one in issue(session, COMMAND_LINE, self.keyring, site, Order(article, count), now)
            ]

    def device(self) -> str:
        """The MAC of a device that nobody else has."""
        return f"0A-00-00-00-{next(self.macs):02X}-01"

    def login(self, code: str, device: str, **more: str) -> "Said":
        """Log in with a voucher code by radclient."""
        pairs = {"User-Name": code, "User-Password": code, **about(device), "Message-Authenticator": "0x00", **more}
        return radclient(self.auth_port, "auth", pairs)

    def account(self, status: str, session: str, device: str, **more: str | int) -> "Said":
        """Send accounting by radclient."""
        pairs = {"Acct-Status-Type": status, "Acct-Session-Id": session, **about(device), **more}
        return radclient(self.acct_port, "acct", pairs)


@dataclass(frozen=True)
class Said:
    """What radclient printed of the answer."""

    text: str

    @property
    def kind(self) -> str:
        """Access-Accept, Access-Reject, Accounting-Response, or nothing."""
        for line in self.text.splitlines():
            if line.startswith("Received "):
                return line.split()[1]
        return ""

    def __getitem__(self, name: str) -> str:
        received = self.text[self.text.find("Received ") :]
        for line in received.splitlines():
            key, equals, value = line.strip().partition(" = ")
            if equals and key == name:
                return value.strip('"')
        raise KeyError(name)

    def __contains__(self, name: str) -> bool:
        return f"{name} = " in self.text[self.text.find("Received ") :]


def about(device: str) -> dict[str, str]:
    """Where a request comes from and for whom."""
    return {"NAS-Identifier": "ap-1", "Called-Station-Id": f"{AP_MAC}:{SSID}", "Calling-Station-Id": device}


def radclient(port: int, kind: str, pairs: Mapping[str, str | int], secret: str = SECRET) -> Said:
    """Ask the server by radclient, once, waiting two seconds."""
    spelled = ",".join(
        f"{name}={value}" if _is_plain(name, value) else f'{name}="{value}"' for name, value in pairs.items()
    )
    done = subprocess.run(
        ["radclient", "-x", "-r", "1", "-t", "2", f"127.0.0.1:{port}", kind, secret],
        input=spelled, capture_output=True, text=True, timeout=20, check=False,
    )  # fmt: skip
    return Said(done.stdout)


def _is_plain(name: str, value: str | int) -> bool:
    return isinstance(value, int) or value.startswith("0x") or name == "Acct-Status-Type"


def lay_out(
    database: Database,
    keyring: Keyring,
    now: datetime,
    *,
    make: str = "generic",
    policy: MessageAuthenticatorPolicy = MessageAuthenticatorPolicy.YES,
    capacity: int = 100,
) -> None:
    """One customer, one Single site, one access point and a NAS at 127.0.0.1."""
    with database.write() as session:
        customer = add_customer(session, COMMAND_LINE, "Gasthof am Markt", now)
        new = NewSite("markt", "Marktplatz", SiteKind.SINGLE, SSID)
        site = add_site(session, COMMAND_LINE, customer, new, now)
        point = NewAccessPoint("Saal", (Mac.parse(AP_MAC),), capacity=capacity)
        add_access_points(session, COMMAND_LINE, site, [point], now)
        nas = NewNas(
            "loopback", "127.0.0.1/32", make, SECRET, message_authenticator=policy,
            logins=(LoginWay.TICKET, LoginWay.VOUCHER, LoginWay.MAC),
        )  # fmt: skip
        add_nas(session, COMMAND_LINE, keyring, nas, None, now)


@contextmanager
def serving(pop: Pop, host: str = "127.0.0.1") -> Iterator[Pop]:
    """Run the server in a thread."""
    auth, acct = bind(host, 0), bind(host, 0)
    pop.auth_port, pop.acct_port = auth.getsockname()[1], acct.getsockname()[1]
    stop = threading.Event()
    server = pop.server = RadiusServer(pop.settings, pop.database, pop.keyring, auth, acct, pop.clock)
    thread = threading.Thread(target=server.run, args=(stop,))
    thread.start()
    try:
        yield pop
    finally:
        stop.set()
        thread.join(10)
        auth.close()
        acct.close()
    assert not thread.is_alive()


def login_attributes(code: str, device: str) -> wire.Attributes:
    """A voucher login for hand-made packets, without its password."""
    return [
        (wire.USER_NAME, code.encode()),
        (wire.NAS_IDENTIFIER, b"ap-1"),
        (wire.CALLED_STATION_ID, f"{AP_MAC}:{SSID}".encode()),
        (wire.CALLING_STATION_ID, device.encode()),
    ]


def record_attributes(status: int, session: str, device: str) -> wire.Attributes:
    """An accounting record for hand-made packets."""
    return [
        (wire.ACCT_STATUS_TYPE, wire.integer(status)),
        (wire.ACCT_SESSION_ID, session.encode()),
        *login_attributes("", device)[1:],
    ]
