"""The duplicate cache: what is repeated, what is new, and what is forgotten."""

import struct

import pytest

from radius.duplicates import LIFE_SECONDS, DuplicateCache
from radius.packet import Cause, Discarded, Packet, parse
from radius.sockets import Datagram

SOURCE = ("127.0.0.1", 4000)


def request(
    identifier: int = 1, authenticator: bytes = bytes(16), source: tuple[str, int] = SOURCE
) -> tuple[Datagram, Packet]:
    octets = struct.pack("!BBH16s", 1, identifier, 20, authenticator)
    return Datagram(octets, source, source, ()), parse(octets, (1,))


def test_a_repeated_request_gets_the_stored_reply() -> None:
    cache = DuplicateCache()
    datagram, packet = request()
    assert cache.look_up(datagram, packet, now=0) is None
    cache.store(datagram, packet, b"reply")
    assert cache.look_up(datagram, packet, now=LIFE_SECONDS) == b"reply"


def test_a_request_still_in_work_is_dropped() -> None:
    cache = DuplicateCache()
    cache.look_up(*request(), now=0)
    with pytest.raises(Discarded) as caught:
        cache.look_up(*request(), now=1)
    assert caught.value.cause is Cause.IN_WORK


def test_another_authenticator_or_port_is_a_new_request() -> None:
    cache = DuplicateCache()
    datagram, packet = request()
    cache.look_up(datagram, packet, now=0)
    cache.store(datagram, packet, b"reply")
    assert cache.look_up(*request(source=("127.0.0.1", 4001)), now=1) is None
    assert cache.look_up(*request(authenticator=b"x" * 16), now=1) is None
    assert cache.look_up(datagram, packet, now=1) is None, "the old request is forgotten"


def test_a_request_that_could_not_be_answered_is_tried_anew() -> None:
    cache = DuplicateCache()
    datagram, packet = request()
    cache.look_up(datagram, packet, now=0)
    cache.store(datagram, packet, None)
    assert cache.look_up(datagram, packet, now=1) is None


def test_replies_are_forgotten_after_their_life() -> None:
    cache = DuplicateCache()
    datagram, packet = request()
    cache.look_up(datagram, packet, now=0)
    cache.store(datagram, packet, b"reply")
    assert cache.look_up(datagram, packet, now=LIFE_SECONDS + 1) is None
