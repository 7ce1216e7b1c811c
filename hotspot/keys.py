"""Keys: random data keys per purpose, wrapped by the installation's master key.

Every hash and ciphertext starts with the id of its key, so that keys can be replaced one after the other. Rotating the
master key rewraps the data keys and touches nothing else.
"""

import enum
import hmac
import os
import secrets
import struct
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache
from pathlib import Path

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from sqlalchemy import LargeBinary, select
from sqlalchemy.orm import Mapped, Session, mapped_column

from hotspot.database import Base, BigId, enum_column
from hotspot.errors import SetupError
from hotspot.settings import Settings

HASH_OCTETS = 24
_KEY_ID = _LENGTH = struct.Struct("!I")
_NONCE_OCTETS = 12


class Purpose(enum.StrEnum):
    """What a data key is for; a key serves one purpose."""

    CODES = "codes"
    DEVICES = "devices"
    TICKETS = "tickets"
    PAGES = "pages"
    SECRETS = "secrets"
    SESSIONS = "sessions"
    LIMITS = "limits"


class DataKey(Base):
    """A data key, wrapped."""

    __tablename__ = "data_key"

    id: Mapped[int] = mapped_column(BigId, primary_key=True)
    purpose: Mapped[Purpose] = mapped_column(enum_column(Purpose))
    wrapped: Mapped[bytes] = mapped_column(LargeBinary)
    created_at: Mapped[datetime]


@dataclass(frozen=True, repr=False)
class Keyring:
    """The unwrapped data keys: purpose -> (key id, 32 octets), the newest first."""

    keys: Mapping[Purpose, tuple[tuple[int, bytes], ...]]

    def hash(self, purpose: Purpose, *parts: str | bytes) -> bytes:
        """The keyed hash of `parts` under the newest key, HASH_OCTETS octets."""
        return self._hash(self.keys[purpose][0], parts)

    def hashes(self, purpose: Purpose, *parts: str | bytes) -> list[bytes]:
        """The keyed hashes of `parts` under every key that rows may still use, for look-ups."""
        return [self._hash(key, parts) for key in self.keys[purpose]]

    def encrypt(self, purpose: Purpose, clear: str | bytes) -> bytes:
        """Encrypt and authenticate `clear` (AES-256-GCM)."""
        key_id, key = self.keys[purpose][0]
        nonce = secrets.token_bytes(_NONCE_OCTETS)
        return _KEY_ID.pack(key_id) + nonce + _cipher(key).encrypt(nonce, _octets(clear), purpose.encode())

    def decrypt(self, purpose: Purpose, ciphertext: bytes) -> bytes:
        """Undo `encrypt`; ValueError when the ciphertext was made by nobody who has the key."""
        start = _KEY_ID.size
        key = dict(self.keys[purpose]).get(int.from_bytes(ciphertext[:start], "big"))
        nonce, body = ciphertext[start : start + _NONCE_OCTETS], ciphertext[start + _NONCE_OCTETS :]
        if key is None or len(nonce) < _NONCE_OCTETS:
            raise ValueError("not a ciphertext of this installation")
        try:
            return _cipher(key).decrypt(nonce, body, purpose.encode())
        except InvalidTag as error:
            raise ValueError("not a ciphertext of this installation") from error

    @staticmethod
    def _hash(key: tuple[int, bytes], parts: tuple[str | bytes, ...]) -> bytes:
        digest = _begun(key[1]).copy()
        for part in parts:
            octets = _octets(part)
            digest.update(_LENGTH.pack(len(octets)) + octets)
        return _KEY_ID.pack(key[0]) + digest.digest()[: HASH_OCTETS - _KEY_ID.size]


@lru_cache(maxsize=64)
def _begun(key: bytes) -> hmac.HMAC:
    """An HMAC under a key, before its message; copied, since to begin costs as much as all the rest."""
    return hmac.new(key, digestmod="sha256")


def _octets(text: str | bytes) -> bytes:
    return text.encode() if isinstance(text, str) else text


@lru_cache(maxsize=64)
def _cipher(key: bytes) -> AESGCM:
    return AESGCM(key)


def derive_master_key(secret: str) -> bytes:
    """The 32-octet master key that a secret of any length stands for."""
    return HKDF(algorithm=SHA256(), length=32, salt=None, info=b"surfpass master key").derive(secret.encode())


def read_master_key(settings: Settings) -> bytes:
    """The installation's master key: from the settings, else from a file in the data folder, made at first need."""
    if settings.secret_key:
        return derive_master_key(settings.secret_key)
    path = settings.data_dir / "secret.key"
    settings.data_dir.mkdir(mode=0o700, parents=True, exist_ok=True)
    if not path.exists():
        _write_new_secret(path)
    secret = path.read_text().strip()
    if not secret:
        raise SetupError("empty-key", f"{path} is empty: put the key back that this database was made with.")
    return derive_master_key(secret)


def _write_new_secret(path: Path) -> None:
    draft = path.with_suffix(f".{os.getpid()}")
    draft.touch(mode=0o600)
    draft.write_text(secrets.token_urlsafe(48) + "\n")
    try:
        os.link(draft, path)  # of several processes that start together one wins, and none reads a half-written key
    except FileExistsError:
        pass
    finally:
        draft.unlink()


def create_missing_keys(session: Session, master: bytes, now: datetime) -> None:
    """Give every purpose that has no data key yet a random one."""
    present = set(session.scalars(select(DataKey.purpose)))
    for purpose in Purpose:
        if purpose not in present:
            session.add(
                DataKey(purpose=purpose, wrapped=_wrap(master, purpose, secrets.token_bytes(32)), created_at=now)
            )


def load_keyring(session: Session, master: bytes) -> Keyring:
    """Unwrap all data keys. SetupError when there are none, or when the master key is not the one they were wrapped with."""
    keys: dict[Purpose, tuple[tuple[int, bytes], ...]] = {}
    for row in session.scalars(select(DataKey).order_by(DataKey.id.desc())):
        keys[row.purpose] = (*keys.get(row.purpose, ()), (row.id, _unwrap(master, row)))
    if set(keys) != set(Purpose):
        raise SetupError("no-keys", "The database has no keys yet: run 'surfpass migrate' first.")
    return Keyring(keys)


def rewrap_keys(session: Session, old_master: bytes, new_master: bytes) -> int:
    """Wrap all data keys with another master key; returns how many."""
    rows = session.scalars(select(DataKey).with_for_update()).all()
    for row in rows:
        row.wrapped = _wrap(new_master, row.purpose, _unwrap(old_master, row))
    return len(rows)


def _wrap(master: bytes, purpose: Purpose, key: bytes) -> bytes:
    nonce = secrets.token_bytes(_NONCE_OCTETS)
    return nonce + AESGCM(master).encrypt(nonce, key, purpose.encode())


def _unwrap(master: bytes, row: DataKey) -> bytes:
    nonce, body = row.wrapped[:_NONCE_OCTETS], row.wrapped[_NONCE_OCTETS:]
    try:
        return AESGCM(master).decrypt(nonce, body, row.purpose.encode())
    except InvalidTag as error:
        raise SetupError(
            "wrong-master-key",
            "The secret key does not fit this database: set SURFPASS_SECRET_KEY (or its file) to the one it was made with.",
        ) from error
