"""The bounce: a plain-HTTP address that leads a phone on the Wi-Fi back through its gateway, as one with a scanned voucher.

A gateway can redirect plain HTTP alone. What it intercepts comes back as the address the guest wanted; without a gateway the
portal itself answers, and says so. That address crosses the air in clear, and whoever copies it comes back as the guest would.
So it holds, sealed, the code without its end: that is typed, or known to the browser that scanned it (docs/decisions/0017).
"""

import base64
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy.orm import Session

from hotspot import limits
from hotspot.keys import Purpose
from hotspot.limits import Counted, Limit
from portal.context import Portal
from portal.flow import Flow
from vouchers.codes import Code, read_end

# Long enough to find the Wi-Fi and to join it.
LIFE = timedelta(minutes=30)
PATH = "/b/"
_LABEL = "scan"
_LONGEST_TOKEN = 200


@dataclass(frozen=True, repr=False)
class Scan:
    """What such an address holds: a code without its end; the site is None where nobody is told it."""

    stem: str
    site_id: int | None
    scanned_at: datetime

    @property
    def tries(self) -> Counted:
        """What the tries at the end of this code are counted by; whoever scans it anew has others."""
        return Counted(Limit.ENDS_OF_SCANNED_CODE, f"{self.stem} {self.scanned_at.timestamp()}")


def address(portal: Portal, code: Code, site_id: int | None, now: datetime) -> str | None:
    """The address for a scanned code; None where the operator has set no name for it up."""
    if not portal.settings.bounce_url:
        return None
    clear = f"{_LABEL} {int(now.timestamp())} {site_id or 0} {code.stem}"
    sealed = portal.keyring.encrypt(Purpose.PAGES, clear)
    return f"{portal.settings.bounce_url}{PATH}{base64.urlsafe_b64encode(sealed).decode().rstrip('=')}"


def is_bounce(portal: Portal, url: str) -> bool:
    """Whether `url` is such an address: one to come from, and none to go on to."""
    return bool(portal.settings.bounce_url) and url.startswith(portal.settings.bounce_url + PATH)


def brought(portal: Portal, flow: Flow | None) -> Scan | None:
    """What a guest has brought along who wanted such an address when the gateway stepped in."""
    url = flow.original_url if flow else None
    if flow is None or url is None or not is_bounce(portal, url):
        return None
    return unseal(portal, url.removeprefix(portal.settings.bounce_url + PATH).partition("?")[0], flow.issued_at)


def takes_end(session: Session, portal: Portal, flow: Flow | None, now: datetime) -> bool:
    """Whether the end of the code will do for this guest: there are few tries at it."""
    scan = brought(portal, flow)
    return scan is not None and not limits.reached(session, portal.keyring, [scan.tries], now)


def complete(session: Session, portal: Portal, flow: Flow, typed: str, now: datetime) -> str:
    """What a guest has typed; a scanned code as a whole where that is its end.

    Each try counts, a right one too. It is counted before it is looked at, for that holds the row: tries at once come one
    after the other, and none is too many.
    """
    scan, end = brought(portal, flow), read_end(typed)
    if scan is None or end is None:
        return typed
    is_last = limits.hit(session, portal.keyring, [scan.tries], now)
    too_many = not is_last and limits.reached(session, portal.keyring, [scan.tries], now)
    return typed if too_many else scan.stem + end


def is_end(portal: Portal, flow: Flow, typed: str) -> bool:
    """Whether the guest has typed the end of a scanned code alone."""
    return read_end(typed) is not None and brought(portal, flow) is not None


def unseal(portal: Portal, token: str, now: datetime) -> Scan | None:
    """What a token holds; None for anything that this installation has not sealed, or has sealed too long ago."""
    if len(token) > _LONGEST_TOKEN:
        return None
    try:
        sealed = base64.urlsafe_b64decode(token + "=" * (-len(token) % 4))
        label, moment, site_id, stem = portal.keyring.decrypt(Purpose.PAGES, sealed).decode().split(" ")
        scanned_at = datetime.fromtimestamp(int(moment), now.tzinfo)
        fresh = label == _LABEL and timedelta(0) <= now - scanned_at < LIFE
        return Scan(stem, int(site_id) or None, scanned_at) if fresh else None
    except ValueError:
        return None
