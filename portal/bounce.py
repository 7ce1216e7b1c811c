"""The bounce: a plain-HTTP address that leads a phone on the Wi-Fi back through its gateway, a scanned code filled in.

A gateway can redirect plain HTTP alone. What it intercepts comes back as the address the guest wanted; without a gateway the
portal itself answers, and says so. The code is sealed, for that address crosses the air in clear.
"""

import base64
from dataclasses import dataclass
from datetime import datetime, timedelta

from hotspot.keys import Purpose
from portal.context import Portal
from vouchers.codes import Code

# Long enough to find the Wi-Fi and to join it.
LIFE = timedelta(minutes=30)
PATH = "/b/"
_LABEL = "bounce"
_LONGEST_TOKEN = 200


@dataclass(frozen=True, repr=False)
class Bounced:
    """What such an address holds; the site is None where nobody is told it."""

    code: Code
    site_id: int | None


def address(portal: Portal, code: Code, site_id: int | None, now: datetime) -> str | None:
    """The address for a scanned code; None where the operator has set no name for it up."""
    if not portal.settings.bounce_url:
        return None
    clear = f"{_LABEL} {int(now.timestamp())} {site_id or 0} {code.value}"
    sealed = portal.keyring.encrypt(Purpose.PAGES, clear)
    return f"{portal.settings.bounce_url}{PATH}{base64.urlsafe_b64encode(sealed).decode().rstrip('=')}"


def is_bounce(portal: Portal, url: str) -> bool:
    """Whether `url` is such an address: one to come from, and none to go on to."""
    return bool(portal.settings.bounce_url) and url.startswith(portal.settings.bounce_url + PATH)


def brought_code(portal: Portal, url: str | None, now: datetime) -> str:
    """The code that a guest has brought who wanted `url` when the gateway stepped in, as it is printed; empty for none."""
    if url is None or not is_bounce(portal, url):
        return ""
    found = unseal(portal, url.removeprefix(portal.settings.bounce_url + PATH).partition("?")[0], now)
    return found.code.printed if found else ""


def unseal(portal: Portal, token: str, now: datetime) -> Bounced | None:
    """What a token holds; None for anything that this installation has not sealed, or has sealed too long ago."""
    if len(token) > _LONGEST_TOKEN:
        return None
    try:
        sealed = base64.urlsafe_b64decode(token + "=" * (-len(token) % 4))
        label, moment, site_id, code = portal.keyring.decrypt(Purpose.PAGES, sealed).decode().split(" ")
        fresh = label == _LABEL and timedelta(0) <= now - datetime.fromtimestamp(int(moment), now.tzinfo) < LIFE
        return Bounced(Code.parse(code), int(site_id) or None) if fresh else None
    except ValueError:
        return None
