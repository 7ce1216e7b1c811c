"""Security headers for every response; guest pages may send their form on to their own gateway."""

import re
from collections.abc import Iterable

from flask import Flask, Response, g, request

_HOST_SOURCE = re.compile(r"[A-Za-z0-9.-]+:[0-9]{1,5}", re.ASCII)


def allow_forms_to(gateways: Iterable[str]) -> None:
    """Let forms of this page end at these gateways (host:port): browsers apply `form-action` to redirects after a POST too."""
    g.form_targets = [f"http://{address}" for address in gateways if _HOST_SOURCE.fullmatch(address)]


def init_app(app: Flask) -> None:
    """Add the headers to every response of `app`."""
    app.after_request(_add_headers)


def _add_headers(response: Response) -> Response:
    targets = " ".join(["'self'", *g.get("form_targets", ())])
    response.headers["Content-Security-Policy"] = (
        "default-src 'none'; style-src 'self'; img-src 'self' data:; "
        f"form-action {targets}; base-uri 'none'; frame-ancestors 'none'"
    )
    response.headers["Referrer-Policy"] = "no-referrer"
    response.headers["X-Content-Type-Options"] = "nosniff"
    if request.endpoint != "static":
        response.headers["Cache-Control"] = "no-store"
    return response
