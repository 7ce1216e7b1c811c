"""Packets that nobody sends on purpose: those of the corpus mutated, spliced, and made well-formed and signed again."""

import hashlib
import hmac
import struct
from collections.abc import Sequence
from functools import cache
from random import Random

from tests.radius import wire
from tests.radius.make_corpus import FOLDER, KEY

# Attributes the server reads, and a few it does not know.
KINDS = (1, 2, 3, 4, 5, 8, 11, 18, 24, 25, 26, 27, 30, 31, 32, 33, 40, 41, 42, 43, 44, 45, 46, 49, 52, 53, 55, 60, 61, 64,
         79, 80, 81, 87, 89, 95, 96, 97, 98, 99, 168, 241, 245, 255)  # fmt: skip
# What tends to hurt: ends of ranges, NULs, broken UTF-8, digits and "0x", vendor headers, our own Class.
HARMFUL = (b"", b"\x00", b"\xff\xff\xff\xff", bytes(4), b"\x7f\xff\xff\xff", b"\x80\x00\x00\x00", b"\x00" * 253, b"\xff" * 253,
           b"\xed\xa0\x80", b"0x", b"12345", b"surfpass:", b"surfpass:abcdefghijklmnop", struct.pack("!IBB", 14559, 10, 0),
           struct.pack("!IBBI", 14988, 8, 6, 1), b"\x00\x00\x00\x09\x01\xff", b"' OR 1=1 --", b"%s%n", b"\r\n\r\n")  # fmt: skip


@cache
def corpus() -> tuple[bytes, ...]:
    """The packets that are kept."""
    return tuple(bytes.fromhex(file.read_text()) for file in sorted(FOLDER.glob("*.hex")))


def hostile(random: Random, codes: Sequence[str] = ("0000-0000-000",)) -> bytes:
    """A datagram to be sent to any port; now and then it is as it should be, but for what it says.

    With the `codes` of real vouchers some of them get as far as a guest does.
    """
    octets = random.choice(corpus())
    if random.random() < 0.5:
        return _of_attributes(random, octets, random.choice(codes).encode())
    for _ in range(random.randrange(1, 6)):
        octets = _mutated(random, octets)
    return _right_length(octets) if random.random() < 0.5 else octets


def _mutated(random: Random, octets: bytes) -> bytes:
    at = random.randrange(len(octets) + 1)
    to = min(len(octets), at + random.choice((1, 2, 4, 16, 60)))
    other = random.choice(corpus())
    return random.choice(
        (
            octets[:at] + bytes([random.randrange(256)]) + octets[at + 1 :],
            octets[:at] + octets[to:],
            octets[:at] + octets[at:to] * 2 + octets[to:],
            octets[:at] + random.choice(HARMFUL) + octets[at:],
            octets[:at] + random.choice(HARMFUL) + octets[to:],
            octets[:at],
            octets[:at] + other[min(at, len(other)) :],
            octets[:2] + random.randrange(65536).to_bytes(2, "big") + octets[4:],
        )
    )


def _of_attributes(random: Random, octets: bytes, code: bytes) -> bytes:
    """The attributes of a packet, some of them others, and signed rightly: what only the innermost code sees."""
    attributes = wire.split(octets[20:]) if _is_well_formed(octets) else []
    identifier, authenticator = random.randrange(256), random.randbytes(16)
    mac = f"0E-00-00-00-00-{random.randrange(8):02X}".encode()
    guest = {
        wire.USER_NAME: code,
        wire.USER_PASSWORD: wire.hide(code, KEY, authenticator),
        wire.CALLING_STATION_ID: mac,
    }
    attributes = [(kind, guest.get(kind, value)) for kind, value in attributes if kind != wire.MESSAGE_AUTHENTICATOR]
    for _ in range(random.randrange(4)):
        value = random.choice((random.choice(HARMFUL), random.randbytes(random.randrange(254)), random.randbytes(4)))
        place = random.randrange(len(attributes) + 1)
        attributes[place : place + random.randrange(2)] = [(random.choice(KINDS), value[:253])]
    body = wire.encode(attributes)[:4000]
    if random.random() < 0.5:
        return wire.sign_accounting(body, KEY, identifier)
    kind = random.choice((wire.ACCESS_REQUEST, wire.ACCESS_REQUEST, wire.ACCESS_REQUEST, wire.STATUS_SERVER))
    empty = wire.encode([(wire.MESSAGE_AUTHENTICATOR, bytes(16))]) + body
    header = struct.pack("!BBH16s", kind, identifier, len(empty) + 20, authenticator)
    signature = hmac.digest(KEY, header + empty, hashlib.md5)
    return header + wire.encode([(wire.MESSAGE_AUTHENTICATOR, signature)]) + body


def _is_well_formed(octets: bytes) -> bool:
    body = octets[20:]
    while len(body) >= 2 and 2 <= body[1] <= len(body):
        body = body[body[1] :]
    return not body


def _right_length(octets: bytes) -> bytes:
    return octets[:2] + min(len(octets), 65535).to_bytes(2, "big") + octets[4:] if len(octets) >= 20 else octets
