"""The words of the staff pages that depend on a value."""

from dataclasses import dataclass
from datetime import datetime
from zoneinfo import ZoneInfo

from babel.dates import format_date, format_time
from flask_babel import lazy_gettext as _l

from hotspot.errors import Refusal
from hotspot.people import Role
from portal.languages import language
from vouchers.ledger import LineKind
from vouchers.voucher import Voucher, VoucherState


@dataclass(frozen=True)
class StateWords:
    """A state of a voucher on the page: its word, and the class that gives it a mark."""

    word: str
    mark: str


STATES = {
    VoucherState.UNUSED: StateWords(_l("unused"), "unused"),
    VoucherState.IN_USE: StateWords(_l("in use"), "in-use"),
    VoucherState.OVER: StateWords(_l("over"), "over"),
    VoucherState.REVOKED: StateWords(_l("revoked"), "revoked"),
    VoucherState.INACTIVE: StateWords(_l("inactive"), "inactive"),
    VoucherState.NOT_YET_VALID: StateWords(_l("not yet valid"), "unused"),
}

ROLES = {
    Role.OPERATOR: _l("Operator"),
    Role.OWNER: _l("Owner: everything"),
    Role.FRONT_DESK: _l("Front desk: issue, print, look up"),
    Role.READ_ONLY: _l("Look only"),
}

# The states in the order in which a list offers them.
STATE_CHOICES = {state.value: words for state, words in STATES.items()}

# Whether guests can read a legal text.
SLOT_STATES = {
    True: StateWords(_l("in force"), "in-use"),
    False: StateWords(_l("missing"), "revoked"),
}

LINE_KINDS = {
    LineKind.ISSUED: _l("Issued"),
    LineKind.SOLD: _l("Sold"),
    LineKind.CANCELLED: _l("Cancelled"),
    LineKind.REFUNDED: _l("Refunded"),
}

# What the domain refuses with its own English sentences, in the words of these pages.
REFUSALS = {
    "bad-count": _l("Please choose a number from 1 to 10,000."),
    "bad-until": _l("The end has to lie in the future. Please choose a later one."),
    "no-until": _l("Please say until when the guest stays: date and time."),
    "bad-threshold": _l("That is a number from 0 to 100,000."),
    "bad-dates": _l("These dates do not fit: they have to lie in the future, the first before the second."),
    "bad-key": _l("This form was incomplete. Please load the page anew and try again."),
    "key-used": _l("This form was sent before with other values. Please load the page anew and try again."),
    "bad-button": _l("Please give it a name of at most 40 characters."),
    "too-many-presets": _l("There are 24 buttons already. Please remove one first."),
    "bad-length": _l("Please choose a length from one minute to a year."),
    "none-chosen": _l("Please tick the vouchers first."),
    "too-late": _l("This can be undone for a minute, and only once."),
    "nothing-left": _l(
        "There is nothing left that another slip could give: the voucher is over, revoked or not switched on."
    ),
    "switched-on": _l("This batch is switched on already."),
    "switched-off": _l("This batch is switched off already."),
    "batch-whole": _l("All vouchers of this batch have been issued already."),
    "batch-unfinished": _l("This batch is still being issued. Please wait until that is done, or cancel it."),
    "batch-over": _l(
        "The last day to use these vouchers first has passed. Please set another one, then switch them on."
    ),
    "pass-is-over": _l("This pass has ended and gives nothing any more. Please choose another one."),
    "mistyped": _l("This is neither a code nor a serial number. Please check each character."),
    "bad-text": _l("This text is too long: 30,000 characters at most."),
    "no-text": _l("Please write the text in one language at least."),
    "valid-from-past": _l("This moment is past. Leave the field empty to publish at once."),
    "bad-name": _l("Please give a name of at most 80 characters."),
    "bad-email": _l("This is not an e-mail address."),
    "email-taken": _l("There is an account for this address already."),
    "bad-password": _l("A password needs 12 to 200 characters."),
    "common-password": _l("This password is easy to guess. Take three or four words that nobody expects together."),
    "wrong-code": _l("This code is not right, or has been used already. Please take the one that is shown now."),
    "bad-passkey": _l("That did not work. Please load the page anew and try again."),
    "too-many-passkeys": _l("An account has 20 passkeys at most."),
    "bad-pin": _l("A PIN has 4 to 12 digits."),
    "common-pin": _l("Everybody tries this PIN first. Please take another one."),
    "wrong-pin": _l("This is not the PIN."),
    "too-many-pins": _l(
        "Too many wrong PINs for this person at this tablet. Please wait, or sign in elsewhere with the password."
    ),
    "wrong-password": _l("This is not your password."),
    "too-many-tries": _l("Too many failed tries. Please wait 15 minutes, then try again."),
    "too-many-people": _l("You have reached 200 people. Close an account first."),
    "bad-money": _l("Please type an amount such as 12.50."),
    "bad-amount": _l("What stays in the till is part of what was counted."),
    "till-moved": _l("Something was sold or closed meanwhile. Please look at the numbers again."),
    "not-for-sale": _l("This voucher is sold already, revoked, over, or not switched on."),
    "changed-since": _l("Something in this batch was used, sold or changed since: it stays as it is."),
    "no-scopes": _l("Please tick what the key may do."),
    "too-many-keys": _l("You have 50 keys already. Withdraw one first."),
    "key-retired": _l("This key has been withdrawn already."),
    "bad-url": _l(
        "Please give an address such as https://till.example/hook, without a port or with 443, 4443, 8443 or 9443."
    ),
    "too-many-webhooks": _l("You have 10 addresses already. Withdraw one first."),
    "no-voucher": _l("There is no voucher with this code or serial number at your sites."),
}


def refusal_words(refusal: Refusal) -> str:
    """What the domain refuses, in the words of these pages."""
    return str(REFUSALS.get(refusal.code, refusal.sentence))


def day(when: datetime, zone: ZoneInfo) -> str:
    """A date in the site's zone: "15 Jun 2027", "15.06.2027"."""
    pattern = "dd.MM.yyyy" if language() == "de" else "d MMM yyyy"
    return str(format_date(when.astimezone(zone).date(), pattern, locale=language()))


def first_use_by(voucher: Voucher, zone: ZoneInfo) -> str:
    """Until when a voucher may be used first; empty of stock whose days have not begun."""
    return day_and_hour(voucher.first_use_by, zone) if voucher.first_use_by else ""


def day_and_hour(when: datetime, zone: ZoneInfo) -> str:
    """A moment in the site's zone: "15 Jun 2027, 14:00"."""
    return f"{day(when, zone)}, {hour(when, zone)}"


def hour(when: datetime, zone: ZoneInfo) -> str:
    """The time of day in the site's zone: "14:00"."""
    return str(format_time(when.astimezone(zone).time(), "HH:mm", locale=language()))
