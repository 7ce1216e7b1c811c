"""The place of a flash crowd, and its guests with their codes."""

import random
from dataclasses import dataclass
from datetime import datetime, timedelta

from hotspot.audit import COMMAND_LINE
from hotspot.clock import utc_now
from hotspot.database import Database
from hotspot.enrolment import NewAccessPoint, NewSite, add_access_points, add_customer, add_site
from hotspot.keys import Keyring, load_keyring, read_master_key
from hotspot.mac import Mac
from hotspot.nas import NewNas, add_nas
from hotspot.place import LoginWay, Site, SiteKind
from hotspot.settings import Settings
from tests.load.crowd import GATEWAY, NAS_IDENTIFIER, UAM_SECRET, Guest
from vouchers.issuing import LARGEST_BATCH, Order, issue
from vouchers.pass_changes import NewPass, add_pass
from vouchers.passes import Clock, Pass, Terms

RADIUS_SECRET = "testing123"
SLUG = "crowd"


@dataclass(frozen=True)
class Crowded:
    """How many come within how many seconds, and how many access points of which capacity await them."""

    guests: int
    seconds: float
    access_points: int
    capacity: int


def invite(database: Database, settings: Settings, told: Crowded) -> list[Guest]:
    """The place, and its guests with their codes."""
    with database.read() as session:
        keyring = load_keyring(session, read_master_key(settings))
    macs = [Mac.parse(f"02005E00{number:04X}") for number in range(1, told.access_points + 1)]
    numbers = lay_out(database, keyring, macs, told.capacity)
    good = issue_codes(database, keyring, *numbers, told.guests, utc_now())
    expired = issue_codes(database, keyring, *numbers, told.guests // 30 + 1, utc_now() - timedelta(days=400))
    return gather(good, expired, macs)


def lay_out(database: Database, keyring: Keyring, access_points: list[Mac], capacity: int) -> tuple[int, int]:
    """A Multi site behind one gateway; the numbers of the site and of its pass."""
    now = utc_now() - timedelta(days=500)
    with database.write() as session:
        customer = add_customer(session, COMMAND_LINE, "Crowd", now)
        site = add_site(session, COMMAND_LINE, customer, NewSite(SLUG, "Festwiese", SiteKind.MULTI, "Wiese"), now)
        points = [NewAccessPoint(f"AP {n}", (mac,), capacity=capacity) for n, mac in enumerate(access_points, 1)]
        add_access_points(session, COMMAND_LINE, site, points, now)
        nas = NewNas(
            "gateway", "127.0.0.1/32", "coovachilli", RADIUS_SECRET, uam_secret=UAM_SECRET, nas_identifier=NAS_IDENTIFIER,
            gateway_addresses=(GATEWAY,), logins=(LoginWay.TICKET,),
        )  # fmt: skip
        add_nas(session, COMMAND_LINE, keyring, nas, site, now)
        article = NewPass("hour", "1 hour", Terms(Clock.FIRST_USE, minutes=60))
        return site.id, add_pass(session, COMMAND_LINE, article, site=site, customer=None, now=now).id


def issue_codes(
    database: Database, keyring: Keyring, site_id: int, pass_id: int, count: int, now: datetime
) -> list[str]:
    """So many fresh codes."""
    codes: list[str] = []
    while len(codes) < count:
        with database.write() as session:
            site, article = session.get_one(Site, site_id), session.get_one(Pass, pass_id)
            number = min(LARGEST_BATCH, count - len(codes))
            codes += [
                one.code.value for one in issue(session, COMMAND_LINE, keyring, site, Order(article, number), now)
            ]
    return codes


def gather(good: list[str], expired: list[str], access_points: list[Mac]) -> list[Guest]:
    """The guests: of every thirty one types wrongly and then rightly, one has an expired code, and two have the same one."""
    guests = []
    for number, code in enumerate(good):
        codes: tuple[str, ...] = (code,)
        match number % 30:
            case 0:
                codes = (code[:-1] + ("1" if code[-1] != "1" else "2"), code)
            case 10:
                codes = (expired.pop(),)
            case 20:
                codes = (good[number - 1],)
        guests.append(Guest(Mac.parse(f"0600{number:08X}"), access_points[number % len(access_points)], codes))
    random.shuffle(guests)
    return guests
