"""The strict check of raw octets: every line of PROTOCOLS.md §1 that a single packet can break."""

import struct
from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from radius.packet import Cause, Discarded, load_dictionary, parse
from tests.radius import wire

AUTH = (wire.ACCESS_REQUEST, wire.STATUS_SERVER)
ACCT = (wire.ACCOUNTING_REQUEST, wire.STATUS_SERVER)


def raw(code: int, body: bytes, length: int | None = None) -> bytes:
    return struct.pack("!BBH16s", code, 1, len(body) + 20 if length is None else length, bytes(16)) + body


@pytest.mark.parametrize(
    ("datagram", "cause"),
    [
        (b"", Cause.MALFORMED),
        (bytes(19), Cause.MALFORMED),
        (raw(1, b"", length=19), Cause.MALFORMED),
        (raw(1, b"", length=21), Cause.MALFORMED),
        (raw(1, wire.encode([(1, b"x" * 200)] * 21)), Cause.MALFORMED),
        (raw(2, b""), Cause.UNKNOWN_CODE),
        (raw(4, b""), Cause.UNKNOWN_CODE),
        (raw(255, b""), Cause.UNKNOWN_CODE),
        (raw(1, b"\x01"), Cause.BAD_ATTRIBUTE),
        (raw(1, b"\x00\x03x"), Cause.BAD_ATTRIBUTE),
        (raw(1, b"\x01\x01"), Cause.BAD_ATTRIBUTE),
        (raw(1, b"\x01\x00"), Cause.BAD_ATTRIBUTE),
        (raw(1, b"\x01\x08abc"), Cause.BAD_ATTRIBUTE),
        (raw(1, wire.encode([(80, bytes(15))])), Cause.BAD_ATTRIBUTE),
        (raw(1, wire.encode([(80, bytes(16)), (80, bytes(16))])), Cause.BAD_ATTRIBUTE),
        (raw(1, wire.encode([(1, b"")] * 201)), Cause.BAD_ATTRIBUTE),
    ],
)
def test_what_is_malformed_is_discarded_with_its_cause(datagram: bytes, cause: Cause) -> None:
    with pytest.raises(Discarded) as caught:
        parse(datagram, AUTH)
    assert caught.value.cause is cause


def test_an_access_request_may_have_one_octet_more_than_an_accounting_request() -> None:
    body = wire.encode([(1, b"x" * 253)] * 15 + [(1, b"x" * 249)])
    assert len(raw(1, body)) == 4096
    assert parse(raw(1, body), AUTH).code == 1
    with pytest.raises(Discarded):
        parse(raw(4, body), ACCT)


def test_octets_past_the_length_are_padding() -> None:
    body = wire.encode([(1, b"guest")])
    packet = parse(raw(1, body) + b"\x00\x00junk", AUTH)
    assert packet.attributes == ((1, b"guest"),)
    assert packet.octets == raw(1, body)


def test_an_integer_of_a_wrong_length_is_discarded_when_it_is_read() -> None:
    packet = parse(raw(4, wire.encode([(40, b"\x00\x01")])), ACCT)
    with pytest.raises(Discarded):
        packet.integer("Acct-Status-Type")


def test_text_that_is_no_utf8_is_no_trouble() -> None:
    packet = parse(raw(1, wire.encode([(1, b"\xff\xfeguest\x00")])), AUTH)
    assert packet.text("User-Name") == "\ufffd\ufffdguest"


def test_a_vendor_integer_is_found_among_broken_ones() -> None:
    broken = (26, struct.pack("!IBB", 14559, 10, 99) + bytes(4))
    good = (26, struct.pack("!IBBI", 14559, 10, 6, 2))
    packet = parse(raw(4, wire.encode([broken, (26, b""), good])), ACCT)
    assert packet.vendor_integer(14559, 10) == 2
    assert packet.vendor_integer(14988, 10) is None


def test_the_dictionary_knows_the_attributes_by_the_numbers_of_the_rfcs() -> None:
    for name, number in {"User-Name": 1, "Class": 25, "Event-Timestamp": 55, "Message-Authenticator": 80}.items():
        assert load_dictionary()[name].code == number


@given(st.binary(max_size=600), st.sampled_from([AUTH, ACCT]))
def test_no_octets_do_more_than_be_discarded(datagram: bytes, codes: tuple[int, ...]) -> None:
    with suppress(Discarded):
        packet = parse(datagram, codes)
        assert packet.octets == datagram[: len(packet.octets)]
