"""The guest's own pages: what is stored about the visit and until when, and having the device forgotten."""

from dataclasses import dataclass

from flask import Blueprint, abort, redirect, render_template, request
from sqlalchemy.orm import Session
from werkzeug.wrappers import Response

from portal import cookies, look, own, stored
from portal.context import current
from portal.here import Here
from portal.stored import Stored
from portal.transactions import commit
from portal.wording import FORGOTTEN, Words
from sessions.devices import forget
from sessions.visit import Visit

blueprint = Blueprint("data", __name__)


@dataclass(frozen=True)
class DataPage:
    """All that the page shows; without `forget_action` there is nothing left to forget."""

    site_name: str
    items: list[Stored]
    back_url: str
    forget_action: str | None
    notice: Words | None = None


@blueprint.get("/s/<token>/data")
def page(token: str) -> str:
    """What is stored about this visit, as the rows say it."""
    with current().database.read() as session:
        here, visit = own.find(session, token) or abort(404)
        return _show(session, here, visit, token)


@blueprint.post("/s/<token>/forget")
def forget_device(token: str) -> Response:
    """Forget the device: where it came in by itself it has to use the portal again."""
    visit = commit(current().database, lambda session: _forget(session, token))
    response = redirect(own.address("data.page", token, forgotten="1"), 303)
    if not visit.runs:
        cookies.forget_visit(response)
    return response


def _forget(session: Session, token: str) -> Visit:
    here, visit = own.find(session, token) or abort(404)
    if visit.device and own.is_own_device(here, visit):
        forget(session, visit.device)
    return visit


def _show(session: Session, here: Here, visit: Visit, token: str) -> str:
    look.dress(session, here.site)
    own.prepare(here, visit, "data.page", token)
    forgotten = "forgotten" in request.args
    offered = not forgotten and visit.device is not None and own.is_own_device(here, visit)
    page = DataPage(
        site_name=here.site.name,
        items=stored.describe(session, here, visit),
        back_url=own.address("status.page", token),
        forget_action=own.address("data.forget_device", token) if offered else None,
        notice=FORGOTTEN if forgotten else None,
    )
    return render_template("guest/data.html", page=page)
