"""`md`, the signature that CoovaChilli puts on its redirects; other gateways that can run a script may sign likewise."""

import hashlib
import hmac

from hotspot.directory import NasRecord
from portal.handoffs.arrival import Sent

_SIGNATURE = b"&md="


def signed_part(sent: Sent) -> bytes:
    """The query up to the signature: what follows it, anybody could have added."""
    return sent.query.partition(_SIGNATURE)[0]


def is_signed(sent: Sent, nas: NasRecord) -> bool:
    """Whether `md` is the MD5 of the whole address up to `&md=`, followed by the UAM secret of this NAS."""
    signed, found, rest = sent.query.partition(_SIGNATURE)
    if not found or not nas.uam_secret:
        return False
    told = rest.partition(b"&")[0].upper()
    url = sent.page_url.encode() + b"?" + signed
    return hmac.compare_digest(told, md5(url + nas.uam_secret.encode()).hex().upper().encode())


def md5(octets: bytes) -> bytes:
    """MD5 because the protocol says so."""
    return hashlib.md5(octets, usedforsecurity=False).digest()
