"""The demo: an operator, a customer with two sites, passes, vouchers and logins, for an empty database."""

import json
import secrets
from dataclasses import asdict, dataclass
from datetime import datetime
from pathlib import Path

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from deploy.files import LANGUAGES, read_template
from deploy.installation import Installation, Work
from hotspot.audit import COMMAND_LINE
from hotspot.enrolment import NewAccessPoint, NewSite, add_access_points, add_customer, add_site
from hotspot.errors import Refusal
from hotspot.legal import LegalKind, NewText, publish
from hotspot.mac import Mac
from hotspot.nas import NewNas, add_nas
from hotspot.people import Role, User
from hotspot.people.accounts import add_user
from hotspot.place import Customer, LoginWay, Nas, Site, SiteKind, announce_change
from hotspot.settings import Settings, split_bind
from vouchers.issuing import Order, issue
from vouchers.pass_changes import NewPass, add_pass
from vouchers.passes import Clock, Terms, find_pass

_UNMISTAKABLE = "abcdefghjkmnpqrstuvwxyz23456789"
_NAS_IDENTIFIER = "surfpass-demo"
_SITE_SLUG, _SSID = "markt", "Markt-WLAN"
_MAC = Mac("02-00-00-00-00-01")


@dataclass(frozen=True, repr=False)
class Demo:
    """What people and the software access point have to know of the demo; kept in a file that only its owner can read."""

    nas_id: str
    nas_identifier: str
    site_slug: str
    ssid: str
    mac: str
    radius_secret: str
    uam_secret: str
    owner_email: str
    owner_password: str
    operator_email: str
    operator_password: str


def demo_file(settings: Settings) -> Path:
    """Where the demo is kept."""
    return settings.data_dir / "demo.json"


def load_demo(settings: Settings) -> Demo | None:
    """The demo in the data folder, None when there is none."""
    try:
        return Demo(**json.loads(demo_file(settings).read_text()))
    except FileNotFoundError:
        return None
    except (ValueError, TypeError) as error:
        raise Refusal("bad-demo", f"{demo_file(settings)} is damaged: delete it to do without the demo.") from error


def is_empty(session: Session) -> bool:
    """Whether nobody uses this database yet."""
    return not session.scalar(select(func.count()).select_from(Customer)) and not session.scalar(
        select(func.count()).select_from(User)
    )


def demo_of(installation: Installation) -> Demo | None:
    """The demo in the data folder if it is this database's; its gateway then follows SURFPASS_DEMO_AP_BIND."""
    demo = load_demo(installation.settings)
    if demo is None:
        return None
    with installation.write() as work:
        nas = work.session.scalar(select(Nas).where(Nas.public_id == demo.nas_id, Nas.retired_at.is_(None)))
        addresses, coa_port = [installation.settings.demo_ap_bind], _coa_port(installation.settings)
        if nas and (nas.gateway_addresses, nas.coa_port) != (addresses, coa_port):
            nas.gateway_addresses, nas.coa_port = addresses, coa_port
            announce_change(work.session)
    return demo if nas else None


def lay_out_demo(installation: Installation) -> Demo:
    """Fill an empty database. Refusal when it is not empty."""
    with installation.write() as work:
        if not is_empty(work.session):
            raise Refusal("not-empty", "The database is not empty, so no demo is laid out in it.")
        demo = _lay_out(work, installation.settings)
        # Before the commit: a demo whose passwords nobody knows would be of no use.
        _write_privately(demo_file(installation.settings), json.dumps(asdict(demo), indent=2) + "\n")
    return demo


def _lay_out(work: Work, settings: Settings) -> Demo:
    session, now = work.session, work.now
    customer = add_customer(session, COMMAND_LINE, "Gasthof am Markt", now)
    markt, meadow = _add_sites(session, customer, now)
    _add_passes(session, customer, now)
    for site in (markt, meadow):
        for slug, count in (("hour", 10), ("day", 5), ("week", 2)):
            order = Order(find_pass(session, site, slug), count, "demo")
            issue(session, COMMAND_LINE, work.keyring, site, order, now)
    _publish_texts(session, settings.operator_name, now)
    demo = Demo(
        nas_id=_NO_ID,
        nas_identifier=_NAS_IDENTIFIER,
        site_slug=_SITE_SLUG,
        ssid=_SSID,
        mac=_MAC.value,
        radius_secret=_password(),
        uam_secret=_password(),
        owner_email="wirtin@markt.example",
        owner_password=_password(),
        operator_email="operator@pop.example",
        operator_password=_password(),
    )
    _add_logins(session, customer, demo, now)
    nas = _add_nas(work, demo, settings)
    return Demo(**{**asdict(demo), "nas_id": nas.public_id})


_NO_ID = ""


def _add_sites(session: Session, customer: Customer, now: datetime) -> tuple[Site, Site]:
    single = NewSite(_SITE_SLUG, "Gasthof am Markt", SiteKind.SINGLE, _SSID, line="GFO-W0100", address="Markt 1")
    multi = NewSite("festwiese", "Festwiese", SiteKind.MULTI, "Festwiese-WLAN", line="GFO-W0101", address="Am Anger")
    markt, meadow = (add_site(session, COMMAND_LINE, customer, new, now) for new in (single, multi))
    bar = NewAccessPoint("Gaststube", (_MAC, Mac("02-00-00-00-00-02")), nas_identifier="markt-gaststube")
    add_access_points(session, COMMAND_LINE, markt, [bar], now)
    names = ("Zelt Nord", "Zelt Süd", "Bühne", "Parkplatz")
    poles = [
        NewAccessPoint(name, (Mac(f"02-00-00-00-01-{number:02}"),), f"festwiese-{number}", outdoor=True)
        for number, name in enumerate(names, 1)
    ]
    add_access_points(session, COMMAND_LINE, meadow, poles, now)
    return markt, meadow


def _add_passes(session: Session, customer: Customer, now: datetime) -> None:
    week = Terms(Clock.FIRST_USE, minutes=7 * 1440, devices=2, replace=True)
    for new in (
        NewPass("free", "Surf Free", Terms(Clock.FIRST_USE, minutes=60, megabytes=100, free=True)),
        NewPass("hour", "Surf Pass 1 h", Terms(Clock.FIRST_USE, minutes=60), price_cents=200),
        NewPass("day", "Surf Pass Day", Terms(Clock.END_OF_DAY, down_kbit=20_000, up_kbit=5_000), price_cents=490),
        NewPass("week", "Surf Pass Week", week, price_cents=1490),
    ):
        add_pass(session, COMMAND_LINE, new, site=None, customer=customer, now=now)


def _publish_texts(session: Session, operator: str, now: datetime) -> None:
    marks = {"de": "DEMO – kein echtes Angebot.", "en": "DEMO – not a real offer."}
    for kind, name in (
        (LegalKind.TERMS, "terms"),
        (LegalKind.IMPRINT, "demo-imprint"),
        (LegalKind.PRIVACY, "demo-privacy"),
        (LegalKind.PRICES, "demo-prices"),
        (LegalKind.SUMMARY, "demo-summary"),
        (LegalKind.ACCESSIBILITY, "demo-accessibility"),
    ):
        bodies = {one: read_template(f"legal/{name}.{one}.txt").replace("OPERATOR", operator) for one in LANGUAGES}
        texts = [NewText(one, f"{marks[one]}\n\n{body}") for one, body in bodies.items()]
        publish(session, COMMAND_LINE, kind, texts, now, now)


def _add_logins(session: Session, customer: Customer, demo: Demo, now: datetime) -> None:
    for email, role, of, password in (
        (demo.operator_email, Role.OPERATOR, None, demo.operator_password),
        (demo.owner_email, Role.OWNER, customer, demo.owner_password),
    ):
        add_user(session, COMMAND_LINE, email=email, role=role, customer=of, password=password, now=now)


def _add_nas(work: Work, demo: Demo, settings: Settings) -> Nas:
    new = NewNas(
        name="software access point",
        network="127.0.0.1/32",
        make="coovachilli",
        secret=demo.radius_secret,
        uam_secret=demo.uam_secret,
        gateway_addresses=(settings.demo_ap_bind,),
        nas_identifier=demo.nas_identifier,
        logins=(LoginWay.TICKET, LoginWay.VOUCHER),
        coa_port=_coa_port(settings),
    )
    return add_nas(work.session, COMMAND_LINE, work.keyring, new, None, work.now)


def _coa_port(settings: Settings) -> int:
    """Where the software access point takes Disconnect-Requests: the UDP port of the same number as its TCP port."""
    return split_bind(settings.demo_ap_bind)[1]


def _password() -> str:
    """Sixteen characters that nobody mistakes for others."""
    return "-".join("".join(secrets.choice(_UNMISTAKABLE) for _ in range(4)) for _ in range(4))


def _write_privately(path: Path, text: str) -> None:
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    draft = path.with_suffix(".new")
    draft.unlink(missing_ok=True)
    draft.touch(mode=0o600)
    draft.write_text(text)
    draft.replace(path)
