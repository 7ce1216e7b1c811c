"""The overview: the user's sites, how many guests are on each access point now, and the vouchers in stock."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from zoneinfo import ZoneInfo

from flask import render_template
from flask_babel import gettext as _
from sqlalchemy.orm import Session

from hotspot.directory import Directory, SiteRecord
from hotspot.looks import waiting_looks
from hotspot.place import Site
from hotspot.rights import Right
from portal import formats, gate
from portal.context import Portal, current
from portal.staff import wording
from portal.staff.account import alert_lines
from portal.staff.alarms import ALARMS_SHOWN, alarm_lines
from portal.staff.charts import guests_in_words
from portal.staff.stock import StockLine, stock_lines
from portal.staff.texts import missing_texts
from portal.staff.user import StaffUser, signed_in
from sessions import doubles, guessing
from sessions.evaluation import guests_today
from sessions.occupancy import Occupancy, guests_now


@dataclass(frozen=True)
class PointLine:
    """An access point and the places taken on it."""

    name: str
    guests: int
    capacity: int

    @property
    def percent(self) -> int:
        """How much of it is taken; a single guest is seen too."""
        return min(100, max(2 if self.guests else 0, self.guests * 100 // self.capacity))

    @property
    def full(self) -> bool:
        """Whether nobody else gets in."""
        return self.guests >= self.capacity


@dataclass(frozen=True)
class SiteCard:
    """A site on the overview; `unplaced` guests are at the site, and it is not known on which access point."""

    public_id: str
    name: str
    customer: str | None
    ssid: str
    guests: int
    capacity: int
    points: tuple[PointLine, ...]
    unplaced: int
    in_stock: int
    as_of: str
    today: str = ""
    stock: tuple[StockLine, ...] = ()


@dataclass(frozen=True)
class SilentPoint:
    """An access point of which nothing is heard although guests were on it."""

    name: str
    site: str
    since: str


@dataclass(frozen=True)
class WaitingPage:
    """A site whose own page waits for its release."""

    site_id: str
    site: str


def desk() -> str:
    """The overview page."""
    portal, user = current(), signed_in()
    now = portal.clock()
    with portal.database.read() as session:
        sites = gate.sites(session, user)
        ids = [site.id for site in sites]
        occupancy = guests_now(session, ids)
        stock = stock_lines(session, sites, now)
        today = guests_today(session, _sites_seen(portal, session, ids, user), now)
        operates = Right.OPERATE in user.rights
        missing = missing_texts(session, now) if operates else []
        waiting = waiting_looks(session) if operates else ()
        copied = _doubles(portal.directory(session), doubles.alarms(session, now)) if operates else []
        guesses = guessing.alarms(session, now - ALARMS_SHOWN) if operates else []
        zone = ZoneInfo(sites[0].timezone if sites else "UTC")
        news = alert_lines(session, user, zone, now) if user.has_news else []
    cards = [
        replace(
            card(site, occupancy, sum(line.unused for line in stock[site.id]), now, with_customer=user.is_operator),
            today=guests_in_words(today[site.id]) if site.id in today else "",
            stock=tuple(stock[site.id]),
        )
        for site in sites
    ]
    pages = [WaitingPage(look.site.public_id, look.site.name) for look in waiting]
    return render_template(
        "staff/desk.html",
        cards=cards,
        waiting=pages,
        missing=missing,
        doubles=copied,
        new_sign_ins=news,
        alarms=alarm_lines(guesses, sites, now),
        silent=_silent(sites, now),
    )


def _sites_seen(portal: Portal, session: Session, ids: Sequence[int], user: StaffUser) -> list[SiteRecord]:
    """The sites whose guests of today are told: the operator has too many of them to count all at once."""
    if user.is_operator or Right.SEE_USE not in user.rights:
        return []
    return [portal.directory(session).sites[id] for id in ids]


def _silent(sites: Sequence[Site], now: datetime) -> list[SilentPoint]:
    return [
        SilentPoint(point.name, site.name, formats.moment(point.silent_since, ZoneInfo(site.timezone), now))
        for site in sites
        for point in site.access_points
        if point.silent_since
    ]


def _doubles(directory: Directory, found: list[doubles.Sighting]) -> list[str]:
    """Where devices are at two places at once, in words; which devices, nobody is told."""
    names = {site.id: site.name for site in directory.sites.values()}
    return [
        _("At %(site)s and at %(other)s", site=names[one.site_id], other=names[one.other_site_id])
        if one.site_id != one.other_site_id
        else _("At two access points of %(site)s", site=names[one.site_id])
        for one in found
        if one.site_id in names and one.other_site_id in names
    ]


def card(site: Site, occupancy: Occupancy, in_stock: int, now: datetime, *, with_customer: bool = False) -> SiteCard:
    """A site as the overview shows it."""
    points = [point for point in site.access_points if not point.retired_at]
    return SiteCard(
        public_id=site.public_id,
        name=site.name,
        customer=site.customer.name if with_customer else None,
        ssid=ssid_of(site),
        guests=occupancy.at_site(site.id),
        capacity=sum(point.capacity for point in points),
        points=tuple(PointLine(p.name, occupancy.on_access_point(site.id, p.id), p.capacity) for p in points),
        unplaced=occupancy.elsewhere(site.id, [point.id for point in points]),
        in_stock=in_stock,
        as_of=wording.hour(now, ZoneInfo(site.timezone)),
    )


def ssid_of(site: Site) -> str:
    """The network name to tell guests: the one that stays, or else the one that was added last."""
    names: Sequence[str] = [one.ssid for one in site.ssids if one.valid_until is None] or [s.ssid for s in site.ssids]
    return names[-1] if names else ""
