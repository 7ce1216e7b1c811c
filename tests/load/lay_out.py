"""Lay out the PoP that the RADIUS benchmark asks: `python -m tests.load.lay_out FOLDER [--vouchers N] [--access-points N]`.

Fills the database that the settings name (SURFPASS_DATABASE_URL, SURFPASS_DATA_DIR) with one Multi site and its vouchers, and
writes what the load generator needs into FOLDER: `users.txt` (a code as user and password a line) and `access-points.txt`.
"""

import argparse
from pathlib import Path

from deploy.migrate import migrate
from hotspot.audit import COMMAND_LINE
from hotspot.clock import utc_now
from hotspot.database import Database
from hotspot.enrolment import NewAccessPoint, NewSite, add_access_points, add_customer, add_site
from hotspot.keys import Keyring, load_keyring, read_master_key
from hotspot.mac import Mac
from hotspot.nas import NewNas, add_nas
from hotspot.place import LoginWay, Site, SiteKind
from hotspot.settings import Settings, load_settings
from vouchers.issuing import LARGEST_BATCH, Order, issue
from vouchers.pass_changes import NewPass, add_pass
from vouchers.passes import Clock, Pass, Terms

SECRET = "testing123"
SSID = "FreeWiFi"


def lay_out(settings: Settings, folder: Path, vouchers: int, access_points: int) -> None:
    """Migrate, enrol, issue, and write the two files."""
    migrate(settings)
    database = Database(settings.database)
    with database.read() as session:
        keyring = load_keyring(session, read_master_key(settings))
    folder.mkdir(parents=True, exist_ok=True)
    macs = [Mac.parse(f"02005E00{number:04X}") for number in range(1, access_points + 1)]
    (folder / "access-points.txt").write_text("".join(f"{mac}\n" for mac in macs))
    site_id, pass_id = _enrol(database, keyring, macs)
    with (folder / "users.txt").open("w") as users:
        for start in range(0, vouchers, LARGEST_BATCH):
            count = min(LARGEST_BATCH, vouchers - start)
            users.writelines(f"{code} {code}\n" for code in _issue(database, keyring, site_id, pass_id, count))
    database.dispose()


def _enrol(database: Database, keyring: Keyring, macs: list[Mac]) -> tuple[int, int]:
    now = utc_now()
    with database.write() as session:
        customer = add_customer(session, COMMAND_LINE, "Load", now)
        site = add_site(session, COMMAND_LINE, customer, NewSite("load", "Load", SiteKind.MULTI, SSID), now)
        points = [NewAccessPoint(f"AP {number}", (mac,)) for number, mac in enumerate(macs, 1)]
        add_access_points(session, COMMAND_LINE, site, points, now)
        nas = NewNas("load generator", "127.0.0.0/8", "generic", SECRET, logins=(LoginWay.VOUCHER, LoginWay.TICKET))
        add_nas(session, COMMAND_LINE, keyring, nas, None, now)
        article = NewPass("day", "One day", Terms(Clock.FIRST_USE, minutes=1440, down_kbit=20_000, up_kbit=5_000))
        return site.id, add_pass(session, COMMAND_LINE, article, site=site, customer=None, now=now).id


def _issue(database: Database, keyring: Keyring, site_id: int, pass_id: int, count: int) -> list[str]:
    with database.write() as session:
        site, article = session.get_one(Site, site_id), session.get_one(Pass, pass_id)
        return [one.code.value for one in issue(session, COMMAND_LINE, keyring, site, Order(article, count), utc_now())]


def main() -> None:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--vouchers", type=int, default=100_000)
    parser.add_argument("--access-points", type=int, default=250)
    told = parser.parse_args()
    lay_out(load_settings(), told.folder, told.vouchers, told.access_points)


if __name__ == "__main__":
    main()
