"""What the migrations have to lead to: the models' metadata, and how a database is compared with it."""

from typing import Any

# Importing a module of the domain puts its tables into the metadata.
from hotspot import api_keys, audit, exclusions, keys, legal, limits, looks, opening, people, place, traffic, webhooks  # noqa: F401
from hotspot.database import Base
from hotspot.people import factors, passkeys, sign_ins, tablets  # noqa: F401
from sessions import agreements, connection_log, doubles, extensions, guessing, heartbeat, visit  # noqa: F401
from vouchers import deeds, ledger, offer, once, passes, presets, shifts, stock_alarms, voucher  # noqa: F401
from vouchers.printing import choices, files, printers  # noqa: F401

METADATA = Base.metadata

# They exist on PostgreSQL alone and have no model: sessions/connection_log.py says why.
DAY_KEY_TABLES = ("log_day_key_even", "log_day_key_odd")


def _is_ours(name: str | None, kind: str, _parents: object) -> bool:
    return not (kind == "table" and name in DAY_KEY_TABLES)


COMPARISON: dict[str, Any] = {"include_name": _is_ours, "compare_type": True}
