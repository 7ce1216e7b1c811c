"""A synchronous standby for the tests' PostgreSQL, and the primary's end.

with PostgresServer() as primary, StandbyServer(primary, "a") as standby:
    require_standbys(primary, "ANY 1 (a)")
    primary.kill()     # and never started again: that is fencing
    standby.promote()  # now this one takes what is written
"""

from collections.abc import Mapping
from typing import Self

import psycopg

from tests.postgres import SUPERUSER, PostgresServer, wait_until


class StandbyServer(PostgresServer):
    """A hot standby of a running server, streaming under `name`; on any free port, or on the `port` of one that is gone."""

    def __init__(
        self, primary: PostgresServer, name: str, port: int | None = None, options: Mapping[str, str] | None = None
    ) -> None:
        super().__init__({**(options or {}), "cluster_name": name})
        self._primary, self._wanted_port = primary, port

    def promote(self) -> None:
        """Make it a primary; returns once it takes writes."""
        with psycopg.connect(self.socket_conninfo(), autocommit=True) as connection:
            connection.execute("SELECT pg_promote(true, 30)")
        wait_until(self._takes_writes, "The standby was not promoted.")

    def _takes_writes(self) -> bool:
        with psycopg.connect(self.socket_conninfo()) as connection:
            return connection.execute("SELECT NOT pg_is_in_recovery()").fetchone() == (True,)

    def _start_on_a_free_port(self) -> None:
        if self._wanted_port is None:
            return super()._start_on_a_free_port()
        self.port = self._wanted_port
        return self.start()

    def _fill_cluster(self) -> None:
        data = self.directory / "data"
        origin = f"host=127.0.0.1 port={self._primary.port} user={SUPERUSER}"
        options = ("--checkpoint", "fast", "--no-sync", "--write-recovery-conf")
        self.run("pg_basebackup", "--pgdata", str(data), "--dbname", origin, *options)


def require_standbys(primary: PostgresServer, names: str) -> None:
    """Let commits of the primary wait for these standbys, as `ANY 1 (a, b)`; returns once enough of them stream."""
    with psycopg.connect(primary.socket_conninfo(), autocommit=True) as connection:
        connection.execute(f"ALTER SYSTEM SET synchronous_standby_names = '{names}'".encode())
        connection.execute("SELECT pg_reload_conf()")

        def is_followed() -> bool:
            query = "SELECT count(*) FROM pg_stat_replication WHERE sync_state IN ('sync', 'quorum')"
            return connection.execute(query).fetchone() != (0,)

        wait_until(is_followed, "No synchronous standby streams.")


def two_hosts(primary: PostgresServer, standby: PostgresServer, database: str) -> str:
    """The SQLAlchemy URL that finds whichever of the two takes writes."""
    hosts = "&".join(f"host=127.0.0.1:{server.port}" for server in (primary, standby))
    return f"postgresql+psycopg://{SUPERUSER}@/{database}?{hosts}"


class Cluster:
    """A primary and its synchronous standby, on two ports that stay while the roles change."""

    def __init__(self) -> None:
        self.primary: PostgresServer = PostgresServer()
        self.standby: StandbyServer

    def __enter__(self) -> Self:
        self.primary.__enter__()
        try:
            self._follow(None)
        except BaseException:
            self.primary.__exit__(None, None, None)
            raise
        return self

    def __exit__(self, *_failure: object) -> None:
        self.standby.__exit__(None, None, None)
        self.primary.__exit__(None, None, None)

    def url(self, database: str) -> str:
        """The URL that finds the primary, whichever it is."""
        return two_hosts(self.primary, self.standby, database)

    def fail_over(self) -> None:
        """Kill the primary, never start it again, promote the standby."""
        self.primary.kill()
        self.standby.promote()

    def recover(self) -> None:
        """Put a new standby where the old primary was."""
        gone, self.primary = self.primary, self.standby
        gone.__exit__(None, None, None)
        self._follow(gone.port)

    def _follow(self, port: int | None) -> None:
        self.standby = StandbyServer(self.primary, "a", port)
        self.standby.__enter__()
        require_standbys(self.primary, "ANY 1 (a)")
