"""Access-Requests: from packets to logins, and from decisions to Accept or Reject."""

from collections.abc import Sequence
from datetime import datetime

from pyrad.packet import AccessRequest, StatusServer
from sqlalchemy import update
from sqlalchemy.orm import Session

from hotspot.directory import Directory, Located, Nowhere, WrongSsid
from hotspot.keys import Keyring
from hotspot.place import MessageAuthenticatorPolicy, Nas, announce_change
from radius.clients import Request
from radius.credentials import read_proof
from radius.makes import MAKES
from radius.replies import Reply, accept, reject, status
from sessions.admit import Admitted, admit
from sessions.login import Login
from vouchers.admission import Reason, Refused

CODES = (AccessRequest, StatusServer)


def answer_batch(
    session: Session,
    keyring: Keyring,
    directory: Directory,
    requests: Sequence[Request],
    interim_seconds: int,
    now: datetime,
) -> list[Reply]:
    """Decide a batch of Access-Requests; the replies may leave once the caller's transaction has committed."""
    read = [_read(request, directory, now) for request in requests]
    logins = [login for login in read if isinstance(login, Login)]
    outcomes = iter(admit(session, keyring, logins, interim_seconds, now))
    _latch_signatures(session, requests, now)
    return [
        _reply(request, next(outcomes) if isinstance(one, Login) else one)
        for request, one in zip(requests, read, strict=True)
    ]


def _read(request: Request, directory: Directory, now: datetime) -> Login | Refused | None:
    """What an Access-Request asks: a login, or why it cannot be one; None for a Status-Server."""
    packet = request.packet
    if packet.code == StatusServer:
        return None
    user_name = packet.text("User-Name")
    proof = read_proof(packet, request.decoded)
    identified = any(name in packet for name in ("NAS-IP-Address", "NAS-IPv6-Address", "NAS-Identifier"))
    if not user_name or len(user_name) > 253 or proof is None or not identified or "EAP-Message" in packet:
        return Refused(Reason.BAD_REQUEST)
    located = directory.locate(request.nas, packet.text("Called-Station-Id"), packet.text("NAS-Identifier"), now)
    if not isinstance(located, Located):
        return _misplaced(located)
    return Login(
        nas=request.nas,
        located=located,
        user_name=user_name,
        proof=proof,
        device=packet.device,
        nas_address=request.datagram.source[0],
        framed_address=packet.address("Framed-IP-Address"),
    )


def _misplaced(found: WrongSsid | Nowhere) -> Refused:
    return Refused(Reason.WRONG_SSID if isinstance(found, WrongSsid) else Reason.NO_PLACE)


def _latch_signatures(session: Session, requests: Sequence[Request], now: datetime) -> None:
    """Policy `auto` becomes `yes` for good once a valid Message-Authenticator was seen (CVE-2024-3596)."""
    auto = MessageAuthenticatorPolicy.AUTO
    seen = {r.nas.id for r in requests if r.signed and r.nas.message_authenticator is auto and not r.nas.signed}
    if seen:
        session.execute(update(Nas).where(Nas.id.in_(seen), Nas.signed_at.is_(None)).values(signed_at=now))
        announce_change(session)


def _reply(request: Request, outcome: Admitted | Refused | None) -> Reply:
    if outcome is None:
        return Reply(status(request.decoded, accounting=False), "status")
    if isinstance(outcome, Refused):
        return Reply(reject(request.decoded, outcome.reason), outcome.reason)
    return Reply(accept(request.decoded, MAKES[request.nas.make], outcome), "accepted")
