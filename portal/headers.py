"""Security headers for every response; guest pages may send their form on to their own gateway."""

import base64
import hashlib
from collections.abc import Iterable

from flask import Flask, Response, g, request
from markupsafe import Markup

# The one script that a guest page may hold: where scripts run, a form that is ready posts itself.
SELF_POST = Markup("document.forms[0].submit()")
_SELF_POST_HASH = base64.b64encode(hashlib.sha256(SELF_POST.encode()).digest()).decode()


def allow_forms_to(gateways: Iterable[str]) -> None:
    """Let forms of this page end at these gateways, origins: browsers apply `form-action` to redirects after a POST too."""
    g.form_targets = [_source(gateway) for gateway in gateways]


def allow_self_post() -> None:
    """Let SELF_POST run on this page."""
    g.script_source = f"script-src 'sha256-{_SELF_POST_HASH}'; "


def allow_own_scripts() -> None:
    """Let the script files of this portal run on this page."""
    g.script_source = "script-src 'self'; "


def allow_preview_frame() -> None:
    """Let this page show another page of ours in a frame."""
    g.frame_source = "frame-src 'self'; "


def allow_manifest() -> None:
    """Let this page name a manifest of ours, by which it can be installed on a phone's home screen."""
    g.manifest_source = "manifest-src 'self'; "


def allow_framing() -> None:
    """Let pages of ours show this one in a frame."""
    g.frame_ancestor = "'self'"


def look_again_after(seconds: int, address: str = "") -> None:
    """Have the browser ask for this page again, or for `address`, a path of ours.

    Not by an element of the page: that would take control from people who read it slowly (WCAG 2.2, F41), so a page that
    does this for long has a link that stops it.
    """
    g.look_again = f"{seconds}; url={address}" if address else str(seconds)


def _source(gateway: str) -> str:
    """CSP has no way to write an IPv6 address (CSP3 host-part): then the scheme alone has to do."""
    return gateway.partition("//")[0] if "[" in gateway else gateway


def init_app(app: Flask) -> None:
    """Add the headers to every response of `app`."""
    app.after_request(_add_headers)


def _add_headers(response: Response) -> Response:
    targets = " ".join(["'self'", *g.get("form_targets", ())])
    ancestor = g.get("frame_ancestor", "'none'")
    response.headers["Content-Security-Policy"] = (
        "default-src 'none'; style-src 'self'; img-src 'self' data:; "
        f"{g.get('script_source', '')}{g.get('frame_source', '')}{g.get('manifest_source', '')}"
        f"form-action {targets}; base-uri 'none'; "
        f"frame-ancestors {ancestor}"
    )
    if look_again := g.get("look_again"):
        response.headers["Refresh"] = look_again
    response.headers["Referrer-Policy"] = "no-referrer"
    response.headers["X-Content-Type-Options"] = "nosniff"
    if request.endpoint != "static":
        response.headers.setdefault("Cache-Control", "no-store")
    return response
