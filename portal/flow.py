"""The flow token: a guest between gateway, portal page and log-on, sealed into the page's own links and forms.

It stands for a session without a cookie or a row: who is at which gateway, and the challenge that still has to be answered.
"""

import base64
from dataclasses import dataclass
from datetime import datetime, timedelta

from pydantic import TypeAdapter

from hotspot.directory import Directory, Located, NasRecord, SiteRecord
from hotspot.keys import Keyring, Purpose
from hotspot.mac import Mac
from portal.handoffs import Failure, Recognised, State, hands_back_to

# As long as CoovaChilli keeps a challenge.
FLOW_LIFE = timedelta(seconds=600)
# Where no challenge runs out the guest has time to buy a voucher.
FLOW_LIFE_WITHOUT_CHALLENGE = timedelta(hours=1)
_LONGEST_TOKEN = 5000


@dataclass(frozen=True, repr=False)
class Flow:
    """A guest who has come through a gateway, an origin or None; `device` is proved only where `verified`."""

    site_id: int
    access_point_id: int | None
    nas_id: int
    gateway: str | None
    state: State
    failure: Failure | None
    challenge: str | None
    device: Mac | None
    verified: bool
    original_url: str | None
    issued_at: datetime
    echoes: tuple[tuple[str, str], ...] = ()

    @property
    def may_log_in(self) -> bool:
        """Whether the gateway waits for a login; then the flow holds all that one needs."""
        return self.state in (State.NOT_YET, State.FAILED)

    @property
    def proved_device(self) -> Mac | None:
        """The device, where the gateway has signed which it is."""
        return self.device if self.verified else None

    def expired(self, now: datetime) -> bool:
        """Whether the gateway has forgotten the guest by now."""
        life = FLOW_LIFE if self.challenge or self.verified else FLOW_LIFE_WITHOUT_CHALLENGE
        return not timedelta(0) <= now - self.issued_at < life

    def nas(self, directory: Directory) -> NasRecord | None:
        """The NAS, as long as it still exists, serves the site and has this gateway address."""
        for nas in directory.nas:
            if nas.id == self.nas_id and nas.site_id in (None, self.site_id) and hands_back_to(nas, self.gateway):
                return nas
        return None

    def located(self, directory: Directory, site: SiteRecord) -> Located:
        """The place the guest is at."""
        point = directory.access_points.get(self.access_point_id or 0)
        return Located(site, point if point and point.site_id == site.id else None)


_FLOWS = TypeAdapter(Flow)


def begin(directory: Directory, site: SiteRecord, recognised: Recognised, now: datetime) -> Flow:
    """The flow of a guest who has just arrived."""
    arrival = recognised.arrival
    point = recognised.locate(directory, site, now).access_point
    return Flow(
        site_id=site.id,
        access_point_id=point.id if point else None,
        nas_id=recognised.nas.id,
        gateway=arrival.gateway,
        state=arrival.state,
        failure=arrival.failure,
        challenge=arrival.challenge,
        device=arrival.device,
        verified=recognised.verified,
        original_url=arrival.original_url,
        issued_at=now,
        echoes=arrival.echoes,
    )


def seal(keyring: Keyring, flow: Flow) -> str:
    """The token for links and forms."""
    return base64.urlsafe_b64encode(keyring.encrypt(Purpose.PAGES, _FLOWS.dump_json(flow))).decode().rstrip("=")


def unseal(keyring: Keyring, token: str) -> Flow | None:
    """Undo `seal`; None for anything that this installation has not sealed. Says nothing about its age."""
    if not token or len(token) > _LONGEST_TOKEN:
        return None
    try:
        sealed = base64.urlsafe_b64decode(token + "=" * (-len(token) % 4))
        return _FLOWS.validate_json(keyring.decrypt(Purpose.PAGES, sealed))
    except ValueError:
        return None
