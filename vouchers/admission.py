"""The one decision: may this device be online here, now, and within which limits?

`decide` sees frozen snapshots only. Portal, Access-Request, returning device, running visit and status page all ask it.
"""

import enum
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import NamedTuple

from hotspot.clock import end_of_site_day
from hotspot.directory import SiteRecord
from vouchers.passes import Clock, Terms

# Some NAS take a Session-Timeout of 0 for no limit at all; shorter than this is not worth a login.
LEAST_SECONDS = 60
MOST_SECONDS = 2**31 - 1


class Reason(enum.StrEnum):
    """Why a device may not be online."""

    MISTYPED = "mistyped"
    UNKNOWN_CODE = "unknown-code"
    TOO_MANY_TRIES = "too-many-tries"
    ONCE_MORE = "once-more"
    EXCLUDED = "excluded"
    CLOSED = "closed"
    OTHER_SITE = "other-site"
    REVOKED = "revoked"
    INACTIVE = "inactive"
    NOT_YET_VALID = "not-yet-valid"
    EXPIRED = "expired"
    OVER = "over"
    USED_UP = "used-up"
    IN_USE = "in-use"
    FULL = "full"
    FREE_PASS_USED = "free-pass-used"
    WRONG_SSID = "wrong-ssid"
    NO_PLACE = "no-place"
    NO_DEVICE = "no-device"
    WAY_NOT_ALLOWED = "way-not-allowed"
    BAD_TICKET = "bad-ticket"
    STALE_TICKET = "stale-ticket"
    UNKNOWN_DEVICE = "unknown-device"
    TERMS_CHANGED = "terms-changed"
    BAD_REQUEST = "bad-request"


@dataclass(frozen=True)
class VoucherFacts:
    """A voucher as it stands; `ends_at` is None until first use, and for a pass that counts minutes online.

    `good_from` is None where it may be used from the start. An `inactive` one lies printed in a drawer, or is lost.
    """

    site_id: int
    terms: Terms
    good_until: datetime
    first_used_at: datetime | None = None
    ends_at: datetime | None = None
    revoked: bool = False
    good_from: datetime | None = None
    inactive: bool = False


@dataclass(frozen=True)
class Usage:
    """What a voucher has used: octets both ways, seconds online (the union over devices), and who runs on it now."""

    octets: int = 0
    seconds: int = 0
    running: frozenset[bytes] = frozenset()


class DeviceFacts(NamedTuple):
    """Who wants to be online; `returns` holds a place already or had one until just now, `swaps` takes another's."""

    hash: bytes
    returns: bool = False
    swaps: bool = False


class PlaceFacts(NamedTuple):
    """Where: the limit of the access point, or of the site's pool where only the site is known, and who is on it now.

    Of the places `occupied`, `vacated` are held by devices that would give way to this one.
    """

    site: SiteRecord
    capacity: int
    occupied: int
    soft: bool = False
    vacated: int = 0


class Granted(NamedTuple):
    """Yes, within these limits; None means no limit. `displaces` says how many other devices have to give way."""

    seconds_left: int
    octets_left: int | None
    down_kbit: int | None
    up_kbit: int | None
    ends_at: datetime | None
    displaces: int = 0


@dataclass(frozen=True)
class Refused:
    """No, and why; `can_swap` where the pass lets this device take another's place.

    `moment` is when the reason began to hold, as for a voucher that is over, or when it will have ceased to.
    """

    reason: Reason
    can_swap: bool = False
    moment: datetime | None = None

    @property
    def note(self) -> str:
        """All of it as a word of at most 32 characters, for a visit's row; to the second."""
        swap = _CAN_SWAP if self.can_swap else ""
        return f"{self.reason}{swap}{_AT}{int(self.moment.timestamp())}" if self.moment else f"{self.reason}{swap}"

    @classmethod
    def read(cls, note: str) -> "Refused | None":
        """Undo `note`; None for a word that this version does not know."""
        reason, _at, seconds = note.partition(_AT)
        try:
            moment = datetime.fromtimestamp(int(seconds), UTC) if seconds else None
            return cls(Reason(reason.removesuffix(_CAN_SWAP)), reason.endswith(_CAN_SWAP), moment)
        except (ValueError, OverflowError):
            return None


_CAN_SWAP, _AT = "+swap", "@"


def decide(
    voucher: VoucherFacts,
    usage: Usage,
    device: DeviceFacts,
    place: PlaceFacts,
    now: datetime,
    *,
    least_seconds: int = LEAST_SECONDS,
) -> Granted | Refused:
    """Decide whether `device` may be online at `place` on `voucher` at `now` (decision 1).

    A new login needs `least_seconds` left; a visit that runs is asked again with 1.
    """
    if exclusion := place.site.exclusion(device.hash, now):
        return Refused(Reason.EXCLUDED, moment=exclusion.until)
    limits = limits_of(voucher, usage, place.site, now, least_seconds=least_seconds)
    if isinstance(limits, Refused):
        return limits
    seconds_open = _seconds_open(place.site, now)
    if seconds_open < least_seconds:
        return _closed(place.site, now)
    displaced = in_the_way(voucher.terms, usage, device)
    if displaced and not (device.swaps and voucher.terms.replace):
        return Refused(Reason.IN_USE, can_swap=voucher.terms.replace)
    if place.occupied - place.vacated >= place.capacity and not (device.returns or place.soft):
        return Refused(Reason.FULL)
    sharers = len(usage.running - {device.hash}) - displaced + 1
    return Granted(
        seconds_left=min(limits.seconds_left, seconds_open),
        octets_left=None if limits.octets_left is None else max(1, limits.octets_left // sharers),
        down_kbit=limits.down_kbit,
        up_kbit=limits.up_kbit,
        ends_at=limits.ends_at,
        displaces=displaced,
    )


def shut_out(site: SiteRecord, device: bytes, now: datetime) -> Refused | None:
    """What keeps a device out of a site whatever its voucher: that it is excluded, or that the site is closed."""
    if exclusion := site.exclusion(device, now):
        return Refused(Reason.EXCLUDED, moment=exclusion.until)
    return _closed(site, now) if _seconds_open(site, now) < LEAST_SECONDS else None


def _closed(site: SiteRecord, now: datetime) -> Refused:
    return Refused(Reason.CLOSED, moment=site.hours.opens_at(now) if site.hours else None)


def _seconds_open(site: SiteRecord, now: datetime) -> int:
    closes_at = site.hours.closes_at(now) if site.hours else None
    return MOST_SECONDS if closes_at is None else int((closes_at - now).total_seconds())


def in_the_way(terms: Terms, usage: Usage, device: DeviceFacts) -> int:
    """How many other devices on the voucher would have to give way to this one."""
    return max(0, len(usage.running - {device.hash}) + 1 - terms.devices)


def limits_of(
    voucher: VoucherFacts, usage: Usage, site: SiteRecord, now: datetime, *, least_seconds: int = LEAST_SECONDS
) -> Granted | Refused:
    """What the voucher itself still gives, whoever asks: the part of the decision that a status page shows."""
    terms = voucher.terms
    if voucher.site_id != site.id:
        return Refused(Reason.OTHER_SITE)
    if voucher.revoked:
        return Refused(Reason.REVOKED)
    if voucher.inactive:
        return Refused(Reason.INACTIVE)
    if voucher.first_used_at is None:
        if voucher.good_from and now < voucher.good_from:
            return Refused(Reason.NOT_YET_VALID, moment=voucher.good_from)
        if now >= voucher.good_until:
            return _used_up(voucher, Reason.EXPIRED, voucher.good_until)
    ends_at = voucher.ends_at if voucher.first_used_at else end_of_voucher(voucher, site, now)
    seconds = _seconds_left(terms, ends_at, usage, now)
    if seconds < least_seconds:
        ended_by_clock = ends_at is not None and ends_at < now + timedelta(seconds=least_seconds)
        return _used_up(voucher, Reason.OVER, ends_at if ended_by_clock else None)
    octets = None if terms.octets is None else terms.octets - usage.octets
    if octets is not None and octets <= 0:
        return _used_up(voucher, Reason.USED_UP)
    return Granted(seconds, octets, terms.down_kbit, terms.up_kbit, ends_at)


def _used_up(voucher: VoucherFacts, reason: Reason, moment: datetime | None = None) -> Refused:
    """A free pass gives nothing more until the day it was taken on is over, which is how long it is good."""
    if voucher.terms.free:
        return Refused(Reason.FREE_PASS_USED, moment=voucher.good_until)
    return Refused(reason, moment=moment)


def _seconds_left(terms: Terms, ends_at: datetime | None, usage: Usage, now: datetime) -> int:
    left = MOST_SECONDS
    if ends_at is not None:
        left = min(left, int((ends_at - now).total_seconds()))
    if terms.clock is Clock.ONLINE and terms.minutes is not None:
        left = min(left, terms.minutes * 60 - usage.seconds)
    return left


def end_of_voucher(voucher: VoucherFacts, site: SiteRecord, first_use: datetime) -> datetime | None:
    """When a voucher first used at `first_use` ends; None where only minutes online count."""
    terms = voucher.terms
    ends = [end for end in (terms.until,) if end is not None]
    if terms.minutes is not None and terms.clock is not Clock.ONLINE:
        ends.append(first_use + timedelta(minutes=terms.minutes))
    if terms.clock is Clock.END_OF_DAY:
        ends.append(end_of_site_day(first_use, site.zone, site.day_ends))
    return min(ends, default=None)
