"""A guest comes in through a gateway, chooses, accepts the terms, and is sent back with a ticket."""

from dataclasses import replace
from datetime import timedelta

import structlog
from flask import Blueprint, make_response, redirect, render_template, request, url_for
from sqlalchemy.orm import Session
from werkzeug.wrappers import Response

from portal import bounce, cookies, errors, flow, landing, opennds_poll, overload, site_page, status_page
from portal.context import current
from portal.flow import Flow
from portal.handoffs import (
    HANDOFFS,
    Failure,
    FormPost,
    Problem,
    Recognised,
    Redirect,
    Sent,
    State,
    Ticket,
    Wait,
    recognise,
)
from portal.handoffs.addresses import read_origin
from portal.headers import SELF_POST, allow_forms_to, allow_self_post
from portal.here import Here, find_site
from portal.languages import asked_language
from portal.remembered import remembered_here
from portal.site_page import SAME, Form
from portal.transactions import commit
from portal.waiting_form import seal_form, unseal_form
from portal.wish import Wish, incomplete
from portal.wording import (
    FAILURES,
    FLOW_EXPIRED,
    FLOW_EXPIRED_FOR_GOOD,
    PROBLEMS,
    WRONG_END,
    Words,
    words_for,
)
from sessions.asking import Asked, find_by_handle, find_by_page_token, newest_asked, running_visit
from sessions.offers import points_with_room
from sessions.visit import Visit, VisitState
from vouchers.admission import Reason, Refused, shut_out

blueprint = Blueprint("guest", __name__)
_log = structlog.get_logger("portal")
_LATELY = timedelta(minutes=2)
_WRONG_CODES = (Reason.MISTYPED, Reason.UNKNOWN_CODE)

_Page = str | tuple[str, int] | Response


@blueprint.get("/g/<slug>")
def site_page_of(slug: str) -> _Page:
    """Where gateways send guests, and where guests who type the address end up."""
    overload.shed(request.environ, overload.RETURN_SECONDS if _comes_back() else overload.PAGE_SECONDS)
    with current().database.read() as session:
        here = _here(session, slug)
        arrived = _arrived(here)
        if isinstance(arrived, Problem):
            return _message(here, PROBLEMS[arrived]), 400
        if arrived:
            passing = flow.begin(here.directory, here.site, arrived, here.now)
            return _welcome(session, replace(here, flow=passing), passing)
        if "flow" not in request.args:
            return site_page.show(session, here, "guest/elsewhere.html")
        here = _with_flow(here, request.args["flow"])
        usable = _usable(here)
        return _welcome(session, here, usable) if usable else _expired(here)


def _comes_back() -> bool:
    """Whether a guest has been at the portal before: the gateway says how it went, or the browser has kept the visit."""
    return request.args.get("res", "notyet") != "notyet" or bool(cookies.visit_token())


@blueprint.post("/g/<slug>")
def posted_to_site_page(slug: str) -> _Page:
    """Where login pages on gateways post guests to: it begins a flow, and has no more authority than a link.

    openNDS knows no other address of ours than this, so its polls come here too.
    """
    with current().database.read() as session:
        here = _here(session, slug)
        if opennds_poll.is_poll():
            return opennds_poll.answer(here.portal, here.directory, here.site, here.now)
        arrived = _arrived(here) or _refuse(here, Problem.MALFORMED)
    if isinstance(arrived, Problem):
        return _message(here, PROBLEMS[arrived]), 400
    passing = flow.seal(here.portal.keyring, flow.begin(here.directory, here.site, arrived, here.now))
    return redirect(url_for("guest.site_page_of", slug=slug, flow=passing, lang=asked_language()), 303)


@blueprint.get("/g/<slug>/online")
def landed(slug: str) -> _Page:
    """Where gateways that cannot report a success to the portal send guests whom they have let in."""
    with current().database.read() as session:
        here = _here(session, slug)
        if _own_visit(session, here):
            return redirect(url_for("status.page", token=cookies.visit_token()), 303)
        handle = landing.read_token(here.portal.keyring, request.args.get("visit", ""), here.now)
        visit = find_by_handle(session, handle) if handle else None
        return status_page.show(session, here, visit if visit and visit.site_id == here.site.id else None)


@blueprint.get("/g/<slug>/login")
def back_to_site(slug: str) -> _Page:
    """A form that had to wait comes back by itself; a browser that was restarted asks for its address without the form."""
    if waiting := unseal_form(current().keyring, request.args.get("form", "")):
        return _log_in(slug, *waiting)
    return redirect(url_for("guest.site_page_of", slug=slug, lang=asked_language()), 303)


@blueprint.post("/g/<slug>/login")
def log_in(slug: str) -> _Page:
    """Check what the guest wants; note it; send the guest to the gateway with a ticket."""
    return _log_in(slug, request.form.get("flow", ""), Form.sent())


def _log_in(slug: str, flow_token: str, form: Form) -> _Page:
    sealed = seal_form(current().keyring, flow_token, form)
    errors.retry_at(url_for("guest.back_to_site", slug=slug, form=sealed, lang=asked_language()))
    overload.shed(request.environ, overload.LOGIN_SECONDS)
    with current().logins.take():
        return _decide(slug, flow_token, form)


def _decide(slug: str, flow_token: str, form: Form) -> _Page:
    with current().database.read() as session:
        here = _with_flow(_here(session, slug), flow_token)
        passing = _usable(here)
        if passing is None or not passing.may_log_in:
            return _expired(here)
        here.prepare_page()
        shown = here.portal.shown(session)
        offer, agreement = shown.offer(session, here.site), shown.agreement(session, here.now)
        known = remembered_here(session, here) if form.variant == SAME else None
        if alerts := incomplete(form, offer, known, agreement):
            return site_page.show(session, here, "guest/site.html", form, alerts)
    wish = Wish(here, passing, form, form.free_pass(offer), known.account if known else None, agreement)
    # A wrong guess is counted, and so kept, although nothing is granted.
    outcome = commit(current().database, wish.take)
    if isinstance(outcome, Refused):
        with current().database.read() as session:
            wrong_end = outcome.reason in _WRONG_CODES and bounce.is_end(here.portal, passing, form.code)
            alert = WRONG_END if wrong_end else _words(session, here, outcome)
            return site_page.show(session, here, "guest/site.html", form, [alert], swap=outcome.can_swap)
    return _send_to_gateway(here, passing, outcome)


def _here(session: Session, slug: str) -> Here:
    portal = current()
    directory = portal.directory(session)
    return Here(portal, directory, find_site(directory, slug), portal.clock())


def _arrived(here: Here) -> Recognised | Problem | None:
    sent = Sent(_page_url(here.site.slug), request.query_string, request.form.to_dict())
    arrived = recognise(here.directory, here.site, sent)
    return _refuse(here, arrived) if isinstance(arrived, Problem) else arrived


def _refuse(here: Here, problem: Problem) -> Problem:
    """Let the operator know."""
    here.portal.tally.add(problem)
    _log.warning("gateway query refused", problem=problem.value, site=here.site.slug)
    return problem


def _page_url(slug: str) -> str:
    """This page's address as gateways are told it."""
    return f"{current().settings.public_portal_url}/g/{slug}"


def _with_flow(here: Here, token: str) -> Here:
    found = flow.unseal(here.portal.keyring, token)
    return replace(here, flow=found) if found and found.site_id == here.site.id else here


def _usable(here: Here) -> Flow | None:
    """The flow to go on with: fresh, and its gateway is still one that guests may be sent to."""
    return here.flow if here.flow and not here.flow.expired(here.now) and here.nas else None


def _expired(here: Here) -> _Page:
    return _message(here, FLOW_EXPIRED), 200 if here.flow else 400


def _message(here: Here, words: Words) -> str:
    if words is FLOW_EXPIRED and here.again_url is None:
        words = FLOW_EXPIRED_FOR_GOOD
    return render_template("guest/message.html", site_name=here.site.name, words=words, again_url=here.again_url)


def _welcome(session: Session, here: Here, passing: Flow) -> _Page:
    """Answer a guest by the state the gateway reports."""
    here.prepare_page()
    match passing.state:
        case State.NOT_YET:
            if refused := shut_out(here.site, here.device or b"", here.now):
                return _message(here, words_for(refused, here.site.zone, here.now))
            return site_page.show(session, here, "guest/site.html", alerts=_refused_lately(session, here))
        case State.FAILED:
            refused = _refused_by_radius(session, here, passing)
            words = _words(session, here, refused) if refused else FAILURES[passing.failure or Failure.OTHER]
            swap = refused is not None and refused.can_swap
            return site_page.show(session, here, "guest/site.html", alerts=[words], swap=swap)
        case State.LOGGED_OFF:
            return render_template("guest/logged_out.html", site_name=here.site.name, again_url=here.again_url)
        case State.SUCCESS | State.ALREADY:
            return _online(session, here, passing)


def _online(session: Session, here: Here, passing: Flow) -> _Page:
    own = _own_visit(session, here)
    if own and own.runs:
        token, sealed = cookies.visit_token(), flow.seal(here.portal.keyring, passing)
        return redirect(url_for("status.page", token=token, flow=sealed, lang=asked_language()), 303)
    device = here.device
    return status_page.show(session, here, running_visit(session, here.site.id, device) if device else None)


def _refused_by_radius(session: Session, here: Here, passing: Flow) -> Refused | None:
    """Why the gateway did not let the guest in, where RADIUS has noted it at the visit."""
    device, visit = here.device, _own_visit(session, here)
    if visit is None or visit.state is not VisitState.ASKED:
        visit = newest_asked(session, here.site.id, device, here.now) if device else None
    return Refused.read(visit.refusal or "") if visit else None


def _words(session: Session, here: Here, refused: Refused) -> Words:
    """What to tell the guest; where the access point is full, also which others of the site are not."""
    point = here.located.access_point
    is_full = refused.reason is Reason.FULL and point is not None
    return words_for(refused, here.site.zone, here.now, points_with_room(session, here.site.id) if is_full else ())


def _refused_lately(session: Session, here: Here) -> list[Words]:
    """Why RADIUS has just refused this browser's guest: not every gateway says that a login has failed."""
    visit = _own_visit(session, here)
    if visit is None or visit.state is not VisitState.ASKED or here.now - visit.asked_at > _LATELY:
        return []
    refused = Refused.read(visit.refusal or "")
    return [_words(session, here, refused)] if refused else []


def _own_visit(session: Session, here: Here) -> Visit | None:
    """The visit whose token this browser has kept, if it is one at this site."""
    token = cookies.visit_token()
    visit = find_by_page_token(session, here.portal.keyring, token) if token else None
    return visit if visit and visit.site_id == here.site.id else None


def _send_to_gateway(here: Here, passing: Flow, asked: Asked) -> _Page:
    nas = here.nas
    if nas is None:
        return _expired(here)
    seen_by = landing.make_token(here.portal.keyring, asked.handle, here.now)
    ticket = Ticket(asked.handle, asked.ticket, f"{_page_url(here.site.slug)}/online?visit={seen_by}")
    match HANDOFFS[nas.make].grant(nas, passing, ticket):
        case Redirect(url):
            response: Response = redirect(url, 303)
        case FormPost() as post:
            response = _post_from_page(here, post)
        case Wait():
            passing_on = flow.seal(here.portal.keyring, passing)
            url = url_for("status.page", token=asked.page_token, flow=passing_on, lang=asked_language())
            response = redirect(url, 303)
    cookies.keep_visit(response, asked.page_token)
    return response


def _post_from_page(here: Here, post: FormPost) -> Response:
    """A page whose form takes the guest to the gateway: by itself where scripts run, else by its button."""
    allow_forms_to([str(read_origin(post.url))])
    allow_self_post()
    return make_response(
        render_template("guest/hand_back.html", site_name=here.site.name, post=post, self_post=SELF_POST)
    )
