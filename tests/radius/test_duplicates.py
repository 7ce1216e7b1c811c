"""The duplicate cache: what is repeated, what is new, and what is forgotten."""

import struct

import pytest

from radius.duplicates import LIFE_SECONDS, MOST_ENTRIES, DuplicateCache, Entry
from radius.packet import Cause, Discarded, Packet, parse

SOURCE = ("127.0.0.1", 4000)


def request(identifier: int = 1, authenticator: bytes = bytes(16)) -> Packet:
    return parse(struct.pack("!BBH16s", 1, identifier, 20, authenticator), (1,))


def ask(
    cache: DuplicateCache, now: float, packet: Packet | None = None, source: tuple[str, int] = SOURCE
) -> bytes | Entry:
    return cache.look_up(source, packet or request(), now)


def take_in(cache: DuplicateCache, now: float, packet: Packet | None = None) -> Entry:
    entry = ask(cache, now, packet)
    assert isinstance(entry, Entry), "it should be new"
    return entry


def test_a_repeated_request_gets_the_stored_reply() -> None:
    cache = DuplicateCache()
    take_in(cache, now=0).reply = b"reply"
    assert ask(cache, now=LIFE_SECONDS) == b"reply"


def test_a_request_still_in_work_is_dropped() -> None:
    cache = DuplicateCache()
    take_in(cache, now=0)
    with pytest.raises(Discarded) as caught:
        ask(cache, now=1)
    assert caught.value.cause is Cause.IN_WORK


def test_another_authenticator_or_port_is_a_new_request() -> None:
    cache = DuplicateCache()
    take_in(cache, now=0).reply = b"reply"
    assert isinstance(ask(cache, now=1, source=("127.0.0.1", 4001)), Entry)
    take_in(cache, 1, request(authenticator=b"x" * 16))
    assert isinstance(ask(cache, now=1), Entry), "the old request is forgotten"


def test_a_request_that_could_not_be_answered_is_tried_anew() -> None:
    cache = DuplicateCache()
    take_in(cache, now=0).forgotten = True
    take_in(cache, now=1)


def test_replies_are_forgotten_after_their_life() -> None:
    cache = DuplicateCache()
    take_in(cache, now=0).reply = b"reply"
    take_in(cache, now=LIFE_SECONDS + 1)


def test_a_reply_lives_as_long_as_it_should_however_the_generations_fall() -> None:
    cache = DuplicateCache()
    for start in range(0, 200, 7):
        packet = request(identifier=start)
        take_in(cache, start, packet).reply = b"reply"
        assert ask(cache, start + LIFE_SECONDS, packet) == b"reply"


def test_the_cache_is_bounded() -> None:
    cache = DuplicateCache()
    for port in range(3 * MOST_ENTRIES):
        ask(cache, now=1, source=("127.0.0.1", port))
    assert len(cache) <= 2 * MOST_ENTRIES
