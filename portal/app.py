"""The HTTP door: builds the Flask application."""

import traceback
from pathlib import Path
from types import TracebackType

import structlog
from flask import Flask, request
from jinja2 import StrictUndefined
from werkzeug.middleware.proxy_fix import ProxyFix

from hotspot.clock import Clock, utc_now
from hotspot.database import Database, new_public_id
from hotspot.keys import Keyring, Purpose
from hotspot.settings import Settings
from portal import (
    captive,
    errors,
    guest,
    guest_pages,
    guest_status,
    headers,
    health,
    languages,
    legal,
    look,
    own_data,
    own_device,
    own_extension,
    printer_door,
    request_log,
)
from portal.api import dispatch as api
from portal.api import docs as api_docs
from portal.context import EXTENSION, Portal
from portal.staff import blueprint as staff
from portal.tally import Tally
from portal.wording import sample_unbroken

# Forms are short; the one that takes pictures has a limit of its own (portal/staff/blueprint.py).
LARGEST_FORM_OCTETS = 64 * 1024
# The style sheet's address changes with its content, so it may be kept for long.
STATIC_SECONDS = 7 * 86400

_log = structlog.get_logger("portal")
_ExceptionInfo = tuple[type, BaseException, TracebackType | None] | tuple[None, None, None]


class PortalFlask(Flask):
    """Flask, except that a failure is logged without the address asked for and without values: both may hold secrets."""

    def log_exception(self, exc_info: _ExceptionInfo) -> None:
        kind, _error, trace = exc_info
        _log.error(
            "request failed",
            rule=str(request.url_rule),
            error=kind.__name__ if kind else "",
            trace="".join(traceback.format_tb(trace)),
        )


def create_app(
    settings: Settings,
    database: Database,
    keyring: Keyring,
    clock: Clock = utc_now,
    coa_makes: frozenset[str] = frozenset(),
) -> Flask:
    """The portal as a WSGI application; `coa_makes` are the makes of NAS that change the limits of a running session."""
    folder = _templates()
    app = PortalFlask("portal", template_folder=str(folder), static_folder=str(folder / "static"))
    furnish(app, Portal(settings, database, keyring, clock, Tally(settings.data_dir), coa_makes))
    _configure(app, settings)
    for extension in (request_log, headers, languages, look, errors, staff, api):
        extension.init_app(app)
    for blueprint in (
        health.blueprint,
        guest.blueprint,
        guest_status.blueprint,
        captive.blueprint,
        own_extension.blueprint,
        own_device.blueprint,
        own_data.blueprint,
        guest_pages.blueprint,
        look.blueprint,
        printer_door.blueprint,
        api_docs.blueprint,
        staff.blueprint,
    ):
        app.register_blueprint(blueprint)
    return app


def furnish(app: Flask, portal: Portal) -> None:
    """Give `app` the parts that a process is made of, in place of those it has, and the keys of its cookies."""
    app.extensions[EXTENSION] = portal
    session_keys = [key.hex() for key in portal.keyring.hashes(Purpose.PAGES, "flask session")]
    app.config.update(
        SECRET_KEY=session_keys[0],
        SECRET_KEY_FALLBACKS=session_keys[1:],
        SESSION_COOKIE_SECURE=portal.settings.public_portal_url.startswith("https://"),
    )


def _configure(app: Flask, settings: Settings) -> None:
    app.config.update(
        SESSION_COOKIE_NAME="surfpass_session",
        SESSION_COOKIE_HTTPONLY=True,
        SESSION_COOKIE_SAMESITE="Lax",
        MAX_CONTENT_LENGTH=LARGEST_FORM_OCTETS,
        MAX_FORM_MEMORY_SIZE=LARGEST_FORM_OCTETS,
        SEND_FILE_MAX_AGE_DEFAULT=STATIC_SECONDS,
    )
    app.add_template_filter(sample_unbroken)
    app.add_template_global(legal.links, "legal_links")
    app.add_template_global(new_public_id, "once_key")
    app.jinja_env.undefined = StrictUndefined
    app.jinja_env.trim_blocks = app.jinja_env.lstrip_blocks = True
    if hops := settings.trusted_proxies:
        app.wsgi_app = ProxyFix(app.wsgi_app, x_for=hops, x_proto=hops, x_host=hops)  # type: ignore[method-assign]


def _templates() -> Path:
    """In a wheel the templates are inside the package; in a clone they lie beside it."""
    inside = Path(__file__).parent / "templates"
    return inside if inside.is_dir() else inside.parent.parent / "templates"
