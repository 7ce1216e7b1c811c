"""Error pages in plain words."""

import sqlite3
import time
from dataclasses import dataclass

import structlog
from flask import Flask, Response, abort, g, render_template, request
from flask_babel import lazy_gettext as _l
from markupsafe import escape
from sqlalchemy.exc import DBAPIError, InterfaceError, OperationalError, TimeoutError
from werkzeug.exceptions import HTTPException, InternalServerError

from portal.api import problems
from portal.api.problems import Problem
from portal.context import current
from portal.headers import look_again_after
from portal.languages import asked_language, language, link_languages_nowhere
from portal.overload import Overloaded

# How long a browser waits before it asks again while the database is away.
RETRY_SECONDS = 10
# For a portal that has too much in hand.
_BUSY = 429

_log = structlog.get_logger("portal")
Answer = tuple[str, int, dict[str, str]] | Response


@dataclass(frozen=True)
class ErrorWords:
    """What an error page says."""

    title: str
    advice: str


_WORDS = {
    400: ErrorWords(
        _l("That did not work"),
        _l("The address or form was incomplete. Open the page again, or disconnect from the Wi-Fi and join it anew."),
    ),
    404: ErrorWords(
        _l("There is nothing here"),
        _l("Check the address. If you are on the Wi-Fi, open any web page: the sign-in page comes by itself."),
    ),
    405: ErrorWords(_l("That did not work"), _l("Go back one page and try again.")),
    413: ErrorWords(_l("That was too much"), _l("What was sent is too long. Go back one page and try again.")),
    500: ErrorWords(_l("Something went wrong on our side"), _l("Please try again in a minute.")),
}


def init_app(app: Flask) -> None:
    """Show our own pages for HTTP errors, and one that asks again while the database is away."""
    app.before_request(_refuse_nul)
    app.register_error_handler(HTTPException, _error_page)
    for kind in (OperationalError, InterfaceError, TimeoutError):
        app.register_error_handler(kind, _database_away)
    app.register_error_handler(Overloaded, _overloaded)
    app.register_error_handler(Problem, Problem.answer)


def retry_at(address: str) -> None:
    """Where this request's browser may ask again by itself, although it is a form, should the portal be unable to answer."""
    g.retry_at = address


def _refuse_nul() -> None:
    """No text for people holds a NUL, and PostgreSQL takes none."""
    sent = (*request.args.values(), *request.form.values(), *(request.view_args or {}).values())
    if any("\0" in str(value) for value in sent):
        abort(400)


def database_is_away() -> bool:
    """Whether this request has failed for want of a database: what else it needs must do without one."""
    return bool(g.get("database_away"))


def _database_away(error: DBAPIError | TimeoutError) -> Answer:
    """No answer from the database, or none of its connections free in time."""
    cause = error.orig if isinstance(error, DBAPIError) else error
    if _is_mistake(cause):
        raise error
    g.database_away = True
    # The message of a driver may name hosts, users and rows.
    _log.error("database away", error=type(cause).__name__)
    return _try_again(RETRY_SECONDS, 503)


def _overloaded(_error: Overloaded) -> Answer:
    """No failure of ours, and nothing that another node should be asked for: docs/decisions/0019."""
    return _try_again(current().waiting.number(time.monotonic()), _BUSY)


def _try_again(seconds: int, status: int) -> Answer:
    if problems.is_wanted():
        return Problem(503, headers={"Retry-After": str(seconds)}).answer()
    # A link to another language would lose what the gateway has written into the address.
    link_languages_nowhere()
    # An empty address is this page's own, with all that the gateway has added to it.
    address = "" if request.method in {"GET", "HEAD"} else g.get("retry_at")
    if address is not None:
        look_again_after(seconds, address)
    return _waiting_page(address, busy=status == _BUSY), status, {"Retry-After": str(seconds)}


def _waiting_page(address: str | None, *, busy: bool) -> str:
    """The page, which has to cost little when a crowd gets it."""
    if g.get("flow_token"):
        return render_template("unavailable.html", retry_at=address, busy=busy)
    pages = current().pages
    stand_in = address and pages.stand_in
    shown = ("unavailable.html", stand_in, busy, language(), asked_language())
    own = str(escape(address or ""))
    return pages.show(shown, own, lambda: render_template("unavailable.html", retry_at=stand_in, busy=busy))


def _is_mistake(error: BaseException | None) -> bool:
    """SQLite calls a statement that it cannot run, for one for want of a table, operational too."""
    return getattr(error, "sqlite_errorcode", None) == sqlite3.SQLITE_ERROR


def _error_page(error: HTTPException) -> tuple[str, int] | HTTPException | Response:
    status = error.code or InternalServerError.code
    if status < 400:  # a redirect of the router's own
        return error
    if problems.is_wanted():
        return Problem(status, headers=_headers_of(error)).answer()
    words = _WORDS.get(status) or _WORDS[500 if status >= 500 else 400]
    return render_template("error.html", title=words.title, advice=words.advice), status


def _headers_of(error: HTTPException) -> dict[str, str]:
    """What belongs to the status, such as Allow to 405."""
    return {name: value for name, value in error.get_headers() if name in ("Allow", "Retry-After")}
