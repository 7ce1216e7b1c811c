"""Disconnect- and CoA-Requests and their replies, as octets (RFC 5176)."""

import ipaddress
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

from pyrad.packet import (
    CoAACK,
    CoANAK,
    CoAPacket,
    CoARequest,
    DisconnectACK,
    DisconnectNAK,
    DisconnectRequest,
)

from hotspot.directory import Directory, NasRecord
from radius.makes import MAKES, Attributes, Make, Naming
from radius.packet import load_dictionary, parse
from radius.replies import IDLE_TIMEOUT_SECONDS
from sessions.orders import Answer, Order
from sessions.visit import OrderKind
from vouchers.admission import MOST_SECONDS

UNSUPPORTED_ATTRIBUTE, NAS_IDENTIFICATION_MISMATCH, SESSION_CONTEXT_NOT_FOUND = 401, 403, 503

Address = tuple[str, int]


@dataclass(frozen=True, repr=False)
class Target:
    """Where a request goes, and what has to be known of the NAS there."""

    nas: NasRecord
    make: Make
    secret: bytes
    address: Address


def find_target(order: Order, directory: Directory, now: datetime) -> Target | None:
    """Where an order goes, never outside its NAS's network; None while it cannot, or would end another guest's session too."""
    nas = next((one for one in directory.nas if one.id == order.nas_id), None)
    if nas is None:
        return None
    try:
        address = ipaddress.ip_address(order.identifiers.nas_address.partition("%")[0])
    except ValueError:
        return None
    if isinstance(address, ipaddress.IPv6Address) and address.ipv4_mapped:
        address = address.ipv4_mapped
    make = MAKES[nas.make]
    nameless = make.naming.session_id_needed and not (order.own_name or order.identifiers.acct_session_id)
    if address.version != nas.network.version or address not in nas.network or nameless:
        return None
    # While a secret is replaced, nobody knows which one the device has: they take turns.
    known = nas.secrets_at(now)
    return Target(nas, make, known[(order.attempts - 1) % len(known)], (str(address), nas.coa_port))


def make_request(order: Order, target: Target, identifier: int, now: datetime, *, bare: bool) -> CoAPacket:
    """A request as its make takes it; `bare` leaves out all that a NAS could refuse."""
    naming = target.make.naming
    code = DisconnectRequest if order.kind is OrderKind.DISCONNECT else CoARequest
    packet = CoAPacket(code, identifier, target.secret, dict=load_dictionary())
    if naming.signed and not bare:
        packet.add_message_authenticator()
    if naming.names_nas and not bare:
        _add(packet, [_nas_name(target)])
    _add(packet, _session_name(order, _least(order, naming) if bare else naming.session))
    if order.limits:
        _add(packet, _limits(order, target.make))
    if naming.stamped and not bare:
        packet["Event-Timestamp"] = int(now.timestamp())
    return packet


def _nas_name(target: Target) -> tuple[str, str]:
    """Its NAS-Identifier where it is known to have one; the address it sends from may be that of a NAT."""
    if target.nas.nas_identifier:
        return "NAS-Identifier", target.nas.nas_identifier
    host = target.address[0]
    return ("NAS-IPv6-Address" if ":" in host else "NAS-IP-Address"), host


def _least(order: Order, naming: Naming) -> tuple[str, ...]:
    """What a make needs at least; never a voucher's code alone, which would end its other devices too."""
    if order.own_name or order.identifiers.acct_session_id or "Calling-Station-Id" in naming.least:
        return naming.least
    return (*naming.least, "Calling-Station-Id")


def _session_name(order: Order, names: Iterable[str]) -> Attributes:
    told = order.identifiers
    known = {
        "User-Name": told.user_name,
        "Acct-Session-Id": told.acct_session_id,
        "Calling-Station-Id": told.mac,
        "Framed-IP-Address": told.framed_address if told.framed_address and ":" not in told.framed_address else None,
    }
    return [(name, value) for name in names if (value := known[name])]


def _limits(order: Order, make: Make) -> Attributes:
    """The full set: a limit that is left out is taken back (CoovaChilli)."""
    if order.limits is None:
        return []
    granted = make.since_start(order.limits.granted, order.limits.elapsed_seconds, order.limits.octets_used)
    return [
        ("Session-Timeout", min(granted.seconds_left, MOST_SECONDS)),
        ("Idle-Timeout", IDLE_TIMEOUT_SECONDS),
        ("Acct-Interim-Interval", order.limits.interim_seconds),
        *make.limits(granted),
    ]


def _add(packet: CoAPacket, attributes: Iterable[tuple[str, int | str]]) -> None:
    for name, value in attributes:
        if isinstance(value, str) and load_dictionary()[name].type == "string":
            # As it is: pyrad takes a text that looks like "0x.." for hex digits.
            if load_dictionary()[name].vendor:
                packet[name] = value
            else:
                packet.setdefault(load_dictionary()[name].code, []).append(value.encode())
        else:
            packet[name] = value


def read_reply(order: Order, request: CoAPacket, octets: bytes) -> tuple[Answer, int | None] | None:
    """What a NAS answers, with its Error-Cause; None for what is no reply of this NAS to this request."""
    asked = DisconnectRequest if order.kind is OrderKind.DISCONNECT else CoARequest
    acknowledgement, refusal = (DisconnectACK, DisconnectNAK) if asked == DisconnectRequest else (CoAACK, CoANAK)
    try:
        packet = parse(octets, (acknowledgement, refusal))
        decoded = request.CreateReply(packet=packet.octets)
        if not request.VerifyReply(decoded):
            return None
        error_cause = packet.integer("Error-Cause")
    except Exception:  # Discarded, and whatever pyrad's decoder trips over
        return None
    if packet.code == acknowledgement:
        return Answer.ACKNOWLEDGED, error_cause
    return (Answer.GONE if error_cause == SESSION_CONTEXT_NOT_FOUND else Answer.REFUSED), error_cause
