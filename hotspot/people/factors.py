"""The second factor: codes of an authenticator app (TOTP, RFC 6238), and codes on paper for when the telephone is lost."""

import hmac
import secrets
from datetime import datetime

import pyotp
from sqlalchemy import ForeignKey, LargeBinary, UniqueConstraint, delete, func, or_, select, update
from sqlalchemy.orm import Mapped, Session, mapped_column

from hotspot import audit
from hotspot.audit import Actor
from hotspot.database import Base, BigId
from hotspot.errors import Refusal
from hotspot.keys import HASH_OCTETS, Keyring, Purpose
from hotspot.people import User
from hotspot.people.passkeys import Passkey

RECOVERY_CODES = 10
_UNMISTAKABLE = "abcdefghjkmnpqrstuvwxyz23456789"
_STEP_SECONDS = 30
# Clocks of telephones are right to less than half a minute, and people need a moment to type.
_STEPS_AROUND = (0, -1, 1)


class RecoveryCode(Base):
    """A code that stands in once for the second factor, as a keyed hash."""

    __tablename__ = "recovery_code"
    __table_args__ = (UniqueConstraint("user_id", "code_hash"),)

    id: Mapped[int] = mapped_column(BigId, primary_key=True)
    user_id: Mapped[int] = mapped_column(ForeignKey("user_account.id"))
    code_hash: Mapped[bytes] = mapped_column(LargeBinary(HASH_OCTETS))


def new_secret() -> str:
    """A secret for an authenticator app, 160 bits in base 32."""
    return pyotp.random_base32()


def app_address(secret: str, account: str, product: str) -> str:
    """What the QR code for the app says: an `otpauth:` address."""
    return pyotp.TOTP(secret).provisioning_uri(name=account, issuer_name=product)


def code_at(secret: str, step: int) -> str:
    """The code of a time step, six digits."""
    return pyotp.TOTP(secret).generate_otp(step)


def step_at(now: datetime) -> int:
    """The time step of a moment."""
    return int(now.timestamp()) // _STEP_SECONDS


def set_up_totp(
    session: Session, actor: Actor, keyring: Keyring, user: User, secret: str, code: str, now: datetime
) -> list[str]:
    """Have an app's codes asked from now on, in place of those of another; returns new recovery codes, shown once.

    Refusal when `code` is not of this secret.
    """
    step = _step_of(secret, code, now)
    if step is None:
        raise Refusal("wrong-code", "This is not the code that the app shows now.")
    user.totp_secret, user.totp_step = keyring.encrypt(Purpose.SECRETS, secret), step
    _record(session, actor, "second factor set up", user, now)
    return new_recovery_codes(session, actor, keyring, user, now)


def new_recovery_codes(session: Session, actor: Actor, keyring: Keyring, user: User, now: datetime) -> list[str]:
    """Ten recovery codes, in place of all older ones."""
    codes = [_new_code() for _ in range(RECOVERY_CODES)]
    session.execute(delete(RecoveryCode).where(RecoveryCode.user_id == user.id))
    session.add_all(RecoveryCode(user_id=user.id, code_hash=_hash(keyring, user, code)) for code in codes)
    _record(session, actor, "recovery codes made", user, now)
    return codes


def take_code(session: Session, keyring: Keyring, user: User, code: str, now: datetime) -> bool:
    """Whether this is the app's code, one that was not taken before, or a recovery code, which is used up by it."""
    code = "".join(code.split())
    return _take_totp(session, keyring, user, code, now) or _take_recovery(session, keyring, user, code, now)


def has_factor(session: Session, user: User) -> bool:
    """Whether the password alone does not let this person in."""
    passkeys = select(Passkey.id).where(Passkey.user_id == user.id).limit(1)
    return user.totp_secret is not None or session.scalar(passkeys) is not None


def codes_left(session: Session, user_id: int) -> int:
    """How many recovery codes somebody has left."""
    return session.scalar(select(func.count(RecoveryCode.id)).where(RecoveryCode.user_id == user_id)) or 0


def remove_factors(session: Session, actor: Actor, user: User, now: datetime) -> None:
    """Let the password alone be enough again: app, passkeys and recovery codes are gone."""
    user.totp_secret = user.totp_step = None
    session.execute(delete(RecoveryCode).where(RecoveryCode.user_id == user.id))
    session.execute(delete(Passkey).where(Passkey.user_id == user.id))
    _record(session, actor, "second factor removed", user, now)


def _take_totp(session: Session, keyring: Keyring, user: User, code: str, now: datetime) -> bool:
    if user.totp_secret is None:
        return False
    step = _step_of(keyring.decrypt(Purpose.SECRETS, user.totp_secret).decode(), code, now)
    if step is None:
        return False
    # Race: the same code is sent twice, by its owner and by who has looked over the shoulder; one of them is too late.
    unused = or_(User.totp_step.is_(None), User.totp_step < step)
    taken = update(User).where(User.id == user.id, unused).values(totp_step=step)
    return session.connection().execute(taken).rowcount == 1


def _step_of(secret: str, code: str, now: datetime) -> int | None:
    for around in _STEPS_AROUND:
        step = step_at(now) + around
        if hmac.compare_digest(code_at(secret, step).encode(), code.encode()):
            return step
    return None


def _take_recovery(session: Session, keyring: Keyring, user: User, code: str, now: datetime) -> bool:
    hashes = keyring.hashes(Purpose.PAGES, "recovery", user.public_id, code.replace("-", "").lower())
    of_user = (RecoveryCode.user_id == user.id, RecoveryCode.code_hash.in_(hashes))
    # Race: of two who send the same code at once one is too late.
    used = session.connection().execute(delete(RecoveryCode).where(*of_user)).rowcount == 1
    if used:
        _record(session, Actor(user.id), "recovery code used", user, now)
    return used


def _new_code() -> str:
    """Twelve characters that nobody mistakes for others: 59 bits."""
    return "-".join("".join(secrets.choice(_UNMISTAKABLE) for _ in range(4)) for _ in range(3))


def _hash(keyring: Keyring, user: User, code: str) -> bytes:
    return keyring.hash(Purpose.PAGES, "recovery", user.public_id, code.replace("-", ""))


def _record(session: Session, actor: Actor, action: str, user: User, now: datetime) -> None:
    audit.record(session, actor, action, f"user {user.public_id}", now, customer_id=user.customer_id, detail=user.name)
