"""One line per request: what was asked by its rule, never by its address, and not by whom."""

import time

import structlog
from flask import Flask, Response, g, request

_log = structlog.get_logger("portal")
# Monitoring asks every few seconds, and each page brings its style sheet: neither tells an operator anything.
_QUIET = frozenset({"health.healthz", "look.picture", "look.sheet", "static"})


def init_app(app: Flask) -> None:
    """Log every request of `app`."""
    app.before_request(_start)
    app.after_request(_write)


def _start() -> None:
    g.request_started = time.perf_counter()


def _write(response: Response) -> Response:
    seconds = time.perf_counter() - g.get("request_started", time.perf_counter())
    write = _log.debug if request.endpoint in _QUIET else _log.info
    write(
        "request",
        method=request.method if request.method in {"GET", "HEAD", "POST", "OPTIONS"} else "other",
        rule=str(request.url_rule) if request.url_rule else "none",
        status=response.status_code,
        milliseconds=round(seconds * 1000, 1),
    )
    return response
