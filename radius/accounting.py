"""Accounting-Requests: from packets to records; the make tells how to read their counters."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

from pyrad.packet import AccountingRequest, StatusServer
from sqlalchemy.orm import Session

from hotspot.directory import Directory, Located, NasRecord
from hotspot.keys import Keyring
from hotspot.nas_changes import note_old_secret
from radius.clients import Request
from radius.makes import MAKES
from radius.packet import Cause, Discarded, Packet
from radius.place import Place
from radius.replies import CLASS_PREFIX, Reply, acknowledge, status
from sessions.accounting import account
from sessions.records import Record, Status

CODES = (AccountingRequest, StatusServer)
_CHILLISPOT = 14559
_ACCT_VIEW_POINT = 10
_VIEW_OF_NAS = 1
_VIEW_OF_GUEST = 2
# An Event-Timestamp further from arrival less delay is a wrong clock; order among NAS is decided by these moments.
_CLOCK_TOLERANCE = timedelta(seconds=60)
_LONGEST_DELAY_SECONDS = 86_400
_LONGEST_TEXT = 253
_STATUS = {int(one): one for one in Status}
# A petabyte: no honest counter comes near, and the sums of very many still fit the database's 64 bits.
_LARGEST_COUNTER = 2**50


def answer_batch(
    session: Session, keyring: Keyring, directory: Directory, requests: Sequence[Request], now: datetime
) -> list[Reply]:
    """Record a batch that was read; the acknowledgements may leave once the caller's transaction has committed."""
    account(session, keyring, directory, [r.told for r in requests if isinstance(r.told, Record)], now)
    note_old_secret(session, {request.nas.id for request in requests if request.by_old_secret}, now)
    return [acknowledgement(request) for request in requests]


def acknowledgement(request: Request) -> Reply:
    """The answer to an Accounting-Request or a Status-Server."""
    if request.packet.code == StatusServer:
        return Reply(status(request, accounting=True), "status")
    return Reply(acknowledge(request), "acknowledged")


def read(request: Request, place: Place, now: datetime) -> Record | None:
    """What an Accounting-Request reports; None for a Status-Server and for a kind of report we keep nothing of."""
    if request.packet.code == StatusServer:
        return None
    return read_record(request.packet, request.nas, request.source, place, now)


def read_record(
    packet: Packet, nas: NasRecord, source: str, place: Place, arrived: datetime, *, late: bool = False
) -> Record | None:
    """What a packet reports; None for what we keep nothing of. Discarded for a bad attribute.

    `late`: it has waited since it arrived, and other requests may have been taken before it.
    """
    number = packet.integer("Acct-Status-Type")
    if number is None:
        raise Discarded(Cause.BAD_ATTRIBUTE)
    status_type = _STATUS.get(number)
    if status_type is None:
        return None
    located = place.locate(nas, packet, arrived)
    from_guest, to_guest = _octets(packet, guest_view=MAKES[nas.make].guest_view)
    return Record(
        nas=nas,
        status=status_type,
        at=_moment(packet, arrived),
        acct_session_id=(packet.text("Acct-Session-Id") or "")[:_LONGEST_TEXT],
        handle=_handle(packet),
        user_name=packet.text("User-Name") or "",
        device=packet.device,
        located=located if isinstance(located, Located) else None,
        nas_address=source,
        framed_address=packet.address("Framed-IP-Address"),
        seconds=packet.integer("Acct-Session-Time") or 0,
        octets_from_guest=from_guest,
        octets_to_guest=to_guest,
        wraps="Acct-Input-Gigawords" not in packet and "Acct-Output-Gigawords" not in packet,
        arrived=arrived if late else None,
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
    delay = packet.integer("Acct-Delay-Time")
    told = now - timedelta(seconds=min(delay, _LONGEST_DELAY_SECONDS)) if delay else now
    stamp = packet.integer("Event-Timestamp")
    event = datetime.fromtimestamp(stamp, UTC) if stamp is not None else told
    return event if abs(event - told) <= _CLOCK_TOLERANCE else told


def _handle(packet: Packet) -> str | None:
    for value in packet.all("Class"):
        if value.startswith(CLASS_PREFIX):
            return value[len(CLASS_PREFIX) :].decode("ascii", "replace")
    return None
