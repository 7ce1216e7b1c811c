"""What a gateway says of a guest it sends, and what every make's hand-off can do."""

import enum
from dataclasses import dataclass
from typing import Protocol

from hotspot.directory import NasRecord
from hotspot.mac import Mac


class State(enum.StrEnum):
    """Why the gateway sends the guest."""

    NOT_YET = "notyet"
    SUCCESS = "success"
    FAILED = "failed"
    LOGGED_OFF = "logoff"
    ALREADY = "already"


class Failure(enum.StrEnum):
    """What a gateway says of a login that failed."""

    REJECT = "reject"
    TIMEOUT = "timeout"
    OTHER = "other"


class Problem(enum.StrEnum):
    """Why a query cannot be used."""

    MALFORMED = "malformed"
    UNKNOWN_GATEWAY = "unknown-gateway"
    BAD_SIGNATURE = "bad-signature"


@dataclass(frozen=True, repr=False)
class Arrival:
    """A guest as the query tells; none of it is proved until the hand-off has verified it."""

    state: State
    gateway: str
    nas_identifier: str | None = None
    called_station_id: str | None = None
    challenge: str | None = None
    device: Mac | None = None
    address: str | None = None
    ssid: str | None = None
    session_id: str | None = None
    original_url: str | None = None
    failure: Failure | None = None


class Handoff(Protocol):
    """One make of gateway."""

    make: str

    def parse(self, query: bytes) -> Arrival | Problem | None:
        """Read the raw query string; None when no gateway of this make wrote it."""

    def verify(self, page_url: str, query: bytes, nas: NasRecord) -> bool:
        """Whether the query was signed by this NAS, which was told `page_url` as the portal's address."""

    def grant(self, nas: NasRecord, guest: "Guest", user_name: str, password: str) -> str:
        """The address that logs the guest in at the gateway."""

    def again(self, gateway: str) -> str:
        """The address at the gateway that brings a guest back to the portal with everything fresh."""

    def logout(self, gateway: str) -> str:
        """The address at the gateway that logs the guest out."""


class Guest(Protocol):
    """What granting needs to know of a guest."""

    @property
    def gateway(self) -> str: ...
    @property
    def challenge(self) -> str | None: ...
    @property
    def original_url(self) -> str | None: ...
