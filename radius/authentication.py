"""Access-Requests: from packets to logins, and from decisions to Accept or Reject."""

from collections.abc import Sequence
from datetime import datetime

from pyrad.packet import AccessRequest, StatusServer
from sqlalchemy import update
from sqlalchemy.orm import Session

from hotspot.directory import Located, Nowhere, WrongSsid
from hotspot.keys import Keyring
from hotspot.nas_changes import note_old_secret
from hotspot.place import MessageAuthenticatorPolicy, Nas, announce_change
from radius.clients import Request
from radius.credentials import read_proof
from radius.makes import MAKES
from radius.packet import MOST_OCTETS, Packet
from radius.place import Place
from radius.replies import ROOM_FOR_LIMITS, Reply, accept, reject, status
from sessions.admit import Admitted, admit
from sessions.login import Login
from sessions.places import Places
from vouchers.admission import Reason, Refused

CODES = (AccessRequest, StatusServer)


def read(request: Request, place: Place, now: datetime) -> Login | Refused | None:
    """What an Access-Request asks: a login, or why it cannot be one; None for a Status-Server."""
    packet = request.packet
    if packet.code == StatusServer:
        return None
    user_name = packet.text("User-Name")
    proof = read_proof(packet, request.secret)
    if not user_name or len(user_name) > 253 or proof is None or not _is_in_order(packet):
        return Refused(Reason.BAD_REQUEST)
    located = place.locate(request.nas, packet, now)
    if not isinstance(located, Located):
        return _misplaced(located)
    return Login(
        nas=request.nas,
        located=located,
        user_name=user_name,
        proof=proof,
        device=packet.device,
        nas_address=request.source,
        framed_address=packet.address("Framed-IP-Address"),
        acct_session_id=packet.text("Acct-Session-Id"),
    )


def answer_batch(
    session: Session,
    keyring: Keyring,
    places: Places,
    requests: Sequence[Request],
    interim_seconds: int,
    now: datetime,
) -> list[Reply]:
    """Decide a batch of Access-Requests that were read; the replies may leave once the caller's transaction has committed."""
    logins = [request.told for request in requests if isinstance(request.told, Login)]
    outcomes = iter(admit(session, keyring, logins, interim_seconds, now, places))
    _latch_signatures(session, requests, now)
    note_old_secret(session, {request.nas.id for request in requests if request.by_old_secret}, now)
    return [
        _reply(request, next(outcomes) if isinstance(request.told, Login) else request.told) for request in requests
    ]


def _is_in_order(packet: Packet) -> bool:
    """Whether it says which NAS it is from, is not EAP, which we have not, and leaves room for an answer."""
    if "EAP-Message" in packet or len(packet.proxy_states) > MOST_OCTETS - ROOM_FOR_LIMITS:
        return False
    return "NAS-IP-Address" in packet or "NAS-Identifier" in packet or "NAS-IPv6-Address" in packet


def _misplaced(found: WrongSsid | Nowhere) -> Refused:
    return Refused(Reason.WRONG_SSID if isinstance(found, WrongSsid) else Reason.NO_PLACE)


def _latch_signatures(session: Session, requests: Sequence[Request], now: datetime) -> None:
    """Policy `auto` becomes `yes` for good once a valid Message-Authenticator was seen (CVE-2024-3596)."""
    auto = MessageAuthenticatorPolicy.AUTO
    seen = {r.nas.id for r in requests if r.signed and r.nas.message_authenticator is auto and not r.nas.signed}
    if seen:
        session.execute(update(Nas).where(Nas.id.in_(seen), Nas.signed_at.is_(None)).values(signed_at=now))
        announce_change(session)


def _reply(request: Request, outcome: object) -> Reply:
    if isinstance(outcome, Admitted):
        return Reply(accept(request, MAKES[request.nas.make], outcome), "accepted")
    if isinstance(outcome, Refused):
        return Reply(reject(request, outcome), outcome.reason)
    return Reply(status(request, accounting=False), "status")
