"""What is stored about a visit, and until when: read from its rows, and said by the constants that house-keeping goes by."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta

from flask_babel import gettext as _
from flask_babel import ngettext
from sqlalchemy import select
from sqlalchemy.orm import Session

from hotspot.clock import end_of_site_day
from portal import cookies, formats
from portal.here import Here
from sessions.devices import devices_of
from sessions.extensions import extended_of
from sessions.housekeeping import CLOSED_VISITS_LIVE, DAY_KEYS_OUTLIVE_DAY, DEVICES_LIVE, IDENTIFIERS_LIVE
from sessions.visit import Visit, VoucherDevice
from vouchers.voucher import Voucher


@dataclass(frozen=True)
class Stored:
    """One thing that is stored: what, what for, and until when."""

    what: str
    why: str
    until: str


def describe(session: Session, here: Here, visit: Visit) -> list[Stored]:
    """All that is stored about a visit now."""
    voucher = session.get(Voucher, visit.voucher_id) if visit.voucher_id else None
    return [
        *_addresses(here, visit),
        *_visit(here, visit),
        *_voucher(here, visit, voucher),
        *_device(session, here, visit, voucher),
        *_others(session, visit),
        *_log(here, visit),
        *_browser(),
    ]


def _addresses(here: Here, visit: Visit) -> Iterator[Stored]:
    if visit.identifiers:
        yield Stored(
            _("The addresses of your device (MAC and IP) and the number of its session, encrypted"),
            _("To end the connection when its time is over"),
            _after(here, visit, IDENTIFIERS_LIVE),
        )


def _visit(here: Here, visit: Visit) -> Iterator[Stored]:
    until = _after(here, visit, CLOSED_VISITS_LIVE)
    yield Stored(
        _(
            "When you were online, at which access point, and how much data went through; your device as a scrambled number"
        ),
        _("To count the time and data of your access"),
        until,
    )
    if visit.terms_id is not None:
        yield Stored(_("Which version of the terms of use you have accepted"), _("To prove the agreement"), until)


def _voucher(here: Here, visit: Visit, voucher: Voucher | None) -> Iterator[Stored]:
    if voucher and voucher.free_device:
        ends = end_of_site_day(here.now, here.site.zone, here.site.day_ends)
        yield Stored(
            _("That this device, as a scrambled number, has taken its free access today"),
            _("It is there once a day"),
            _("until %(moment)s", moment=formats.moment(ends, here.site.zone, here.now)),
        )
    elif voucher:
        yield Stored(
            _("How much of your voucher is used, without your device"),
            _("To know what is left"),
            _("as long as the operator keeps its vouchers"),
        )


def _device(session: Session, here: Here, visit: Visit, voucher: Voucher | None) -> Iterator[Stored]:
    query = select(VoucherDevice.last_login_at).where(
        VoucherDevice.voucher_id == visit.voucher_id, VoucherDevice.device == visit.device
    )
    last_login_at = session.scalar(query)
    if last_login_at and voucher:
        ends = min(last_login_at + DEVICES_LIVE, voucher.ends_at or datetime.max.replace(tzinfo=here.now.tzinfo))
        yield Stored(
            _("Your device as a scrambled number, with your voucher"),
            _("So that it can come back without the sign-in page"),
            _("until %(moment)s", moment=formats.moment(ends, here.site.zone, here.now)),
        )
    if extended_of(session, [visit]):
        yield Stored(
            _("Which voucher follows the one you use, with your device as a scrambled number"),
            _("So that you stay online"),
            _("until the other voucher has its turn"),
        )


def _others(session: Session, visit: Visit) -> Iterator[Stored]:
    expected = len(devices_of(session, visit.voucher_id).promised - {visit.device}) if visit.voucher_id else 0
    if expected:
        yield Stored(
            ngettext(
                "%(num)s device you have added, as a scrambled number",
                "%(num)s devices you have added, as scrambled numbers",
                expected,
            ),
            _("To come in without the sign-in page"),
            _("until your voucher ends, %(days)s days at most", days=DEVICES_LIVE.days),
        )


def _log(here: Here, visit: Visit) -> Iterator[Stored]:
    if here.site.privacy_mode:
        return
    zones = ((site.zone, site.day_ends) for site in here.directory.sites.values())
    began = visit.opened_at or here.now
    # The day's key goes an hour after the last site's day is over.
    ends = max(end_of_site_day(began, zone, day_ends) for zone, day_ends in zones) + DAY_KEYS_OUTLIVE_DAY
    when = formats.moment(ends, here.site.zone, here.now)
    yield Stored(
        _(
            "After the visit, an entry in the connection log: access point, rounded time and volume, a number for the device"
        ),
        _("To see how the hotspot is used"),
        _("kept; from %(moment)s on nobody can say any more whose it was", moment=when),
    )


def _browser() -> Iterator[Stored]:
    if cookies.visit_token():
        yield Stored(
            _("In your browser: the way back to this page"),
            _("So that you find it again"),
            ngettext("%(num)s hour", "%(num)s hours", cookies.VISIT_LIFE // timedelta(hours=1)),
        )


def _after(here: Here, visit: Visit, life: timedelta) -> str:
    """Until when, from the end of the visit on."""
    if visit.closed_at:
        return str(_("until %(moment)s", moment=formats.moment(visit.closed_at + life, here.site.zone, here.now)))
    if life < timedelta(hours=1):
        minutes = life // timedelta(minutes=1)
        return str(ngettext("until %(num)s minute after the visit", "until %(num)s minutes after the visit", minutes))
    hours = life // timedelta(hours=1)
    return str(ngettext("until %(num)s hour after the visit", "until %(num)s hours after the visit", hours))
