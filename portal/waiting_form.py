"""A form that cannot be taken at the moment waits in its browser, and is sent again without a script: sealed into an address."""

import base64
import json
from dataclasses import asdict

from hotspot.keys import Keyring, Purpose
from portal.site_page import Form

_LONGEST_TOKEN = 6000


def seal_form(keyring: Keyring, flow: str, form: Form) -> str:
    """A form and its flow token for an address: encrypted, since it holds a code; worth nothing once the flow has expired."""
    sealed = keyring.encrypt(Purpose.PAGES, json.dumps({"flow": flow, "form": asdict(form)}))
    return base64.urlsafe_b64encode(sealed).decode().rstrip("=")


def unseal_form(keyring: Keyring, token: str) -> tuple[str, Form] | None:
    """Undo `seal_form`; None for anything that this installation has not sealed."""
    if not token or len(token) > _LONGEST_TOKEN:
        return None
    try:
        sealed = base64.urlsafe_b64decode(token + "=" * (-len(token) % 4))
        told = json.loads(keyring.decrypt(Purpose.PAGES, sealed))
        return told["flow"], Form(**told["form"])
    except (ValueError, KeyError, TypeError):
        return None
