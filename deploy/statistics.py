"""The planner's statistics of the tables that a crowd fills: PostgreSQL refreshes them itself only once a minute."""

import structlog
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError

from hotspot.database import Database

log = structlog.get_logger("statistics")

_TABLES = ("visit", "leg")
_OUTDATED = text(
    "SELECT relname FROM pg_stat_user_tables WHERE schemaname = current_schema()"
    " AND n_mod_since_analyze > 1000 + n_live_tup / 2"
)


def refresh_statistics(database: Database) -> list[str]:
    """Have PostgreSQL look anew at the tables of which more than half has changed; returns their names.

    What the server refuses, or does at this moment itself, is left out: plans may be slow, and nothing else suffers.
    """
    if database.url.get_backend_name() != "postgresql":
        return []
    try:
        with database.write() as session:
            outdated = set(session.scalars(_OUTDATED))
            tables = [name for name in _TABLES if name in outdated]
            for name in tables:
                session.execute(text(f"ANALYZE (SKIP_LOCKED) {name}"))
    except DBAPIError as error:
        log.warning("statistics are left as they are", error=type(error.orig).__name__)
        return []
    return tables
