"""How a site's hotspot is used: today by the hour, the last four weeks by day, and at which hours of the clock."""

from dataclasses import dataclass
from datetime import datetime

from babel.dates import format_date
from flask import render_template
from flask_babel import gettext as _
from sqlalchemy.orm import Session

from hotspot.directory import SiteRecord
from hotspot.place import Site
from portal import gate
from portal.context import current
from portal.languages import language
from portal.staff import wording
from portal.staff.charts import Chart, bar_chart, guests_in_words
from portal.staff.user import signed_in
from sessions.evaluation import guests_by_day, guests_today, hours_today, usual_hours

DAYS = 28


@dataclass(frozen=True)
class UsePage:
    """The page; without charts for a site in privacy mode, of which nothing is kept."""

    site_id: str
    site: str
    today: str
    busiest: str
    charts: tuple[Chart, ...]


def use(site_id: str) -> str:
    """The page."""
    portal = current()
    now = portal.clock()
    with portal.database.read() as session:
        place = gate.find(session, signed_in(), Site, site_id)
        site = portal.directory(session).sites[place.id]
        page = UsePage(site_id, site.name, "", "", ()) if site.privacy_mode else _page(session, site, now)
    return render_template("staff/use.html", page=page)


def _page(session: Session, site: SiteRecord, now: datetime) -> UsePage:
    by_clock = usual_hours(session, site, DAYS, now)
    busiest = max(range(24), key=lambda hour: by_clock[hour] or 0)
    return UsePage(
        site_id=site.public_id,
        site=site.name,
        today=guests_in_words(guests_today(session, [site], now)[site.id]),
        busiest=_span(busiest) if by_clock[busiest] else "",
        charts=(_hours_chart(session, site, now), _days_chart(session, site, now), _clock_chart(by_clock)),
    )


def _hours_chart(session: Session, site: SiteRecord, now: datetime) -> Chart:
    hours = hours_today(session, site, now)
    names = [wording.hour(one.begins, site.zone) for one in hours]
    bars = [(name, one.guests) for name, one in zip(names, hours, strict=True)]
    return bar_chart("today", _("Today, by the hour"), _("From"), bars, _every(4, names))


def _days_chart(session: Session, site: SiteRecord, now: datetime) -> Chart:
    days = guests_by_day(session, site, DAYS, now)
    bars = [(str(format_date(day, "EEE d. MMM", locale=language())), guests) for day, guests in days.items()]
    short = [str(format_date(day, "d.M." if language() == "de" else "d MMM", locale=language())) for day in days]
    return bar_chart("days", _("The last four weeks, by day"), _("Day"), bars, _every(7, short))


def _clock_chart(by_clock: list[int | None]) -> Chart:
    bars = [(_span(hour), guests) for hour, guests in enumerate(by_clock)]
    names = [f"{hour:02}:00" for hour in range(24)]
    title = _("By the hour of the clock, the last four weeks added up")
    return bar_chart("clock", title, _("Hour"), bars, _every(4, names))


def _every(step: int, names: list[str]) -> list[tuple[int, str]]:
    return [(index, name) for index, name in enumerate(names) if index % step == 0]


def _span(hour: int) -> str:
    return f"{hour:02}:00–{(hour + 1) % 24:02}:00"
