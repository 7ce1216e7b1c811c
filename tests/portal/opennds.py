"""openNDS in small: writes the redirects, polls and reports as the gateway and deploy/opennds/surfpass-report do."""

import base64
import hashlib
import os
from dataclasses import dataclass, field
from datetime import datetime
from urllib.parse import unquote

from cryptography.hazmat.primitives.ciphers import Cipher
from cryptography.hazmat.primitives.ciphers.algorithms import AES
from cryptography.hazmat.primitives.ciphers.modes import CBC
from cryptography.hazmat.primitives.padding import PKCS7
from flask import Flask
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from hotspot.mac import Mac
from portal.opennds_poll import sign_report
from tests.factories import a_mac

FAS_KEY = "Zq3vT8mK1xW6pL0d"
NAME = "markt-gateway"
GATEWAY = "10.77.0.1:2050"
NETWORK = "192.0.2.7/32"
SOURCE = "192.0.2.7"


def encrypt(text: str, key: str = FAS_KEY, vector: bytes | None = None) -> str:
    """The query of level 3: base64 of base64, and nothing escaped."""
    vector = vector or os.urandom(8).hex().encode()
    padding = PKCS7(128).padder()
    cipher = Cipher(AES(key.encode().ljust(32, b"\0")), CBC(vector)).encryptor()
    octets = cipher.update(padding.update(text.encode()) + padding.finalize()) + cipher.finalize()
    return f"fas={base64.b64encode(base64.b64encode(octets)).decode()}&iv={vector.decode()}"


def encode(text: str) -> str:
    """The query of level 1."""
    return f"fas={base64.b64encode(text.encode()).decode()}"


@dataclass
class OpenNds:
    """A gateway at a site; `device` is the guest behind it."""

    slug: str
    client: FlaskClient = field(default_factory=lambda: Flask("nobody").test_client())
    level: int = 3
    device: Mac = field(default_factory=a_mac)
    hid: str = field(default_factory=lambda: os.urandom(32).hex())

    @property
    def rhid(self) -> str:
        """The name of the guest in the authentication list."""
        return hashlib.sha256(f"{self.hid}{FAS_KEY}".encode()).hexdigest()

    @property
    def mac(self) -> str:
        """The guest's MAC as openNDS writes it."""
        return self.device.value.replace("-", ":").lower()

    def text(self, **changed: str) -> str:
        """What openNDS tells of the guest."""
        told = {
            "hid": self.hid,
            "clientip": "10.77.0.2",
            "clientmac": self.mac,
            "client_type": "cpd_can",
            "gatewayname": NAME,
            "gatewayurl": "http%3a%2f%2fstatus.client",
            "version": "9.10.0",
            "gatewayaddress": GATEWAY,
            "gatewaymac": "",
            "originurl": "http%3a%2f%2fnews.example%2ftoday%3fa%3d1%26b%3d2",
            "clientif": "lan0",
            "themespec": "(null), (null)(null)(null)(null)",
        } | changed
        return ", ".join(f"{name}={value}" for name, value in told.items())

    def arrive(self, **changed: str) -> TestResponse:
        """Send the guest to the portal."""
        spell = encrypt if self.level == 3 else encode
        return self.client.get(f"/g/{self.slug}?{spell(self.text(**changed))}", headers={"Accept-Language": "en"})

    def post(self, action: str, payload: str, *, name: str = NAME, source: str = SOURCE) -> TestResponse:
        """What the gateway itself asks or tells."""
        form = {
            "auth_get": action,
            "gatewayhash": hashlib.sha256(name.encode()).hexdigest(),
            "payload": base64.b64encode(payload.encode()).decode(),
        }
        return self.client.post(f"/g/{self.slug}", data=form, environ_base={"REMOTE_ADDR": source})

    def poll(self) -> list[list[str]]:
        """Whom to let in, each with the arguments of `ndsctl auth`."""
        answer = self.post("view", "none")
        star, *entries = answer.text.split(" ")
        assert (answer.status_code, star) == (200, "*")
        return [unquote(entry).split(" ") for entry in entries]

    def acknowledge(self, *names: str) -> None:
        """Say who was let in."""
        assert self.post("view", " ".join(["*", *names])).text == "ack"

    def report(self, now: datetime, *online: tuple[str, int, int], key: str = FAS_KEY) -> TestResponse:
        """Tell who is online: MAC, KiB up, KiB down; signed."""
        body = "\n".join([str(int(now.timestamp())), *(f"{mac} {up} {down}" for mac, up, down in online)])
        return self.post("custom", f"{body}\n{sign_report(body, key)}\n")
