"""What changes on a RADIUS client (NAS) that runs: its secret, without a gap, and what it may and must do."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import delete, or_, select, update
from sqlalchemy.orm import Session

from hotspot import audit
from hotspot.audit import Actor
from hotspot.errors import NotFound, Refusal, WrongUse
from hotspot.keys import Keyring, Purpose
from hotspot.nas import check_guest_networks, check_secret, read_gateway_address
from hotspot.place import MAKES_WITHOUT_RADIUS, LoginWay, MessageAuthenticatorPolicy, Nas, OldSecret, announce_change

LONGEST_KEEPING = timedelta(days=90)
# Each is tried on every request that the newer ones do not fit.
MOST_OLD_SECRETS = 3
# How exactly the last use of an old secret is known; the row is not written for every request.
USE_IS_NOTED_EVERY = timedelta(minutes=1)


def find_nas(session: Session, name_or_id: str) -> Nas:
    """The NAS with this name or public id; NotFound when there is none."""
    named = or_(Nas.public_id == name_or_id, Nas.name == name_or_id)
    found = session.scalar(select(Nas).where(named, Nas.retired_at.is_(None)))
    if not found:
        raise NotFound("no-nas", f"There is no NAS {name_or_id[:80]!r}.")
    return found


def change_secret(
    session: Session, actor: Actor, keyring: Keyring, nas: Nas, secret: str, keep_old_for: timedelta, now: datetime
) -> Sequence[Nas]:
    """Give a NAS and all others of its network a new secret; the old one stays valid for `keep_old_for`.

    Zero ends at once whatever was valid until now: the present secret and those that were kept before it.
    Returns those that have it now: the source address alone chooses the secret (RFC 2865 §3). Refusal for a secret that is
    too short or in use already.
    """
    check_secret(secret)
    if nas.make in MAKES_WITHOUT_RADIUS:
        raise Refusal("no-radius", f"{nas.name} speaks no RADIUS: it has no RADIUS secret.")
    if not timedelta(0) <= keep_old_for <= LONGEST_KEEPING:
        raise WrongUse("bad-duration", f"An old secret can be kept for 0 to {LONGEST_KEEPING.days} days.")
    # Race: of two changes at once the second sees what the first has made of the rows.
    speaking = select(Nas).where(Nas.retired_at.is_(None), Nas.make.not_in(MAKES_WITHOUT_RADIUS))
    of_network = speaking.where(Nas.network == nas.network).order_by(Nas.id)
    changed = session.scalars(of_network.with_for_update(), execution_options={"populate_existing": True}).all()
    if keyring.decrypt(Purpose.SECRETS, nas.secret).decode() == secret:
        raise Refusal("secret-unchanged", "This is the secret that is in force already.")
    for one in changed:
        _replace_secret(keyring, one, secret, now + keep_old_for, now)
        kept = f"{one.name}: old one valid until {now + keep_old_for:%Y-%m-%d %H:%M} UTC" if keep_old_for else one.name
        _record(session, actor, "NAS secret changed", one, now, kept)
    session.flush()
    announce_change(session)
    return changed


def _replace_secret(keyring: Keyring, nas: Nas, secret: str, valid_until: datetime, now: datetime) -> None:
    """The present secret becomes an old one; those whose time is over are erased, and so is one that returns to force."""
    kept = []
    if now < valid_until:
        kept = [
            old
            for old in nas.old_secrets
            if now < old.valid_until and keyring.decrypt(Purpose.SECRETS, old.secret).decode() != secret
        ]
        kept.insert(0, OldSecret(secret=nas.secret, valid_until=valid_until))
    if len(kept) > MOST_OLD_SECRETS:
        raise Refusal("too-many-secrets", f"{nas.name} has {MOST_OLD_SECRETS} old secrets that are still valid: wait.")
    nas.old_secrets = kept
    nas.secret = keyring.encrypt(Purpose.SECRETS, secret)
    nas.old_secret_used_at = None


@dataclass(frozen=True)
class NasChange:
    """What to change on a NAS; None leaves it as it is."""

    message_authenticator: MessageAuthenticatorPolicy | None = None
    logins: tuple[LoginWay, ...] | None = None
    coa_port: int | None = None
    gateway_addresses: tuple[str, ...] | None = None
    uam_pap: bool | None = None
    guest_networks: tuple[str, ...] | None = None


def change_nas(session: Session, actor: Actor, nas: Nas, change: NasChange, now: datetime) -> None:
    """Change a NAS that runs; the doors follow at once. WrongUse where nothing is to be changed."""
    said = []
    if change.message_authenticator is not None:
        # Whoever chooses `auto` anew has put up a device that does not sign: it starts without what the last one did.
        nas.message_authenticator, nas.signed_at = change.message_authenticator, None
        said.append(f"Message-Authenticator {change.message_authenticator}")
    if change.logins is not None:
        if nas.make in MAKES_WITHOUT_RADIUS:
            raise WrongUse("no-radius", f"{nas.name} speaks no RADIUS: guests log in at the portal only.")
        nas.logins = [str(way) for way in change.logins]
        said.append(f"logins {','.join(nas.logins)}")
    if change.coa_port is not None:
        nas.coa_port = change.coa_port
        said.append(f"CoA port {change.coa_port}")
    if change.gateway_addresses is not None:
        nas.gateway_addresses = [read_gateway_address(text) for text in change.gateway_addresses]
        said.append(f"gateway addresses {','.join(nas.gateway_addresses)}")
    if change.uam_pap is not None:
        nas.uam_pap = change.uam_pap
        said.append("PAP" if change.uam_pap else "CHAP")
    if change.guest_networks is not None:
        nas.guest_networks = check_guest_networks(session, change.guest_networks, nas.site_id, nas.id)
        said.append(f"guest networks {','.join(nas.guest_networks) or 'none'}")
    if not said:
        raise WrongUse("nothing-to-change", "Say what to change: give at least one option.")
    _record(session, actor, "NAS changed", nas, now, f"{nas.name}: {', '.join(said)}")
    session.flush()
    announce_change(session)


def _record(session: Session, actor: Actor, action: str, nas: Nas, now: datetime, detail: str) -> None:
    customer_id = nas.site.customer_id if nas.site else None
    audit.record(session, actor, action, f"nas {nas.public_id}", now, customer_id=customer_id, detail=detail)


def note_old_secret(session: Session, nas_ids: Collection[int], now: datetime) -> None:
    """Remember that these NAS still use an old secret, so that staff see who has to be given the new one."""
    if not nas_ids:
        return
    due = or_(Nas.old_secret_used_at.is_(None), Nas.old_secret_used_at < now - USE_IS_NOTED_EVERY)
    session.execute(
        update(Nas).where(Nas.id.in_(nas_ids), due).values(old_secret_used_at=now),
        execution_options={"synchronize_session": False},
    )


def forget_old_secrets(session: Session, now: datetime) -> None:
    """Erase replaced secrets whose time is over."""
    session.execute(delete(OldSecret).where(OldSecret.valid_until <= now))
