"""The words of every refusal, in one place: what is the matter, and what to do."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from zoneinfo import ZoneInfo

from flask_babel import lazy_gettext as _l
from markupsafe import Markup, escape

from portal import formats
from portal.handoffs import Failure, Problem
from sessions.extending import NotExtended
from sessions.visit import CloseCause
from vouchers.admission import Reason, Refused


@dataclass(frozen=True)
class Words:
    """A title and a piece of advice, which may be empty; `about_code` where the guest should look at the code typed.

    `places` are names for the advice to list.
    """

    title: str
    advice: str
    about_code: bool = False
    places: tuple[str, ...] = ()


# The code that advice gives as an example; its check character is wrong, so it is nobody's.
SAMPLE_CODE = "K7QM-2XWD-94R"


def sample_unbroken(advice: str) -> Markup:
    """A template filter: the advice as HTML that keeps the sample code on one line."""
    whole = Markup('<span class="unbroken" translate="no">{}</span>').format(SAMPLE_CODE)
    return whole.join(escape(str(advice)).split(SAMPLE_CODE))


_AGAIN = _l("Please try again. If it happens once more, tell the staff.")
_TELL_STAFF = _l("This is not your fault. Please tell the staff, so that the operator can put it right.")

TERMS_CHANGED = Words(
    _l("The terms of use or the prices have changed"),
    _l("A new version has come into force. Please read it and accept it."),
)

REFUSALS: dict[Reason, Words] = {
    Reason.MISTYPED: Words(
        _l("There is a slip in this code"),
        _l(
            "Look at each character once more: a code has eleven of them, such as K7QM-2XWD-94R. This did not count as "
            "a try."
        ),
        about_code=True,
    ),
    Reason.UNKNOWN_CODE: Words(
        _l("We do not know this code"),
        _l("Compare it with your voucher. If it is the same, please show the voucher to the staff."),
        about_code=True,
    ),
    Reason.TOO_MANY_TRIES: Words(
        _l("Too many wrong codes"),
        _l("For everybody's safety, please wait a while. Then try again, with the voucher in front of you."),
    ),
    Reason.ONCE_MORE: Words(
        _l("Please send your code once more"),
        _l(
            "Somebody here is trying out many codes. To protect the vouchers of all, we look a code up only when it is sent "
            "a second time. Wait half a minute, then tap “Go online” again."
        ),
    ),
    Reason.EXCLUDED: Words(
        _l("This device cannot use the hotspot"),
        _l(
            "The operator has excluded it from the service. If you think that this is a mistake, please tell the operator."
        ),
    ),
    Reason.CLOSED: Words(
        _l("The hotspot is closed now"),
        _l("Please come back during the opening hours."),
    ),
    Reason.OTHER_SITE: Words(
        _l("This voucher is for another place"),
        _l("It works only at the place that is printed on it. Please ask the staff here for one of theirs."),
        about_code=True,
    ),
    Reason.REVOKED: Words(
        _l("This voucher has been withdrawn"),
        _l("Please ask the staff: they can give you another one."),
        about_code=True,
    ),
    Reason.INACTIVE: Words(
        _l("This voucher is not switched on"),
        _l("Please show it to the staff: they can switch it on."),
        about_code=True,
    ),
    Reason.NOT_YET_VALID: Words(
        _l("This voucher is not valid yet"),
        _l("Please try again when its time has come. You lose nothing by waiting."),
    ),
    Reason.EXPIRED: Words(
        _l("This voucher is no longer valid"),
        _l("It was not used before its last day. Please ask the staff for a new one."),
        about_code=True,
    ),
    Reason.OVER: Words(
        _l("The time of this voucher is over"),
        _l("To go on, please get a new voucher from the staff."),
        about_code=True,
    ),
    Reason.USED_UP: Words(
        _l("The data volume of this voucher is used up"),
        _l("To go on, please get a new voucher from the staff."),
        about_code=True,
    ),
    Reason.IN_USE: Words(
        _l("This voucher is in use on another device"),
        _l("Log out on the other device, or switch its Wi-Fi off and wait a few minutes. Then try again here."),
    ),
    Reason.FULL: Words(
        _l("No free place here right now"),
        _l(
            "So many guests are online that there is no room for one more. Try again in a few minutes, or somewhere else "
            "on the premises. Trying costs you nothing."
        ),
    ),
    Reason.FREE_PASS_USED: Words(
        _l("Your free access for today is used up"),
        _l("It is there again tomorrow. To go on today, please get a voucher from the staff."),
    ),
    Reason.WRONG_SSID: Words(
        _l("This is not the hotspot's Wi-Fi"),
        _l("Choose the hotspot's network in the Wi-Fi settings of your device and try again."),
    ),
    Reason.NO_PLACE: Words(_l("This access point is not set up yet"), _TELL_STAFF),
    Reason.NO_DEVICE: Words(
        _l("The hotspot could not recognise your device"),
        _l("Switch the Wi-Fi of your device off and on again. If that does not help, tell the staff."),
    ),
    Reason.WAY_NOT_ALLOWED: Words(_l("This way to sign in is not open here"), _TELL_STAFF),
    Reason.BAD_TICKET: Words(_l("The sign-in did not go through"), _AGAIN),
    Reason.STALE_TICKET: Words(
        _l("That took too long"),
        _l("For safety, a sign-in is good for ten minutes only, and once. Please try again."),
    ),
    Reason.UNKNOWN_DEVICE: Words(
        _l("We do not know this device yet"),
        _l("Please enter the code of your voucher."),
    ),
    Reason.TERMS_CHANGED: TERMS_CHANGED,
    Reason.BAD_REQUEST: Words(_l("The sign-in did not go through"), _AGAIN),
}

# The advice where it is known when the reason began to hold, or when it will have ceased to.
_ADVICE_WITH_MOMENT: dict[Reason, str] = {
    Reason.TOO_MANY_TRIES: _l(
        "For everybody's safety, please wait until %(moment)s. Then try again, with the voucher in front of you."
    ),
    Reason.EXCLUDED: _l(
        "The operator has excluded it from the service until %(moment)s. If you think that this is a mistake, please tell "
        "the operator."
    ),
    Reason.CLOSED: _l("You can go online again from %(moment)s. What is left on a voucher stays yours."),
    Reason.NOT_YET_VALID: _l("It is valid from %(moment)s. Please try again then: you lose nothing by waiting."),
    Reason.EXPIRED: _l("It had to be used for the first time by %(moment)s. Please ask the staff for a new one."),
    Reason.OVER: _l("It was valid until %(moment)s. To go on, please get a new voucher from the staff."),
    Reason.FREE_PASS_USED: _l(
        "You get it again from %(moment)s. To go on before then, please get a voucher from the staff."
    ),
}

_FULL_BUT_NEAR = Words(
    _l("No free place here right now"),
    _l("So many guests are online here that there is no room for one more. There is room at these access points:"),
)

CAN_SWAP = Words(
    _l("This voucher is in use on another device"),
    _l("You can use it here instead. The other device then goes offline, within seconds where its hotspot allows it."),
)


def words_for(refused: Refused, zone: ZoneInfo, now: datetime, with_room: Sequence[str] = ()) -> Words:
    """The words of a refusal, with its moment by the site's clock; `with_room` names access points where the guest may go."""
    if refused.can_swap:
        return CAN_SWAP
    if refused.reason is Reason.FULL and with_room:
        return replace(_FULL_BUT_NEAR, places=tuple(with_room))
    words, advice = REFUSALS[refused.reason], _ADVICE_WITH_MOMENT.get(refused.reason)
    if refused.moment is None or advice is None:
        return words
    return replace(words, advice=str(advice) % {"moment": formats.moment(refused.moment, zone, now)})


FAILURES: dict[Failure, Words] = {
    Failure.REJECT: Words(
        _l("The hotspot did not let you in"),
        _l("Please try again. If it happens once more, check your voucher or ask the staff."),
    ),
    Failure.TIMEOUT: Words(
        _l("The hotspot did not answer in time"),
        _l("Nothing is lost. Wait a moment and try again, with the same voucher."),
    ),
    Failure.OTHER: Words(_l("The sign-in did not go through"), _AGAIN),
}

PROBLEMS: dict[Problem, Words] = {
    Problem.MALFORMED: Words(
        _l("This address is not complete"),
        _l("Disconnect from the Wi-Fi, join it again and open any web page: the sign-in page comes by itself."),
    ),
    Problem.UNKNOWN_GATEWAY: Words(_l("This hotspot is not set up for this page"), _TELL_STAFF),
    Problem.BAD_SIGNATURE: Words(
        _l("This page was not opened by the hotspot"),
        _l(
            "For your safety we do not take a code here. Disconnect from the Wi-Fi, join it again and open any web page: "
            "the sign-in page comes by itself. If you see this again, tell the staff."
        ),
    ),
}

_REJOIN = _l("To go online again, open any web page while you are on the Wi-Fi: the sign-in page comes by itself.")

CLOSINGS: dict[CloseCause, Words] = {
    CloseCause.STOPPED: Words(_l("You are offline"), _REJOIN),
    CloseCause.SILENCE: Words(_l("The connection was lost"), _REJOIN),
    CloseCause.NEVER_STARTED: Words(_l("The connection did not come about"), _REJOIN),
    CloseCause.NAS_RESTART: Words(_l("The hotspot was restarted"), _REJOIN),
    CloseCause.SUPERSEDED: Words(_l("You signed in once more"), _l("This page belongs to your earlier sign-in.")),
    CloseCause.REPLACED: Words(
        _l("Your voucher is now used on another device"),
        _l("To use it here, enter its code again: the other device then loses its place."),
    ),
    CloseCause.LOGGED_OUT: Words(_l("You are logged out"), _REJOIN),
    CloseCause.REVOKED: REFUSALS[Reason.REVOKED],
    CloseCause.OVER: Words(_l("Your access has ended"), _l("To go on, please get a new voucher from the staff.")),
}

TERMS_MISSING = Words(
    _l("Please accept the terms of use"),
    _l("We may let you online only once you have ticked the box below."),
)
WRONG_END = Words(
    _l("These are not the last four characters of your voucher's code"),
    _l(
        "They are at the end of the code, on the voucher and on the page that opened when you scanned it. The whole code "
        "will do, too."
    ),
    about_code=True,
)
NO_CHOICE = Words(_l("Please choose how you would like to go online"), "")
CHOICE_GONE = Words(
    _l("Please choose how to go online"),
    _l("What you chose is not offered here any more."),
)
NOT_EXTENDED: dict[NotExtended, Words] = {
    NotExtended.USED_HERE: Words(
        _l("You are using this voucher already"),
        _l("Enter the code of another voucher."),
        about_code=True,
    ),
    NotExtended.ENDS_BEFORE: Words(
        _l("This voucher ends before your present one"),
        _l("It would not let you stay online any longer. Enter the code of a voucher that ends later."),
        about_code=True,
    ),
    NotExtended.TOO_MANY: Words(
        _l("Enough vouchers are waiting already"),
        _l("Keep this one. You can add it once the next of those that wait is in use."),
    ),
}

NO_ADDRESS = Words(
    _l("This is not the address of a device"),
    _l(
        "It has twelve digits and letters from A to F, such as 7C-10-C9-2B-40-A1. Look on the label of the device or in "
        "its network settings, where it is called MAC or Wi-Fi address."
    ),
)
ADDRESS_IS_OWN = Words(
    _l("This is the device you are using now"),
    _l("It is online already. Type the address of the other device."),
)
ADDRESS_IS_RANDOM = Words(
    _l("This is a random address"),
    _l(
        "Phones and computers make one up for each network, and it may change. Take the one on the label, or go "
        "on if the device shows exactly this address for this Wi-Fi."
    ),
)
NO_DEVICE_LEFT = Words(
    _l("No further device fits on your voucher"),
    _l("Log one of the others out first, or take back a device that has not come yet."),
)
TOO_MANY_DEVICES = Words(
    _l("Too many devices one after the other"),
    _l("Please wait an hour before you add another one."),
)
ADDED = Words(
    _l("The device may come in now"),
    _l(
        "Choose this Wi-Fi on the device. It comes online by itself, within a minute or two. If not, switch its Wi-Fi off and on."
    ),
)
FORGOTTEN = Words(
    _l("We have forgotten this device"),
    _l(
        "To go online again after this visit, it has to come through the sign-in page. Below you see what is still stored."
    ),
)
NO_CODE = Words(
    _l("Please enter the code of your voucher"),
    _l("You find it on the voucher: eleven characters, such as K7QM-2XWD-94R."),
    about_code=True,
)
FLOW_EXPIRED = Words(
    _l("This page has been open too long"),
    _l("For safety it is good for ten minutes only. Nothing is lost: go on, and a fresh page comes."),
)
# Where the gateway has no address that leads back to the portal.
FLOW_EXPIRED_FOR_GOOD = Words(
    FLOW_EXPIRED.title,
    _l("Nothing is lost: open any web page while you are on the Wi-Fi, and the sign-in page comes anew."),
)
# Where the gateway lets devices in by themselves: some do not come back when they are told to.
REJOIN = Words(
    _l("One moment, please"),
    _l("If nothing happens within a minute, switch the Wi-Fi of your device off and on again."),
)
