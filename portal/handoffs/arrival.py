"""What a gateway says of a guest it sends, and what every make's hand-off can do."""

import enum
from collections.abc import Mapping
from dataclasses import dataclass, field
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


class Admission(enum.Enum):
    """Who asks for the decision on a guest whom the portal has let through, and by what."""

    BY_TICKET = 1  # the gateway asks RADIUS with the ticket that the guest brings it
    BY_DEVICE = 2  # the gateway asks RADIUS with the device's MAC, once a Disconnect has made the device come back
    BY_PORTAL = 3  # the gateway asks nobody: the portal decides, and keeps the visit


@dataclass(frozen=True, repr=False)
class Sent:
    """What a guest's browser brings: the page's address as gateways are told it, the raw query, and a form that was posted.

    `keys` are the secrets of the site's NAS of the make that reads it, for gateways that encrypt what they say.
    """

    page_url: str
    query: bytes
    form: Mapping[str, str] = field(default_factory=dict)
    keys: tuple[str, ...] = ()


@dataclass(frozen=True, repr=False)
class Arrival:
    """A guest as the gateway tells; none of it is proved until the hand-off has verified it.

    `gateway` is the origin that guests are handed back to (`https://192.0.2.1`), None where there is none.
    `place_names` are what may name the access point, as `Directory.locate` takes them. `echoes` are what the way back needs.
    """

    state: State
    gateway: str | None
    nas_identifier: str | None = None
    called_station_id: str | None = None
    place_names: tuple[str, ...] = ()
    challenge: str | None = None
    device: Mac | None = None
    address: str | None = None
    ssid: str | None = None
    session_id: str | None = None
    original_url: str | None = None
    failure: Failure | None = None
    echoes: tuple[tuple[str, str], ...] = ()


class Guest(Protocol):
    """What granting needs to know of a guest: an arrival knows it, and the flow that came of one."""

    @property
    def gateway(self) -> str | None: ...
    @property
    def challenge(self) -> str | None: ...
    @property
    def device(self) -> Mac | None: ...
    @property
    def original_url(self) -> str | None: ...
    @property
    def echoes(self) -> tuple[tuple[str, str], ...]: ...


@dataclass(frozen=True, repr=False)
class Ticket:
    """What a guest takes to the gateway, and the portal's address for when the gateway has let the guest in."""

    user_name: str
    password: str
    landing_url: str


@dataclass(frozen=True, repr=False)
class Redirect:
    """The guest's browser is sent to `url`."""

    url: str


@dataclass(frozen=True, repr=False)
class FormPost:
    """The guest's browser posts `fields` to `url`."""

    url: str
    fields: tuple[tuple[str, str], ...]


@dataclass(frozen=True)
class Wait:
    """There is nothing to do for the guest's browser: the gateway lets the guest in by itself, within seconds."""


Grant = Redirect | FormPost | Wait


class Handoff(Protocol):
    """One make of gateway. Gateways are origins here: `http://10.1.0.1:3990`."""

    @property
    def make(self) -> str:
        """The make as the NAS's record names it."""

    @property
    def ports(self) -> Mapping[int, str]:
        """The ports that guests are handed back to where the record names none, each with its scheme, the usual one first."""

    @property
    def admission(self) -> Admission:
        """Who asks for the decision."""

    def parse(self, sent: Sent) -> Arrival | Problem | None:
        """Read what the guest's browser brings; None when no gateway of this make wrote it."""

    def verify(self, sent: Sent, nas: NasRecord) -> bool:
        """Whether this NAS has signed it."""

    def grant(self, nas: NasRecord, guest: Guest, ticket: Ticket) -> Grant:
        """How the guest comes online."""

    def again(self, gateway: str) -> str | None:
        """The address at the gateway that brings a guest back to the portal with everything fresh, if there is one."""

    def logout(self, gateway: str) -> str | None:
        """The address at the gateway that logs the guest out, if there is one."""
