"""Who asks: finds the RADIUS client of a datagram, and lets only well-formed, signed, timely requests through."""

import ipaddress
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass

from pyrad.packet import AccountingRequest, AcctPacket, AuthPacket, StatusServer

from hotspot.directory import Directory, NasRecord, Network
from radius.packet import Cause, Discarded, Packet, parse, verify
from radius.sockets import Datagram

# Per client network; more is no health check.
STATUS_SERVER_A_SECOND = 20


@dataclass(frozen=True, repr=False)
class Request:
    """A request that has to be answered, or accounted: checked, and its client known."""

    datagram: Datagram
    packet: Packet
    decoded: AuthPacket | AcctPacket
    nas: NasRecord
    signed: bool


class Gate:
    """The checks of PROTOCOLS.md §1 that come before anything is looked up."""

    def __init__(self, codes: tuple[int, ...], directory: Callable[[], Directory]) -> None:
        self._codes = codes
        self._directory = directory
        self._status_second = 0
        self._status_counts: Counter[Network] = Counter()

    def admit(self, datagram: Datagram, now: float) -> Request:
        """Check one datagram; Discarded when it must not be answered. `now` is monotonic seconds."""
        address = ipaddress.ip_address(datagram.source[0].partition("%")[0])
        group = self._directory().clients_at(address)
        if not group:
            raise Discarded(Cause.UNKNOWN_CLIENT)
        packet = parse(datagram.octets, self._codes)
        decoded = packet.decode(group[0].secret)
        signed = verify(packet, decoded)
        if packet.code == StatusServer:
            self._limit_status_server(group[0].network, now)
            return Request(datagram, packet, decoded, group[0], signed)
        nas = Directory.choose_client(group, packet.text("NAS-Identifier"))
        if nas is None:
            raise Discarded(Cause.UNKNOWN_IDENTIFIER)
        if packet.code != AccountingRequest and not signed:
            self._refuse_unsigned(packet, nas)
        return Request(datagram, packet, decoded, nas, signed)

    @staticmethod
    def _refuse_unsigned(packet: Packet, nas: NasRecord) -> None:
        if "EAP-Message" in packet:
            raise Discarded(Cause.UNSIGNED_EAP)
        if "Proxy-State" in packet:
            raise Discarded(Cause.UNSIGNED_PROXY_STATE)
        if nas.must_sign:
            raise Discarded(Cause.UNSIGNED)

    def _limit_status_server(self, network: Network, now: float) -> None:
        if int(now) != self._status_second:
            self._status_second = int(now)
            self._status_counts.clear()
        self._status_counts[network] += 1
        if self._status_counts[network] > STATUS_SERVER_A_SECOND:
            raise Discarded(Cause.TOO_OFTEN)
