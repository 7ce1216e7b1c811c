"""UDP sockets: a reply leaves from the address that was asked, whatever the server is bound to."""

import socket
import time

import pytest

from radius.sockets import bind, receive, reply


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
