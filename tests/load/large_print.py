"""How long a large print takes: `python -m tests.load.large_print DATABASE_URL [--cards N]`.

The database has to be empty and migrated. It issues a batch, orders its cards as a PDF and makes them like `surfpass printing`.
"""

import argparse
import sys
import threading
import time
from pathlib import Path
from tempfile import TemporaryDirectory

from deploy.printing import Workshop, make_next
from hotspot.audit import Actor
from hotspot.clock import utc_now
from hotspot.counters import Counters
from hotspot.database import Database
from hotspot.keys import create_missing_keys, derive_master_key, load_keyring
from tests.factories import a_place, a_user, some_vouchers
from tests.vouchers.printing.pages import FACE
from vouchers.printing import files
from vouchers.printing.orders import Order, Output
from vouchers.printing.paper import STOCKS, Sheet
from vouchers.printing.sheets import Style
from vouchers.voucher import Batch

_MASTER = derive_master_key("a secret for measuring only, long enough for everyone")


def main() -> None:
    """Measure, and print the seconds."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("url")
    parser.add_argument("--cards", type=int, default=10_000)
    told = parser.parse_args()
    with TemporaryDirectory() as folder:
        shop = _order(Database(told.url), told.cards, Path(folder))
        begun, worked = time.perf_counter(), time.process_time()
        if not make_next(shop):
            raise SystemExit("there was nothing to print")
    took, work = time.perf_counter() - begun, time.process_time() - worked
    sys.stdout.write(f"PDF of {told.cards} cards: {took:.1f} s, of which {work:.1f} s of one processor\n")
    shop.database.dispose()


def _order(database: Database, cards: int, folder: Path) -> Workshop:
    now = utc_now()
    with database.write() as session:
        create_missing_keys(session, _MASTER, now)
        keyring = load_keyring(session, _MASTER)
        place = a_place(session, keyring)
        issued = some_vouchers(session, keyring, place.site, place.article, cards, now=now)
        user = a_user(session, customer=place.customer)
        batch = session.get_one(Batch, issued[0].voucher.batch_id)
        order = Order(FACE, Output.SHEETS, Sheet(STOCKS["plain-85x55"]), Style())
        files.order_file(session, Actor(user.id), user.id, place.site, batch, order, cards, now)
    return Workshop(
        database, keyring, utc_now, "https://portal.example", threading.Event(), Counters(folder, "printing")
    )


if __name__ == "__main__":
    main()
