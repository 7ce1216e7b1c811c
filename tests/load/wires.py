"""The crowd's sockets, made to cost little, since the crowd shares the machine with what it measures."""

import asyncio
import random
from collections import deque
from typing import cast

from tests.radius import wire

_RADIUS_TRIES, _RADIUS_SECONDS = 4, 3.0
# A gateway has 256 requests under way from each of its ports at most (RFC 2865 §2.5).
_PORTS, _IDENTIFIERS = 32, 256


async def fetch(host: str, port: int, request: bytes) -> bytes:
    """The whole answer to an HTTP request, on a connection of its own."""
    reader = _Reader(request)
    transport, _ = await asyncio.get_running_loop().create_connection(lambda: reader, host, port)
    try:
        return await reader.whole
    finally:
        transport.close()


class _Reader(asyncio.Protocol):
    def __init__(self, request: bytes) -> None:
        self._request, self._parts = request, list[bytes]()
        self.whole: asyncio.Future[bytes] = asyncio.get_running_loop().create_future()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        cast(asyncio.Transport, transport).write(self._request)

    def data_received(self, data: bytes) -> None:
        self._parts.append(data)

    def connection_lost(self, error: Exception | None) -> None:
        if self.whole.done():
            return
        if error or not self._parts:
            self.whole.set_exception(error or ConnectionResetError())
        else:
            self.whole.set_result(b"".join(self._parts))


class RadiusPorts:
    """A gateway's ports towards one port of the PoP: each request has a port and an identifier to itself."""

    def __init__(self, ears: list["Ear"]) -> None:
        free = [(ear, identifier) for ear in ears for identifier in range(_IDENTIFIERS)]
        random.shuffle(free)
        self._free = deque(free)

    @classmethod
    async def open(cls, port: int) -> "RadiusPorts":
        """Ports towards `port` on this machine."""
        loop = asyncio.get_running_loop()
        ears = [Ear() for _ in range(_PORTS)]
        for ear in ears:
            await loop.create_datagram_endpoint(lambda ear=ear: ear, remote_addr=("127.0.0.1", port))  # type: ignore[misc]
        return cls(ears)

    def take(self) -> tuple["Ear", int]:
        """A port and an identifier that have been at rest the longest."""
        return self._free.popleft()

    async def ask(self, ear: "Ear", request: wire.Wire) -> tuple[wire.Answer, int]:
        """The answer, and how often a gateway had to ask for it. TimeoutError when none came."""
        identifier = request.octets[1]
        heard = ear.expect(identifier)
        for tries in range(1, _RADIUS_TRIES + 1):
            ear.transport.sendto(request.octets)
            done, _ = await asyncio.wait([heard], timeout=_RADIUS_SECONDS)
            if done:
                self._free.append((ear, identifier))
                return wire.check(request, heard.result()), tries
        raise TimeoutError


class Ear(asyncio.DatagramProtocol):
    """A port; tells answers apart by their identifier."""

    def __init__(self) -> None:
        self._expected: dict[int, asyncio.Future[bytes]] = {}

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast(asyncio.DatagramTransport, transport)

    def expect(self, identifier: int) -> asyncio.Future[bytes]:
        """The answer to the request with this identifier, once it comes."""
        self._expected[identifier] = asyncio.get_running_loop().create_future()
        return self._expected[identifier]

    def datagram_received(self, data: bytes, addr: object) -> None:
        heard = self._expected.pop(data[1], None)
        if heard:
            heard.set_result(data)
