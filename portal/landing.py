"""Landing tokens: they let a guest whose browser keeps no cookie see how the visit stands, and do nothing else.

They come back through the gateway in clear, so whoever listens has them too (docs/decisions/0003).
"""

import base64
from datetime import datetime, timedelta

from hotspot.keys import Keyring, Purpose

LANDING_LIFE = timedelta(hours=1)
_LONGEST_TOKEN = 300


def make_token(keyring: Keyring, handle: str, now: datetime) -> str:
    """A token for the visit with this handle."""
    sealed = keyring.encrypt(Purpose.PAGES, f"landing {int(now.timestamp())} {handle}")
    return base64.urlsafe_b64encode(sealed).decode().rstrip("=")


def read_token(keyring: Keyring, token: str, now: datetime) -> str | None:
    """The handle in a token; None for one that is older than LANDING_LIFE, or that this installation has not made."""
    if not token or len(token) > _LONGEST_TOKEN:
        return None
    try:
        clear = keyring.decrypt(Purpose.PAGES, base64.urlsafe_b64decode(token + "=" * (-len(token) % 4)))
        label, moment, handle = clear.decode().split(" ")
        fresh = label == "landing" and 0 <= now.timestamp() - int(moment) < LANDING_LIFE.total_seconds()
    except ValueError:
        return None
    return handle if fresh else None
