"""Challenges for passkeys: kept in the signed cookie, and answered once."""

import base64
import binascii
import secrets

from flask import session

from hotspot import limits
from hotspot.errors import Refusal
from hotspot.limits import Counted, Limit
from hotspot.people.passkeys import RelyingParty
from portal.context import current

_KEPT_AS = "challenge"


def party() -> RelyingParty | None:
    """Whom passkeys are made for; None where browsers make none."""
    settings = current().settings
    return RelyingParty.of(settings.public_portal_url, settings.product_name)


def new_challenge() -> bytes:
    """A challenge for this browser, in place of the one before."""
    challenge = secrets.token_bytes(32)
    session[_KEPT_AS] = [base64.b64encode(challenge).decode(), int(current().clock().timestamp())]
    return challenge


def take_challenge() -> bytes:
    """The challenge of this browser, used up by this. Refusal when there is none, or it is too old or was answered before.

    The cookie may be a copy of one that has done its duty, so the database remembers which were answered.
    """
    portal = current()
    now = portal.clock()
    kept, made_at = session.pop(_KEPT_AS, ("", 0))
    try:
        challenge = base64.b64decode(kept, validate=True)
    except binascii.Error:
        challenge = b""
    answered = Counted(Limit.CHALLENGE, kept)
    if not challenge or not 0 <= now.timestamp() - made_at < Limit.CHALLENGE.window.total_seconds():
        raise Refusal("bad-passkey", "This page was open too long.")
    with portal.database.write() as database:
        if limits.hit(database, portal.keyring, [answered], now) != [answered]:
            raise Refusal("bad-passkey", "This challenge was answered before.")
    return challenge
