"""What a guest costs the portal: `python -m tests.load.one_guest [--guests N] [--sqlite]`.

Page, login and return of one guest after the other, in one process and without a server around it: CPU time of the thread that
answers, the median in milliseconds. A login at RADIUS, in a batch of one, says beside it how fast the machine is at the moment.
"""

import argparse
import tempfile
import time
from collections import defaultdict
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median
from urllib.parse import parse_qs, urlsplit

from deploy.logging import configure_logging
from deploy.migrate import migrate
from hotspot.clock import utc_now
from hotspot.database import Database
from hotspot.directory import Directory, Located, load_directory
from hotspot.keys import load_keyring, read_master_key
from portal.app import create_app
from radius.makes import COA_MAKES
from sessions.admit import admit
from sessions.login import Login
from tests.load.crowd import Crowd, Doors, Guest, form_of
from tests.load.festival import SLUG, Crowded, invite
from tests.load.flash_crowd import say, settle
from tests.postgres import PostgresServer


class Proved:
    """A password that is right: how RADIUS proves it is not what is measured."""

    def matches(self, candidate: str) -> bool:
        """Whatever it is compared with."""
        return bool(candidate)


@dataclass
class Watch:
    """Seconds of CPU by kind of request."""

    spent: defaultdict[str, list[float]] = field(default_factory=lambda: defaultdict(list))

    @contextmanager
    def on(self, kind: str) -> Iterator[None]:
        """Note what this thread uses inside."""
        begun = time.thread_time()
        yield
        self.spent[kind].append(time.thread_time() - begun)

    def medians(self) -> dict[str, float]:
        """Milliseconds; the first quarter only warms up."""
        return {kind: median(all_[len(all_) // 4 :]) * 1000 for kind, all_ in self.spent.items()}


def measure(url: str, folder: Path, guests: int) -> dict[str, float]:
    """Milliseconds of CPU by kind of request."""
    _told, settings = settle(url, folder)
    migrate(settings)
    configure_logging("WARNING")
    database, watch = Database(settings.database), Watch()
    # As many again, since some of them have a code that is no good.
    invited = [guest for guest in invite(database, settings, Crowded(2 * guests, 0, 50, 90)) if len(guest.codes) == 1]
    with database.read() as session:
        keyring = load_keyring(session, read_master_key(settings))
        directory = load_directory(session, keyring)
    client = create_app(settings, database, keyring, utc_now, COA_MAKES).test_client(use_cookies=False)
    crowd = Crowd(Doors(settings.public_portal_url, SLUG, 0, 0, b""), [])
    for guest in invited[:guests]:
        with watch.on("page"):
            page = client.get(crowd.redirect(guest, "notyet", bytes(16)))
        with watch.on("login"):
            sent = client.post(f"/g/{SLUG}/login", data=form_of(page.text, guest.codes[0]))
        if sent.status_code == 303:
            handle = parse_qs(urlsplit(sent.location).query)["username"][0]
            with watch.on("RADIUS"), database.write() as session:
                admit(session, keyring, [login_of(guest, handle, directory)], 300, utc_now())
            with watch.on("return"):
                client.get(crowd.redirect(guest, "success", bytes(16)))
    database.dispose()
    return watch.medians()


def login_of(guest: Guest, handle: str, directory: Directory) -> Login:
    """What RADIUS makes of the guest's Access-Request."""
    located = directory.locate(directory.nas[0], guest.access_point.value, [], utc_now())
    assert isinstance(located, Located)
    return Login(directory.nas[0], located, handle, Proved(), guest.device, "127.0.0.1")


def main() -> None:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--guests", type=int, default=400)
    parser.add_argument("--sqlite", action="store_true")
    told = parser.parse_args()
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        url = f"sqlite:///{folder}/crowd.db"
        if not told.sqlite:
            url = stack.enter_context(PostgresServer()).create_database("crowd")
        for kind, milliseconds in measure(url, folder, told.guests).items():
            say(f"{kind:24} {milliseconds:6.2f} ms of CPU")


if __name__ == "__main__":
    main()
