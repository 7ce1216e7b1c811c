"""What openNDS gateways ask and tell by themselves: whom to let in, who was let in, and who is online.

The questions are those of openNDS's authmon (level 3). It proves nothing but where it asks from, so nothing that it says ends
a visit or, where reports come, takes anybody off the list; and the names it gets are worth nothing without the faskey. The
report is that of deploy/opennds/surfpass-report, which signs it with the faskey, and by which visits end.
"""

import base64
import binascii
import hashlib
import hmac
import ipaddress
import math
import random
import re
from datetime import UTC, datetime, timedelta
from operator import attrgetter
from urllib.parse import quote

from flask import abort, request
from werkzeug.wrappers import Response

from hotspot.directory import Directory, NasRecord, SiteRecord
from hotspot.mac import Mac
from hotspot.place import MAKES_WITHOUT_RADIUS
from portal.context import Portal
from portal.handoffs.opennds import gateway_hash
from portal.transactions import commit
from sessions.accounting import account
from sessions.gateway_report import Online, take_report
from sessions.kept import Entry, begin, to_let_in, unheard

# authmon reads 1024 characters of an answer.
MOST_ENTRIES = 8
CLOCKS_DIFFER = timedelta(minutes=5)
_NAME = re.compile("[0-9a-f]{64}")
_LINE = re.compile("([0-9a-f:]{17}) ([0-9]{1,15}) ([0-9]{1,15})")
_KIB = 1024


def is_poll() -> bool:
    """Whether this request is a gateway's own, and no guest's."""
    return "auth_get" in request.form


def answer(portal: Portal, directory: Directory, site: SiteRecord, now: datetime) -> Response:
    """Answer a gateway in openNDS's words; 403 for whoever is none of this site's."""
    nas = _find_gateway(directory, site)
    if nas is None:
        abort(403)
    poll = _Poll(portal, directory, nas, now)
    match request.form["auth_get"]:
        case "view" | "list":
            text = poll.view(_payload())
        case "custom":
            text = poll.report(_payload())
        case _:  # "clear", by a gateway that has just started, and "deauthed": the next report says all of it
            text = ""
    return Response(text, mimetype="text/plain")


def _find_gateway(directory: Directory, site: SiteRecord) -> NasRecord | None:
    told, source = request.form.get("gatewayhash", ""), ipaddress.ip_address(request.remote_addr or "::")
    for nas in directory.nas:
        if nas.site_id == site.id and nas.make in MAKES_WITHOUT_RADIUS and nas.nas_identifier:
            named = hmac.compare_digest(told.encode(), gateway_hash(nas.nas_identifier).encode())
            if named and source.version == nas.network.version and source in nas.network:
                return nas
    return None


def _payload() -> str:
    try:
        return base64.b64decode(request.form.get("payload", ""), validate=True).decode("ascii")
    except (binascii.Error, ValueError):
        abort(400)


class _Poll:
    """One request of one gateway."""

    def __init__(self, portal: Portal, directory: Directory, nas: NasRecord, now: datetime) -> None:
        self.portal, self.directory, self.nas, self.now = portal, directory, nas, now

    def view(self, payload: str) -> str:
        """Whom to let in; or, with their names, that these were let in."""
        if payload.startswith("*"):
            self._begin({name for name in payload.split() if _NAME.fullmatch(name)})
            return "ack"
        keyring = self.portal.keyring
        with self.portal.database.read() as session:
            entries = to_let_in(session, keyring, self.directory, self.nas, self.now)
            alive = unheard(session, keyring, self.nas, self.now)
        if alive:
            commit(self.portal.database, lambda session: account(session, keyring, self.directory, alive, self.now))
        # By chance: those whom the gateway does not know any more must not stand in the way of the others.
        shuffled = random.sample(entries, len(entries))
        chosen = sorted(shuffled, key=attrgetter("acknowledged"))[:MOST_ENTRIES]
        return " ".join(["*", *(quote(_spell(entry)) for entry in chosen)])

    def _begin(self, names: set[str]) -> None:
        if names:
            told = (self.portal.keyring, self.directory, self.nas, names, self.now)
            commit(self.portal.database, lambda session: begin(session, *told))

    def report(self, payload: str) -> str:
        """Take a signed report; the answer is who has to go, a MAC a line."""
        online = _read_report(payload, self.nas.uam_secret or "", self.now)
        if online is None:
            abort(403)
        told = (self.portal.keyring, self.directory, self.nas, online, self.now)
        unwanted = commit(self.portal.database, lambda session: take_report(session, *told))
        return "".join(f"{mac.value.replace('-', ':').lower()}\n" for mac in unwanted)


def _spell(entry: Entry) -> str:
    """The arguments of `ndsctl auth`: minutes, kbit/s up and down, KiB up and down; 0 is no limit."""
    granted = entry.granted
    minutes = math.ceil(granted.seconds_left / 60)
    # The volume is of both directions together; the gateway can only hold each to it, and the PoP ends what is over.
    volume = max(1, granted.octets_left // _KIB) if granted.octets_left is not None else 0
    return f"{entry.name} {minutes} {granted.up_kbit or 0} {granted.down_kbit or 0} {volume} {volume}"


def _read_report(payload: str, key: str, now: datetime) -> list[Online] | None:
    """`time`, then `MAC KiB-up KiB-down` of each device, then the signature, a line each; None if it is not this gateway's."""
    body, _, signature = payload.rstrip("\n").rpartition("\n")
    if not hmac.compare_digest(signature, sign_report(body, key)):
        return None
    moment, *lines = body.split("\n")
    read = [_LINE.fullmatch(line) for line in lines]
    if not moment.isdecimal() or len(moment) > 11 or not all(read):
        return None
    if abs(datetime.fromtimestamp(int(moment), UTC) - now) > CLOCKS_DIFFER:
        return None
    return [Online(Mac.parse(one[1]), int(one[2]) * _KIB, int(one[3]) * _KIB) for one in read if one]


def sign_report(body: str, key: str) -> str:
    """Hashed twice with the key, as a shell can: nobody can lengthen what is signed."""
    return _sha256(key + _sha256(f"{key}{body}\n"))


def _sha256(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()
