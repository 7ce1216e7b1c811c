"""What comes of a NAS's requests, in words for the operator: what it means, and what there is to do. All of it is here.

The keys are the values of `radius.packet.Cause` and `vouchers.admission.Reason`, and what else an observer is told.
"""

from dataclasses import dataclass

_SECRET = "Set the same secret on the device and here: surfpass nas secret."
_SIGN = "Switch Message-Authenticator on at the device; where it cannot, choose auto: surfpass nas change."
_NOTHING = ""
_GUEST = "Nothing: the guest is told."


@dataclass(frozen=True)
class Words:
    """What something means, and what to do about it; empty where there is nothing to do."""

    says: str
    to_do: str = _NOTHING


_WORDS: dict[str, Words] = {
    # Answered.
    "accepted": Words("A guest was let in."),
    "acknowledged": Words("Accounting was recorded."),
    "spooled": Words("Accounting was kept on disk while the database was away.", "See that the database comes back."),
    "status": Words("The device asked whether RADIUS is alive, and it is."),
    "repeated": Words("A request came again and got the same answer again.", "Where frequent: look at the network."),
    # Good, and yet without an answer.
    "database away": Words("The database was away, so the device has to ask another server.", "Look at the database."),
    "overload": Words("More came in than could be answered in time.", "Add workers, or a second machine."),
    "failed": Words(
        "A request could not be answered: a defect.",
        "Look for 'request failed', 'batch failed' or 'batch taken apart' in the log.",
    ),
    # Discarded.
    "malformed": Words("Not a RADIUS packet, or cut short.", "See what sends it, and the network's packet size."),
    "bad attribute": Words("A RADIUS packet with an attribute that is broken.", "Update the device's firmware."),
    "unknown code": Words("A kind of packet that has no place on this port.", "Check the ports set at the device."),
    "unknown client": Words("It comes from an address that is no NAS's.", "If it is yours: surfpass nas add."),
    "unknown NAS-Identifier": Words(
        "Several NAS share this network, and the NAS-Identifier is none of theirs.",
        "Set at the device the NAS-Identifier that it has here.",
    ),
    "wrong secret": Words("Signed with another secret, or forged.", _SECRET),
    "no Message-Authenticator": Words("An Access-Request that is not signed.", _SIGN),
    "Proxy-State without Message-Authenticator": Words("A proxy passes on requests that are not signed.", _SIGN),
    "EAP-Message without Message-Authenticator": Words("An EAP request that is not signed.", _SIGN),
    "in work already": Words("It came again before the first could be answered.", "Raise the device's timeout to 3 s."),
    "too often": Words("More Status-Server than a health check needs.", "Lower its frequency at the device."),
    # Rejected, and the venue or the device can do something.
    "wrong-ssid": Words("The device names a network that is not the site's.", "Set the site's SSID at the device."),
    "no-place": Words(
        "Nothing in the request names an access point or a site.",
        "Add the access point's MAC or NAS-Identifier: surfpass ap add; or give the NAS a site.",
    ),
    "no-device": Words(
        "The request lacks the guest's MAC.", "Have the device send Calling-Station-Id, spelt as a MAC address."
    ),
    "way-not-allowed": Words("A way to log in that is switched off for this NAS.", "surfpass nas change --login."),
    "bad-request": Words(
        "The request lacks User-Name, password or NAS, or it is EAP.",
        "Set PAP or CHAP at the device, and no 802.1X on this network.",
    ),
    "full": Words("No free place at the access point.", "If it is so often: a higher capacity, or more access points."),
    "too-many-tries": Words("Too many wrong codes from one device.", "If it goes on: look who guesses."),
    "once-more": Words(
        "A code that has to be sent twice, since somebody guesses there.", "If it goes on: look who guesses."
    ),
    # Rejected, and only the guest is concerned.
    "mistyped": Words("A code with a slip of the finger.", _GUEST),
    "unknown-code": Words("A code that does not exist.", _GUEST),
    "excluded": Words("A device that is excluded from the service.", "surfpass device list says why."),
    "closed": Words("A guest outside the site's opening hours.", "surfpass site hours show."),
    "other-site": Words("A voucher of another site.", _GUEST),
    "revoked": Words("A voucher that was cancelled.", _GUEST),
    "inactive": Words("A voucher that the venue has not switched on.", _GUEST),
    "not-yet-valid": Words("A voucher that was used before its time.", _GUEST),
    "expired": Words("A voucher that was not used in time.", _GUEST),
    "over": Words("A voucher whose time is over.", _GUEST),
    "used-up": Words("A voucher whose volume is used up.", _GUEST),
    "in-use": Words("A voucher that is in use on as many devices as it allows.", _GUEST),
    "free-pass-used": Words("A device that had its free pass today.", _GUEST),
    "bad-ticket": Words("A login that the portal did not issue.", _GUEST),
    "stale-ticket": Words("A login that waited too long at the gateway.", _GUEST),
    "terms-changed": Words(
        "A returning device whose guest has to accept new terms or prices first; it gets the portal.", _NOTHING
    ),
    "unknown-device": Words("A device without a running voucher; it gets the portal.", _NOTHING),
}


def words_for(what: str) -> Words:
    """The words for what an observer was told; those that have none speak for themselves."""
    return _WORDS.get(what, Words(what))
