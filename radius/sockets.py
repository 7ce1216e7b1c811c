"""UDP sockets of the RADIUS door. A reply leaves from the address that was asked, on a wildcard socket too."""

import socket
from collections.abc import Iterator
from dataclasses import dataclass

_RECEIVE_BUFFER = 4 * 1024 * 1024
_LARGEST_DATAGRAM = 8192
_ANCILLARY = 256
_IPV6_RECVPKTINFO = getattr(socket, "IPV6_RECVPKTINFO", 49)
_IPV6_PKTINFO = getattr(socket, "IPV6_PKTINFO", 50)
_IP_PKTINFO = getattr(socket, "IP_PKTINFO", 8)
_CONTROL = {(socket.IPPROTO_IP, _IP_PKTINFO), (socket.IPPROTO_IPV6, _IPV6_PKTINFO)}


@dataclass(frozen=True, repr=False)
class Datagram:
    """What came in: octets, whence (address and port), and what sends the reply back the same way."""

    octets: bytes
    source: tuple[str, int]
    destination: tuple[object, ...]
    control: tuple[tuple[int, int, bytes], ...]


def bind(host: str, port: int) -> socket.socket:
    """A non-blocking UDP socket on host and port; OSError when the port is taken. `::` serves IPv4 as well.

    SO_REUSEADDR is left out: with it a second server would start on the same port unseen.
    """
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    bound = socket.socket(family, socket.SOCK_DGRAM)
    try:
        bound.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, _RECEIVE_BUFFER)
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


def receive(bound: socket.socket, most: int) -> Iterator[Datagram]:
    """All datagrams that wait, up to `most`."""
    for _ in range(most):
        try:
            octets, ancillary, _flags, source = bound.recvmsg(_LARGEST_DATAGRAM, _ANCILLARY)
        except BlockingIOError:
            return
        except OSError:  # an ICMP error of an earlier reply: says nothing about the next datagram
            continue
        control = tuple((level, kind, data) for level, kind, data in ancillary if (level, kind) in _CONTROL)
        yield Datagram(octets, (source[0], source[1]), source, control)


def reply(bound: socket.socket, datagram: Datagram, octets: bytes) -> bool:
    """Send the answer to a datagram; returns whether the network took it. Who does not get it asks again."""
    control = [(level, kind, _answering(level, data)) for level, kind, data in datagram.control]
    try:
        bound.sendmsg([octets], control, 0, datagram.destination)
    except OSError:
        return False
    return True


def _answering(level: int, data: bytes) -> bytes:
    """Packet information for sending: IPv4 wants the address asked as the source, and no interface forced."""
    if level == socket.IPPROTO_IP:
        return bytes(4) + data[4:8] + bytes(4)
    return data[:16] + bytes(4)
