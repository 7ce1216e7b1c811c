"""openNDS for real: guests' phones, a gateway with Debian's openNDS, the PoP with our portal, and an internet with one page."""

import html
import http.server
import re
import ssl
import sys
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from http.cookiejar import CookieJar
from ipaddress import ip_address
from pathlib import Path
from urllib.parse import urlencode, urljoin

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from tests.deploy.namespaces import Machine, machine, plug

ROOT = Path(__file__).parents[2]
PORTAL, INTERNET, GATEWAY = "198.51.100.2", "203.0.113.80", "10.77.0.1"
PAGE = "the internet\n"
GATEWAY_NAME = "markt-gateway"
FAS_KEY = "Zq3vT8mK1xW6pL0d"
PATIENCE_SECONDS = 60

# Needed on kernels on which iptables-nft cannot add to a base chain of a priority other than its own, as openNDS makes them.
_NFT = """#!/bin/bash
exec /run/nft.real "${@//priority -100/priority 0}"
"""
_OPENNDS = """
GatewayInterface lan0
GatewayName {name}
fasremoteip {portal}
fasport {port}
faspath /g/markt
faskey {key}
fas_secure_enabled {level}
checkinterval 2
use_outdated_mhd 1
# nat_traversal_poll_interval 1
FirewallRuleSet authenticated-users {{
}}
FirewallRuleSet preauthenticated-users {{
}}
FirewallRuleSet users-to-router {{
  FirewallRule allow udp port 53
}}
"""
_REPORT = """
portal_url={url}/g/markt
gateway_name={name}
faskey={key}
interval=2
"""


class _Web(http.server.BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        body = PAGE.encode() if self.path == "/" else b"x" * 2_000_000
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:
        """Nothing."""


@dataclass
class Answer:
    """A page, and where it came from in the end."""

    url: str
    text: str

    @property
    def words(self) -> str:
        """Its text without the tags."""
        return " ".join(html.unescape(re.sub("<[^>]*>", " ", self.text)).split())


class Guest:
    """A phone on the Wi-Fi, with a browser that follows redirects."""

    def __init__(self, phone: Machine, certificate: Path | None) -> None:
        self.phone = phone
        trust = ssl.create_default_context(cafile=str(certificate) if certificate else None)
        self._opener = urllib.request.build_opener(
            urllib.request.ProxyHandler({}),
            urllib.request.HTTPSHandler(context=trust),
            urllib.request.HTTPCookieProcessor(CookieJar()),
        )

    def open(self, url: str, form: dict[str, str] | None = None) -> Answer:
        """Open an address, with a form if one is given."""

        def ask() -> Answer:
            data = urlencode(form).encode() if form is not None else None
            request = urllib.request.Request(url, data, {"Accept-Language": "en"})
            try:
                with self._opener.open(request, timeout=8) as answer:
                    return Answer(answer.url, answer.read().decode(errors="replace"))
            except urllib.error.HTTPError as error:
                return Answer(error.url or url, error.read().decode(errors="replace"))

        return self.phone.do(ask)

    def log_in(self, code: str) -> Answer:
        """Open a web page until the portal comes, and type a code."""
        pages: list[Answer] = []
        eventually(lambda: self._meets_portal(pages), "no portal page came")
        page = pages[-1]
        form = {"flow": _value(page, "flow"), "variant": "voucher", "code": code}
        return self.open(urljoin(page.url, "/g/markt/login"), form)

    def _meets_portal(self, pages: list[Answer]) -> bool:
        """While openNDS writes its rules, connections are refused."""
        with suppress(OSError):
            pages.append(self.open(f"http://{INTERNET}/"))
            return 'name="flow"' in pages[-1].text
        return False

    def log_out(self, status: Answer) -> Answer:
        """Press the button on the status page."""
        action = re.search(r'<form method="post" action="([^"]+/logout[^"]*)"', status.text)
        assert action, status.words
        return self.open(urljoin(status.url, html.unescape(action[1])), {})

    def is_online(self) -> bool:
        """Whether the internet answers."""
        with suppress(OSError):
            return self.open(f"http://{INTERNET}/").text == PAGE
        return False


def _value(page: Answer, name: str) -> str:
    found = re.search(rf'name="{name}" value="([^"]+)"', page.text)
    assert found, page.words
    return found[1]


def eventually(look: Callable[[], bool], complaint: str) -> None:
    """Wait until it is so."""
    deadline = time.monotonic() + PATIENCE_SECONDS
    while not look():
        assert time.monotonic() < deadline, complaint
        time.sleep(0.2)


@dataclass
class House:
    """What runs."""

    gateway: Machine
    guests: list[Guest]
    logs: Path

    def said(self) -> str:
        """What the programs have said, for a failure."""
        return "\n".join(
            f"--- {log.name}\n{log.read_text(errors='replace')[-3000:]}" for log in self.logs.glob("*.log")
        )


@contextmanager
def running_house(folder: Path, environment: dict[str, str], *, level: int) -> Iterator[House]:
    """Everything, on an installation that `environment` describes and that knows the gateway; two guests' phones."""
    url = f"{'https' if level == 3 else 'http'}://{PORTAL}"
    certificate = _certificate(folder) if level == 3 else None
    with ExitStack() as ending:
        gateway, pop, internet, *phones = (ending.enter_context(machine()) for _ in range(5))
        _wire(gateway, pop, internet, phones)
        ending.enter_context(_web(internet))
        serve = ["tests.deploy.tls_portal", *map(str, certificate)] if certificate else ["deploy", "portal"]
        bind = f"{PORTAL}:{443 if certificate else 80}"
        own = environment | {"SURFPASS_PORTAL_BIND": bind, "SURFPASS_PORTAL_URL": url, "PYTHONPATH": str(ROOT)}
        python = (sys.executable, "-P", "-m")
        ending.enter_context(pop.running(*python, *serve, log=folder / "portal.log", **own))
        _prepare_gateway(gateway, folder, url, level, certificate)
        ending.enter_context(gateway.running("opennds", "-f", "-d", "1", log=folder / "opennds.log"))
        report = ROOT / "deploy" / "opennds" / "surfpass-report"
        settings = str(folder / "report.conf")
        ending.enter_context(gateway.running("sh", str(report), settings, log=folder / "report.log"))
        yield House(gateway, [Guest(phone, certificate and certificate[0]) for phone in phones], folder)


def _wire(gateway: Machine, pop: Machine, internet: Machine, phones: list[Machine]) -> None:
    """The phones' bridge is lan0, as openNDS wants one interface; the gateway hides them behind its own address."""
    gateway.run("ip", "link", "add", "lan0", "type", "bridge")
    gateway.run("ip", "address", "add", f"{GATEWAY}/24", "dev", "lan0")
    gateway.run("ip", "link", "set", "lan0", "up")
    for number, phone in enumerate(phones, start=2):
        plug(gateway, f"port{number}", f"169.254.0.{number}/32", phone, "wlan0", f"10.77.0.{number}/24")
        gateway.run("ip", "address", "flush", "dev", f"port{number}")
        gateway.run("ip", "link", "set", f"port{number}", "master", "lan0")
        phone.run("ip", "link", "set", "wlan0", "address", f"02:00:00:00:00:0{number}")
        phone.run("ip", "route", "add", "default", "via", GATEWAY)
    plug(gateway, "pop0", "198.51.100.1/24", pop, "eth0", f"{PORTAL}/24")
    plug(gateway, "net0", "203.0.113.1/24", internet, "eth0", f"{INTERNET}/24")
    gateway.run("ip", "route", "add", "default", "via", INTERNET)
    gateway.run("sh", "-c", "echo 1 > /proc/sys/net/ipv4/ip_forward")
    for rule in (
        "add table ip masq",
        "add chain ip masq out { type nat hook postrouting priority 100 ; }",
        "add rule ip masq out oifname { pop0, net0 } masquerade",
    ):
        gateway.run("nft", rule)


def _prepare_gateway(
    gateway: Machine, folder: Path, url: str, level: int, certificate: tuple[Path, Path] | None
) -> None:
    """openNDS's configuration, in a file system of its own: what it writes outside of `folder` is gone with the machine."""
    (folder / "opennds.conf").write_text(
        _OPENNDS.format(name=GATEWAY_NAME, portal=PORTAL, port=443 if certificate else 80, key=FAS_KEY, level=level)
    )
    (folder / "report.conf").write_text(_REPORT.format(url=url, name=GATEWAY_NAME, key=FAS_KEY))
    (folder / "nft").write_text(_NFT)
    authorities = Path("/etc/ssl/certs/ca-certificates.crt")
    trusted = folder / "authorities.crt"
    trusted.write_text(
        (authorities.read_text() if authorities.exists() else "") + (certificate[0].read_text() if certificate else "")
    )
    # openNDS takes only guests to whom DHCP has given an address.
    leases = "".join(f"9999999999 02:00:00:00:00:0{number} 10.77.0.{number} phone *\n" for number in (2, 3))
    (folder / "leases").write_text(leases)
    script = f"""
        mount -t tmpfs tmpfs /run
        mount -t tmpfs tmpfs /var/lib/misc
        cp {folder}/leases /var/lib/misc/dnsmasq.leases
        cp $(command -v nft) /run/nft.real
        cp {folder}/nft /run/nft && chmod +x /run/nft && mount --bind /run/nft $(command -v nft)
        mount --bind {folder}/opennds.conf /etc/opennds/opennds.conf
        mount --bind {trusted} {authorities}
    """
    gateway.run("sh", "-ec", script)


@contextmanager
def _web(internet: Machine) -> Iterator[None]:
    server = internet.do(lambda: http.server.ThreadingHTTPServer((INTERNET, 80), _Web))
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def _certificate(folder: Path) -> tuple[Path, Path]:
    """A certificate for the portal's address that signs itself, and its key."""
    key, now = ec.generate_private_key(ec.SECP256R1()), datetime.now(UTC)
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, PORTAL)])
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ip_address(PORTAL))]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    certificate, private = folder / "portal.crt", folder / "portal.key"
    certificate.write_bytes(made.public_bytes(serialization.Encoding.PEM))
    private.write_bytes(
        key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    )
    return certificate, private
