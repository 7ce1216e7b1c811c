"""Who asks: finds the RADIUS client of a datagram, and lets only well-formed, signed, timely requests through."""

import ipaddress
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass

from pyrad.packet import AccountingRequest, StatusServer

from hotspot.clock import Clock
from hotspot.directory import Directory, NasRecord, Network
from hotspot.place import MessageAuthenticatorPolicy
from radius.duplicates import Entry
from radius.packet import Cause, Discarded, Packet, parse
from radius.signatures import reveal, verify
from radius.sockets import Datagram

# Per client network; more is no health check.
STATUS_SERVER_A_SECOND = 20
# Addresses whose clients are remembered. Whoever forges addresses makes us look them up anew, and no more.
_MOST_ADDRESSES = 20_000


@dataclass(slots=True, eq=False, repr=False)
class Request:
    """A request that has to be answered, or accounted: checked, and its client known.

    `secret` is the one that signed it, `arrived` monotonic seconds, `told` what the door has read in it.
    """

    datagram: Datagram
    packet: Packet
    nas: NasRecord
    signed: bool
    secret: bytes
    arrived: float
    entry: Entry | None = None
    told: object = None

    @property
    def source(self) -> str:
        """The address of the RADIUS client."""
        return self.datagram.source[0]

    @property
    def by_old_secret(self) -> bool:
        """Whether it was signed with a secret that is being replaced."""
        return self.secret != self.nas.secret


class Proven:
    """The secret that each address last proved to have, while its network's is replaced; for the ports of one thread."""

    def __init__(self) -> None:
        self._by_address: dict[str, bytes] = {}

    def note(self, source: str, secret: bytes) -> None:
        """Remember what has fitted."""
        if len(self._by_address) > _MOST_ADDRESSES:
            self._by_address.clear()
        self._by_address[source] = secret

    def guess(self, source: str, secrets: tuple[bytes, ...]) -> bytes:
        """The one of `secrets`, the newest first, that an address must have: until it proves the new one, the one before."""
        proven = self._by_address.get(source)
        return proven if proven in secrets else secrets[:2][-1]

    def keep(self, directory: Directory) -> None:
        """Forget the secrets that are gone."""
        if self._by_address:
            known = {secret for nas in directory.nas for secret in (nas.secret, *(old for old, _ in nas.old_secrets))}
            self._by_address = {source: one for source, one in self._by_address.items() if one in known}


class Gate:
    """The checks of PROTOCOLS.md §1 that come before anything is looked up; for one thread."""

    def __init__(
        self, codes: tuple[int, ...], directory: Callable[[], Directory], clock: Clock, proven: Proven
    ) -> None:
        self._codes, self._clock, self._proven = codes, clock, proven
        self._current = directory
        self._directory = directory()
        self._groups: dict[str, tuple[NasRecord, ...]] = {}
        self._status_second = 0
        self._status_counts: Counter[Network] = Counter()
        # Who has signed a request since the snapshot was read, under policy `auto`.
        self._signers: set[int] = set()

    def clients_at(self, source: str) -> tuple[NasRecord, ...]:
        """The NAS that may ask from this address."""
        directory = self._current()
        if directory is not self._directory:
            # It knows who has signed, or that an operator wants to have that forgotten.
            self._directory, self._groups, self._signers = directory, {}, set()
            self._proven.keep(directory)
        elif len(self._groups) > _MOST_ADDRESSES:
            self._groups = {}
        group = self._groups.get(source)
        if group is None:
            address = ipaddress.ip_address(source.partition("%")[0])
            group = self._groups[source] = directory.clients_at(address)
        return group

    def admit(self, datagram: Datagram, now: float) -> Request:
        """Check one datagram; Discarded when it must not be answered. `now` is monotonic seconds."""
        source = datagram.source[0]
        group = self.clients_at(source)
        if not group:
            raise Discarded(Cause.UNKNOWN_CLIENT)
        packet = parse(datagram.octets, self._codes)
        if group[0].old_secrets:
            secret, signed = self._prove_by_any(packet, group[0], source)
        else:
            secret = group[0].secret
            signed = verify(packet, secret)
        if packet.code == StatusServer:
            self._limit_status_server(group[0].network, now)
            return Request(datagram, packet, group[0], signed, secret, now)
        nas = group[0] if len(group) == 1 else Directory.choose_client(group, packet.text("NAS-Identifier"))
        if nas is None:
            raise Discarded(Cause.UNKNOWN_IDENTIFIER)
        if packet.code != AccountingRequest:
            self._demand_signature(packet, nas, signed)
        return Request(datagram, packet, nas, signed, secret, now)

    def _prove_by_any(self, packet: Packet, nas: NasRecord, source: str) -> tuple[bytes, bool]:
        """The secret that fits, and whether the packet is signed, while an old secret is valid beside the new one."""
        secrets = nas.secrets_at(self._clock())
        if packet.code != AccountingRequest and "Message-Authenticator" not in packet:
            verify(packet, secrets[0])
            return self._guess(packet, secrets, source), False
        for secret in secrets:
            try:
                signed = verify(packet, secret)
            except Discarded:
                continue
            self._proven.note(source, secret)
            return secret, signed
        raise Discarded(Cause.WRONG_SECRET)

    def _guess(self, packet: Packet, secrets: tuple[bytes, ...], source: str) -> bytes:
        """Nothing proves the secret of an unsigned Access-Request: a password in clear text does, or what fitted last."""
        hidden = packet.first("User-Password")
        for secret in secrets if hidden else ():
            text = reveal(hidden or b"", packet.authenticator, secret).decode("utf-8", "replace")
            if text.isprintable() and "\ufffd" not in text:
                self._proven.note(source, secret)
                return secret
        return self._proven.guess(source, secrets)

    def _demand_signature(self, packet: Packet, nas: NasRecord, signed: bool) -> None:
        if signed:
            # The database hears of it with the answer; what comes meanwhile must not be let through.
            if nas.message_authenticator is MessageAuthenticatorPolicy.AUTO and not nas.signed:
                self._signers.add(nas.id)
            return
        if "EAP-Message" in packet:
            raise Discarded(Cause.UNSIGNED_EAP)
        if "Proxy-State" in packet:
            raise Discarded(Cause.UNSIGNED_PROXY_STATE)
        auto = nas.message_authenticator is MessageAuthenticatorPolicy.AUTO
        if nas.must_sign or (auto and nas.id in self._signers):
            raise Discarded(Cause.UNSIGNED)

    def _limit_status_server(self, network: Network, now: float) -> None:
        if int(now) != self._status_second:
            self._status_second = int(now)
            self._status_counts.clear()
        self._status_counts[network] += 1
        if self._status_counts[network] > STATUS_SERVER_A_SECOND:
            raise Discarded(Cause.TOO_OFTEN)
