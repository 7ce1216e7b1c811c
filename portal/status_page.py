"""A visit as its guest sees it: online and how much is left, not yet, refused, or over."""

import enum
from dataclasses import dataclass, replace
from urllib.parse import urlsplit

from flask import render_template, request, url_for
from sqlalchemy.orm import Session

from hotspot.place import LoginWay
from portal import bounce, formats, look
from portal.handoffs import Failure
from portal.handoffs.opennds import OpenNds
from portal.headers import look_again_after
from portal.here import Here
from portal.wording import CLOSINGS, FAILURES, REFUSALS, REJOIN, Words, words_for
from sessions.extensions import Chains
from sessions.kept import Progress, progress_of
from sessions.status import ask_names, status_of
from sessions.usage import accounts_by_id
from sessions.visit import CloseCause, Visit, VisitState
from vouchers.admission import Reason, Refused, shut_out

# Pages that systems ask for to find out whether they are online: nowhere a guest would want to go.
_PROBES = frozenset(
    {
        "captive.apple.com",
        "www.apple.com",
        "connectivitycheck.gstatic.com",
        "connectivitycheck.android.com",
        "clients3.google.com",
        "www.google.com",
        "www.msftconnecttest.com",
        "www.msftncsi.com",
        "detectportal.firefox.com",
        "network-test.debian.org",
        "nmcheck.gnome.org",
        "connectivity-check.ubuntu.com",
    }
)
_REFRESH_SECONDS = 60
# While the gateway is still asking, the answer is only moments away.
_SOON_SECONDS = 5
# In the address of a page that shall not look again by itself.
_STILL = "still"


class View(enum.StrEnum):
    """Which of its faces the page shows."""

    ONLINE = "online"
    WAITING = "waiting"
    REFUSED = "refused"
    OVER = "over"


@dataclass(frozen=True)
class Ways:
    """Where a guest's own page leads; none of it where the guest has come without its token."""

    logout_form: str | None = None
    extend_url: str | None = None
    device_url: str | None = None
    data_url: str | None = None
    short_address: str | None = None


@dataclass(frozen=True)
class StatusPage:
    """All that the page shows; texts that are empty are left out. `followers` are the vouchers that come after this one."""

    view: View
    site_name: str
    ssid: str
    refresh_seconds: int | None
    words: Words | None = None
    pass_name: str = ""
    time_left: str = ""
    volume_left: str = ""
    ends: str = ""
    onward_url: str | None = None
    followers: tuple[str, ...] = ()
    logout_link: str | None = None
    again_url: str | None = None
    still_url: str | None = None
    ways: Ways = Ways()


def onward_url(here: Here) -> str | None:
    """Where the guest was going before the gateway stepped in; never a place that only machines visit, nor our own bounce."""
    url = here.flow.original_url if here.flow and here.flow.verified else None
    if url is None or bounce.is_bounce(here.portal, url):
        return None
    return url if urlsplit(url).hostname not in _PROBES else None


def show(session: Session, here: Here, visit: Visit | None, ways: Ways = Ways()) -> str:
    """The page as HTML; without a visit it says only that the guest is online, since the gateway says so."""
    look.dress(session, here.site)
    page = _build(session, here, visit, ways)
    if page.refresh_seconds is None or _STILL in request.args:
        return _render(here, page)
    look_again_after(page.refresh_seconds)
    own_address = {**(request.view_args or {}), **request.args, _STILL: "1"}
    return render_template(
        "guest/status.html", page=replace(page, still_url=url_for(request.endpoint or "", **own_address))
    )


def _render(here: Here, page: StatusPage) -> str:
    """The page; many guests whom their gateway sends get the same one."""
    if page.ways != Ways() or page.onward_url or page.words:
        return render_template("guest/status.html", page=page)
    return here.render("guest/status.html", page=page)


def _build(session: Session, here: Here, visit: Visit | None, ways: Ways) -> StatusPage:
    page = StatusPage(
        view=View.ONLINE,
        site_name=here.site.name,
        ssid=here.ssid,
        refresh_seconds=None,
        onward_url=onward_url(here),
        logout_link=None if ways.logout_form else here.logout_url,
        again_url=here.again_url,
        ways=ways,
    )
    if visit is None:
        return page
    if visit.state is VisitState.ASKED:
        return _not_yet(here, visit, page)
    voucher_id = visit.voucher_id or 0
    named = ask_names(session, [voucher_id])
    account = accounts_by_id(session, [voucher_id], here.now)[voucher_id]
    status, ends_at = status_of(here.directory, account, here.now), account.facts.ends_at
    page = replace(
        page,
        pass_name=next(name for _id, name in named.rows()),
        time_left=formats.duration(status.seconds_left) if status.seconds_left is not None else "",
        volume_left=formats.volume(status.octets_left) if status.octets_left is not None else "",
        ends=formats.moment(ends_at, here.site.zone, here.now) if ends_at else "",
    )
    if visit.runs and (taking := _being_taken(session, here, visit, page)):
        return taking
    if visit.runs:
        # Only the guest's own page can be asked for again and again: a flow runs out.
        page = _until_closing(here, page, status.seconds_left)
        refresh_seconds = _REFRESH_SECONDS if ways.logout_form else None
        return replace(page, refresh_seconds=refresh_seconds, followers=_followers(session, here, visit))
    words = CLOSINGS[visit.close_cause or CloseCause.STOPPED]
    if not status.seconds_left or status.octets_left == 0:
        words = CLOSINGS[CloseCause.OVER] if visit.close_cause is not CloseCause.REVOKED else words
        page = replace(page, time_left="", volume_left="", ends="")
    else:
        words = _shut_out_words(here, visit) or words
    return replace(page, view=View.OVER, words=words)


def _shut_out_words(here: Here, visit: Visit) -> Words | None:
    """Why a visit ended whose site has closed or whose device was excluded; once that is past the guest may come back."""
    told = Refused.read(visit.refusal or "")
    noted = told is not None and told.reason in (Reason.CLOSED, Reason.EXCLUDED)
    if visit.close_cause is not CloseCause.OVER and not (noted and visit.close_cause is CloseCause.STOPPED):
        return None
    if refused := shut_out(here.site, visit.device or b"", here.now):
        return words_for(refused, here.site.zone, here.now)
    return CLOSINGS[CloseCause.STOPPED] if noted else None


def _until_closing(here: Here, page: StatusPage, seconds_left: int | None) -> StatusPage:
    """What is left where the site closes before the voucher ends."""
    closes_at = here.site.hours.closes_at(here.now) if here.site.hours else None
    if closes_at is None:
        return page
    seconds = int((closes_at - here.now).total_seconds())
    if seconds_left is not None and seconds_left <= seconds:
        return page
    ends = formats.moment(closes_at, here.site.zone, here.now)
    return replace(page, time_left=formats.duration(seconds), ends=ends)


def _followers(session: Session, here: Here, visit: Visit) -> tuple[str, ...]:
    ids = Chains(session, [visit.device], here.now).ids_behind(visit.voucher_id, visit.device)
    names: dict[int, str] = dict(ask_names(session, ids).rows())
    return tuple(names[one] for one in ids)


def _being_taken(session: Session, here: Here, visit: Visit, page: StatusPage) -> StatusPage | None:
    """The page until a gateway that polls has let the guest in, or has let the time for that go by; else None."""
    nas = next((nas for nas in here.directory.nas if nas.id == visit.nas_id), None)
    if nas is None or nas.make != OpenNds.make:
        return None
    match progress_of(session, here.portal.keyring, visit, here.now):
        case Progress.WAITING:
            return replace(
                page, view=View.WAITING, refresh_seconds=_SOON_SECONDS, time_left="", volume_left="", ends=""
            )
        case Progress.NOT_TAKEN:
            return replace(
                page, view=View.REFUSED, words=FAILURES[Failure.TIMEOUT], time_left="", volume_left="", ends=""
            )
    return None


def _not_yet(here: Here, visit: Visit, page: StatusPage) -> StatusPage:
    if visit.refusal:
        return replace(page, view=View.REFUSED, words=refusal_words(here, visit))
    if visit.ticket_expires_at and here.now < visit.ticket_expires_at:
        words = REJOIN if visit.way is LoginWay.MAC else None
        return replace(page, view=View.WAITING, refresh_seconds=_SOON_SECONDS, words=words)
    return replace(page, view=View.OVER, words=REFUSALS[Reason.STALE_TICKET])


def refusal_words(here: Here, visit: Visit) -> Words | None:
    """Why RADIUS refused the visit, if it has."""
    refused = Refused.read(visit.refusal or "")
    return words_for(refused, here.site.zone, here.now) if refused else None
