"""Gateways of every make for tests: each sends a guest as its make does, takes the guest back, and asks RADIUS for him."""

import base64
import hashlib
import html
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import ClassVar
from urllib.parse import parse_qs, urlencode, urlsplit

from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from hotspot.mac import Mac
from hotspot.place import LoginWay
from portal.headers import SELF_POST
from tests.factories import a_mac
from tests.portal.guest import CHALLENGE, Chilli
from tests.radius import wire

NAMES = {"nas_identifier": "gateway-1"}


@dataclass(frozen=True)
class HandedBack:
    """What reaches the gateway: where, and what of."""

    url: str
    told: Mapping[str, str]


@dataclass
class Gateway:
    """A make's gateway at a site. `gateway_address` is what the NAS's record says."""

    slug: str
    client: FlaskClient
    device: Mac = field(default_factory=a_mac)

    make = ""
    gateway_address = ""
    uam_secret: ClassVar[str | None] = None
    # What the NAS's record says besides.
    more: ClassVar[dict[str, object]] = {}
    # A record of the NAS by which no guest is handed back to it.
    stranger: ClassVar[dict[str, object]] = {"gateway_addresses": ("198.51.100.66",)}
    tells_failures = True

    def arrive(self, **more: str) -> TestResponse:
        """Send the guest to the portal."""
        return self.get(f"/g/{self.slug}?{urlencode(self.redirect() | more)}")

    def fail(self) -> TestResponse:
        """Send the guest to the portal once more: RADIUS has refused."""
        return self.arrive(**self.error)

    @property
    def error(self) -> dict[str, str]:
        """What the redirect holds besides after a refusal."""
        return {}

    def redirect(self) -> dict[str, str]:
        """What the redirect's query tells."""
        raise NotImplementedError

    def credentials(self, told: Mapping[str, str], asked: wire.Attributes, secret: bytes) -> wire.Wire:
        """The Access-Request that comes of what the guest brought."""
        raise NotImplementedError

    def user_name(self, told: Mapping[str, str]) -> str:
        """The User-Name that the guest brought."""
        return told["username"]

    def station(self, told: Mapping[str, str]) -> str:
        """The Calling-Station-Id."""
        return self.device.value

    def forged(self, told: Mapping[str, str]) -> dict[str, str]:
        """What the guest brought, with another ticket."""
        return {name: _altered(value) if len(value) in (20, 32) else value for name, value in told.items()}

    def succeed(self, back: HandedBack) -> TestResponse:
        """Let the guest in and send him to where the portal wants him."""
        return self.get(_path(back.told[self.landing]))

    landing = ""

    def get(self, path: str) -> TestResponse:
        """The guest's browser opens an address of the portal and follows it."""
        return self.client.get(path, follow_redirects=True, headers={"Accept-Language": "en"})

    def take(self, response: TestResponse) -> HandedBack:
        """The guest's browser posts the page's form; the Content-Security-Policy has to let it, and its script."""
        assert response.status_code == 200, response.text
        action = re.search(r'<form class="card" method="post" action="([^"]+)"', response.text)
        assert action, response.text
        fields = re.findall(r'<input type="hidden" name="([^"]*)" value="([^"]*)">', response.text)
        url = html.unescape(action[1])
        policy = policy_of(response)
        assert _origin(url) in policy["form-action"]
        digest = base64.b64encode(hashlib.sha256(SELF_POST.encode()).digest()).decode()
        assert policy["script-src"] == [f"'sha256-{digest}'"]
        assert re.findall("<script>(.*?)</script>", response.text, re.DOTALL) == [str(SELF_POST)]
        return HandedBack(url, {html.unescape(name): html.unescape(value) for name, value in fields})


def _altered(value: str) -> str:
    return ("1" if value[0] != "1" else "2") + value[1:]


def policy_of(response: TestResponse) -> dict[str, list[str]]:
    """The Content-Security-Policy, taken apart."""
    directives = [one.split() for one in response.headers["Content-Security-Policy"].split(";")]
    return {name: values for name, *values in directives}


def _origin(url: str) -> str:
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.netloc}"


def _path(url: str) -> str:
    parts = urlsplit(url)
    return f"{parts.path}?{parts.query}" if parts.query else parts.path


def pap(asked: wire.Attributes, password: str, secret: bytes) -> wire.Wire:
    """An Access-Request with User-Password."""
    return wire.access_request(asked, secret, password=password.encode())


def chap(asked: wire.Attributes, identifier: bytes, response: bytes, challenge: bytes, secret: bytes) -> wire.Wire:
    """An Access-Request with CHAP-Password and CHAP-Challenge (RFC 2865 §5.3, §5.40)."""
    proof = [(wire.CHAP_PASSWORD, identifier + response), (wire.CHAP_CHALLENGE, challenge)]
    return wire.access_request([*asked, *proof], secret)


class ChilliGateway(Gateway):
    """CoovaChilli with a UAM secret: redirects that are signed, and CHAP."""

    make = "coovachilli"
    gateway_address = "10.1.0.1:3990"
    uam_secret: ClassVar[str | None] = "the uam secret"

    @property
    def _chilli(self) -> Chilli:
        return Chilli(self.slug, self.gateway_address, self.uam_secret, NAMES["nas_identifier"], self.device)

    def arrive(self, **more: str) -> TestResponse:
        """Send the guest with a signed redirect."""
        return self.get(self._chilli.address(more.pop("res", "notyet"), **more))

    def fail(self) -> TestResponse:
        """CoovaChilli says what RADIUS said."""
        return self.arrive(res="failed", reason="reject")

    def succeed(self, back: HandedBack) -> TestResponse:
        """CoovaChilli reports the success itself."""
        return self.arrive(res="success")

    def take(self, response: TestResponse) -> HandedBack:
        """The guest's browser follows the redirect; the page it posted from has to allow that."""
        assert response.status_code == 303, response.text
        return HandedBack(response.location, {k: v[0] for k, v in parse_qs(urlsplit(response.location).query).items()})

    def credentials(self, told: Mapping[str, str], asked: wire.Attributes, secret: bytes) -> wire.Wire:
        """CHAP with identifier 0 and the challenge that both know."""
        challenge = bytes.fromhex(CHALLENGE)
        if self.uam_secret:
            challenge = hashlib.md5(challenge + self.uam_secret.encode()).digest()
        return chap(asked, b"\0", bytes.fromhex(told["response"]), challenge, secret)


class PapChilli(ChilliGateway):
    """CoovaChilli that is handed passwords as PAP."""

    more: ClassVar[dict[str, object]] = {"uam_pap": True}

    def forged(self, told: Mapping[str, str]) -> dict[str, str]:
        """Another password."""
        return {**told, "password": _altered(told["password"])}

    def credentials(self, told: Mapping[str, str], asked: wire.Attributes, secret: bytes) -> wire.Wire:
        """As `redir.c` does it: XOR with the challenge over and over, up to the first NUL."""
        challenge = hashlib.md5(bytes.fromhex(CHALLENGE) + b"the uam secret").digest()
        hidden = bytes.fromhex(told["password"])
        assert "response" not in told
        clear = bytes(octet ^ challenge[place % 16] for place, octet in enumerate(hidden)).partition(b"\0")[0]
        return pap(asked, clear.decode("latin-1"), secret)


class MikroTikGateway(Gateway):
    """A RouterOS hotspot with HTTP-CHAP."""

    make = "mikrotik"
    gateway_address = "10.5.50.1"
    chap_id, challenge = bytes([0o371]), bytes(range(0, 256, 16))
    landing = "dst"

    def arrive(self, **more: str) -> TestResponse:
        """The login page on the router posts what it knows."""
        headers = {"Accept-Language": "en", "Origin": "http://10.5.50.1"}
        return self.client.post(f"/g/{self.slug}", data=self.redirect() | more, follow_redirects=True, headers=headers)

    @property
    def error(self) -> dict[str, str]:
        """RADIUS's Reply-Message, or RouterOS's own words."""
        return {"error": "RADIUS server said no"}

    def redirect(self) -> dict[str, str]:
        """What the router's login page posts; octets are escaped."""
        return {
            "mac": self.device.value.replace("-", ":"),
            "ip": "10.5.50.7",
            "username": "",
            "link-login": "http://10.5.50.1/login?dst=http%3A%2F%2Fnews.example%2F",
            "link-login-only": "http://10.5.50.1/login",
            "link-orig": "http://news.example/",
            "error": "",
            "chap-id": octal(self.chap_id),
            "chap-challenge": octal(self.challenge),
            "identity": NAMES["nas_identifier"],
            "server-name": "hotspot1",
        }

    def credentials(self, told: Mapping[str, str], asked: wire.Attributes, secret: bytes) -> wire.Wire:
        """The response came in hex."""
        return chap(asked, self.chap_id, bytes.fromhex(told["password"]), self.challenge, secret)


def octal(octets: bytes) -> str:
    r"""As RouterOS writes octets into a page: `\371`."""
    return "".join(f"\\{octet:03o}" for octet in octets)


class PlainMikroTik(MikroTikGateway):
    """A RouterOS hotspot that takes plain passwords."""

    def redirect(self) -> dict[str, str]:
        """Without a challenge."""
        return super().redirect() | {"chap-id": "", "chap-challenge": ""}

    def credentials(self, told: Mapping[str, str], asked: wire.Attributes, secret: bytes) -> wire.Wire:
        """The password as it is."""
        return pap(asked, told["password"], secret)


class Controller(Gateway):
    """A controller: the ticket comes by a form, and goes to RADIUS as PAP."""

    password = "password"

    def credentials(self, told: Mapping[str, str], asked: wire.Attributes, secret: bytes) -> wire.Wire:
        """The password as it came."""
        return pap(asked, told[self.password], secret)


class Cisco(Controller):
    """A Cisco WLC."""

    make = "cisco"
    gateway_address = "192.0.2.1"
    landing = "redirect_url"

    def redirect(self) -> dict[str, str]:
        """As its configuration guide shows it."""
        return {
            "switch_url": "https://192.0.2.1/login.html",
            "ap_mac": "00:ea:bd:95:96:20",
            "client_mac": self.device.value.replace("-", ":").lower(),
            "wlan": "Surf Pass",
            "redirect": "captive.apple.com/hotspot-detect.html",
        }

    @property
    def error(self) -> dict[str, str]:
        """The user name and password combination is invalid."""
        return {"statusCode": "5"}

    def credentials(self, told: Mapping[str, str], asked: wire.Attributes, secret: bytes) -> wire.Wire:
        """What the controller insists on."""
        assert (told["buttonClicked"], told["err_flag"]) == ("4", "0")
        return super().credentials(told, asked, secret)


class Aruba(Controller):
    """An Aruba Instant."""

    make = "aruba"
    gateway_address = "securelogin.example"
    landing = "url"

    def redirect(self) -> dict[str, str]:
        """As its user guide shows it."""
        return {
            "cmd": "login",
            "mac": self.device.value.replace("-", ":").lower(),
            "essid": "Surf Pass",
            "ip": "172.31.98.7",
            "apname": "ap-hall",
            "apmac": "24:de:c6:00:00:01",
            "vcname": "instant",
            "switchip": "securelogin.example",
            "url": "http://news.example/",
        }

    @property
    def error(self) -> dict[str, str]:
        """In words."""
        return {"errmsg": "Authentication failed"}

    def user_name(self, told: Mapping[str, str]) -> str:
        """Its name for it."""
        return told["user"]

    def credentials(self, told: Mapping[str, str], asked: wire.Attributes, secret: bytes) -> wire.Wire:
        """What the controller insists on."""
        assert told["cmd"] == "authenticate"
        return super().credentials(told, asked, secret)


class Ruckus(Controller):
    """A Ruckus ZoneDirector, whose own start page leads on."""

    make = "ruckus"
    gateway_address = "10.9.0.2"
    tells_failures = False

    def redirect(self) -> dict[str, str]:
        """As its application note shows it."""
        return {
            "sip": "10.9.0.2",
            "mac": "c4108a000001",
            "client_mac": self.device.value.replace("-", "").lower(),
            "uip": "10.9.1.7",
            "lid": "",
            "dn": "",
            "url": "http://news.example/",
            "ssid": "Surf Pass",
            "loc": "",
            "vlan": "20",
        }

    def credentials(self, told: Mapping[str, str], asked: wire.Attributes, secret: bytes) -> wire.Wire:
        """It knows the guest by address."""
        assert told["ip"] == "10.9.1.7"
        return super().credentials(told, asked, secret)

    def succeed(self, back: HandedBack) -> TestResponse:
        """Its start page is set to the portal's."""
        return self.get(f"/g/{self.slug}/online")


class Cambium(Controller):
    """A cnPilot access point."""

    make = "cambium"
    gateway_address = "10.7.0.5"
    landing, password = "ga_orig_url", "ga_pass"
    tells_failures = False

    def redirect(self) -> dict[str, str]:
        """As its user guide shows it."""
        return {
            "ga_ssid": "Surf Pass",
            "ga_ap_mac": "00-04-56-00-00-01",
            "ga_nas_id": NAMES["nas_identifier"],
            "ga_srvr": "10.7.0.5",
            "ga_cmac": self.device.value,
            "ga_Qv": "eUROBR86HBgAGDEEVgQAGw4UWRUCACYVMgFPRV5fX1k",
            "ga_orig_url": "http://news.example/",
        }

    def user_name(self, told: Mapping[str, str]) -> str:
        """Its name for it."""
        return told["ga_user"]

    def credentials(self, told: Mapping[str, str], asked: wire.Attributes, secret: bytes) -> wire.Wire:
        """It wants back what it told."""
        sent = self.redirect()
        assert {name: told[name] for name in sent if name != "ga_orig_url"} == {
            name: value for name, value in sent.items() if name != "ga_orig_url"
        }
        return super().credentials(told, asked, secret)


class Meraki(Controller):
    """The Meraki cloud with a sign-on splash page."""

    make = "meraki"
    gateway_address = "n143.network-auth.example"
    landing = "success_url"
    login_url = "https://n143.network-auth.example/splash/login?mauth=MM1SZQlKjZsbExZ8&continue_url=http%3A%2F%2Fa%2F"

    def redirect(self) -> dict[str, str]:
        """As the Captive Portal API shows it."""
        return {
            "login_url": self.login_url,
            "continue_url": "http://news.example/",
            "ap_mac": "88:15:44:60:1c:1a",
            "ap_name": "hall",
            "ap_tags": "hall",
            "client_mac": self.device.value.replace("-", ":").lower(),
            "client_ip": "192.168.0.13",
        }

    @property
    def error(self) -> dict[str, str]:
        """In words."""
        return {"error_message": "Access denied"}

    def take(self, response: TestResponse) -> HandedBack:
        """To the very address that the redirect named."""
        back = super().take(response)
        assert back.url == self.login_url
        return back


class Omada(Controller):
    """An Omada controller with an external web portal."""

    make = "tp-link"
    gateway_address = "172.30.30.113:8843"
    landing = "originUrl"
    tells_failures = False

    def redirect(self) -> dict[str, str]:
        """As FAQ 2912 shows it."""
        return {
            "target": "172.30.30.113",
            "targetPort": "8843",
            "scheme": "https",
            "clientMac": self.device.value,
            "clientIp": "172.30.30.103",
            "raidusServerIp": "172.30.30.120",
            "apMac": "AC-84-C6-00-00-01",
            "ssidName": "Surf Pass",
            "radioId": "1",
            "originUrl": "http://news.example/",
        }

    def credentials(self, told: Mapping[str, str], asked: wire.Attributes, secret: bytes) -> wire.Wire:
        """It wants back what it told, and which kind of login it is."""
        sent = self.redirect()
        for name in ("clientMac", "clientIp", "apMac", "ssidName", "radioId"):
            assert told[name] == sent[name]
        assert told["authType"] == "2"
        return super().credentials(told, asked, secret)


class MacOnly(Gateway):
    """A NAS that asks RADIUS by MAC. Its redirects are not signed."""

    make = "generic"
    tells_failures = False
    stranger: ClassVar[dict[str, object]] = {"logins": (LoginWay.TICKET,)}

    def redirect(self) -> dict[str, str]:
        """By our names."""
        return {"device": self.device.value.lower(), "nas": NAMES["nas_identifier"], "url": "http://news.example/"}

    def take(self, response: TestResponse) -> HandedBack:
        """The browser stays at the portal, with the guest's own page."""
        assert response.status_code == 303, response.text
        assert response.location.startswith("/s/")
        return HandedBack(response.location, {"username": self.device.value})

    def station(self, told: Mapping[str, str]) -> str:
        """The User-Name is the device."""
        return told["username"]

    def forged(self, told: Mapping[str, str]) -> dict[str, str]:
        """Another device."""
        return {"username": a_mac().value}

    def credentials(self, told: Mapping[str, str], asked: wire.Attributes, secret: bytes) -> wire.Wire:
        """The password is the MAC too."""
        return pap(asked, told["username"], secret)

    def succeed(self, back: HandedBack) -> TestResponse:
        """The guest's page asks again by itself."""
        return self.get(back.url)


class SigningMacOnly(MacOnly):
    """The same with redirects that are signed."""

    uam_secret: ClassVar[str | None] = "the uam secret"

    def arrive(self, **more: str) -> TestResponse:
        """With `md`."""
        address = f"/g/{self.slug}?{urlencode(self.redirect() | more)}"
        return self.get(Chilli(self.slug, secret=self.uam_secret).sign(address))


GATEWAYS: tuple[type[Gateway], ...] = (
    ChilliGateway,
    PapChilli,
    MikroTikGateway,
    PlainMikroTik,
    Cisco,
    Aruba,
    Ruckus,
    Cambium,
    Meraki,
    Omada,
    MacOnly,
    SigningMacOnly,
)
