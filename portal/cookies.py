"""What a guest's browser may keep to make things easier; everything works without."""

from datetime import datetime, timedelta

from flask import request
from werkzeug.wrappers import Response

from hotspot.keys import Keyring, Purpose
from portal.context import current
from portal.languages import COOKIE as LANGUAGE
from portal.languages import asked_language
from vouchers.codes import Code

VISIT = "surfpass_visit"
CODE = "surfpass_code"
VISIT_LIFE = timedelta(hours=12)
CODE_LIFE = timedelta(minutes=15)


def keep_visit(response: Response, page_token: str) -> None:
    """Let the guest find the own status page again; the language chosen by hand comes along."""
    _set(response, VISIT, page_token, VISIT_LIFE)
    if chosen := asked_language():
        _set(response, LANGUAGE, chosen, VISIT_LIFE)
    response.delete_cookie(CODE)


def visit_token() -> str | None:
    """The token of the guest's own pages, if the browser has kept one."""
    return request.cookies.get(VISIT)


def forget_visit(response: Response) -> None:
    """Have the browser forget the way back to the guest's own page."""
    response.delete_cookie(VISIT)


def keep_code(response: Response, keyring: Keyring, code: Code, now: datetime) -> None:
    """Carry a scanned code over to the site's page, sealed, for CODE_LIFE."""
    sealed = keyring.encrypt(Purpose.PAGES, f"code {int(now.timestamp())} {code.value}")
    _set(response, CODE, sealed.hex(), CODE_LIFE)


def kept_code(keyring: Keyring, now: datetime) -> str:
    """The code scanned just now, as it is printed; empty when there is none."""
    try:
        clear = keyring.decrypt(Purpose.PAGES, bytes.fromhex(request.cookies.get(CODE, "")))
        label, moment, value = clear.decode().split(" ")
        fresh = label == "code" and 0 <= now.timestamp() - int(moment) < CODE_LIFE.total_seconds()
        return Code.parse(value).printed if fresh else ""
    except ValueError:
        return ""


def _set(response: Response, name: str, value: str, life: timedelta) -> None:
    secure = current().settings.public_portal_url.startswith("https://")
    response.set_cookie(name, value, max_age=life, path="/", httponly=True, samesite="Lax", secure=secure)
