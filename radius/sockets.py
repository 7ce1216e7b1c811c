"""UDP sockets of the RADIUS door. A reply leaves from the address that was asked, on a wildcard socket too."""

import socket
from collections.abc import Iterator
from functools import cache, lru_cache
from typing import NamedTuple

import structlog

from radius.steering import can_steer, steer

_RECEIVE_BUFFER = 4 * 1024 * 1024
_LARGEST_DATAGRAM = 8192
_ANCILLARY = 256
_IPV6_RECVPKTINFO = getattr(socket, "IPV6_RECVPKTINFO", 49)
_IPV6_PKTINFO = getattr(socket, "IPV6_PKTINFO", 50)
_IP_PKTINFO = getattr(socket, "IP_PKTINFO", 8)
_CONTROL = {(socket.IPPROTO_IP, _IP_PKTINFO), (socket.IPPROTO_IPV6, _IPV6_PKTINFO)}

log = structlog.get_logger("radius")


class Datagram(NamedTuple):
    """What came in: octets, whence (address and port), and what sends the reply back the same way."""

    octets: bytes
    source: tuple[str, int]
    destination: tuple[object, ...]
    control: tuple[tuple[int, int, bytes], ...]


def bind(host: str, port: int) -> socket.socket:
    """A non-blocking UDP socket on host and port; OSError when the port is taken. `::` serves IPv4 as well.

    SO_REUSEADDR is left out: with it a second server would start on the same port unseen.
    """
    return _bind(host, port, shared=False)


def bind_group(host: str, port: int, count: int) -> list[socket.socket]:
    """Sockets for `count` processes on one port, dealt packets by Identifier; one alone where the kernel cannot do that.

    All of them have to stay open as long as one is in use. OSError when the port is taken, also by such a group.
    """
    alone = bind(host, port)
    if count == 1 or not can_steer():
        return [alone]
    # Alone on the port nobody else can be: now that this is known it is given up, for no group takes it in.
    port = alone.getsockname()[1]
    alone.close()
    group: list[socket.socket] = []
    try:
        for _ in range(count):
            group.append(_bind(host, port, shared=True))
        steer(group[0], count)
    except OSError:
        for bound in group:
            bound.close()
        raise
    return group


def _bind(host: str, port: int, *, shared: bool) -> socket.socket:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    bound = socket.socket(family, socket.SOCK_DGRAM)
    try:
        bound.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, _RECEIVE_BUFFER)
        # Linux tells twice what it has granted, for its own bookkeeping.
        _say_granted(bound.getsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF) // 2)
        if shared:
            bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        if family == socket.AF_INET6:
            bound.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, int(host != "::"))
            bound.setsockopt(socket.IPPROTO_IPV6, _IPV6_RECVPKTINFO, 1)
        else:
            bound.setsockopt(socket.IPPROTO_IP, _IP_PKTINFO, 1)
        bound.bind((host, port))
        bound.setblocking(False)
    except OSError:
        bound.close()
        raise
    return bound


@cache
def _say_granted(octets: int) -> None:
    """Say, once a process, that the kernel keeps less of a rush than we ask it to."""
    if octets < _RECEIVE_BUFFER:
        log.warning("small receive buffer", octets=octets, wanted=_RECEIVE_BUFFER, setting="net.core.rmem_max")


def receive(bound: socket.socket, most: int) -> Iterator[Datagram]:
    """All datagrams that wait, up to `most`."""
    for _ in range(most):
        try:
            octets, ancillary, _flags, source = bound.recvmsg(_LARGEST_DATAGRAM, _ANCILLARY)
        except BlockingIOError:
            return
        except OSError:  # an ICMP error of an earlier reply: says nothing about the next datagram
            continue
        control = tuple([one for one in ancillary if one[:2] in _CONTROL])
        yield Datagram(octets, source[:2], source, control)


def reply(bound: socket.socket, datagram: Datagram, octets: bytes) -> bool:
    """Send the answer to a datagram; returns whether the network took it. Who does not get it asks again."""
    try:
        bound.sendmsg((octets,), _answering(datagram.control), 0, datagram.destination)
    except OSError:
        return False
    return True


@lru_cache(maxsize=1024)
def _answering(control: tuple[tuple[int, int, bytes], ...]) -> tuple[tuple[int, int, bytes], ...]:
    """Packet information for sending: IPv4 wants the address asked as the source, and no interface forced."""
    return tuple(
        (level, kind, bytes(4) + data[4:8] + bytes(4) if level == socket.IPPROTO_IP else data[:16] + bytes(4))
        for level, kind, data in control
    )
