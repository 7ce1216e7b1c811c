"""Tickets: the password that lets one device in, once (decision 6). Recomputed, never stored."""

from datetime import datetime, timedelta

from hotspot.keys import Keyring, Purpose
from vouchers.codes import ALPHABET

TICKET_LIFE = timedelta(seconds=600)
TICKET_CHARACTERS = 20


def make_ticket(keyring: Keyring, handle: str, nas_id: int, site_id: int, expires_at: datetime) -> str:
    """The ticket of the visit `handle` at a NAS and site: 20 Crockford characters, 100 bits."""
    return _spell(keyring.hash(Purpose.TICKETS, *_facts(handle, nas_id, site_id, expires_at)))


def possible_tickets(keyring: Keyring, handle: str, nas_id: int, site_id: int, expires_at: datetime) -> list[str]:
    """The tickets a portal may have made for these facts, one per ticket key still in use."""
    return [_spell(one) for one in keyring.hashes(Purpose.TICKETS, *_facts(handle, nas_id, site_id, expires_at))]


def _facts(handle: str, nas_id: int, site_id: int, expires_at: datetime) -> tuple[str, ...]:
    return handle, str(nas_id), str(site_id), str(int(expires_at.timestamp()))


def _spell(digest: bytes) -> str:
    number = int.from_bytes(digest[-13:], "big")  # the last octets: the first four are the key's id
    return "".join(ALPHABET[number >> 5 * i & 31] for i in range(TICKET_CHARACTERS))
