"""Logins by the code of a voucher: who mistyped, who is not looked at, and which codes are right."""

from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import datetime
from typing import NamedTuple

from sqlalchemy.orm import Session

from hotspot.keys import Keyring
from hotspot.legal import NOTHING_AGREED, Agreement, ask_agreement
from hotspot.limits import Limit
from hotspot.place import LoginWay
from sessions.guessing import Try, a_try, ask_hold_up, count
from sessions.login import Wish
from vouchers.admission import Reason, Refused
from vouchers.codes import Code, Mistyped
from vouchers.finding import code_hashes


def read_codes(keyring: Keyring, wishes: list[Wish]) -> None:
    """What can be said of codes before the database is asked: who mistyped."""
    for wish in wishes:
        code = _read_code(wish)
        if code is None:
            wish.refused = Refused(Reason.MISTYPED)
        else:
            device = wish.login.device.value if wish.login.device else None
            wish.attempt = a_try(wish.login.located, device, code)
            wish.code_hashes = code_hashes(keyring, code)


class AboutCodes(NamedTuple):
    """What is to be known of logins by code: which are not looked at, and what those who are right accept."""

    held_up: Sequence[Refused | None]
    in_force: Agreement


def ask_about_codes(
    session: Session, keyring: Keyring, wishes: Iterable[Wish], now: datetime
) -> Callable[[], AboutCodes]:
    """Ask; whoever calls what is returned has it."""
    wishes = [wish for wish in wishes if wish.attempt]
    held_up = ask_hold_up(session, keyring, [wish.attempt for wish in wishes if wish.attempt], now)
    if not any(LoginWay.MAC in wish.login.nas.logins for wish in wishes):
        return lambda: AboutCodes(held_up(), NOTHING_AGREED)
    in_force = ask_agreement(session, now)
    return lambda: AboutCodes(held_up(), in_force())


def prove_codes(
    session: Session,
    keyring: Keyring,
    wishes: Iterable[Wish],
    vouchers: Mapping[bytes, int],
    about: AboutCodes,
    now: datetime,
) -> None:
    """Find out which codes are right, now that their vouchers, here by code hash, are held. Wrong ones are counted as guesses."""
    wrong: list[Try] = []
    by_device: Counter[str | None] = Counter()
    attempts = [(wish, wish.attempt) for wish in wishes if wish.attempt]
    for (wish, attempt), refused in zip(attempts, about.held_up, strict=True):
        found = [vouchers[one] for one in wish.code_hashes if one in vouchers]
        if refused:
            wish.refused = refused
        elif by_device[attempt.device] >= Limit.GUESSES_BY_DEVICE.allowed:
            wish.refused = Refused(Reason.TOO_MANY_TRIES)
        elif not found or not _code_is_proved(wish, attempt.code):
            wish.refused = Refused(Reason.UNKNOWN_CODE)
            wrong.append(attempt)
            by_device[attempt.device] += 1
        else:
            # A gateway's own login page shows what is in force, as the portal would (docs/decisions/0013).
            wish.voucher_id, wish.accepted = found[0], about.in_force
        wish.attempt, wish.code_hashes = None, ()
    if wrong:
        count(session, keyring, wrong, now)


def _read_code(wish: Wish) -> Code | None:
    try:
        return Code.parse(wish.login.user_name)
    except Mistyped:
        return None


def _code_is_proved(wish: Wish, code: Code) -> bool:
    """A gateway's own login page sends the code as the password too, in whichever spelling it was typed."""
    matches = wish.login.proof.matches
    if matches(wish.login.user_name) or matches(code.value):
        return True
    return any(matches(spelling) for spelling in (code.printed, code.value.lower(), code.printed.lower()))
