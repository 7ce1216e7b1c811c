"""Passkeys (WebAuthn): a telephone or computer that vouches for its owner, as good as password and second factor together."""

import ipaddress
import json
from dataclasses import dataclass
from datetime import datetime
from urllib.parse import urlsplit

import webauthn
from sqlalchemy import BigInteger, ForeignKey, LargeBinary, String, select
from sqlalchemy.orm import Mapped, Session, mapped_column
from webauthn.helpers import base64url_to_bytes
from webauthn.helpers.exceptions import WebAuthnException
from webauthn.helpers.structs import (
    AuthenticatorSelectionCriteria,
    PublicKeyCredentialDescriptor,
    ResidentKeyRequirement,
    UserVerificationRequirement,
)

from hotspot import audit
from hotspot.audit import Actor
from hotspot.database import Base, Identified
from hotspot.errors import Refusal
from hotspot.people import User

MOST_PASSKEYS = 20
LONGEST_PASSKEY_NAME = 60
_LONGEST_ANSWER = 20_000


class Passkey(Identified, Base):
    """A passkey of a person; `uses` is the authenticator's own counter, which many leave at 0."""

    __tablename__ = "passkey"

    user_id: Mapped[int] = mapped_column(ForeignKey("user_account.id"), index=True)
    name: Mapped[str] = mapped_column(String(LONGEST_PASSKEY_NAME))
    credential: Mapped[bytes] = mapped_column(LargeBinary(1023), unique=True)
    public_key: Mapped[bytes] = mapped_column(LargeBinary)
    uses: Mapped[int] = mapped_column(BigInteger)
    created_at: Mapped[datetime]
    used_at: Mapped[datetime | None]


@dataclass(frozen=True)
class RelyingParty:
    """Whom passkeys are made for: the portal's host, by its name, and its origin."""

    id: str
    origin: str
    name: str

    @classmethod
    def of(cls, portal_url: str, name: str) -> "RelyingParty | None":
        """None where browsers make no passkeys: without HTTPS, except on this machine, or when the host is a number."""
        parts = urlsplit(portal_url)
        host = parts.hostname or ""
        try:
            ipaddress.ip_address(host)
        except ValueError:
            fits = parts.scheme == "https" or host == "localhost"
            return cls(host, f"{parts.scheme}://{parts.netloc}", name) if fits else None
        return None


def registration_options(session: Session, party: RelyingParty, user: User, challenge: bytes) -> str:
    """What the browser needs to make a passkey, as JSON."""
    own = session.scalars(select(Passkey.credential).where(Passkey.user_id == user.id))
    options = webauthn.generate_registration_options(
        rp_id=party.id,
        rp_name=party.name,
        user_id=user.public_id.encode(),
        user_name=user.email or user.name,
        user_display_name=user.name,
        challenge=challenge,
        authenticator_selection=AuthenticatorSelectionCriteria(
            resident_key=ResidentKeyRequirement.REQUIRED, user_verification=UserVerificationRequirement.REQUIRED
        ),
        exclude_credentials=[PublicKeyCredentialDescriptor(id=one) for one in own],
    )
    return webauthn.options_to_json(options)


def sign_in_options(party: RelyingParty, challenge: bytes) -> str:
    """What the browser needs to ask for any passkey of this portal, as JSON."""
    verify = UserVerificationRequirement.REQUIRED
    options = webauthn.generate_authentication_options(rp_id=party.id, challenge=challenge, user_verification=verify)
    return webauthn.options_to_json(options)


def add_passkey(
    session: Session,
    actor: Actor,
    party: RelyingParty,
    user: User,
    name: str,
    answer: str,
    challenge: bytes,
    now: datetime,
) -> Passkey:
    """Keep the passkey that a browser has made. Refusal when its answer is not to this challenge."""
    known = select(Passkey.credential).where(Passkey.user_id == user.id)
    if len(session.scalars(known).all()) >= MOST_PASSKEYS:
        raise Refusal("too-many-passkeys", f"An account has {MOST_PASSKEYS} passkeys at most.")
    try:
        made = webauthn.verify_registration_response(
            credential=_read(answer),
            expected_challenge=challenge,
            expected_rp_id=party.id,
            expected_origin=party.origin,
            require_user_verification=True,
        )
    except (WebAuthnException, ValueError, KeyError, TypeError) as error:
        raise Refusal("bad-passkey", "The passkey could not be made.") from error
    added = Passkey(
        user_id=user.id,
        name=" ".join(name.split())[:LONGEST_PASSKEY_NAME],
        credential=made.credential_id,
        public_key=made.credential_public_key,
        uses=made.sign_count,
        created_at=now,
    )
    session.add(added)
    _record(session, actor, "passkey added", user, now)
    return added


def take_passkey(session: Session, party: RelyingParty, answer: str, challenge: bytes, now: datetime) -> User:
    """Whose passkey has answered this challenge. Refusal when it is nobody's, or the answer is not right."""
    try:
        read = _read(answer)
        credential = base64url_to_bytes(str(read["rawId"]))
        passkey = session.scalar(select(Passkey).where(Passkey.credential == credential).with_for_update())
        user = session.get(User, passkey.user_id) if passkey else None
        if passkey is None or user is None or user.retired_at:
            raise ValueError("nobody's passkey")
        checked = webauthn.verify_authentication_response(
            credential=read,
            expected_challenge=challenge,
            expected_rp_id=party.id,
            expected_origin=party.origin,
            credential_public_key=passkey.public_key,
            credential_current_sign_count=passkey.uses,
            require_user_verification=True,
        )
    except (WebAuthnException, ValueError, KeyError, TypeError) as error:
        raise Refusal("bad-passkey", "This passkey is not known here.") from error
    passkey.uses, passkey.used_at = checked.new_sign_count, now
    return user


def remove_passkey(session: Session, actor: Actor, user: User, public_id: str, now: datetime) -> None:
    """Take one passkey of somebody away; nothing when there is none of theirs by this name."""
    found = session.scalar(select(Passkey).where(Passkey.user_id == user.id, Passkey.public_id == public_id))
    if found:
        session.delete(found)
        _record(session, actor, "passkey removed", user, now)


def passkeys_of(session: Session, user_id: int) -> list[Passkey]:
    """Somebody's passkeys, the oldest first."""
    return list(session.scalars(select(Passkey).where(Passkey.user_id == user_id).order_by(Passkey.id)))


def _read(answer: str) -> dict[str, object]:
    if len(answer) > _LONGEST_ANSWER:
        raise ValueError("too long")
    try:
        read = json.loads(answer)
    except RecursionError as error:
        raise ValueError("too deep") from error
    if not isinstance(read, dict):
        raise ValueError("not an object")
    return read


def _record(session: Session, actor: Actor, action: str, user: User, now: datetime) -> None:
    audit.record(session, actor, action, f"user {user.public_id}", now, customer_id=user.customer_id, detail=user.name)
