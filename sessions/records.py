"""Accounting-Requests as the domain takes them, whatever packet they came in."""

from dataclasses import dataclass
from datetime import datetime
from enum import IntEnum

from hotspot.directory import Located, NasRecord
from hotspot.mac import Mac


class Status(IntEnum):
    """Acct-Status-Type (RFC 2866 §5.1)."""

    START = 1
    STOP = 2
    INTERIM_UPDATE = 3
    ACCOUNTING_ON = 7
    ACCOUNTING_OFF = 8


@dataclass(frozen=True, slots=True, repr=False)
class Record:
    """An Accounting-Request; octets are seen from the guest, seconds are Acct-Session-Time.

    `at` is when it happened, `arrived` when it reached us, if that is not now. `wraps` means that the octets are counters of 32
    bits without Gigawords, which begin anew at 4 GiB.
    """

    nas: NasRecord
    status: Status
    at: datetime
    acct_session_id: str = ""
    handle: str | None = None
    user_name: str = ""
    device: Mac | None = None
    located: Located | None = None
    nas_address: str = ""
    framed_address: str | None = None
    seconds: int = 0
    octets_from_guest: int = 0
    octets_to_guest: int = 0
    wraps: bool = False
    terminate_cause: int | None = None
    arrived: datetime | None = None


@dataclass(frozen=True)
class Report:
    """What became of a batch: how many records found their visit, and how many belong to nobody we know."""

    taken: int
    orphans: int
