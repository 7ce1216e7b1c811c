"""Legs: what an Accounting-Request means for the accounting sessions of a visit."""

from collections.abc import Sequence
from datetime import datetime

from sessions.held import HeldLeg, HeldVisit
from sessions.records import Record, Status
from sessions.visit import CloseCause

_GIGAWORD = 1 << 32


def current_leg(legs: Sequence[HeldLeg]) -> HeldLeg | None:
    """The leg the guest is on: the one that began last."""
    return max(enumerate(legs), key=lambda pair: (pair[1].started_at, pair[0]), default=(0, None))[1] if legs else None


def started_at(record: Record) -> datetime:
    """When a session began whose Start was lost."""
    return datetime.fromtimestamp(record.at.timestamp() - record.seconds, record.at.tzinfo)


def begins_again(record: Record, leg: HeldLeg) -> bool:
    """Whether a Start reuses a session's id: after its Stop, or after reports of a session that a power cut ended."""
    ended = leg.stopped_at or (leg.last_heard_at if leg.seconds else None)
    return record.status is Status.START and ended is not None and record.at > ended


def survived_restart(record: Record, visit: HeldVisit, leg: HeldLeg) -> bool:
    """Whether a session is reported on that an Accounting-On or -Off has ended too soon, as of another radio of the NAS.

    Another session of the guest may have opened the visit again; then counting on tells it from what is late after its Stop.
    """
    if leg.stopped_at is None or record.status is not Status.INTERIM_UPDATE or record.at <= leg.stopped_at:
        return False
    return visit.close_cause is CloseCause.NAS_RESTART or (visit.runs and record.seconds > leg.seconds)


def count(record: Record, leg: HeldLeg) -> None:
    """Counters only grow: what is smaller is late."""
    later = record.seconds - leg.seconds
    leg.seconds = max(leg.seconds, record.seconds)
    from_guest, to_guest = record.octets_from_guest, record.octets_to_guest
    if record.wraps:
        from_guest = unwrapped(from_guest, leg.octets_from_guest, later)
        to_guest = unwrapped(to_guest, leg.octets_to_guest, later)
    leg.octets_from_guest = max(leg.octets_from_guest, from_guest)
    leg.octets_to_guest = max(leg.octets_to_guest, to_guest)


def unwrapped(told: int, known: int, later: int) -> int:
    """What a NAS without Gigawords means by `told`, a counter that begins anew at 2^32 octets.

    `later` is how many seconds the report lies after the one that `known` is from, by Acct-Session-Time; below 0 it is late.
    A counter that falls by more than half its range has begun anew, one that falls by less is late, and so is one that would
    have to grow by more than half its range in no time.
    """
    low = known % _GIGAWORD
    if later < 0 or (later == 0 and known >= _GIGAWORD and told - low > _GIGAWORD // 2):
        return known
    if low - told > _GIGAWORD // 2:
        return known - low + _GIGAWORD + told
    return known - low + told if told >= low else known
