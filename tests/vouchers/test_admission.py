"""The one decision: a table of vouchers, usages, devices, places and moments, and what must hold of all of them."""

from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, time, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hotspot.directory import SiteRecord
from hotspot.exclusions import Exclusion
from hotspot.opening import OpeningHours, Span
from hotspot.place import SiteKind
from tests.conftest import NOON
from vouchers.admission import (
    LEAST_SECONDS,
    MOST_SECONDS,
    DeviceFacts,
    Granted,
    PlaceFacts,
    Reason,
    Refused,
    Usage,
    VoucherFacts,
    decide,
    end_of_voucher,
    limits_of,
)
from vouchers.passes import MEGABYTE, Clock, Terms

PHONE, LAPTOP, TABLET = b"phone", b"laptop", b"tablet"
HOUR, DAY = timedelta(hours=1), timedelta(days=1)
SITE = SiteRecord(
    id=1,
    public_id="markt",
    customer_id=1,
    slug="markt",
    name="Markt",
    kind=SiteKind.SINGLE,
    zone=ZoneInfo("Europe/Berlin"),
    day_ends=time(4),
    privacy_mode=False,
    ssids=(("Surf Pass", None),),
    access_point_ids=(1,),
)
# From 13:00 to 15:00 by the clock of Berlin: 11:00 to 13:00 UTC.
UNTIL_THREE = replace(SITE, hours=OpeningHours(SITE.zone, ((Span(time(13), time(15)),),) * 7))
NEVER_OPEN = replace(SITE, hours=OpeningHours(SITE.zone, ((),) * 7))
WITHOUT_TABLET = replace(SITE, exclusions=({TABLET: Exclusion(NOON + DAY)},))
DAY_PASS = Terms(Clock.FIRST_USE, minutes=1440)
HOURS_ONLINE = Terms(Clock.ONLINE, minutes=120)
TODAY = Terms(Clock.END_OF_DAY)
FESTIVAL = Terms(Clock.UNTIL, until=NOON + 3 * DAY)
GOOD_UNTIL = NOON + 365 * DAY


def unused(terms: Terms, good_until: datetime = GOOD_UNTIL) -> VoucherFacts:
    return VoucherFacts(SITE.id, terms, good_until)


def used(terms: Terms, ago: timedelta, good_until: datetime = GOOD_UNTIL) -> VoucherFacts:
    voucher = unused(terms, good_until)
    return replace(voucher, first_used_at=NOON - ago, ends_at=end_of_voucher(voucher, SITE, NOON - ago))


def granted(seconds: int, octets: int | None = None, ends: datetime | None = None, displaces: int = 0) -> Granted:
    return Granted(seconds, octets, None, None, ends, displaces)


def refused(reason: Reason, moment: datetime) -> Refused:
    return Refused(reason, moment=moment)


@dataclass(frozen=True)
class Case:
    """A line of the table."""

    what: str
    voucher: VoucherFacts
    result: Granted | Refused
    usage: Usage = field(default_factory=Usage)
    device: DeviceFacts = field(default_factory=lambda: DeviceFacts(PHONE))
    place: PlaceFacts = field(default_factory=lambda: PlaceFacts(SITE, capacity=100, occupied=0))
    now: datetime = NOON


def place(occupied: int, soft: bool = False) -> PlaceFacts:
    return PlaceFacts(SITE, capacity=100, occupied=occupied, soft=soft)


def gigabyte(terms: Terms = DAY_PASS, devices: int = 1) -> Terms:
    return replace(terms, megabytes=1000, devices=devices)


SHARED = replace(DAY_PASS, devices=2)
SWAPPED = replace(DAY_PASS, replace=True)
FREE = Terms(Clock.FIRST_USE, minutes=60, free=True)
TEATIME = datetime(2026, 6, 15, 14, 0, tzinfo=UTC)

CASES = [
    # Time, by clock.
    Case("a day from first use", unused(DAY_PASS), granted(86400, ends=NOON + DAY)),
    Case("a day used for an hour", used(DAY_PASS, HOUR), granted(82800, ends=NOON + 23 * HOUR)),
    Case("a minute is left", used(DAY_PASS, DAY - timedelta(seconds=60)), granted(60, ends=NOON + timedelta(seconds=60))),
    Case("less than a minute is left", used(DAY_PASS, DAY - timedelta(seconds=59)),
         refused(Reason.OVER, NOON + timedelta(seconds=59))),
    Case("the day has just ended", used(DAY_PASS, DAY), refused(Reason.OVER, NOON)),
    Case("the day is long over", used(DAY_PASS, 30 * DAY), refused(Reason.OVER, NOON - 29 * DAY)),
    Case("two hours online", unused(HOURS_ONLINE), granted(7200)),
    Case("half an hour of them used, a month ago", used(HOURS_ONLINE, 30 * DAY), granted(5400), Usage(seconds=1800)),
    Case("all of them used", used(HOURS_ONLINE, HOUR), Refused(Reason.OVER), Usage(seconds=7200)),
    Case("today, at 14:00 in Berlin", unused(TODAY), granted(14 * 3600, ends=NOON + 14 * HOUR)),
    Case("today, sold and used at 23:30", unused(TODAY), granted(16200, ends=datetime(2026, 6, 16, 2, tzinfo=UTC)),
         now=datetime(2026, 6, 15, 21, 30, tzinfo=UTC)),
    Case("today is not yesterday's", used(TODAY, DAY), refused(Reason.OVER, datetime(2026, 6, 15, 2, tzinfo=UTC))),
    Case("today, for three hours at most", unused(replace(TODAY, minutes=180)), granted(10800, ends=NOON + 3 * HOUR)),
    Case("today, for three hours at most, an hour before its end", unused(replace(TODAY, minutes=180)),
         granted(3600, ends=datetime(2026, 6, 16, 2, tzinfo=UTC)), now=datetime(2026, 6, 16, 1, tzinfo=UTC)),
    Case("until a moment", unused(FESTIVAL), granted(3 * 86400, ends=NOON + 3 * DAY)),
    Case("until a moment, and a day at most", unused(replace(FESTIVAL, minutes=1440)), granted(86400, ends=NOON + DAY)),
    Case("until a moment that is over", unused(FESTIVAL), refused(Reason.OVER, NOON + 3 * DAY), now=NOON + 3 * DAY),
    # What a voucher may be refused for.
    Case("another site's", replace(unused(DAY_PASS), site_id=2), Refused(Reason.OTHER_SITE)),
    Case("revoked", replace(unused(DAY_PASS), revoked=True), Refused(Reason.REVOKED)),
    Case("revoked and over", replace(used(DAY_PASS, DAY), revoked=True), Refused(Reason.REVOKED)),
    Case("unused in the last second it is good", unused(DAY_PASS, NOON + timedelta(seconds=1)),
         granted(86400, ends=NOON + DAY)),
    Case("minutes online used up before the moment they end at", used(replace(HOURS_ONLINE, until=NOON + DAY), HOUR),
         Refused(Reason.OVER), Usage(seconds=7200)),
    Case("stock that is not switched on", replace(unused(DAY_PASS), inactive=True), Refused(Reason.INACTIVE)),
    Case("switched off while it was used", replace(used(DAY_PASS, HOUR), inactive=True), Refused(Reason.INACTIVE)),
    Case("not switched on, and not valid yet", replace(unused(DAY_PASS), inactive=True, good_from=NOON + HOUR),
         Refused(Reason.INACTIVE)),
    Case("not switched on, and revoked", replace(unused(DAY_PASS), inactive=True, revoked=True), Refused(Reason.REVOKED)),
    Case("never used while it was good", unused(DAY_PASS, NOON), refused(Reason.EXPIRED, NOON)),
    Case("not valid yet", replace(unused(DAY_PASS), good_from=NOON + HOUR), refused(Reason.NOT_YET_VALID, NOON + HOUR)),
    Case("valid from this very moment", replace(unused(DAY_PASS), good_from=NOON), granted(86400, ends=NOON + DAY)),
    Case("not valid yet and revoked", replace(unused(DAY_PASS), good_from=NOON + HOUR, revoked=True),
         Refused(Reason.REVOKED)),
    Case("first used while it was good", used(DAY_PASS, HOUR, NOON - timedelta(minutes=1)),
         granted(82800, ends=NOON + 23 * HOUR)),
    # Volume.
    Case("a gigabyte", unused(gigabyte()), granted(86400, 10**9, NOON + DAY)),
    Case("a gigabyte, half used", used(gigabyte(), HOUR), granted(82800, 5 * 10**8, NOON + 23 * HOUR), Usage(octets=5 * 10**8)),
    Case("a gigabyte, one octet left", used(gigabyte(), HOUR), granted(82800, 1, NOON + 23 * HOUR), Usage(octets=10**9 - 1)),
    Case("a gigabyte, all used", used(gigabyte(), HOUR), Refused(Reason.USED_UP), Usage(octets=10**9)),
    Case("a gigabyte, overshot", used(gigabyte(), HOUR), Refused(Reason.USED_UP), Usage(octets=2 * 10**9)),
    Case("a gigabyte, shared by two", used(gigabyte(devices=2), HOUR), granted(82800, 5 * 10**8, NOON + 23 * HOUR),
         Usage(running=frozenset({LAPTOP}))),
    Case("a gigabyte, for whom has it already", used(gigabyte(devices=2), HOUR), granted(82800, 10**9, NOON + 23 * HOUR),
         Usage(running=frozenset({PHONE}))),
    Case("a last octet, shared by two", used(gigabyte(devices=2), HOUR), granted(82800, 1, NOON + 23 * HOUR),
         Usage(octets=10**9 - 1, running=frozenset({LAPTOP}))),
    # Devices.
    Case("in use on another device", used(DAY_PASS, HOUR), Refused(Reason.IN_USE), Usage(running=frozenset({LAPTOP}))),
    Case("in use on this device", used(DAY_PASS, HOUR), granted(82800, ends=NOON + 23 * HOUR),
         Usage(running=frozenset({PHONE}))),
    Case("a second device of two", used(SHARED, HOUR), granted(82800, ends=NOON + 23 * HOUR),
         Usage(running=frozenset({LAPTOP}))),
    Case("a third device of two", used(SHARED, HOUR), Refused(Reason.IN_USE), Usage(running=frozenset({LAPTOP, TABLET}))),
    Case("in use, and may be swapped", used(SWAPPED, HOUR), Refused(Reason.IN_USE, can_swap=True),
         Usage(running=frozenset({LAPTOP}))),
    Case("swapped", used(SWAPPED, HOUR), granted(82800, ends=NOON + 23 * HOUR, displaces=1),
         Usage(running=frozenset({LAPTOP})), DeviceFacts(PHONE, swaps=True)),
    Case("swapped where the pass does not say so", used(DAY_PASS, HOUR), Refused(Reason.IN_USE),
         Usage(running=frozenset({LAPTOP})), DeviceFacts(PHONE, swaps=True)),
    Case("swapped with nobody there", used(SWAPPED, HOUR), granted(82800, ends=NOON + 23 * HOUR),
         device=DeviceFacts(PHONE, swaps=True)),
    Case("swapped with one of two", used(replace(SWAPPED, devices=2), HOUR),
         granted(82800, ends=NOON + 23 * HOUR, displaces=1), Usage(running=frozenset({LAPTOP, TABLET})),
         DeviceFacts(PHONE, swaps=True)),
    # Opening hours and excluded devices.
    Case("an hour before closing", unused(DAY_PASS), granted(3600, ends=NOON + DAY), place=PlaceFacts(UNTIL_THREE, 100, 0)),
    Case("an hour left, and open longer", used(DAY_PASS, 23 * HOUR + timedelta(minutes=30)), granted(1800, ends=NOON + HOUR / 2),
         place=PlaceFacts(UNTIL_THREE, 100, 0)),
    Case("closed", unused(DAY_PASS), refused(Reason.CLOSED, NOON + DAY - HOUR), place=PlaceFacts(UNTIL_THREE, 100, 0),
         now=NOON + HOUR),
    Case("less than a minute before closing", unused(DAY_PASS), refused(Reason.CLOSED, NOON + DAY - HOUR),
         place=PlaceFacts(UNTIL_THREE, 100, 0), now=NOON + HOUR - timedelta(seconds=59)),
    Case("over and closed", used(DAY_PASS, DAY), refused(Reason.OVER, NOON), place=PlaceFacts(NEVER_OPEN, 100, 0)),
    Case("closed for good and full", unused(DAY_PASS), Refused(Reason.CLOSED), place=PlaceFacts(NEVER_OPEN, 100, 100)),
    Case("an excluded device", unused(DAY_PASS), refused(Reason.EXCLUDED, NOON + DAY), device=DeviceFacts(TABLET),
         place=PlaceFacts(WITHOUT_TABLET, 100, 0)),
    Case("an exclusion that is over", unused(DAY_PASS), granted(86400, ends=NOON + 2 * DAY), device=DeviceFacts(TABLET),
         place=PlaceFacts(WITHOUT_TABLET, 100, 0), now=NOON + DAY),
    Case("excluded, over and closed", used(DAY_PASS, DAY), refused(Reason.EXCLUDED, NOON + DAY),
         device=DeviceFacts(TABLET, returns=True), place=PlaceFacts(replace(WITHOUT_TABLET, hours=NEVER_OPEN.hours), 100, 0)),
    # Places.
    Case("the last place", unused(DAY_PASS), granted(86400, ends=NOON + DAY), place=place(99)),
    Case("no place", unused(DAY_PASS), Refused(Reason.FULL), place=place(100)),
    Case("more on it than it takes", unused(DAY_PASS), Refused(Reason.FULL), place=place(130)),
    Case("no place, but it returns", used(DAY_PASS, HOUR), granted(82800, ends=NOON + 23 * HOUR),
         device=DeviceFacts(PHONE, returns=True), place=place(100)),
    Case("no place, but the limit is soft", unused(DAY_PASS), granted(86400, ends=NOON + DAY), place=place(100, soft=True)),
    Case("no access point at all", unused(DAY_PASS), Refused(Reason.FULL), place=PlaceFacts(SITE, 0, 0)),
    # A free pass says so itself, whatever used it up.
    Case("a free hour", unused(FREE, NOON + 14 * HOUR), granted(3600, ends=NOON + HOUR)),
    Case("a free hour, used", used(FREE, HOUR, NOON + 14 * HOUR), refused(Reason.FREE_PASS_USED, NOON + 14 * HOUR)),
    Case("a free hour, its volume used", used(replace(FREE, megabytes=1), timedelta(minutes=1), NOON + 14 * HOUR),
         refused(Reason.FREE_PASS_USED, NOON + 14 * HOUR), Usage(octets=MEGABYTE)),
    Case("a free hour of another day", unused(FREE, NOON), refused(Reason.FREE_PASS_USED, NOON)),
    # What is wrong with the voucher comes before what is wrong with the place.
    Case("over and full", used(DAY_PASS, DAY), refused(Reason.OVER, NOON), place=place(100)),
    Case("in use and full", used(DAY_PASS, HOUR), Refused(Reason.IN_USE), Usage(running=frozenset({LAPTOP})), place=place(100)),
]  # fmt: skip


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.what)
def test_the_decision(case: Case) -> None:
    assert decide(case.voucher, case.usage, case.device, case.place, case.now) == case.result


def test_the_table_covers_every_reason_the_decision_can_give() -> None:
    given_reasons = {case.result.reason for case in CASES if isinstance(case.result, Refused)}
    assert given_reasons == {
        Reason.EXCLUDED,
        Reason.CLOSED,
        Reason.OTHER_SITE,
        Reason.REVOKED,
        Reason.INACTIVE,
        Reason.NOT_YET_VALID,
        Reason.EXPIRED,
        Reason.OVER,
        Reason.USED_UP,
        Reason.IN_USE,
        Reason.FULL,
        Reason.FREE_PASS_USED,
    }


def test_a_running_visit_is_over_only_when_nothing_is_left() -> None:
    voucher = used(DAY_PASS, DAY - timedelta(seconds=1))
    device, full = DeviceFacts(PHONE, returns=True), place(100)
    assert decide(voucher, Usage(), device, full, NOON, least_seconds=1) == granted(1, ends=NOON + timedelta(seconds=1))
    over = decide(voucher, Usage(), device, full, NOON + timedelta(seconds=1), least_seconds=1)
    assert over == refused(Reason.OVER, NOON + timedelta(seconds=1))


def test_rates_are_those_of_the_pass() -> None:
    voucher = unused(replace(DAY_PASS, down_kbit=10_000, up_kbit=2_000))
    decision = decide(voucher, Usage(), DeviceFacts(PHONE), place(0), NOON)
    assert isinstance(decision, Granted)
    assert (decision.down_kbit, decision.up_kbit) == (10_000, 2_000)


@given(st.sampled_from(Reason), st.booleans(), st.one_of(st.none(), st.integers(0, 2**33)))
def test_a_refusal_is_noted_in_a_short_word_and_read_again(reason: Reason, can_swap: bool, seconds: int | None) -> None:
    moment = None if seconds is None else datetime.fromtimestamp(seconds, UTC)
    refusal = Refused(reason, can_swap, moment)
    assert Refused.read(refusal.note) == refusal
    assert len(refusal.note) <= 32


@pytest.mark.parametrize("note", ["", "unheard-of", "full@", "full@x", "full@9999999999999999", "+swap", "@5"])
def test_what_is_no_refusal_is_not_read_as_one(note: str) -> None:
    assert Refused.read(note) in (None, Refused(Reason.FULL))


moments = st.integers(0, 400 * 86400).map(lambda seconds: NOON - 200 * DAY + timedelta(seconds=seconds))
minutes = st.one_of(st.none(), st.integers(1, 100_000))
terms_of_any_kind = st.builds(
    Terms,
    clock=st.sampled_from(Clock),
    minutes=minutes,
    until=st.one_of(st.none(), moments),
    megabytes=st.one_of(st.none(), st.integers(1, 100)),
    devices=st.integers(1, 3),
    replace=st.booleans(),
    free=st.booleans(),
)
usages = st.builds(
    Usage,
    octets=st.integers(0, 200 * MEGABYTE),
    seconds=st.integers(0, 200_000),
    running=st.frozensets(st.sampled_from([PHONE, LAPTOP, TABLET, b"4", b"5"])),
)
devices = st.builds(DeviceFacts, hash=st.just(PHONE), returns=st.booleans(), swaps=st.booleans())
places = st.builds(
    PlaceFacts,
    site=st.just(SITE),
    capacity=st.integers(0, 5),
    occupied=st.integers(0, 7),
    soft=st.booleans(),
    vacated=st.just(0),
)


@st.composite
def vouchers(draw: st.DrawFn) -> VoucherFacts:
    voucher = VoucherFacts(
        draw(st.sampled_from([1, 1, 1, 2])),
        draw(terms_of_any_kind),
        draw(moments),
        revoked=draw(st.sampled_from([False, False, False, True])),
    )
    first_use = draw(st.one_of(st.none(), moments))
    if first_use is None:
        return voucher
    return replace(voucher, first_used_at=first_use, ends_at=end_of_voucher(voucher, SITE, first_use))


@given(vouchers(), usages, devices, places, moments)
def test_nothing_granted_goes_beyond_any_limit(
    voucher: VoucherFacts, usage: Usage, device: DeviceFacts, place: PlaceFacts, now: datetime
) -> None:
    decision = decide(voucher, usage, device, place, now)
    if isinstance(decision, Refused):
        return
    terms = voucher.terms
    assert LEAST_SECONDS <= decision.seconds_left <= MOST_SECONDS
    end = now + timedelta(seconds=min(decision.seconds_left, 10**9))
    first_use = voucher.first_used_at or now
    if terms.until:
        assert end <= terms.until
    if terms.minutes and terms.clock is Clock.ONLINE:
        assert usage.seconds + decision.seconds_left <= terms.minutes * 60
    elif terms.minutes:
        assert end <= first_use + timedelta(minutes=terms.minutes)
    if terms.clock is Clock.END_OF_DAY:
        assert end - first_use <= timedelta(hours=25)
    if terms.octets:
        assert decision.octets_left
        assert 1 <= decision.octets_left <= terms.octets - usage.octets


@given(vouchers(), usages, devices, places, moments)
def test_a_place_and_a_device_too_many_are_never_granted(
    voucher: VoucherFacts, usage: Usage, device: DeviceFacts, place: PlaceFacts, now: datetime
) -> None:
    decision = decide(voucher, usage, device, place, now)
    if isinstance(decision, Refused):
        assert not (
            decision.reason is Reason.FULL and (place.occupied < place.capacity or device.returns or place.soft)
        )
        return
    assert place.occupied < place.capacity or device.returns or place.soft
    assert not voucher.revoked
    assert voucher.site_id == SITE.id
    stay = len(usage.running - {device.hash}) - decision.displaces
    assert 0 <= stay < voucher.terms.devices
    assert decision.displaces == 0 or (device.swaps and voucher.terms.replace)


@given(vouchers(), usages, devices, places, moments, st.integers(1, 86400))
def test_what_is_left_only_shrinks(
    voucher: VoucherFacts, usage: Usage, device: DeviceFacts, place: PlaceFacts, now: datetime, seconds: int
) -> None:
    """A used voucher is never worth more later or after more use, and what has been refused stays refused."""
    used_voucher = replace(voucher, first_used_at=now, ends_at=end_of_voucher(voucher, SITE, now))
    later_usage = replace(usage, octets=usage.octets + seconds, seconds=usage.seconds + seconds)
    before = limits_of(used_voucher, usage, SITE, now)
    after = limits_of(used_voucher, later_usage, SITE, now + timedelta(seconds=seconds))
    if isinstance(before, Refused):
        assert isinstance(after, Refused)
    elif isinstance(after, Granted):
        assert after.seconds_left <= before.seconds_left
        assert (after.octets_left is None) == (before.octets_left is None)
        assert (after.octets_left or 0) <= (before.octets_left or 0)
