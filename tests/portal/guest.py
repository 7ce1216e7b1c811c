"""A guest of the tests: a phone behind a CoovaChilli, which signs its redirects as the real one does."""

import hashlib
import html
import re
from dataclasses import dataclass, field
from urllib.parse import parse_qs, quote, urlencode, urlsplit

from flask.testing import FlaskClient
from sqlalchemy import select, text, true
from sqlalchemy.orm import Session
from werkzeug.test import TestResponse

from hotspot.audit import COMMAND_LINE
from hotspot.clock import Clock as Clock_
from hotspot.database import Database
from hotspot.keys import Keyring
from hotspot.legal import LegalKind, LegalVersion, NewText, publish
from hotspot.mac import Mac
from sessions.admit import Outcome, admit
from sessions.closing import close
from sessions.connection_log import Journal
from sessions.held import hold, write_visits
from sessions.tickets import possible_tickets
from sessions.visit import CloseCause, Visit
from tests.factories import EARLIER, Place, a_login, a_mac, a_pass, a_place, directory, some_vouchers
from vouchers.issuing import Issued
from vouchers.passes import Clock, Pass
from vouchers.voucher import Voucher

PORTAL_URL = "https://portal.example"
GATEWAY = "10.1.0.1:3990"
UAM_SECRET = "the uam secret"
CHALLENGE = "0123456789abcdef0123456789abcdef"
NAS_IDENTIFIER = "chilli-1"


def a_chilli_place(session: Session, keyring: Keyring, **told: object) -> Place:
    """A site behind a CoovaChilli with a UAM secret."""
    nas = {
        "make": "coovachilli",
        "uam_secret": UAM_SECRET,
        "gateway_addresses": (GATEWAY,),
        "nas_identifier": NAS_IDENTIFIER,
        "nas_site": True,
    }
    return a_place(session, keyring, **nas | told)  # type: ignore[arg-type]


def a_free_pass(session: Session, **told: object) -> Pass:
    """An hour a day for nothing."""
    terms = {"clock": Clock.FIRST_USE, "minutes": 60, "free": True} | told
    return a_pass(session, **terms)  # type: ignore[arg-type]


def published_terms(session: Session, body: str = "Be kind.\n\nDo no harm.") -> LegalVersion:
    """Terms of use in both languages."""
    texts = [NewText("de", "Seien Sie nett.\n\nTun Sie nichts Böses."), NewText("en", body)]
    return publish(session, COMMAND_LINE, LegalKind.TERMS, texts, EARLIER, EARLIER)


@dataclass
class Chilli:
    """What a CoovaChilli writes into the address it redirects a guest to."""

    slug: str
    gateway: str = GATEWAY
    secret: str | None = UAM_SECRET
    nas_identifier: str = NAS_IDENTIFIER
    device: Mac = field(default_factory=a_mac)
    challenge: str = CHALLENGE

    def address(self, state: str = "notyet", **more: str) -> str:
        """Path and query of the redirect, signed where there is a secret."""
        host, _, port = self.gateway.rpartition(":")
        told = {
            "res": state,
            "uamip": host,
            "uamport": port,
            "challenge": self.challenge,
            "called": "02-FF-FF-FF-FF-FF",
            "mac": self.device.value,
            "ip": "10.1.0.7",
            "nasid": self.nas_identifier,
            "sessionid": "5f0c2a3b00000001",
            "userurl": "http://news.example/today?a=1&b=2",
        } | more
        # CoovaChilli writes percent-escapes in lower case.
        query = "&".join(f"{name}={_lower_escapes(quote(value, safe=''))}" for name, value in told.items())
        return self.sign(f"/g/{self.slug}?{query}")

    def sign(self, address: str) -> str:
        """Append `md`."""
        if self.secret is None:
            return address
        digest = hashlib.md5(f"{PORTAL_URL}{address}{self.secret}".encode(), usedforsecurity=False).hexdigest()
        return f"{address}&md={digest.upper()}"


def _lower_escapes(text: str) -> str:
    return re.sub("%[0-9A-F]{2}", lambda found: found[0].lower(), text)


@dataclass
class Phone:
    """A browser behind the gateway; `open_page` is one that is left open."""

    client: FlaskClient
    chilli: Chilli
    language: str = "en"
    open_page: str = ""

    def get(self, address: str) -> TestResponse:
        """Open an address of the portal."""
        return self.client.get(address, buffered=True, headers={"Accept-Language": self.language})

    def arrive(self, state: str = "notyet", **more: str) -> TestResponse:
        """Be redirected to the portal."""
        return self.get(self.chilli.address(state, **more))

    def post(self, page: str, **filled: str) -> TestResponse:
        """Send the form of `page`."""
        form = {"flow": flow_of(page)} | filled
        headers = {"Accept-Language": self.language}
        return self.client.post(f"/g/{self.chilli.slug}/login", data=form, headers=headers)

    def log_in(self, code: str, terms: LegalVersion | None = None, **more: str) -> TestResponse:
        """Arrive, type a code, accept the terms, send."""
        accepted = {"terms": str(terms.id)} if terms else {}
        return self.post(self.arrive().text, **{"variant": "voucher", "code": code} | accepted | more)


def flow_of(page: str) -> str:
    """The flow token in a page's form."""
    found = re.search(r'name="flow" value="([^"]+)"', page)
    assert found, "the page has no form"
    return found[1]


def words_of(response: TestResponse) -> str:
    """The text of a page without its tags."""
    return " ".join(html.unescape(re.sub("<[^>]*>", " ", response.text)).split())


@dataclass(frozen=True)
class LogOn:
    """The log-on address that a gateway is sent a guest with."""

    address: str

    @property
    def told(self) -> dict[str, str]:
        """Its parameters."""
        return {name: values[0] for name, values in parse_qs(urlsplit(self.address).query).items()}


def expected_response(password: str, challenge: str = CHALLENGE, secret: str | None = UAM_SECRET) -> str:
    """The CHAP response a CoovaChilli waits for."""
    octets = bytes.fromhex(challenge)
    if secret is not None:
        octets = hashlib.md5(octets + secret.encode(), usedforsecurity=False).digest()
    return hashlib.md5(b"\0" + password.encode() + octets, usedforsecurity=False).hexdigest()


def query(**told: str) -> bytes:
    """A raw query string."""
    return urlencode(told).encode()


class Stage:
    """A site with a free pass, a paid one and a voucher of it, and a phone behind its gateway."""

    def __init__(self, database: Database, keyring: Keyring, client: FlaskClient, clock: Clock_, **nas: object) -> None:
        self.database, self.keyring, self.clock = database, keyring, clock
        with database.write() as session:
            self.place: Place = a_chilli_place(session, keyring, **nas)
            self.place.article.price_cents = 490
            self.free: Pass = a_free_pass(session, megabytes=100)
            self.terms: LegalVersion = published_terms(session)
            self.voucher: Issued = some_vouchers(session, keyring, self.place.site, self.place.article)[0]
        self.phone = Phone(client, Chilli(self.place.site.slug))

    def visits(self) -> list[Visit]:
        """All visits there are."""
        with self.database.read() as session:
            return list(session.scalars(select(Visit).order_by(Visit.id)))

    def admit(self, user_name: str, password: str | None = None, device: Mac | None = None) -> Outcome:
        """Let RADIUS decide: by default for this phone."""
        with self.database.write() as session:
            snapshot = directory(session, self.keyring)
            device = device or self.phone.chilli.device
            login = a_login(snapshot, self.place, user_name, password=password, device=device)
            return admit(session, self.keyring, [login], 300, self.clock())[0]

    def come_online(self) -> TestResponse:
        """The whole way with the voucher: portal, RADIUS, and back to the portal."""
        self.phone.log_in(self.voucher.code.value, self.terms)
        self.let_in()
        return self.phone.arrive("success")

    def voucher_row(self) -> Voucher:
        """The voucher as it stands."""
        with self.database.read() as session:
            return session.get_one(Voucher, self.voucher.voucher.id)

    def let_in(self) -> Outcome:
        """RADIUS gets the newest ticket."""
        visit = [one for one in self.visits() if one.ticket_expires_at][-1]
        assert visit.ticket_expires_at
        facts = (visit.handle, visit.nas_id, visit.site_id, visit.ticket_expires_at)
        return self.admit(visit.handle, possible_tickets(self.keyring, *facts)[0])

    def close_visits(self, cause: CloseCause) -> None:
        """What the NAS reports, or house-keeping finds: nobody is online any more."""
        with self.database.write() as session:
            snapshot = directory(session, self.keyring)
            visits, journal = hold(session, true()), Journal(session)
            for visit in visits:
                close(journal, snapshot.sites[visit.site_id], visit, (), cause, self.clock())
            write_visits(session, visits)
            journal.write()

    def fail_inside(self, address: str) -> None:
        """Ask for a page while the database has lost its tables: a real failure in the middle of a view."""
        with self.database.write() as session:
            session.execute(text("ALTER TABLE limit_counter RENAME TO away"))
        assert self.phone.get(address).status_code == 500
