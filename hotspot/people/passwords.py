"""Passwords and PINs: which may be chosen, how they are kept, and whether one is right."""

import re
from collections.abc import Iterable
from itertools import pairwise

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError
from zxcvbn import zxcvbn

from hotspot.errors import Refusal
from hotspot.people import User

SHORTEST_PASSWORD = 12
LONGEST_PASSWORD = 200
SHORTEST_PIN = 4
LONGEST_PIN = 12
# As zxcvbn counts them. Online, the limits leave nobody a thousand; this is for whoever gets hold of the slow hashes.
_LEAST_GUESSES = 10**9
# What zxcvbn looks at; it takes long for more, and no guesser gets as far.
_LOOKED_AT = 72

_hasher = PasswordHasher()


def hash_new_password(password: str, about: Iterable[str]) -> str:
    """The hash of a password that somebody has chosen; takes long on purpose, so no transaction should wait for it.

    `about` are the person's address and name, the product's name and the like. Refusal when it is too short or too long,
    or when those who guess would soon come to it.
    """
    if not SHORTEST_PASSWORD <= len(password) <= LONGEST_PASSWORD:
        raise Refusal("bad-password", f"A password needs {SHORTEST_PASSWORD} to {LONGEST_PASSWORD} characters.")
    words = {word for text in about for word in (text.lower(), *re.split(r"\W+", text.lower())) if len(word) > 2}
    if zxcvbn(password[:_LOOKED_AT], user_inputs=sorted(words))["guesses"] < _LEAST_GUESSES:
        raise Refusal("common-password", "This password is easy to guess: take several words that nobody expects.")
    return _hasher.hash(password)


def check_password(user: User | None, password: str) -> bool:
    """Whether this is the user's password; takes as long for an account that does not exist."""
    stored = user.password_hash if user and not user.retired_at else None
    return _fits(stored, password, LONGEST_PASSWORD)


def hash_new_pin(pin: str) -> str:
    """The hash of a PIN. Refusal when it is none, or one that everybody tries first."""
    if not (pin.isascii() and pin.isdecimal() and SHORTEST_PIN <= len(pin) <= LONGEST_PIN):
        raise Refusal("bad-pin", f"A PIN has {SHORTEST_PIN} to {LONGEST_PIN} digits.")
    steps = {int(after) - int(before) for before, after in pairwise(pin)}
    if len(steps) == 1 and steps <= {-1, 0, 1}:
        raise Refusal("common-pin", "Everybody tries this PIN first: take another one.")
    return _hasher.hash(pin)


def check_pin(user: User | None, pin: str) -> bool:
    """Whether this is the user's PIN; takes as long for somebody who has none."""
    stored = user.pin_hash if user and not user.retired_at else None
    return _fits(stored, pin, LONGEST_PIN)


def _fits(stored: str | None, secret: str, longest: int) -> bool:
    try:
        correct = len(secret) <= longest and _hasher.verify(stored or _hash_of_nobody(), secret)
    except (VerificationError, InvalidHashError):
        return False
    return bool(correct) and stored is not None


_nobody: list[str] = []


def _hash_of_nobody() -> str:
    if not _nobody:
        _nobody.append(_hasher.hash("nobody has this password"))
    return _nobody[0]
