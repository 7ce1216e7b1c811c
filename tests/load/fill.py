"""Fill a laid-out PostgreSQL database with a past: `python -m tests.load.fill [--vouchers N] [--visits N] [--entries N]`.

What is added has no guests: vouchers that nobody asks for, visits that closed today, and entries of the connection log.
Indexes of the log are made at the end, as a restore would.
"""

import argparse

from sqlalchemy import Connection, text

from hotspot.database import Database
from hotspot.settings import load_settings

_VOUCHERS = """
    INSERT INTO voucher (public_id, serial, site_id, pass_id, code_hash, good_until, settled_octets, settled_seconds, {terms})
    SELECT substr(md5('p' || i), 1, 16), 'F' || i, site_id, pass_id, decode(md5('a' || i) || substr(md5('b' || i), 1, 16), 'hex'),
           good_until, 0, 0, {terms}
      FROM generate_series({first}, {last}) AS i, (SELECT * FROM voucher ORDER BY id LIMIT 1) AS pattern
"""
_VISITS = """
    INSERT INTO visit (handle, site_id, access_point_id, nas_id, pass_id, voucher_id, way, state, device, swaps, interim_seconds,
                       is_metered, asked_at, accepted_at, reserved_at, opened_at, closed_at, close_cause)
    SELECT substr(md5('v' || i), 1, 16), pattern.site_id, (SELECT min(id) FROM access_point) + i % 250, nas.id, pattern.pass_id,
           (SELECT max(id) FROM voucher) - i % 1000000, 'voucher', 'closed',
           decode(md5('c' || i) || substr(md5('d' || i), 1, 16), 'hex'), false, 300, false, moment, moment, moment, moment,
           moment + interval '20 minutes', 'stopped'
      FROM generate_series({first}, {last}) AS i, (SELECT * FROM voucher ORDER BY id LIMIT 1) AS pattern,
           (SELECT id FROM nas LIMIT 1) AS nas, (SELECT now() - interval '12 hours' AS moment) AS clock
"""
_LEGS = """
    INSERT INTO leg (visit_id, nas_id, access_point_id, session, ordinal, started_at, last_heard_at, stopped_at, seconds,
                     octets_from_guest, octets_to_guest)
    SELECT id, nas_id, access_point_id, device, 0, opened_at, closed_at, closed_at, 1200, 1000000, 9000000
      FROM visit WHERE state = 'closed'
"""
_ENTRIES = """
    INSERT INTO log_entry (reference, site_id, access_point_id, day, token, started_at, minutes, octets)
    SELECT substr(md5('e' || i), 1, 16), site.id, (SELECT min(id) FROM access_point) + i % 250, current_date - (i % 90)::integer,
           decode(substr(md5('t' || i), 1, 16), 'hex'), now(), 20, 10000000
      FROM generate_series({first}, {last}) AS i, (SELECT id FROM site LIMIT 1) AS site
"""
_TERMS = (
    "name, clock, minutes, until, megabytes, down_kbit, up_kbit, devices, replace, free, return_days, price_cents, "
    "tax_basis_points, currency"
)
_A_STATEMENT = 1_000_000


def fill(connection: Connection, vouchers: int, visits: int, entries: int) -> None:
    """Add the rows; the caller commits."""
    _insert(connection, _VOUCHERS, vouchers)
    _insert(connection, _VISITS, visits)
    connection.execute(text(_LEGS))
    connection.execute(text("DROP INDEX ix_log_entry_site_day"))
    connection.execute(text("ALTER TABLE log_entry DROP CONSTRAINT uq_log_entry_reference"))
    _insert(connection, _ENTRIES, entries)
    connection.execute(text("ALTER TABLE log_entry ADD CONSTRAINT uq_log_entry_reference UNIQUE (reference)"))
    connection.execute(text("CREATE INDEX ix_log_entry_site_day ON log_entry (site_id, day)"))


def _insert(connection: Connection, statement: str, rows: int) -> None:
    for first in range(0, rows, _A_STATEMENT):
        last = min(first + _A_STATEMENT, rows) - 1
        connection.execute(text(statement.format(terms=_TERMS, first=first, last=last)))


def main() -> None:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--vouchers", type=int, default=9_900_000)
    parser.add_argument("--visits", type=int, default=1_000_000)
    parser.add_argument("--entries", type=int, default=50_000_000)
    told = parser.parse_args()
    database = Database(load_settings().database)
    with database.engine.begin() as connection:
        fill(connection, told.vouchers, told.visits, told.entries)
    with database.engine.execution_options(isolation_level="AUTOCOMMIT").connect() as connection:
        connection.execute(text("VACUUM ANALYZE"))
    database.dispose()


if __name__ == "__main__":
    main()
