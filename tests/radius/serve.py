"""A RADIUS server in a process of its own, to be killed: `python -m tests.radius.serve DATA_DIR URL AUTH_FD ACCT_FD`."""

import socket
import sys
import threading
from pathlib import Path

from hotspot.clock import utc_now
from hotspot.database import Database
from hotspot.keys import load_keyring, read_master_key
from hotspot.settings import Settings
from radius.server import RadiusServer
from tests.conftest import SECRET_KEY


def main(data_dir: str, url: str, auth_fd: str, acct_fd: str) -> None:
    """Serve until killed."""
    settings = Settings(data_dir=Path(data_dir), database_url=url, secret_key=SECRET_KEY)
    database = Database(url)
    with database.read() as session:
        keyring = load_keyring(session, read_master_key(settings))
    auth, acct = socket.socket(fileno=int(auth_fd)), socket.socket(fileno=int(acct_fd))
    RadiusServer(settings, database, keyring, auth, acct, utc_now).run(threading.Event())


if __name__ == "__main__":
    main(*sys.argv[1:])
