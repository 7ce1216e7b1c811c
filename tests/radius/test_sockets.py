"""UDP sockets: a reply leaves from the address that was asked, whatever the server is bound to."""

import select
import socket
import time
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from radius.sockets import Datagram, bind, bind_group, receive, reply


def exchange(bound: socket.socket, family: socket.AddressFamily, host: str) -> tuple[str, int]:
    """Ask the server at `host` and return the address that the answer came from."""
    with socket.socket(family, socket.SOCK_DGRAM) as client:
        client.settimeout(2)
        client.sendto(b"question", (host, bound.getsockname()[1]))
        deadline = time.monotonic() + 2
        while time.monotonic() < deadline:
            for datagram in receive(bound, 10):
                assert datagram.octets == b"question"
                assert reply(bound, datagram, b"answer")
                octets, source = client.recvfrom(100)
                assert octets == b"answer"
                return source[0], source[1]
    raise AssertionError("nothing arrived")


@pytest.mark.parametrize(
    ("bound_to", "family", "asked"),
    [
        ("127.0.0.1", socket.AF_INET, "127.0.0.1"),
        ("0.0.0.0", socket.AF_INET, "127.0.0.1"),  # noqa: S104 - the wildcard is what is tested
        ("0.0.0.0", socket.AF_INET, "127.0.0.77"),  # noqa: S104
        ("::1", socket.AF_INET6, "::1"),
        ("::", socket.AF_INET6, "::1"),
        ("::", socket.AF_INET, "127.0.0.77"),
    ],
)
def test_the_answer_comes_from_the_address_that_was_asked(
    bound_to: str, family: socket.AddressFamily, asked: str
) -> None:
    bound = bind(bound_to, 0)
    try:
        assert exchange(bound, family, asked) == (asked, bound.getsockname()[1])
    finally:
        bound.close()


def test_a_port_that_is_taken_is_an_error_and_no_second_server() -> None:
    first = bind("127.0.0.1", 0)
    try:
        with pytest.raises(OSError, match="in use"):
            bind("127.0.0.1", first.getsockname()[1])
    finally:
        first.close()


def test_receive_takes_no_more_than_it_is_told() -> None:
    bound = bind("127.0.0.1", 0)
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as client:
        for number in range(5):
            client.sendto(bytes([number]), bound.getsockname())
    time.sleep(0.1)
    try:
        assert [datagram.octets for datagram in receive(bound, 3)] == [b"\x00", b"\x01", b"\x02"]
        assert len(list(receive(bound, 3))) == 2
    finally:
        bound.close()


@pytest.mark.parametrize(
    ("bound_to", "family", "asked"),
    [
        ("127.0.0.1", socket.AF_INET, "127.0.0.1"),
        ("0.0.0.0", socket.AF_INET, "127.0.0.77"),  # noqa: S104
        ("::1", socket.AF_INET6, "::1"),
        ("::", socket.AF_INET, "127.0.0.1"),
    ],
)
def test_a_group_is_dealt_packets_by_identifier_however_many_clients_there_are(
    bound_to: str, family: socket.AddressFamily, asked: str
) -> None:
    with group_of(bound_to, 3) as group:
        port = group[0].getsockname()[1]
        for _ in range(3):
            with socket.socket(family, socket.SOCK_DGRAM) as client:
                for identifier in range(256):
                    client.sendto(bytes((1, identifier)), (asked, port))
                    [datagram] = eventually_receive(group[identifier % 3])
                    assert datagram.octets == bytes((1, identifier))
                    assert reply(group[identifier % 3], datagram, b"answer")
                    octets, source = client.recvfrom(100)
                    assert (octets, source[:2]) == (b"answer", (asked, port))


def test_what_is_too_short_for_an_identifier_reaches_somebody_all_the_same() -> None:
    with group_of("127.0.0.1", 3) as group, socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as client:
        client.sendto(b"\x01", group[0].getsockname())
        assert [datagram.octets for datagram in eventually_receive(group[0])] == [b"\x01"]


@pytest.mark.parametrize("first", [1, 2])
@pytest.mark.parametrize("second", [1, 2])
def test_a_second_server_is_noticed_whether_it_shares_its_port_or_not(first: int, second: int) -> None:
    with group_of("127.0.0.1", first) as group, pytest.raises(OSError, match="in use"):
        bind_group("127.0.0.1", group[0].getsockname()[1], second)


def test_where_the_kernel_cannot_deal_packets_out_there_is_one_socket(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("radius.sockets.can_steer", lambda: False)
    with group_of("127.0.0.1", 4) as group:
        assert len(group) == 1


@contextmanager
def group_of(host: str, count: int) -> Iterator[list[socket.socket]]:
    group = bind_group(host, 0, count)
    try:
        yield group
    finally:
        for bound in group:
            bound.close()


def eventually_receive(bound: socket.socket) -> list[Datagram]:
    select.select([bound], [], [], 2)
    return list(receive(bound, 10))
