"""The browser that somebody signs in with: in words that they recognize, and by a cookie."""

import secrets

from flask import request
from werkzeug import Response

from hotspot.people.sign_ins import DEVICE_LIFE, Browser
from portal.context import current

COOKIE = "surfpass_device"
PATH = "/login"
_LONGEST_TOKEN = 60

# What a User-Agent holds, and what people call that; the first that fits, since browsers name those they resemble too.
_BROWSERS = (
    ("Edg", "Edge"),
    ("OPR/", "Opera"),
    ("SamsungBrowser/", "Samsung Internet"),
    ("Firefox/", "Firefox"),
    ("FxiOS/", "Firefox"),
    ("CriOS/", "Chrome"),
    ("Chrome/", "Chrome"),
    ("Safari/", "Safari"),
)
_SYSTEMS = (
    ("iPhone", "iPhone"),
    ("iPad", "iPad"),
    ("Android", "Android"),
    ("Windows", "Windows"),
    ("CrOS", "ChromeOS"),
    ("Mac OS X", "Mac"),
    ("Linux", "Linux"),
)


def this_browser() -> Browser:
    """The browser of this request, with a token of its own if it has none yet."""
    return Browser(describe(request.user_agent.string), known_token() or secrets.token_urlsafe(24))


def known_token() -> str:
    """The token that the browser has kept; empty when there is none."""
    token = request.cookies.get(COOKIE, "")
    return token if len(token) <= _LONGEST_TOKEN else ""


def keep(response: Response, browser: Browser) -> None:
    """Let the browser be known by its token the next time."""
    secure = current().settings.public_portal_url.startswith("https://")
    response.set_cookie(
        COOKIE, browser.token, max_age=DEVICE_LIFE, path=PATH, httponly=True, samesite="Lax", secure=secure
    )


def describe(user_agent: str) -> str:
    """Such as "Firefox, Windows"; empty when it says nothing that we know."""
    names = (next((name for mark, name in marks if mark in user_agent), "") for marks in (_BROWSERS, _SYSTEMS))
    return ", ".join(name for name in names if name)
