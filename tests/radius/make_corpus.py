"""Writes tests/radius/corpus/, one packet a file, named for what it is: `python -m tests.radius.make_corpus`.

The secret is that of tests/radius/pop.py. A packet that once did harm is added here by name and stays.
"""

import hashlib
import hmac
import struct
from pathlib import Path

from tests.radius import wire
from tests.radius.pop import SECRET, login_attributes, record_attributes

FOLDER = Path(__file__).with_name("corpus")
KEY = SECRET.encode()
AUTHENTICATOR = bytes(range(16))
DEVICE = "0A-00-00-00-00-01"
CODE = "0000-0000-000"
START, STOP, INTERIM, ON, OFF = 1, 2, 3, 7, 8

Attributes = wire.Attributes


def signed(code: int, attributes: Attributes, authenticator: bytes = AUTHENTICATOR) -> bytes:
    """A packet whose Message-Authenticator comes first and is right."""
    empty = wire.encode([(wire.MESSAGE_AUTHENTICATOR, bytes(16)), *attributes])
    header = struct.pack("!BBH16s", code, 1, len(empty) + 20, authenticator)
    mac = hmac.digest(KEY, header + empty, "md5")
    return header + wire.encode([(wire.MESSAGE_AUTHENTICATOR, mac), *attributes])


def unsigned(code: int, body: bytes, length: int | None = None) -> bytes:
    """A packet with whatever is in it."""
    return struct.pack("!BBH16s", code, 1, len(body) + 20 if length is None else length, AUTHENTICATOR) + body


def access_requests() -> dict[str, bytes]:
    """Access-Requests of every kind, right and wrong."""
    fine = login_attributes(CODE, DEVICE)
    password = (wire.USER_PASSWORD, wire.hide(CODE.encode(), KEY, AUTHENTICATOR))
    proof = b"\x05" + hashlib.md5(b"\x05" + CODE.encode() + AUTHENTICATOR).digest()
    chap = (wire.CHAP_PASSWORD, proof)
    pap = [*fine, password]
    return {
        "access-pap": signed(1, pap),
        "access-pap-unsigned": unsigned(1, wire.encode(pap)),
        "access-pap-of-15-octets": signed(1, [*fine, (wire.USER_PASSWORD, bytes(15))]),
        "access-pap-empty": signed(1, [*fine, (wire.USER_PASSWORD, b"")]),
        "access-pap-of-240-octets": signed(1, [*fine, (wire.USER_PASSWORD, bytes(240))]),
        "access-chap": signed(1, [*fine, chap]),
        "access-chap-with-challenge": signed(1, [*fine, chap, (wire.CHAP_CHALLENGE, bytes(16))]),
        "access-chap-of-16-octets": signed(1, [*fine, (wire.CHAP_PASSWORD, proof[:16])]),
        "access-both-passwords": signed(1, [*pap, chap]),
        "access-no-password": signed(1, fine),
        "access-no-user-name": signed(1, pap[1:]),
        "access-user-name-of-nuls": signed(1, [(wire.USER_NAME, bytes(8)), *pap[1:]]),
        "access-user-name-no-utf8": signed(1, [(wire.USER_NAME, b"\xff\xfe\xfd"), *pap[1:]]),
        "access-no-nas": signed(1, [pair for pair in pap if pair[0] != wire.NAS_IDENTIFIER]),
        "access-mac": signed(1, [(wire.USER_NAME, DEVICE.encode()), *pap[1:]]),
        "access-ticket": signed(1, [(wire.USER_NAME, b"abcdefghijklmnop"), *pap[1:]]),
        "access-eap-identity": signed(1, [*fine, (wire.EAP_MESSAGE, b"\x02\x00\x00\x06\x01x")]),
        "access-eap-unsigned": unsigned(1, wire.encode([*fine, (wire.EAP_MESSAGE, b"\x02\x00\x00\x06\x01x")])),
        "access-proxied-twice": signed(1, [*pap, (wire.PROXY_STATE, b"outer"), (wire.PROXY_STATE, b"")]),
        "access-called-station-odd": signed(1, [*pap[:2], (wire.CALLED_STATION_ID, b"\x00:::\xff"), *pap[3:]]),
        "access-framed-address-of-5-octets": signed(1, [*pap, (8, bytes(5))]),
        "access-signature-forged": signed(1, pap)[:-1] + b"\x00",
    }


def accounting_requests() -> dict[str, bytes]:
    """Accounting-Requests of every kind, right and wrong."""
    kinds = {"start": START, "stop": STOP, "interim": INTERIM, "on": ON, "off": OFF, "failed": 15, "of-none": 0}
    packets = {
        f"accounting-{name}": wire.accounting_request(record_attributes(status, "s-1", DEVICE), KEY).octets
        for name, status in kinds.items()
    }
    fine = [*record_attributes(INTERIM, "s-1", DEVICE), (wire.USER_NAME, CODE.encode())]
    huge, vendor = wire.integer(2**32 - 1), wire.integer(14559)
    changed: dict[str, Attributes] = {
        "accounting-huge-counters": [*fine, (wire.ACCT_INPUT_OCTETS, huge), (wire.ACCT_INPUT_GIGAWORDS, huge)],
        "accounting-huge-delay": [*fine, (wire.ACCT_DELAY_TIME, huge), (wire.EVENT_TIMESTAMP, huge)],
        "accounting-of-1970": [*fine, (wire.EVENT_TIMESTAMP, bytes(4))],
        "accounting-counter-of-3-octets": [*fine, (wire.ACCT_INPUT_OCTETS, bytes(3))],
        "accounting-no-status": fine[1:],
        "accounting-session-id-of-nuls": [fine[0], (wire.ACCT_SESSION_ID, bytes(10)), *fine[2:]],
        "accounting-class-of-ours-odd": [*fine, (wire.CLASS, b"surfpass:\x00\xff")],
        "accounting-class-of-others": [*fine, (wire.CLASS, b"0x00"), (wire.CLASS, b"123")],
        "accounting-vendor-view-point": [*fine, (26, vendor + b"\x0a\x06" + wire.integer(2))],
        "accounting-vendor-too-long": [*fine, (26, vendor + b"\x0a\xff" + wire.integer(2))],
        "accounting-vendor-empty": [*fine, (26, b"")],
        "accounting-signed-too": [*fine, (wire.MESSAGE_AUTHENTICATOR, bytes(16))],
    }
    packets |= {name: wire.accounting_request(attributes, KEY).octets for name, attributes in changed.items()}
    return packets | {"accounting-wrong-secret": wire.accounting_request(fine, b"another").octets}


def malformed() -> dict[str, bytes]:
    """What is no packet, or none that may be answered."""
    fine = wire.encode(login_attributes(CODE, DEVICE))
    return {
        "nothing": b"",
        "one-octet": b"\x01",
        "header-cut-short": unsigned(1, b"")[:19],
        "length-too-small": unsigned(1, b"", 19),
        "length-too-large": unsigned(1, fine, 4000),
        "padding": unsigned(1, fine) + bytes(30),
        "type-0": unsigned(1, fine + b"\x00\x03x"),
        "attribute-of-length-0": unsigned(1, fine + b"\x01\x00"),
        "attribute-of-length-1": unsigned(1, fine + b"\x01\x01"),
        "attribute-past-the-end": unsigned(1, fine + b"\x01\xff"),
        "two-message-authenticators": unsigned(1, fine + wire.encode([(80, bytes(16)), (80, bytes(16))])),
        "message-authenticator-short": unsigned(1, fine + wire.encode([(80, bytes(15))])),
        "attributes-201": unsigned(1, wire.encode([(wire.PROXY_STATE, b"")] * 201)),
        "octets-4096": unsigned(1, wire.encode([(wire.PROXY_STATE, bytes(253))] * 15 + [(wire.CLASS, bytes(249))])),
        "octets-4097": unsigned(1, wire.encode([(wire.PROXY_STATE, bytes(253))] * 15 + [(wire.CLASS, bytes(250))])),
        "status-server": signed(wire.STATUS_SERVER, []),
        "status-server-unsigned": unsigned(wire.STATUS_SERVER, b""),
        "disconnect-request": unsigned(40, fine),
        "access-accept": unsigned(wire.ACCESS_ACCEPT, b""),
    }


if __name__ == "__main__":
    FOLDER.mkdir(exist_ok=True)
    for name, octets in (access_requests() | accounting_requests() | malformed()).items():
        lines = [octets.hex()[start : start + 64] for start in range(0, len(octets) * 2, 64)]
        (FOLDER / f"{name}.hex").write_text("".join(f"{line}\n" for line in lines))
