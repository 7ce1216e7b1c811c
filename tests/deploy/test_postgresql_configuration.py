"""`deploy/postgresql/` and what docs/operator.md says of it, done as it is said there."""

from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import psycopg
import pytest

from tests.postgres import PostgresServer, wait_until
from tests.standby import StandbyServer

ROOT = Path(__file__).parents[2]


def configuration(name: str) -> dict[str, str]:
    """The lines of surfpass.conf, for the machine `name`, on a loopback of one machine."""
    lines = (ROOT / "deploy" / "postgresql" / "surfpass.conf").read_text().splitlines()
    settings = [line.partition("#")[0].split("=", 1) for line in lines if "=" in line.partition("#")[0]]
    options = {key.strip(): value.strip().strip("'") for key, value in settings}
    assert options.pop("listen_addresses") == "*"
    return options | {"cluster_name": name}


def ask(server: PostgresServer, statement: str) -> str:
    with psycopg.connect(server.socket_conninfo(), autocommit=True) as connection:
        row = connection.execute(statement.encode()).fetchone()
        assert row
        return str(row[0])


def order(server: PostgresServer, *statements: str) -> None:
    with psycopg.connect(server.socket_conninfo(), autocommit=True) as connection:
        for statement in statements:
            connection.execute(statement.encode())


def count(server: PostgresServer) -> int:
    return int(ask(server, "SELECT count(*) FROM kept"))


FOLLOWERS = "SELECT string_agg(application_name || ' ' || sync_state, ', ' ORDER BY 1) FROM pg_stat_replication"
# As docs/operator.md has it, without passwords.
ROLES = (
    "SET synchronous_commit = local",
    "CREATE ROLE replicator LOGIN REPLICATION",
    "GRANT EXECUTE ON FUNCTION pg_ls_dir(text, boolean, boolean), pg_stat_file(text, boolean), pg_read_binary_file(text),"
    " pg_read_binary_file(text, bigint, bigint, boolean) TO replicator",
)


@pytest.fixture
def three() -> Iterator[tuple[PostgresServer, StandbyServer, StandbyServer]]:
    with ExitStack() as running:
        db1 = running.enter_context(PostgresServer(configuration("db1")))
        order(db1, *ROLES)
        db2 = running.enter_context(StandbyServer(db1, "db2", options=configuration("db2")))
        db3 = running.enter_context(StandbyServer(db1, "db3", options=configuration("db3")))
        wait_until(lambda: ask(db1, FOLLOWERS) == "db2 quorum, db3 quorum", "the standbys do not follow")
        yield db1, db2, db3


def test_one_of_three_machines_dies_and_comes_back_and_nothing_is_lost(
    three: tuple[PostgresServer, StandbyServer, StandbyServer],
) -> None:
    db1, db2, db3 = three
    order(db1, "CREATE TABLE kept (id int)", "INSERT INTO kept VALUES (1)")
    caught_up = "SELECT bool_and(replay_lsn = pg_current_wal_lsn()) FROM pg_stat_replication"
    wait_until(lambda: ask(db1, caught_up) == "True", "the standbys do not catch up")
    db3.kill()
    order(db1, "INSERT INTO kept VALUES (2)")
    db1.kill()

    db3.start()
    received = [int(ask(server, "SELECT pg_wal_lsn_diff(pg_last_wal_receive_lsn(), '0/0')")) for server in (db2, db3)]
    assert received[0] > received[1], "only db2 has what was committed last"
    db2.promote()
    origin = f"host=127.0.0.1 port={db2.port} user=replicator"
    order(db3, f"ALTER SYSTEM SET primary_conninfo = '{origin}'", "SELECT pg_reload_conf()")
    order(db2, "INSERT INTO kept VALUES (3)")
    assert (count(db2), ask(db2, FOLLOWERS)) == (3, "db3 quorum")

    order(db2, "CHECKPOINT")
    data = db1.directory / "data"
    with (data / "postgresql.conf").open("a") as file:  # our servers have their options on the command line
        file.writelines(f"{name} = '{value}'\n" for name, value in configuration("db1").items())
    source = f"{origin} dbname=postgres"
    db1.run("pg_rewind", "--target-pgdata", str(data), "--source-server", source, "--write-recovery-conf")
    db1.start()
    wait_until(lambda: ask(db2, FOLLOWERS) == "db1 quorum, db3 quorum", "the old primary does not follow")
    db3.kill()
    order(db2, "INSERT INTO kept VALUES (4)")
    wait_until(lambda: count(db1) == 4, "the old primary has not caught up")
