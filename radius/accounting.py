"""Accounting-Requests: from packets to records; the make tells how to read their counters."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

from pyrad.packet import AccountingRequest, StatusServer
from sqlalchemy.orm import Session

from hotspot.directory import Directory, Located
from hotspot.keys import Keyring
from radius.clients import Request
from radius.makes import MAKES
from radius.packet import Cause, Discarded, Packet
from radius.replies import CLASS_PREFIX, Reply, acknowledge, status
from sessions.accounting import Record, Status, account

CODES = (AccountingRequest, StatusServer)
_CHILLISPOT = 14559
_ACCT_VIEW_POINT = 10
_VIEW_OF_NAS = 1
_VIEW_OF_GUEST = 2
# An Event-Timestamp further from arrival less delay is a wrong clock; order among NAS is decided by these moments.
_CLOCK_TOLERANCE = timedelta(seconds=60)
_LONGEST_DELAY_SECONDS = 86_400
_LONGEST_TEXT = 253
# What the database's counters hold; no honest counter comes near.
_LARGEST_COUNTER = 2**62


def answer_batch(
    session: Session, keyring: Keyring, directory: Directory, requests: Sequence[Request], now: datetime
) -> list[Reply]:
    """Record a batch; the acknowledgements may leave once the caller's transaction has committed."""
    records = [read_record(request, directory, now) for request in requests if request.packet.code != StatusServer]
    account(session, keyring, directory, [record for record in records if record], now)
    return [
        Reply(status(request.decoded, accounting=True), "status")
        if request.packet.code == StatusServer
        else Reply(acknowledge(request.decoded), "acknowledged")
        for request in requests
    ]


def read_record(request: Request, directory: Directory, now: datetime) -> Record | None:
    """What an Accounting-Request reports; None for a kind of report we keep nothing of. Discarded for a bad attribute."""
    packet = request.packet
    number = packet.integer("Acct-Status-Type")
    if number is None:
        raise Discarded(Cause.BAD_ATTRIBUTE)
    if number not in set(Status):
        return None
    located = directory.locate(request.nas, packet.text("Called-Station-Id"), packet.text("NAS-Identifier"), now)
    from_guest, to_guest = _octets(packet, guest_view=MAKES[request.nas.make].guest_view)
    return Record(
        nas=request.nas,
        status=Status(number),
        at=_moment(packet, now),
        acct_session_id=(packet.text("Acct-Session-Id") or "")[:_LONGEST_TEXT],
        handle=_handle(packet),
        user_name=packet.text("User-Name") or "",
        device=packet.device,
        located=located if isinstance(located, Located) else None,
        nas_address=request.datagram.source[0],
        framed_address=packet.address("Framed-IP-Address"),
        seconds=packet.integer("Acct-Session-Time") or 0,
        octets_from_guest=from_guest,
        octets_to_guest=to_guest,
        terminate_cause=min(packet.integer("Acct-Terminate-Cause") or 0, 0xFFFF) or None,
    )


def _octets(packet: Packet, *, guest_view: bool) -> tuple[int, int]:
    """Octets from and to the guest. Input is what came from the guest (RFC 2866 §5.3), unless the NAS takes its view."""
    incoming = _gigawords(packet, "Acct-Input-Octets", "Acct-Input-Gigawords")
    outgoing = _gigawords(packet, "Acct-Output-Octets", "Acct-Output-Gigawords")
    view_point = packet.vendor_integer(_CHILLISPOT, _ACCT_VIEW_POINT)
    swapped = guest_view if view_point not in (_VIEW_OF_NAS, _VIEW_OF_GUEST) else view_point == _VIEW_OF_GUEST
    return (outgoing, incoming) if swapped else (incoming, outgoing)


def _gigawords(packet: Packet, octets: str, gigawords: str) -> int:
    """RFC 2869 §5.1: the upper half of a counter is an attribute of its own."""
    return min(((packet.integer(gigawords) or 0) << 32) + (packet.integer(octets) or 0), _LARGEST_COUNTER)


def _moment(packet: Packet, now: datetime) -> datetime:
    """When it happened: arrival less Acct-Delay-Time, or the Event-Timestamp (RFC 2869 §5.3) if that agrees with it."""
    told = now - timedelta(seconds=min(packet.integer("Acct-Delay-Time") or 0, _LONGEST_DELAY_SECONDS))
    stamp = packet.integer("Event-Timestamp")
    event = datetime.fromtimestamp(stamp, UTC) if stamp is not None else told
    return event if abs(event - told) <= _CLOCK_TOLERANCE else told


def _handle(packet: Packet) -> str | None:
    for value in packet.all("Class"):
        if value.startswith(CLASS_PREFIX):
            return value[len(CLASS_PREFIX) :].decode("ascii", "replace")
    return None
